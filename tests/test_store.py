"""The store: each way of writing, contracts on every write, honest reading, restore."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.errors import ContractError
from recsynth.faults import FaultError, planted
from recsynth.scan import scan
from recsynth.store import ABSENT, Store
from recsynth.tables.gold import QUERY_ITEMS
from recsynth.tables.ops import METRICS
from recsynth.tables.output import DEMAND_FORECAST, DEMAND_WHAT_IF
from recsynth.tables.silver import EVENTS, ITEM_RECORDS
from recsynth.tables.table import Column, Table, column
from tests.rows import events, item_record, item_records, table

FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 2)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    return Store(spark, str(tmp_path / "lake"))


def pair(query: str, weight: float | None = 1.0) -> dict[str, object]:
    return {"query": query, "item_id": "x", "weight": weight, "sessions": 1, "query_sessions": 1, "last_ts": NOON}


def metric(stage: str, value: float) -> dict[str, object]:
    return {"stage": stage, "metric": "m", "model": "", "segment": "", "value": value}


def lacking(declared: Table, *names: str) -> Table:
    """The table as it was before it had some columns."""
    return replace(declared, columns=tuple(c for c in declared.columns if c.name not in names))


def grown(declared: Table, *more: Column) -> Table:
    return replace(declared, columns=(*declared.columns, *more))


def test_the_planner_is_told_of_a_table_without_a_row(spark: SparkSession, store: Store) -> None:
    def is_known_to_be_empty(version: int | None = None) -> bool:
        joined = store.read(EVENTS, version).join(store.read(QUERY_ITEMS), "item_id")
        return "Join" not in joined._jdf.queryExecution().optimizedPlan().toString()

    assert is_known_to_be_empty()
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a"), pair("b")]), FIRST)
    store.write(EVENTS, events(spark, []), FIRST)
    empty = store.version(EVENTS)
    assert is_known_to_be_empty()
    assert is_known_to_be_empty(empty)
    store.write(EVENTS, events(spark, [("u", "x", "view", NOON)]), FIRST)
    assert not is_known_to_be_empty()
    assert store.read(EVENTS).count() == 1
    assert store.read(EVENTS, empty).count() == 0
    store.restore(EVENTS, empty)
    assert is_known_to_be_empty()
    assert store.read(EVENTS, empty + 1).count() == 1


@pytest.mark.parametrize("before", [None, "2 * weight"])
def test_a_table_of_before_is_given_the_columns_that_it_lacks(
    spark: SparkSession, store: Store, before: str | None
) -> None:
    """Whatever they declare for rows of before stands in these at once, read before anything is written or after."""
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a", 3.0)]), FIRST)
    more = column("twice", "double" if before else "double?", "twice the weight", before=before)
    now = grown(QUERY_ITEMS, more)
    told, store = (6.0 if before else None), Store(spark, store.lake)
    assert [r.twice for r in store.read_night(now, FIRST).collect()] == [told]
    assert store.version(now) == 1, "reading writes nothing"
    store.write(now, table(spark, now, [pair("b") | {"twice": 9.0}]), SECOND)
    assert store.version(now) == 3, "one commit gives the columns, one writes the night"
    plain = spark.read.format("delta").load(store.path(now))
    assert {(r.query, r.twice) for r in plain.collect()} == {("a", told), ("b", 9.0)}
    assert plain.schema["twice"].metadata == {"comment": "twice the weight"}
    assert [r.twice for r in store.read(now, version=1).collect()] == [told]


@pytest.mark.slow
def test_a_table_that_was_put_back_is_given_its_columns_again(spark: SparkSession, store: Store) -> None:
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a", 3.0)]), FIRST)
    now = grown(QUERY_ITEMS, column("twice", "double", "twice the weight", before="2 * weight"))
    store, rows = Store(spark, store.lake), table(spark, now, [pair("b") | {"twice": 9.0}])
    with planted(f"write.{now.name}.grown", "raise"), pytest.raises(FaultError):
        store.write(now, rows, SECOND)
    for _ in range(2):
        store.restore(now, 1)
        assert "twice" not in spark.read.format("delta").load(store.path(now)).columns
        store.write(now, rows, SECOND)
        assert {(r.query, r.twice) for r in store.read(now).collect()} == {("a", 6.0), ("b", 9.0)}


@pytest.mark.slow
def test_a_merged_table_and_one_of_partitions_are_given_columns_too(spark: SparkSession, store: Store) -> None:
    of_events = [events(spark, [("a", "x", "view", NOON)]), item_records(spark, [item_record("x", FIRST, title="A")])]
    for declared, rows in zip((EVENTS, ITEM_RECORDS), of_events, strict=True):
        store.write(declared, rows, FIRST)
        now = grown(declared, column("told_by", "string", "who told it", before="concat('the ', source)"))
        store = Store(spark, store.lake)
        later = rows.withColumn("told_by", F.lit("somebody"))
        if declared is EVENTS:
            later = later.withColumns({"event_id": F.lit("n"), "event_date": F.lit(SECOND)})
        else:
            later = later.withColumns({"record_hash": F.lit("n")})
        store.write(now, later, SECOND)
        assert sorted(r.told_by for r in store.read(now).collect()) == ["somebody", "the test"]


def test_a_column_that_says_nothing_of_rows_of_before_is_refused(spark: SparkSession, store: Store) -> None:
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a")]), FIRST)
    now = grown(QUERY_ITEMS, column("twice", "double", "twice the weight"))
    with pytest.raises(ContractError, match=r"gold\.query_items.*twice.*no such column"):
        store.read(now)
    with pytest.raises(ContractError, match=r"gold\.query_items.*weight.*no such column"):
        store.read(lacking(QUERY_ITEMS, "weight"))


def test_a_lake_of_before_keeps_its_answers_to_prices_and_its_forecasts(spark: SparkSession, store: Store) -> None:
    """Lakes were written when neither table knew of promotions."""
    price = {"item_id": "x", "price": 8.0, "usual_price": 10.0, "price_change": -0.2, "learned_from": "item",
             "days": 28, "price_days": 3}  # fmt: skip
    numbers = {"expected": 2.0, "revenue": 16.0, "revenue_change": 0.1, "chance_of_more_revenue": 0.6}
    ends = [f"{name}_{end}_80" for name in ("elasticity",) for end in ("low", "high")]
    rest = dict.fromkeys(["low_80", "high_80", "elasticity", *ends, "promotion_lift"], 1.0)
    then = lacking(DEMAND_WHAT_IF, "is_promotion", "promotion_tonight")
    store.write(replace(then, key=("item_id", "price_change")), table(spark, then, [price | numbers | rest]), FIRST)
    read = store.read_night(DEMAND_WHAT_IF, FIRST).first()
    assert read is not None
    assert (read.is_promotion, read.promotion_tonight) == (True, False)
    then = lacking(DEMAND_FORECAST, "expected_off_promotion", "promotion_days")
    week = {"level": "item", "series_id": "x", "grain": "week", "start": FIRST, "days": 7, "model": "ses",
            "interval_by": "trees", "expected": 2.0, "stock_needed": 3.0,
            **dict.fromkeys(("median", "low_80", "high_80", "low_95", "high_95"), 1.0)}  # fmt: skip
    store.write(then, table(spark, then, [week]), FIRST)
    later = week | {"expected_off_promotion": 1.0, "promotion_days": 7}
    store = Store(spark, store.lake)
    store.write(DEMAND_FORECAST, table(spark, DEMAND_FORECAST, [later]), SECOND)
    found = store.read(DEMAND_FORECAST).orderBy("run_date").collect()
    assert [(r.expected_off_promotion, r.promotion_days) for r in found] == [(2.0, None), (1.0, 7)]


def test_an_absent_table_reads_as_empty_and_well_formed(store: Store) -> None:
    rows = store.read(QUERY_ITEMS)
    assert rows.count() == 0
    assert set(rows.columns) == {*QUERY_ITEMS.column_names, "run_date"}
    assert store.version(QUERY_ITEMS) == ABSENT


def test_a_night_is_replaced_whole_and_others_stay(spark: SparkSession, store: Store) -> None:
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a"), pair("b")]), FIRST)
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("c")]), SECOND)
    assert store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("d")]), FIRST) == 1
    found = {(r.run_date, r.query) for r in store.read(QUERY_ITEMS).collect()}
    assert found == {(FIRST, "d"), (SECOND, "c")}
    assert [r.query for r in store.read_night(QUERY_ITEMS, SECOND).collect()] == ["c"]


def test_stages_share_the_metrics_of_a_night(spark: SparkSession, store: Store) -> None:
    for stage, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        store.write(METRICS, table(spark, METRICS, [metric(stage, value)]), FIRST, stage)
    assert {(r.stage, r.value) for r in store.read(METRICS).collect()} == {("a", 3.0), ("b", 2.0)}


def test_only_touched_partitions_are_replaced(spark: SparkSession, store: Store) -> None:
    day1 = events(spark, [("a", "x", "view", NOON)])
    day2 = day1.withColumns(
        {"ts": F.expr("ts + interval 1 day"), "event_date": F.date_add("event_date", 1), "event_id": F.lit("n")}
    )
    store.write(EVENTS, day1.union(day2), FIRST)
    store.write(EVENTS, day2.withColumn("event_id", F.lit("m")), FIRST)
    store.write(EVENTS, day1.where("false"), FIRST)
    assert {r.event_id for r in store.read(EVENTS).collect()} == {"e0000", "m"}


def test_merge_updates_by_key_and_inserts_the_rest(spark: SparkSession, store: Store) -> None:
    store.write(
        ITEM_RECORDS,
        item_records(spark, [item_record("x", FIRST, title="A"), item_record("y", FIRST, title="B")]),
        FIRST,
    )
    store.write(
        ITEM_RECORDS,
        item_records(spark, [item_record("x", FIRST, title="A") | {"copies": 5}, item_record("z", FIRST)]),
        FIRST,
    )
    assert {(r.item_id, r.copies) for r in store.read(ITEM_RECORDS).collect()} == {("x", 5), ("y", 1), ("z", 1)}


def test_time_is_honest_by_instant_and_by_day(spark: SparkSession, store: Store) -> None:
    cutoff = datetime(2024, 3, 2, 5, tzinfo=UTC)
    late = cutoff.replace(hour=4, minute=59)
    store.write(EVENTS, events(spark, [("a", "before", "view", late), ("a", "at", "view", cutoff)]), FIRST)
    assert [r.item_id for r in store.read_before(EVENTS, cutoff, SECOND).collect()] == ["before"]
    # West of Greenwich the as-of midnight is after 00:00 UTC; a record of the as-of day must stay out all the same.
    store.write(ITEM_RECORDS, item_records(spark, [item_record("x", FIRST), item_record("y", SECOND)]), FIRST)
    assert [r.item_id for r in store.read_before(ITEM_RECORDS, cutoff, SECOND).collect()] == ["x"]


@pytest.mark.parametrize(
    ("rows", "column", "found"),
    [
        ([pair("a", None)], "weight", "1 of 1 rows"),
        ([pair("a"), pair("b", -1.0)], "weight", "1 of 2 rows"),
        ([pair("a"), pair("a")], "query, item_id", "twice"),
    ],
)
def test_a_broken_rule_names_table_column_and_night(
    spark: SparkSession, store: Store, rows: list[dict[str, object]], column: str, found: str
) -> None:
    with pytest.raises(ContractError, match=f"gold.query_items.{column}: .*{found}.*2024-03-01"):
        store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, rows), FIRST)


def test_a_wrong_schema_is_refused_before_anything_is_written(spark: SparkSession, store: Store) -> None:
    good = table(spark, QUERY_ITEMS, [pair("a")])
    for bad, message in (
        (good.drop("weight"), "weight: expected double, found no such column"),
        (good.withColumn("more", F.lit(1)), "more: expected no such column"),
        (good.withColumn("weight", F.lit("1")), "weight: expected double, found string"),
    ):
        with pytest.raises(ContractError, match=message):
            store.write(QUERY_ITEMS, bad, FIRST)
    assert store.version(QUERY_ITEMS) == ABSENT


def test_the_version_is_the_one_that_delta_tells(spark: SparkSession, store: Store) -> None:
    for n in range(3):
        store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair(f"q{n}")]), FIRST)
        told = DeltaTable.forPath(spark, store.path(QUERY_ITEMS)).history(1).first()
        assert told is not None
        assert store.version(QUERY_ITEMS) == told["version"]


@pytest.mark.parametrize("folder", ["shop [1]", "shop; 2, (new)"])
def test_a_folder_may_have_any_name(spark: SparkSession, tmp_path: Path, folder: str) -> None:
    # A table that is there and is not found would get its rows a second time.
    store = Store(spark, str(tmp_path / folder))
    for n in range(2):
        store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a")]), FIRST)
        assert store.version(QUERY_ITEMS) == n + 1
    assert store.read(QUERY_ITEMS).count() == 1


def test_a_log_without_a_commit_is_no_table(store: Store) -> None:
    log = Path(store.path(QUERY_ITEMS)) / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000003.json.crc").touch()
    assert store.version(QUERY_ITEMS) == ABSENT


def test_restore_puts_an_earlier_version_back(spark: SparkSession, store: Store) -> None:
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a")]), FIRST)
    before = store.version(QUERY_ITEMS)
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("b")]), FIRST)
    store.restore(QUERY_ITEMS, before)
    assert [r.query for r in store.read(QUERY_ITEMS).collect()] == ["a"]
    assert [r.query for r in store.read(QUERY_ITEMS, before + 1).collect()] == ["b"]
    store.restore(QUERY_ITEMS, ABSENT)
    assert store.version(QUERY_ITEMS) == ABSENT


def test_matching_rows_are_deleted_and_no_commit_says_which(spark: SparkSession, store: Store) -> None:
    for night in (FIRST, SECOND):
        store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("secret"), pair("b")]), night)
    keys = spark.createDataFrame([("secret",), ("secret",), ("other",)], "query string")
    assert store.delete_matching(QUERY_ITEMS, keys, ("query",)) == 2
    assert [r.query for r in store.read(QUERY_ITEMS).collect()] == ["b", "b"]
    commits = sorted((Path(store.path(QUERY_ITEMS)) / "_delta_log").glob("*.json"))
    assert not re.search("predicate.*secret", commits[-1].read_text())
    assert store.delete_matching(METRICS, keys, ("query",)) == 0


@pytest.mark.parametrize("has_vectors", [False, True])
def test_what_is_forgotten_lies_on_no_disk(spark: SparkSession, store: Store, has_vectors: bool) -> None:
    folder = Path(store.path(QUERY_ITEMS))
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a-secret"), pair("b"), pair("c")]), FIRST)
    if has_vectors:
        spark.sql(f"ALTER TABLE delta.`{folder}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    # What was tidied before in the same session must not keep the entry of the deletion in the log.
    store.tidy(QUERY_ITEMS, 7, compact=False)
    store.delete(QUERY_ITEMS, "query = 'a-secret'")
    assert len(scan(spark, [folder], ["a-secret"], 9)[1]) >= 2
    store.forget(QUERY_ITEMS)
    assert scan(spark, [folder], ["a-secret"], 9)[1] == []
    assert sorted(r.query for r in store.read(QUERY_ITEMS).collect()) == ["b", "c"]
    # The table goes on from there.
    store.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("d")]), SECOND)
    assert sorted(r.query for r in store.read(QUERY_ITEMS).collect()) == ["b", "c", "d"]
    store.forget(METRICS)
    assert store.version(METRICS) == ABSENT


def test_tables_are_registered_by_name_where_a_catalogue_is_configured(spark: SparkSession, tmp_path: Path) -> None:
    named = Store(spark, str(tmp_path / "lake"), catalog="shop_test_")
    named.write(QUERY_ITEMS, table(spark, QUERY_ITEMS, [pair("a")]), FIRST)
    try:
        assert spark.table("shop_test_gold.query_items").count() == 1
    finally:
        spark.sql("DROP SCHEMA shop_test_gold CASCADE")
