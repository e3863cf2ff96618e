"""R: weights, decay, returns, cut-offs and labels, by arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.gold.interactions import labels
from recsynth.gold.interactions import matrix as matrix_of
from recsynth.gold.settings import GoldSettings
from recsynth.tables.gold import CLICK_FARMS
from tests.rows import events, table

DAY0 = datetime(2024, 3, 1, tzinfo=UTC)
GOLD = GoldSettings(event_weights={"view": 0.1, "purchase": 1.0}, half_life_days=10.0)


def matrix(rows: DataFrame, cutoffs: list[datetime], gold: GoldSettings) -> DataFrame:
    """R of a shop that nobody farms."""
    return matrix_of(rows, table(rows.sparkSession, CLICK_FARMS, []), cutoffs, gold)


def by_pair(rows: DataFrame) -> dict[tuple[str, str], dict[str, object]]:
    return {(r.user_id, r.item_id): r.asDict() for r in rows.collect()}


def test_weight_halves_every_half_life_and_adds_up(spark: SparkSession) -> None:
    rows = events(spark, [("a", "x", "purchase", DAY0), ("a", "x", "view", DAY0 + timedelta(days=10))])
    r = by_pair(matrix(rows, [DAY0 + timedelta(days=20)], GOLD))["a", "x"]
    assert r["weight"] == pytest.approx(1.0 * 0.25 + 0.1 * 0.5)
    assert (r["purchases"], r["views"]) == (1, 1)


def test_nothing_at_or_after_the_cutoff_counts(spark: SparkSession) -> None:
    cutoff = DAY0 + timedelta(days=1)
    rows = events(spark, [("a", "x", "purchase", DAY0), ("a", "x", "purchase", cutoff), ("a", "y", "view", cutoff)])
    found = by_pair(matrix(rows, [cutoff], GOLD))
    assert set(found) == {("a", "x")}
    assert found["a", "x"]["purchases"] == 1


def test_a_return_takes_off_what_it_cancels(spark: SparkSession) -> None:
    later = DAY0 + timedelta(hours=1)
    rows = events(
        spark,
        [
            ("a", "x", "purchase", DAY0, 4),
            ("a", "x", "return", later, 1),
            ("a", "y", "purchase", DAY0, 2),
            ("a", "y", "return", later, 2),
            ("a", "z", "return", later, 5),
        ],
    )
    found = by_pair(matrix(rows, [DAY0 + timedelta(days=10)], GOLD))
    assert set(found) == {("a", "x")}
    assert found["a", "x"]["weight"] == pytest.approx(0.75 * 0.5, rel=1e-2)
    assert found["a", "x"]["quantity"] == 3


def test_each_cutoff_has_its_own_matrix(spark: SparkSession) -> None:
    first, second = DAY0 + timedelta(days=1), DAY0 + timedelta(days=11)
    rows = matrix(events(spark, [("a", "x", "purchase", DAY0)]), [first, second], GOLD).orderBy("cutoff").collect()
    assert rows[0].weight / rows[1].weight == pytest.approx(2.0)


def test_labels_are_the_purchases_of_the_window_after_a_cutoff(spark: SparkSession) -> None:
    rows = events(
        spark,
        [
            ("a", "x", "purchase", DAY0),
            ("a", "y", "purchase", DAY0 - timedelta(seconds=1)),
            ("a", "z", "view", DAY0),
            ("b", "x", "purchase", DAY0 + timedelta(days=7)),
            ("c", "x", "purchase", DAY0 + timedelta(days=7, seconds=-1)),
        ],
    )
    found = {(r.user_id, r.item_id) for r in labels(rows, [DAY0], 7).collect()}
    assert found == {("a", "x"), ("c", "x")}


def test_r_is_the_same_to_the_last_digit_however_its_events_lie(spark: SparkSession) -> None:
    happened = [(f"u{n % 3}", "x", "view", DAY0 - timedelta(minutes=37 * n)) for n in range(1, 600)]
    some = events(spark, happened)

    def weights(rows: DataFrame) -> list[tuple[str, float]]:
        return sorted((r.user_id, r.weight) for r in matrix(rows, [DAY0], GOLD).collect())

    once = weights(some.coalesce(1).sortWithinPartitions("ts"))
    assert weights(some.coalesce(1).sortWithinPartitions("event_id")) == once
    assert weights(some.repartition(7, "ts")) == once
