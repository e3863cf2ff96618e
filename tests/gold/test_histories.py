"""Histories: order, length, cut-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession

from recsynth.gold.histories import last_events
from tests.rows import events

DAY0 = datetime(2024, 3, 1, tzinfo=UTC)


def test_keeps_the_last_events_oldest_first(spark: SparkSession) -> None:
    rows = events(spark, [("a", f"i{n}", "view", DAY0 + timedelta(hours=n)) for n in (3, 1, 2, 0)])
    (history,) = last_events(rows, [DAY0 + timedelta(days=1)], last=3).collect()
    assert [e.item_id for e in history.events] == ["i1", "i2", "i3"]


def test_events_of_one_instant_are_ordered_by_id_however_they_lie(spark: SparkSession) -> None:
    rows = events(spark, [("a", f"i{n}", "view", DAY0) for n in range(6)])
    cutoff = [DAY0 + timedelta(days=1)]
    straight = last_events(rows, cutoff, last=4).collect()
    shuffled = last_events(rows.repartition(3, "item_id"), cutoff, last=4).collect()
    assert straight == shuffled
    assert [e.item_id for e in straight[0].events] == ["i2", "i3", "i4", "i5"]


def test_each_cutoff_sees_only_what_came_before(spark: SparkSession) -> None:
    rows = events(spark, [("a", "x", "view", DAY0), ("a", None, "search", DAY0 + timedelta(days=2), None, "mug")])
    found = last_events(rows, [DAY0 + timedelta(days=1), DAY0 + timedelta(days=3)], last=9).orderBy("cutoff").collect()
    assert [[e.query or e.item_id for e in r.events] for r in found] == [["x"], ["x", "mug"]]
