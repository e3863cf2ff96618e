"""The text-item association matrix: which search is credited."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pyspark.sql import SparkSession

from recsynth.gold.query_items import query_items
from tests.rows import events, night

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


def minute(n: int) -> datetime:
    return AT + timedelta(minutes=n)


def test_an_event_is_credited_to_the_last_search_before_it_in_its_session(spark: SparkSession) -> None:
    rows = events(
        spark,
        [
            ("a", "x", "click", minute(0)),
            ("a", None, "search", minute(1), None, " Red  MUG "),
            ("a", "x", "click", minute(2)),
            ("a", None, "search", minute(3), None, "lamp"),
            ("a", "y", "purchase", minute(4)),
            ("a", "z", "view", minute(5)),
            ("b", None, "search", minute(1), None, "red mug"),
            ("b", "x", "click", minute(2) + timedelta(days=1)),
        ],
    )
    found = {(r.query, r.item_id): r for r in query_items(rows, night=night(date(2024, 3, 5))).collect()}
    assert set(found) == {("red mug", "x"), ("lamp", "y")}
    assert found["red mug", "x"].sessions == 1
    assert found["red mug", "x"].query_sessions == 2


def test_a_purchase_weighs_more_than_a_click(spark: SparkSession) -> None:
    rows = events(
        spark,
        [
            ("a", None, "search", minute(0), None, "mug"),
            ("a", "x", "click", minute(1)),
            ("a", "y", "purchase", minute(1)),
        ],
    )
    found = {r.item_id: r.weight for r in query_items(rows, night=night(date(2024, 3, 5))).collect()}
    assert round(found["y"] / found["x"], 6) == 5.0
