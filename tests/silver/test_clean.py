"""Cleaning: every reason, exact counts, duplicates, sessions, bots, and no matter in which order files arrive."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.bronze.land import land
from recsynth.errors import AccountingError, InputError
from recsynth.settings import Settings
from recsynth.silver.accounting import account, check
from recsynth.silver.clean import clean
from recsynth.silver.items import items
from recsynth.silver.reviews import reviews
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from recsynth.tables.ops import ERASURES, EXPIRED
from recsynth.tables.silver import CLEANED_FILES, EVENTS, ITEM_RECORDS, POLICIES, POSTS, PROMOTIONS, QUARANTINE, TICKETS
from tests.rows import item_record, item_records, night, table
from tests.sources import EVENTS as CLICKS
from tests.sources import INVOICES, event, settings, write_csv, write_jsonl

AS_OF = date(2024, 4, 1)
BROKEN: dict[str, dict[str, Any] | str] = {
    "malformed row": '{"event_id": "x", "us',
    "missing user_id": event("x1", user_id=None),
    "reserved user_id": event("x15", user_id=" * "),
    "missing item_id": event("x2", item_id="  "),
    "missing ts": event("x3", ts=None),
    "unparsable ts": event("x4", ts="soon"),
    "ts out of range": event("x5", ts="1970-01-01T00:00:00"),
    "missing event_type": event("x6", event_type=""),
    "unknown event_type": event("x7", event_type="teleport"),
    "negative price": event("x8", price=-0.5),
    "unparsable price": event("x9", price="cheap"),
    "quantity not positive": event("x10", quantity=0),
    "unparsable quantity": event("x11", quantity="many"),
    "rating out of range": event("x12", rating=6),
    "unparsable rating": event("x13", rating="good"),
    "missing query": event("x14", event_type="search", item_id=None, query=" "),
}


class Lake:
    """Bronze and silver in memory, changed as the store would change them."""

    def __init__(self, spark: SparkSession, configured: Settings) -> None:
        self.night, self.spark = night(AS_OF, configured), spark
        declared = (LANDED_FILES, ROWS, COLUMN_CHANGES, CLEANED_FILES, EVENTS, ITEM_RECORDS, QUARANTINE, TICKETS,
                    POLICIES, POSTS, PROMOTIONS, ERASURES, EXPIRED)  # fmt: skip
        self.tables: dict[str, DataFrame] = {t.short: table(spark, t, []) for t in declared}

    def run(self) -> dict[str, DataFrame]:
        bronze = {t.short: self.tables[t.short] for t in (LANDED_FILES, ROWS, COLUMN_CHANGES)}
        for name, rows in land(**bronze, night=self.night).items():
            self.tables[name] = self.tables[name].union(rows).localCheckpoint()
        reads = (
            "rows",
            "landed_files",
            "column_changes",
            "cleaned_files",
            "events",
            "item_records",
            "tickets",
            "policies",
            "posts",
            "promotions",
        )
        found = dict(clean(**{n: self.tables[n] for n in reads}, night=self.night))
        kinds = (ITEM_RECORDS, TICKETS, POLICIES, POSTS, PROMOTIONS)
        keys = {"events": ["event_date"]} | {t.short: list(t.key) for t in kinds}
        for name, rows in found.items():
            kept = self.tables[name].join(rows, on=keys[name], how="left_anti") if name in keys else self.tables[name]
            self.tables[name] = kept.select(*rows.columns).union(rows).localCheckpoint()
        self.spark.catalog.clearCache()
        return found

    def account(self) -> dict[str, float]:
        reads = ("landed_files", "events", "item_records", "tickets", "policies", "posts", "promotions", "quarantine",
                 "erasures", "expired")  # fmt: skip
        return {r.metric: r.value for r in account(**{n: self.tables[n] for n in reads}, night=self.night).collect()}

    def events(self) -> list[tuple[Any, ...]]:
        chosen = ("event_id", "session_id", "is_bot", "is_near_duplicate", "copies", "ts")
        return sorted(tuple(r) for r in self.tables["events"].select(*chosen).collect())


def test_each_broken_row_is_set_aside_for_its_reason_and_counted(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [event("good"), *BROKEN.values(), BROKEN["malformed row"]])
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    reasons = {r.reason: r.copies for r in lake.tables["quarantine"].collect()}
    assert reasons == {reason: 2 if reason == "malformed row" else 1 for reason in BROKEN}
    assert [e[0] for e in lake.events()] == ["good"]
    counted = lake.account()
    assert (counted["rows_landed"], counted["rows_kept"], counted["rows_quarantined"]) == (18, 1, 17)


def test_filters_come_first_and_are_named(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", "user,item,title,price,at\n,POSTAGE,x,1,2024-03-01\n,i,x,1,2024-03-01\n")
    lake = Lake(spark, settings(tmp_path, INVOICES))
    lake.run()
    assert {r.reason for r in lake.tables["quarantine"].collect()} == {"filtered: not_a_product", "missing user_id"}


def test_duplicates_fold_into_copies_and_double_clicks_are_marked(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [
        event("a"), event("a"), event("b", ts="2024-03-01T12:00:01"), event("c", ts="2024-03-01T12:00:03"),
        event("d", ts="2024-03-01T12:00:00", event_type="purchase"),
        event("e", ts="2024-03-01T12:00:00", event_type="purchase"),
    ])  # fmt: skip
    write_jsonl(tmp_path, "b.jsonl", [event("a")])
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    assert {e[0]: (e[3], e[4]) for e in lake.events()} == {
        "a": (False, 3), "b": (True, 1), "c": (False, 1), "d": (False, 1), "e": (False, 1),
    }  # fmt: skip
    assert lake.account()["rows_duplicates"] == 2


def test_sessions_end_after_idle_time_and_at_local_midnight(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [
        event("a", ts="2024-03-01T23:20:00", item_id="1"), event("b", ts="2024-03-01T23:50:00", item_id="2"),
        event("c", ts="2024-03-02T00:05:00", item_id="3"), event("d", ts="2024-03-02T00:36:00", item_id="4"),
    ])  # fmt: skip
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    assert [e[1] for e in lake.events()] == ["u/2024-03-01/0", "u/2024-03-01/0", "u/2024-03-02/0", "u/2024-03-02/1"]


def test_local_times_become_utc_across_daylight_saving(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [
        event("winter", ts="2024-03-30T12:00:00"), event("summer", ts="2024-03-31T12:00:00"),
        event("offset", ts="2024-03-31T12:00:00+05:00"), event("zulu", ts="2024-03-31T12:00:00Z"),
    ])  # fmt: skip
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    assert {e[0]: e[5].strftime("%d %H") for e in lake.events()} == {
        "winter": "30 11", "summer": "31 10", "offset": "31 07", "zulu": "31 12",
    }  # fmt: skip


def test_a_pace_that_no_person_has_is_a_bot_and_a_large_basket_is_not(spark: SparkSession, tmp_path: Path) -> None:
    start = datetime(2024, 3, 1, 12)
    fast = [
        event(f"b{i}", user_id="bot", item_id=str(i), ts=(start + timedelta(milliseconds=500 * i)).isoformat())
        for i in range(80)
    ]
    buys = [
        event(f"p{i}", user_id="fan", item_id=str(i), event_type="purchase", ts=start.isoformat()) for i in range(80)
    ]
    write_jsonl(tmp_path, "a.jsonl", [*fast, *buys, event("next", user_id="bot", ts="2024-03-02T12:00:00")])
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    assert {e[0][0] for e in lake.events() if e[2]} == {"b"}
    assert lake.account()["rows_bots"] == 80


def test_the_order_in_which_files_arrive_makes_no_difference(spark: SparkSession, tmp_path: Path) -> None:
    files = {
        "1.jsonl": [event("a", ts="2024-03-01T12:00:00"), event("z", ts="2024-03-02T09:00:00")],
        "2.jsonl": [event("b", ts="2024-03-01T11:59:59"), event("a", ts="2024-03-01T12:00:00")],
        "3.jsonl": [event("c", ts="2024-03-01T12:20:00", item_id="k")],
    }
    found = []
    for order in (("1.jsonl", "2.jsonl", "3.jsonl"), ("3.jsonl", "2.jsonl", "1.jsonl")):
        root = tmp_path / order[0]
        lake = Lake(spark, settings(root, CLICKS))
        for name in order:
            write_jsonl(root, name, files[name])
            lake.run()
        found.append((lake.events(), lake.account()))
    assert found[0] == found[1]
    assert lake.run() == {}


def test_event_rows_also_tell_of_their_items(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(
        tmp_path, "a.csv", "user,item,title,price,at\nu,i,Mug,1,2024-03-01\nv,i,Mug,1,2024-03-01\nu,i,?,1,2024-03-01\n"
    )
    lake = Lake(spark, settings(tmp_path, INVOICES))
    lake.run()
    write_csv(tmp_path, "b.csv", "user,item,title,price,at\nw,i,Mug,1,2024-03-01\n")
    lake.run()
    assert {(r.title, r.copies) for r in lake.tables["item_records"].collect()} == {("Mug", 3), (None, 1)}


def test_an_item_source_is_accounted_for_too(spark: SparkSession, tmp_path: Path) -> None:
    source = {"name": "catalogue", "kind": "items", "format": "csv", "path": "*.csv",
              "columns": {"item_id": "id", "title": "title", "price": "price",
                          "seen_date": "substring(_path, 1, 10)"}}  # fmt: skip
    write_csv(tmp_path, "2024-03-01.csv", "id,title,price\ni,Mug,1\ni,Mug,1\n,Pan,1\nj,Pan,-1\n")
    lake = Lake(spark, settings(tmp_path, source))
    lake.run()
    (record,) = lake.tables["item_records"].collect()
    assert (record.title, record.copies, record.seen_date) == ("Mug", 2, date(2024, 3, 1))
    assert {r.reason for r in lake.tables["quarantine"].collect()} == {"missing item_id", "negative price"}
    assert lake.account()["rows_duplicates"] == 1


def test_a_picture_is_so_many_finite_numbers_or_its_row_is_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    pictures = {"a": "1 2.5", "b": "1", "c": "1 NaN", "d": "1 inf", "e": "1 x", "f": ""}
    rows = "".join(f"{item},Mug,{picture}\n" for item, picture in pictures.items())
    write_csv(tmp_path, "2024-03-01.csv", "id,title,picture\n" + rows)
    read = "if(picture = '', null, transform(split(picture, ' '), x -> try_cast(x as float)))"
    source = {"name": "catalogue", "kind": "items", "format": "csv", "path": "*.csv",
              "columns": {"item_id": "id", "title": "title", "image_vector": read,
                          "seen_date": "substring(_path, 1, 10)"}}  # fmt: skip
    lake = Lake(spark, settings(tmp_path, source, silver={"image_size": 2}))
    lake.run()
    assert {r.item_id: r.image_vector for r in lake.tables["item_records"].collect()} == {"a": [1.0, 2.5], "f": None}
    reasons = [r.reason for r in lake.tables["quarantine"].collect()]
    assert reasons == ["image_vector: not 2 finite numbers"] * 4
    lake.account()


def test_of_an_event_row_a_picture_of_another_size_is_none(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", "user,item,title,price,at\nu,i,Mug,1,2024-03-01\nu,j,Pan,2,2024-03-01\n")
    shown = "if(item = 'i', array(0.5, 1), array(1))"
    told = INVOICES | {"item_columns": INVOICES["item_columns"] | {"image_vector": shown}}
    lake = Lake(spark, settings(tmp_path, told, silver={"image_size": 2}))
    lake.run()
    assert {r.item_id: r.image_vector for r in lake.tables["item_records"].collect()} == {"i": [0.5, 1.0], "j": None}
    assert len(lake.events()) == 2


def test_a_lost_row_is_noticed() -> None:
    with pytest.raises(AccountingError, match="expected 6 landed rows, found 5"):
        check({"source": "s", "landed": 6, "kept": 1, "duplicates": 1, "quarantined": 1, "erased": 1, "expired": 1})


def test_an_as_of_date_before_every_event_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [event("a", ts="2024-04-01T00:00:00")])
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    with pytest.raises(InputError, match="2024-04-01: expected an event before it"):
        lake.account()


def test_items_have_a_version_for_each_change(spark: SparkSession) -> None:
    first, second, third = (date(2024, 3, d) for d in (1, 2, 3))
    records = item_records(spark, [
        item_record("i", first, title="A"), item_record("i", second, title="A", copies=2),
        item_record("i", second, title="B"),
        item_record("i", third, title="B"),
    ])  # fmt: skip
    found = [
        (r.title, r.valid_from.day, r.valid_to and r.valid_to.day)
        for r in items(records, night(AS_OF)).orderBy("valid_from").collect()
    ]
    assert found == [("A", 1, 3), ("B", 3, None)]


def test_reviews_are_stars_or_words(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(
        tmp_path, "a.jsonl", [event("a", event_type="rating", rating=4), event("b", event_type="comment"), event("c")]
    )
    lake = Lake(spark, settings(tmp_path, CLICKS))
    lake.run()
    assert [r.event_id for r in reviews(lake.tables["events"], lake.night).collect()] == ["a"]
