"""The text-item association matrix: which search is credited."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pyspark.sql import DataFrame, Row, SparkSession

from recsynth.gold.query_items import query_items
from recsynth.tables.gold import CLICK_FARMS
from tests.rows import events, night, table

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


def led_to(rows: DataFrame, *farmed: tuple[str, str]) -> dict[tuple[str, str], Row]:
    """What searches led to as of the fifth of March, by (query, item); `farmed`: accounts that crowd on an item."""
    noticed = [{"user_id": u, "item_id": i, "noticed": minute(9), "accounts": 30, "shallow_accounts": 30,
                "usual_share": 0.1, "chance": 1e-9} for u, i in farmed]  # fmt: skip
    farms = table(rows.sparkSession, CLICK_FARMS, noticed)
    return {(r.query, r.item_id): r for r in query_items(rows, farms, night=night(date(2024, 3, 5))).collect()}


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
    found = led_to(rows)
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
    found = led_to(rows)
    assert round(found["mug", "y"].weight / found["mug", "x"].weight, 6) == 5.0


def test_what_a_click_farm_searched_leads_nowhere_but_to_what_it_paid_for(spark: SparkSession) -> None:
    rows = [("a", "x"), ("f", "x"), ("f", "y"), ("g", "x")]
    searched = [(u, None, "search", minute(n), None, "mug") for n, (u, _) in enumerate(rows)]
    clicked = [(u, i, "purchase" if u == "g" else "click", minute(n)) for n, (u, i) in enumerate(rows)]
    some = events(spark, searched + clicked)
    plain, guarded = led_to(some), led_to(some, ("f", "x"), ("g", "x"))
    assert plain["mug", "x"].sessions == 3
    assert guarded["mug", "x"].sessions == 2
    assert guarded["mug", "x"].weight < plain["mug", "x"].weight
    assert guarded["mug", "y"].weight == plain["mug", "y"].weight
