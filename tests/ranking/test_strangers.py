"""The list of strangers: shares that are worked out by hand, and what a shop without purchases has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from recsynth.ranking.settings import RankingSettings
from recsynth.ranking.strangers import for_strangers
from recsynth.tables.gold import INTERACTIONS
from recsynth.tables.output import STRANGER
from tests.rows import table

CUTOFF = datetime(2024, 5, 1, tzinfo=UTC)
SETTINGS = RankingSettings(stranger_half_life_days=14.0)
NEWCOMERS, POPULAR = "New customers take it up more than others do.", "Popular now."


def pair(user: str, item: str, first: float, last: float, purchases: int = 1) -> dict[str, Any]:
    """A pair of R, with the days before the cut-off at which it began and ended."""
    days = {"first_ts": CUTOFF - timedelta(days=first), "last_ts": CUTOFF - timedelta(days=last)}
    return {"user_id": user, "item_id": item, "weight": 1.0, "purchases": purchases, **days}


def lines(spark: SparkSession, pairs: list[dict[str, Any]]) -> dict[str, Row]:
    return {r.item_id: r for r in for_strangers(table(spark, INTERACTIONS, pairs), SETTINGS, CUTOFF).collect()}


def test_the_score_is_the_mean_of_the_shares_of_first_purchases_and_of_all(spark: SparkSession) -> None:
    found = lines(spark, [
        pair("ann", "door", 14, 14), pair("ann", "staple", 13.5, 0), pair("ann", "late", 12, 14),
        pair("bob", "looked", 28, 28, purchases=0), pair("bob", "staple", 14, 14),
    ])  # fmt: skip
    # First purchases: ann's door at 1/2 and, within a day of it, her staple; not what either bought later.
    door, staple = 2**-1, 2 ** -(13.5 / 14)
    # All: at their last event door 1/2, late 1/2, staple 1 and 1/2.
    assert set(found) == {"door", "staple", "late"}
    expected = {
        "door": (door / (door + staple) + 0.5 / 2.5) / 2,
        "staple": (staple / (door + staple) + 1.5 / 2.5) / 2,
        "late": (0 + 0.5 / 2.5) / 2,
    }
    assert {i: r.score for i, r in found.items()} == {i: pytest.approx(s) for i, s in expected.items()}
    assert sum(r.score for r in found.values()) == pytest.approx(1.0)
    # Each sentence is true of its item: the door is more of the newcomers than of the shop, the others less.
    assert {i: r.reason for i, r in found.items()} == {"door": NEWCOMERS, "staple": POPULAR, "late": POPULAR}
    assert {(r.user_id, r.is_explored, r.propensity, *r.sources) for r in found.values()} == {
        (STRANGER, False, 1.0, "popular")
    }


def test_a_shop_that_knows_no_purchase_shows_what_is_looked_at(spark: SparkSession) -> None:
    found = lines(spark, [pair("ann", "a", 3, 3, 0), pair("ann", "b", 1, 1, 0), pair("bob", "a", 2, 2, 0)])
    assert found["a"].score > found["b"].score > 0
    assert lines(spark, []) == {}


def test_where_no_first_day_holds_a_purchase_popularity_alone_counts(spark: SparkSession) -> None:
    found = lines(spark, [pair("ann", "seen", 9, 9, 0), pair("ann", "bought", 1, 1)])
    assert {i: (r.score, r.reason) for i, r in found.items()} == {"bought": (0.5, POPULAR)}
