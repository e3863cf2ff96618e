"""The judge of next categories: areas by hand, and who tells nothing is left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.apps.judge_profiles import judge_profiles
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.output import USER_PROFILES
from recsynth.tables.silver import ITEMS
from tests.rows import events, night, table

AS_OF = date(2024, 6, 1)
AT = night(AS_OF)


def judged(
    spark: SparkSession, bought: list[tuple[str, str, float]], users: Sequence[str] = ("u", "v", "w"), at: Night = AT
) -> dict[tuple[str, str], Any]:
    happened = [(u, i, "purchase", AT.cutoff + timedelta(days=d)) for u, i, d in bought]
    said = [("a", 0.7), ("b", 0.2), ("c", 0.1)]
    rows = [
        {"user_id": u, "is_default": u == "*", "segment": "looker", "summary": "",
         "next_categories": [("c", 0.6), ("b", 0.3), ("a", 0.1)] if u == "*" else said, "category_shares": {"a": 1.0}}
        for u in (*users, "*")
    ]  # fmt: skip
    items = [{"item_id": c, "valid_from": AT.cutoff, "category": [c]} for c in "abc"]
    found = judge_profiles(events(spark, happened), table(spark, ITEMS, items), table(spark, USER_PROFILES, rows), at)
    return {(r.metric, r.model): r for r in found.collect()}


def test_areas_and_first_places_are_arithmetic(spark: SparkSession) -> None:
    bought = [("u", "a", 1.0), ("v", "b", 1.0), ("w", "a", 2.0), ("w", "b", 2.0), ("w", "c", 2.0), ("x", "a", 1.0),
              ("u", "c", 400.0)]  # fmt: skip
    found = judged(spark, bought)
    # u: a above both; v: b above c, below a. w bought of all, x has no profile.
    assert found["auc", "next_category"].value == pytest.approx((1 + 0.5) / 2)
    assert found["auc", "next_category"]["count"] == 2
    assert found["auc", "most_frequent"].value == pytest.approx((1 + 0.25) / 2)
    assert found["auc", "shop_shares"].value == pytest.approx((0 + 0.5) / 2)
    assert found["hit_rate@1", "next_category"].value == pytest.approx(0.5)


def test_about_as_many_users_are_judged_as_are_asked_for(spark: SparkSession) -> None:
    few = night(AS_OF, Settings.model_validate({"apps": {"profiles": {"judged_users": 10}}}))
    users = [f"u{n:03d}" for n in range(200)]
    found = judged(spark, [(u, "a", 1.0) for u in users], users, few)
    assert 1 <= found["auc", "next_category"]["count"] <= 25


def test_without_later_purchases_nothing_is_judged(spark: SparkSession) -> None:
    assert judged(spark, [("u", "a", -1.0)]) == {}
