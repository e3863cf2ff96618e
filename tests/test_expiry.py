"""What people did too long ago leaves the lake, stays counted, and comes back by no way."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.erasure import erase
from recsynth.errors import ContractError
from recsynth.expiry import RUN_PREFIX, expire
from recsynth.faults import FaultError, planted
from recsynth.ledger import Ledger
from recsynth.nightly import run_night, tidy_lake
from recsynth.pipeline import STAGES
from recsynth.settings import Settings
from recsynth.silver.replay import replay
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import Table
from recsynth.tables.bronze import LANDED_FILES, ROWS
from recsynth.tables.ops import EXPIRED, METRICS, PUBLISHED, RUNS
from recsynth.tables.silver import EVENTS, ITEM_RECORDS, ITEMS, POSTS, QUARANTINE, REVIEWS, TICKETS
from recsynth.traces import ITEM, KINDS, LONG_AGO, REVIEW, USER, Traces
from tests.rows import table
from tests.sources import EVENTS as CLICKS
from tests.sources import event, settings, write_csv, write_jsonl

AS_OF, NOW = date(2024, 6, 1), datetime(2100, 1, 1, tzinfo=UTC)
SHORT = [s for s in STAGES if s.name in ("land", "clean", "account", "items", "reviews")]
CHANGED = (ROWS, QUARANTINE, EVENTS, REVIEWS, TICKETS, POSTS)
# Berlin's midnight before the first day that stays is 22:00 in UTC.
KEPT = {"event_days": 31, "raw_days": 30}
OLD, NEW = "2024-04-30T23:59:59", "2024-05-01T00:00:00"


def configured(folder: Path, **retention: Any) -> Settings:
    tickets = {"name": "tickets", "kind": "tickets", "format": "csv", "path": "tickets/*.csv",
               "time_zone": "Europe/Berlin",
               "columns": {"ticket_id": "id", "user_id": "user", "ts": "at", "question": "words"}}  # fmt: skip
    posts = {"name": "posts", "kind": "posts", "format": "csv", "path": "posts/*.csv", "time_zone": "Europe/Berlin",
             "columns": {"post_id": "id", "user_id": "user", "ts": "at", "text": "words"}}  # fmt: skip
    catalogue = {"name": "catalogue", "kind": "items", "format": "csv", "path": "items/*.csv",
                 "columns": {"item_id": "item", "title": "title", "seen_date": "'2024-01-01'"}}  # fmt: skip
    windows = {"windows": {"count": 1, "days": 7}}
    return settings(folder, CLICKS, tickets, posts, catalogue, simulate=False, gold=windows, retention=retention)


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, without_pages: None) -> Path:
    """A lake of one night: each kind of row on both sides of Berlin's midnight, and what was set aside."""
    folder = tmp_path_factory.mktemp("shop")
    old = [event("o1", OLD, user_id="anna"), event("o1", OLD, user_id="anna"),
           event("o2", OLD, user_id="ben", event_type="rating", rating=1)]  # fmt: skip
    new = [event("n1", NEW, user_id="ben", event_type="rating", rating=5), event("n2", NEW, user_id="anna")]
    write_jsonl(folder, "a.jsonl", [*old, *new, "torn", event("x", OLD, price=-1)])
    asked = "".join(f"{n},anna,{at},Where is it?\n" for n, at in enumerate((OLD, NEW)))
    write_csv(folder, "tickets/a.csv", f"id,user,at,words\n{asked}")
    write_csv(folder, "posts/a.csv", f"id,user,at,words\n{asked}")
    write_csv(folder, "items/a.csv", "item,title\ni,MUG\n,NOTHING\n")
    run_night(spark, configured(folder), AS_OF, stages=SHORT)
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path, spark: SparkSession) -> tuple[Path, Store]:
    """A copy of it, to be changed."""
    shutil.copytree(made, tmp_path / "shop")
    return tmp_path / "shop", Store(spark, str(tmp_path / "shop" / "lake"))


def at(folder: Path, now: datetime = NOW, **retention: Any) -> Night:
    return Night("tidy", AS_OF, now, configured(folder, **retention))


def counts(store: Store) -> dict[str, int]:
    return {t.name: store.read(t).count() for t in CHANGED}


def ids(store: Store, of: Table, column: str) -> list[str]:
    return sorted(r[0] for r in store.read(of).select(column).collect())


def later(folder: Path, spark: SparkSession, day: int) -> dict[str, Counter[str]]:
    """What the account of another night says, a source each."""
    run_night(spark, configured(folder), date(2024, 6, day), stages=SHORT)
    rows = Store(spark, str(folder / "lake")).read(METRICS).where(F.col("run_date") == F.lit(date(2024, 6, day)))
    told: dict[str, Counter[str]] = {}
    for r in rows.where("stage = 'account'").collect():
        told.setdefault(r.segment, Counter())[r.metric.removeprefix("rows_")] = int(r.value)
    return told


@pytest.fixture(scope="module")
def expired(made: Path, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[Store, dict[str, int]]:
    """Another copy, from which it went, and what that was."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("expired") / "shop")
    store = Store(spark, str(folder / "lake"))
    return store, expire(Ledger(store), at(folder, **KEPT))


def test_what_is_past_its_days_leaves(expired: tuple[Store, dict[str, int]]) -> None:
    store, removed = expired
    assert removed == {"bronze.rows": 13, "silver.quarantine": 3, "silver.events": 2, "silver.reviews": 1,
                       "silver.tickets": 1, "silver.posts": 1}  # fmt: skip
    assert counts(store) == {"bronze.rows": 0, "silver.quarantine": 0, "silver.events": 2, "silver.reviews": 1,
                             "silver.tickets": 1, "silver.posts": 1}  # fmt: skip
    assert ids(store, EVENTS, "event_id") == ["n1", "n2"]
    assert ids(store, REVIEWS, "event_id") == ["n1"]
    # The catalogue is nobody's.
    assert store.read(ITEM_RECORDS).count() == store.read(ITEMS).count() == 1


def test_it_is_told_by_table_and_source_with_the_time_before_which_rows_went(
    expired: tuple[Store, dict[str, int]],
) -> None:
    store, _ = expired
    rows = store.read(EXPIRED).withColumn("since_1970", F.unix_timestamp("before")).collect()
    told = {(r.table, r.source): (r.rows, r.landed, r.since_1970) for r in rows}
    midnight, landed = (int(t.timestamp()) for t in (datetime(2024, 4, 30, 22, tzinfo=UTC), NOW - timedelta(days=30)))
    assert told["silver.events", "clicks"] == (2, 3, midnight)
    assert told["silver.reviews", "clicks"] == (1, 0, midnight)
    assert told["bronze.rows", "clicks"] == (7, 0, landed)
    assert told["silver.quarantine", "clicks"] == (2, 2, landed)
    assert store.read(RUNS).where(F.col("run_id").startswith(RUN_PREFIX)).select("status").collect() == [("complete",)]


def test_whoever_is_erased_may_have_taught_what_learned_before(
    made: Path, spark: SparkSession, expired: tuple[Store, dict[str, int]]
) -> None:
    store, before = expired[0], Store(spark, str(made / "lake"))
    wanted = {USER: "anna", REVIEW: "n1", ITEM: "i"}
    first = {kind: [Traces(s, configured(made), KINDS[kind], [own]).since for s in (before, store)]
             for kind, own in wanted.items()}  # fmt: skip
    assert first[USER] == [date(2024, 4, 30), LONG_AGO]
    assert first[REVIEW] == [date(2024, 5, 1), LONG_AGO]
    assert first[ITEM] == [date(2024, 1, 1)] * 2


def test_twice_is_once(expired: tuple[Store, dict[str, int]]) -> None:
    store, _ = expired
    before = store.versions()
    assert expire(Ledger(store), at(Path(store.lake).parent, **KEPT)) == {}
    assert store.versions() == before


def test_the_account_of_a_later_night_adds_up(
    spark: SparkSession, expired: tuple[Store, dict[str, int]], without_pages: None
) -> None:
    store, _ = expired
    told = later(Path(store.lake).parent, spark, 2)
    assert told["clicks"] == Counter(landed=7, kept=2, expired=5)
    assert told["tickets"] == told["posts"] == Counter(landed=2, kept=1, expired=1)
    assert told["catalogue"] == Counter(landed=2, kept=1, expired=1)
    # What lies in the landing folder still has landed, and does not land again.
    assert store.read(ROWS).isEmpty()
    assert store.read(LANDED_FILES).count() == 4


@pytest.mark.parametrize(
    ("retention", "now", "gone"),
    [
        ({}, NOW, set()),
        # Rows that landed a day ago stay as they came, whatever they tell of.
        ({"raw_days": 30}, datetime.now(UTC) + timedelta(days=1), set()),
        ({"raw_days": 30}, datetime.now(UTC) + timedelta(days=31), {ROWS, QUARANTINE}),
        # In days of the shop, whose last night is long ago: nothing there is older than two months.
        ({"event_days": 61, "raw_days": 61}, datetime.now(UTC), set()),
    ],
)
def test_what_is_within_its_days_stays(
    shop: tuple[Path, Store], retention: dict[str, int], now: datetime, gone: set[Table]
) -> None:
    folder, store = shop
    before = counts(store)
    expire(Ledger(store), at(folder, now, **retention))
    changed = {name for name, count in counts(store).items() if count != before[name]}
    assert changed == {t.name for t in gone}


def test_a_date_far_ahead_takes_nothing_with_it(spark: SparkSession, shop: tuple[Path, Store]) -> None:
    folder, store = shop
    ahead = {"run_date": date(2924, 6, 1), "run_id": "typo", "versions": {}, "published_at": NOW}
    store.write(PUBLISHED, table(spark, PUBLISHED, [ahead]), date(2924, 6, 1))
    expire(Ledger(store), at(folder, datetime(2024, 6, 1, tzinfo=UTC), **KEPT))
    assert ids(store, EVENTS, "event_id") == ["n1", "n2"]


def test_files_that_were_not_cleaned_yet_stay(spark: SparkSession, shop: tuple[Path, Store]) -> None:
    folder, store = shop
    fresh = {"file_id": "f", "source": "clicks", "path": "events/b.jsonl", "sha256": "s", "rows": 1,
             "landed_at": datetime(2024, 1, 1, tzinfo=UTC)}  # fmt: skip
    store.write(LANDED_FILES, table(spark, LANDED_FILES, [fresh]), AS_OF)
    store.write(ROWS, table(spark, ROWS, [{"file_id": "f", "source": "clicks", "raw": "{}", "fields": {}}]), AS_OF)
    expire(Ledger(store), at(folder, **KEPT))
    assert ids(store, ROWS, "file_id") == ["f"]


def test_rows_of_a_table_stay_for_by_them_landing_tells_what_is_new_there(shop: tuple[Path, Store]) -> None:
    folder, store = shop
    night = at(folder, raw_days=30)
    sources = [s.model_copy(update={"format": "delta"}) if s.name == "posts" else s for s in night.settings.sources]
    expire(Ledger(store), replace(night, settings=night.settings.model_copy(update={"sources": sources})))
    assert ids(store, ROWS, "source") == ["posts", "posts"]


def test_a_failure_on_the_way_leaves_every_table_as_it_was(shop: tuple[Path, Store]) -> None:
    folder, store = shop
    before = counts(store)
    with planted("expire.deleted", "raise"), pytest.raises(FaultError):
        expire(Ledger(store), at(folder, **KEPT))
    assert counts(store) == before
    assert store.read(EXPIRED).isEmpty()


@pytest.mark.slow
def test_a_kill_on_the_way_is_undone_by_the_next_run(shop: tuple[Path, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, store = shop
    before = counts(store)
    # A killed process puts nothing back and ends no run.
    monkeypatch.setattr(Ledger, "put_back", lambda *_, **__: [])
    monkeypatch.setattr(Ledger, "end", lambda *_: None)
    with planted("expire.deleted", "raise"), pytest.raises(FaultError):
        expire(Ledger(store), at(folder, **KEPT))
    monkeypatch.undo()
    assert counts(store) != before
    assert {ROWS.name, EVENTS.name, POSTS.name} <= set(Ledger(store).recover())
    assert counts(store) == before


@pytest.mark.slow
def test_tidying_does_it_and_the_files_leave_the_disk(spark: SparkSession, shop: tuple[Path, Store]) -> None:
    folder, store = shop
    tidied = tidy_lake(Ledger(store), at(folder, **KEPT), SHORT)
    assert tidied.expired[EVENTS.name] == 2
    assert "silver.events 2" in str(tidied)
    # No shop may ask for less than a week of history; here all that the latest version does not need goes at once.
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    store.tidy(EVENTS, 0, compact=True)
    days = {p.parent.name for p in Path(store.path(EVENTS)).rglob("*.parquet") if "_delta_log" not in p.parts}
    assert days == {"event_date=2024-05-01"}


@pytest.mark.slow
def test_nothing_comes_back_and_a_table_that_is_gone_says_so(
    spark: SparkSession, shop: tuple[Path, Store], without_pages: None
) -> None:
    folder, store = shop
    expire(Ledger(store), at(folder, **KEPT))
    # What was set aside went with its rows: there is nothing to clean again, and no count that does not match.
    assert replay(Ledger(store), at(folder), "clicks").kept == 0
    erased = erase(Ledger(store), configured(folder), ["anna"])
    assert erased.rows[EVENTS.name] == 1
    told = later(folder, spark, 2)
    assert told["clicks"] == Counter(landed=7, kept=1, erased=1, expired=5)
    shutil.rmtree(store.path(QUARANTINE))
    with pytest.raises(ContractError, match=r"silver\.quarantine.*put it back from a copy"):
        run_night(spark, configured(folder), date(2024, 6, 2), stages=SHORT)
    assert ids(store, EVENTS, "event_id") == ["n1"]


@pytest.mark.parametrize(
    ("retention", "message"),
    [
        ({"event_days": 400}, r"raw_days: expected 1 to event_days \(400\), found 0"),
        ({"event_days": 400, "raw_days": 401}, r"raw_days: expected 1 to event_days \(400\), found 401"),
        ({"event_days": 7, "raw_days": 7}, r"expected more than the 7 days of gold\.windows, found 7"),
        ({"raw_days": -1}, "greater than or equal to 0"),
    ],
)
def test_what_would_bring_events_back_or_leave_none_is_refused(
    tmp_path: Path, retention: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        configured(tmp_path, **retention)
