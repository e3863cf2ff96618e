"""Demand and its trend by arithmetic, honest at each cut-off."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.gold.item_demand import item_demand
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import CLICK_FARMS
from tests.rows import events, night, table

SMOOTHING = 0.5


@pytest.fixture(scope="module")
def at() -> Night:
    gold = {"windows": {"count": 1, "days": 7, "step_days": 7}, "event_weights": {"purchase": 1.0, "view": 0.1},
            "trend_smoothing": SMOOTHING}  # fmt: skip
    return night(date(2024, 5, 1), Settings.model_validate({"gold": gold}))


@pytest.fixture(scope="module")
def rows(spark: SparkSession, at: Night) -> dict[tuple[bool, str], dict[str, Any]]:
    """Demand by (is tonight, item)."""

    def before(days: float) -> Any:
        return at.cutoff - timedelta(days=days)

    happened = [
        ("a", "old", "purchase", before(180)),
        ("a", "hot", "purchase", before(7)),
        ("b", "hot", "view", before(14)),
        ("b", "hot", "return", before(1)),
        ("b", "future", "purchase", before(-1)),
    ]
    tonight = at.cutoff.replace(tzinfo=None)
    return {
        (r.cutoff == tonight, r.item_id): r.asDict()
        for r in item_demand(events(spark, happened), table(spark, CLICK_FARMS, []), at).collect()
    }


def test_demand_is_a_decayed_rate_a_day(rows: dict[tuple[bool, str], dict[str, Any]]) -> None:
    assert rows[True, "hot"]["demand_7"] == pytest.approx((0.5 + 0.1 * 0.25) / 7)
    assert rows[True, "hot"]["demand_14"] == pytest.approx((2**-0.5 + 0.1 * 0.5) / 14)
    assert rows[True, "old"]["demand_180"] == pytest.approx(0.5 / 180)


def test_the_trend_compares_shares_of_all_demand(rows: dict[tuple[bool, str], dict[str, Any]]) -> None:
    hot, old = rows[True, "hot"], rows[True, "old"]
    now = hot["demand_7"] / ((hot["demand_7"] + old["demand_7"]) / 2)
    usual = hot["demand_180"] / ((hot["demand_180"] + old["demand_180"]) / 2)
    assert hot["trend"] == pytest.approx((now + SMOOTHING) / (usual + SMOOTHING))
    assert hot["trend"] > 1 > old["trend"]


def test_nothing_after_a_cutoff_counts(rows: dict[tuple[bool, str], dict[str, Any]]) -> None:
    assert {key for key in rows if key[1] == "future"} == set()
    # At the window's cut-off, a week earlier, the purchase of that very instant had not happened.
    assert rows[False, "hot"]["demand_7"] == pytest.approx(0.1 * 0.5 / 7)
