"""The stage on a planted shop: lives that agree with the people drawn, provenance, verdicts, too little to learn."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.measure.synthesis import overlap
from recsynth.stage import Night
from recsynth.synthesis.synthesise import synthesise
from recsynth.synthesis.synthesise_tables import synthesise_tables
from recsynth.synthesis.table_gate import ALIKE, METRICS
from recsynth.tables.gold import QUERY_ITEMS
from recsynth.tables.silver import EVENTS, ITEMS
from recsynth.tables.synthesis import (
    SYNTHETIC_EVENTS,
    SYNTHETIC_HISTORIES,
    SYNTHETIC_ITEMS,
    SYNTHETIC_USERS,
    TABLES_REPORT,
)
from tests.contract_suite import BY_NAME, Inputs, assert_same, run, shuffled
from tests.rows import table
from tests.silver.test_clean import Lake
from tests.sources import settings as sourced
from tests.synthesis.planted import two_tastes
from tests.synthesis.test_stages import at, planted

USERS = 160
QUICK = {"steps": 60, "max_bins": 8, "gan": {"steps": 8, "batch_size": 64}}
STAGE = BY_NAME["synthesise_tables"]


def settings(lake: Path, **changes: object) -> Night:
    return at(lake, tables={**QUICK, **changes}, users=USERS // 2)


def shop_events(spark: SparkSession, tonight: Night) -> DataFrame:
    """Everybody comes on Mondays and Thursdays at nine, sees two things, buys the first, and searched for it before."""
    rng = np.random.default_rng(0)
    rows = []
    for user, of in enumerate(two_tastes(USERS, seed=1)):
        items = rng.permutation(of.indices)
        day = tonight.cutoff - timedelta(days=int(rng.integers(20, 60)))
        for number, start in enumerate(range(0, len(items), 2)):
            day += timedelta(days=1)
            while day.weekday() not in (0, 3):
                day += timedelta(days=1)
            if day >= tonight.cutoff - timedelta(days=1):
                break
            plain = {"user_id": f"u{user:04d}", "session_id": f"u{user:04d}/{number}", "event_date": day.date(),
                     "country": "XX" if user == 3 else ("DE", "FR")[user % 2], "source": "s", "is_bot": False,
                     "is_near_duplicate": False, "copies": 1}  # fmt: skip
            seen = items[start : start + 2]
            typed = f"thing {seen[0] % 4}" if user != 5 else "my own secret"
            steps = [("search", None), *(("view", i) for i in seen), ("purchase", seen[0])]
            for step, (kind, item) in enumerate(steps):
                rows.append({**plain, "event_id": f"{user}/{number}/{step}", "event_type": kind,
                             "item_id": None if item is None else f"i{item:02d}",
                             "query": typed if kind == "search" else None,
                             "ts": day + timedelta(hours=9, seconds=30 * step),
                             "quantity": 2 if kind == "purchase" else None})  # fmt: skip
    return table(spark, EVENTS, rows)


def catalogue(spark: SparkSession, tonight: Night) -> DataFrame:
    """Eighty records, of which forty are sold; mugs cost little, lamps much; one brand is of one item alone."""
    old = tonight.cutoff - timedelta(days=99)
    return table(spark, ITEMS, [
        {"item_id": f"i{n:02d}", "valid_from": old, "title": f"Thing {n}", "category": ["home", ("mug", "lamp")[n % 2]],
         "brand": "Only" if n == 7 else ("Ora", "Quill")[n // 2 % 2], "price": Decimal([5, 90][n % 2] + n % 5),
         "currency": "EUR", "attributes": {"colour": ("red", "blue")[n % 3 % 2]}, "available": True}
        for n in range(80)
    ])  # fmt: skip


@pytest.fixture(scope="module")
def tonight(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return settings(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def inputs(spark: SparkSession, tonight: Night) -> Inputs:
    pairs = planted(spark, tonight, USERS)["interactions"].persist()
    led = [{"query": f"thing {n % 4}", "item_id": f"i{n:02d}", "weight": 1.0, "sessions": 9, "query_sessions": 9,
            "last_ts": tonight.cutoff - timedelta(days=2)} for n in range(40)]  # fmt: skip
    led += [{**led[0], "query": "my own secret", "weight": 99.0}]
    return {
        "interactions": pairs, "events": shop_events(spark, tonight).persist(),
        "items": catalogue(spark, tonight).persist(), "query_items": table(spark, QUERY_ITEMS, led),
        "synthetic_histories": synthesise(pairs, tonight).persist(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def made(inputs: Inputs, tonight: Night) -> dict[str, DataFrame]:
    return {name: frame.persist() for name, frame in synthesise_tables(**inputs, night=tonight).items()}


@pytest.fixture(scope="module")
def drawn(made: dict[str, DataFrame]) -> pd.DataFrame:
    return made["synthetic_events"].toPandas().sort_values("event_id")


def test_the_people_are_those_of_synthetic_histories_and_do_what_their_history_says(
    made: dict[str, DataFrame], inputs: Inputs, drawn: pd.DataFrame
) -> None:
    histories = inputs["synthetic_histories"].where("generator = 'gan'").toPandas().set_index("user_id")
    met = drawn.dropna(subset=["item_id"]).groupby("user_id")["item_id"].agg(set)
    assert {u: set(items) for u, items in histories["items"].items()} == met.to_dict()
    users = made["synthetic_users"].toPandas().set_index("user_id").sort_index()
    assert users["segment"].to_dict() == histories["segment"].to_dict()
    assert (users["items"] == met.map(len)).all()
    assert (users["visits"] == drawn.groupby("user_id")["session_id"].nunique()).all()
    assert (users["first_date"] == drawn.groupby("user_id")["event_date"].min()).all()


def test_they_come_when_people_come_and_see_what_they_buy(drawn: pd.DataFrame, tonight: Night) -> None:
    assert (drawn["ts"] < pd.Timestamp(tonight.cutoff.replace(tzinfo=None))).all()
    visits = drawn.drop_duplicates("session_id")
    weekdays = np.bincount(pd.to_datetime(visits["event_date"]).dt.weekday, minlength=7)
    assert overlap(weekdays, np.array([1, 0, 0, 1, 0, 0, 0])) > 0.7
    assert (visits["ts"].dt.hour == 9).all()
    purchases = drawn[drawn["event_type"] == "purchase"]
    seen = set(zip(*(drawn.loc[drawn["event_type"] == "view", c] for c in ("session_id", "item_id")), strict=True))
    bought = list(zip(purchases["session_id"], purchases["item_id"], strict=True))
    assert np.mean([pair in seen for pair in bought]) > 0.95
    assert (purchases["quantity"] == 2).all()
    own = {f"i{n:02d}": [5, 90][n % 2] + n % 5 for n in range(40)}
    assert (purchases["price"].astype(float) == purchases["item_id"].map(own)).all()
    assert set(purchases["currency"]) == {"EUR"}


def test_what_few_people_have_is_nowhere(made: dict[str, DataFrame], drawn: pd.DataFrame) -> None:
    assert set(made["synthetic_users"].toPandas()["country"]) <= {"DE", "FR", None}
    assert set(drawn["query"].dropna()) == {f"thing {n}" for n in range(4)}
    records = made["synthetic_items"].toPandas()
    assert set(records["brand"].dropna()) == {"Ora", "Quill"}


def test_items_hang_together_as_records_do(made: dict[str, DataFrame]) -> None:
    records = made["synthetic_items"].toPandas()
    kind = records["category"].map(lambda path: path[-1] if path is not None else None)
    cheap = records["price"].astype(float) < 50
    assert cheap[kind == "mug"].mean() > 0.9
    assert cheap[kind == "lamp"].mean() < 0.1
    assert records["item_id"].str.startswith("synthetic-item-").all()
    assert {c for a in records["attributes"] for c in dict(a).values()} == {"red", "blue"}


def test_a_row_says_what_made_it_and_the_batch_has_one_verdict_that_the_report_explains(
    made: dict[str, DataFrame], tonight: Night
) -> None:
    report = made["tables_report"].toPandas()
    for names, of in ((("users", "events"), ("users", "visits", "paths")), (("items",), ("items",))):
        rows = [made[f"synthetic_{n}"].select("model_version", "seed", "verdict").distinct().collect() for n in names]
        assert all(len(r) == 1 for r in rows)
        assert (tonight.models / rows[0][0].model_version / "tables.safetensors").is_file()
        ours = report[(report["generator"] == "gan") & report["table"].isin(of)]
        failed = bool(ours["passed"].isin([False]).any())
        assert {r[0].verdict for r in rows} == {"failed" if failed else "passed"}
    assert set(report["metric"]) == set(METRICS)
    exact = report[report["metric"].isin(["orphans", "unmet", "rare"])]
    assert exact["value"].tolist() == [0.0] * 3
    assert exact["passed"].all()
    alike = report[(report["table"] == "paths") & report["metric"].isin(ALIKE)]
    assert alike["reference"].between(0.5, 1.0).all()
    # The GAN is nearer than columns drawn each for itself.
    pairs = report[report["metric"] == "pairs"].pivot_table(index="table", columns="generator", values="value")
    assert (pairs["gan"] > pairs["independent"]).all()


def test_synthetic_events_land_as_another_shops_and_are_cleaned_without_a_loss(
    spark: SparkSession, made: dict[str, DataFrame], drawn: pd.DataFrame, tmp_path: Path
) -> None:
    """As the README says: a source of format delta, columns by their own names, a night chosen by a filter."""
    folder = str(tmp_path / "synthetic_events")
    told = made["synthetic_events"].withColumn("run_date", F.lit(date(2024, 5, 1)))
    told.union(told.withColumn("run_date", F.lit(date(2024, 4, 30))).limit(9)).write.format("delta").save(folder)
    names = ("event_id", "user_id", "item_id", "event_type", "ts", "query", "quantity", "price", "currency", "rating",
             "session_id", "order_id", "country")  # fmt: skip
    source = {"name": "synthetic", "kind": "events", "format": "delta", "path": folder, "time_zone": "UTC",
              "columns": {n: n for n in names}, "filters": {"tonight": "run_date = date'2024-05-01'"}}  # fmt: skip
    lake = Lake(spark, sourced(tmp_path, source))
    lake.run()
    assert {r.reason: r.copies for r in lake.tables["quarantine"].groupBy("reason").agg(
        F.sum("copies").alias("copies")).collect()} == {"filtered: tonight": 9}  # fmt: skip
    kept = lake.tables["events"].toPandas().sort_values("event_id").reset_index(drop=True)
    expected = drawn.reset_index(drop=True)
    for name in ("event_id", "user_id", "event_type", "ts", "session_id", "event_date"):
        assert (kept[name] == expected[name]).all(), name
    assert kept["query"].dropna().tolist() == expected["query"].dropna().tolist()
    assert kept["price"].dropna().tolist() == expected["price"].dropna().tolist()


@pytest.mark.slow
def test_the_stage_keeps_its_contract_whatever_the_partitions(
    inputs: Inputs, made: dict[str, DataFrame], tonight: Night
) -> None:
    expected = {
        t.name: sorted(made[t.short].collect(), key=lambda r, key=t.key: tuple(str(r[k]) for k in key))
        for t in (SYNTHETIC_USERS, SYNTHETIC_EVENTS, SYNTHETIC_ITEMS, TABLES_REPORT)
    }
    assert_same(run(STAGE, {name: shuffled(frame) for name, frame in inputs.items()}, tonight), expected)


def test_nothing_is_made_where_it_is_switched_off_or_there_is_nobody(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    off = settings(tmp_path, enabled=False)
    assert all(frame.isEmpty() for frame in synthesise_tables(**inputs, night=off).values())
    nobody = {name: frame.limit(0) for name, frame in inputs.items()}
    assert not any(run(STAGE, nobody, settings(tmp_path)).values())
    # Items alone can be made of a catalogue, and people of events without one.
    without = {**inputs, "synthetic_histories": table(spark, SYNTHETIC_HISTORIES, [])}
    found = synthesise_tables(**without, night=settings(tmp_path))
    assert [found[n].isEmpty() for n in ("synthetic_users", "synthetic_events", "synthetic_items")] == [
        True,
        True,
        False,
    ]


def test_people_who_only_share_have_no_visits_to_learn_from(inputs: Inputs, tmp_path: Path) -> None:
    sharing = {**inputs, "events": inputs["events"].withColumn("event_type", F.lit("share"))}
    found = synthesise_tables(**sharing, night=settings(tmp_path))
    assert found["synthetic_users"].isEmpty()
    assert found["synthetic_events"].isEmpty()
    (row,) = found["tables_report"].where("table = 'users'").collect()
    assert (row.passed, row.reason) == (False, "expected at least 25 people with visits to learn from, found 0")


def test_events_of_another_history_are_orphans_and_fail_the_batch(inputs: Inputs, tmp_path: Path) -> None:
    swapped = {"synthetic-00000000": "synthetic-00000001", "synthetic-00000001": "synthetic-00000000"}
    others = {**inputs, "synthetic_histories": inputs["synthetic_histories"].replace(swapped, subset=["user_id"])}
    tonight = settings(tmp_path)
    # The generator of people lies where the first night left it.
    synthesise(inputs["interactions"], tonight).count()
    found = synthesise_tables(**others, night=tonight)
    report = found["tables_report"].where("table = 'paths'").toPandas().set_index("metric")
    assert report.loc["orphans", "value"] > 0
    assert report.loc["unmet", "value"] > 0
    assert {r.verdict for r in found["synthetic_events"].select("verdict").distinct().collect()} == {"failed"}


def test_records_that_say_nothing_are_nothing_to_learn(spark: SparkSession, inputs: Inputs, tmp_path: Path) -> None:
    bare = inputs["items"].withColumns({c: F.lit(None).cast("string") for c in ("brand",)}).drop("category", "price")
    empty = bare.withColumns({
        "category": F.lit(None).cast("array<string>"), "price": F.lit(None).cast("decimal(18,4)"),
        "attributes": F.lit(None).cast("map<string,string>"),
    })  # fmt: skip
    without = {**inputs, "items": empty, "synthetic_histories": table(spark, SYNTHETIC_HISTORIES, [])}
    assert all(f.isEmpty() for f in synthesise_tables(**without, night=settings(tmp_path)).values())


def test_a_version_of_later_does_not_hide_the_one_that_holds(
    spark: SparkSession, inputs: Inputs, tmp_path: Path
) -> None:
    """As of a date an item has the record of that date, also where the shop has changed it since."""
    superseded = inputs["items"].withColumn("valid_to", F.lit(date(2024, 6, 1)).cast("timestamp"))
    without = {**inputs, "synthetic_histories": table(spark, SYNTHETIC_HISTORIES, [])}
    one, two = (
        synthesise_tables(**{**without, "items": items}, night=settings(tmp_path / name))["synthetic_items"].collect()
        for name, items in (("one", inputs["items"]), ("two", superseded))
    )
    assert sorted(one) == sorted(two)
