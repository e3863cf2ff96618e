"""The store: each way of writing, contracts on every write, honest reading, restore."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.errors import ContractError
from recsynth.scan import scan
from recsynth.store import ABSENT, Store
from recsynth.tables.gold import QUERY_ITEMS
from recsynth.tables.ops import METRICS
from recsynth.tables.silver import EVENTS, ITEM_RECORDS
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
