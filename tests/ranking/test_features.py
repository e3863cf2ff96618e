"""Features of one pair, item and user as arithmetic, and blind to what comes at a cut-off or after it."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.ranking.features import features
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables import RUN_DATE
from recsynth.tables.gold import INTERACTIONS, ITEM_DEMAND, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS, FEATURES
from recsynth.tables.rank import WINDOWS as WINDOWS_TOLD
from tests.rows import events, night, table

WINDOWS = {"gold": {"windows": {"count": 1, "days": 7, "step_days": 7}}}
LOG_PRICE = log(1.5 + 0.01)  # tests.rows sells everything at 1.5


@pytest.fixture(scope="module")
def at() -> Night:
    return night(date(2024, 5, 1), Settings.model_validate(WINDOWS))


@pytest.fixture(scope="module")
def rows(spark: SparkSession, at: Night) -> dict[tuple[bool, str, str], dict[str, Any]]:
    """Feature rows by (is tonight, user, item)."""
    past = at.window_cutoffs[0]

    def before(days: float) -> Any:
        return at.cutoff - timedelta(days=days)

    bought = [
        ("a", "x", "purchase", before(40)),
        ("a", "x", "purchase", before(20)),
        ("a", "y", "purchase", before(20)),
        ("b", "x", "purchase", before(10)),
        ("b", "x", "view", before(3)),
        ("b", "x", "click", before(30)),
        ("a", "x", "purchase", before(-1)),
    ]
    pair = {"user_id": "a", "item_id": "x", "weight": 1.5, "purchases": 2, "quantity": 6, "views": 0, "carts": 1}
    asked = [("a", "x"), ("a", "y"), ("stranger", "x"), ("a", "never seen")]
    found = features(
        candidates=table(spark, CANDIDATES, [
            {"cutoff": cutoff, "user_id": u, "item_id": i, "als_score": 0.25, "als_rank": 3}
            for cutoff in (past, at.cutoff) for u, i in asked
        ]),
        interactions=table(spark, INTERACTIONS, [{**pair, "first_ts": before(40), "last_ts": before(20)}]),
        window_interactions=table(spark, WINDOW_INTERACTIONS, []),
        window_labels=table(spark, WINDOW_LABELS, [{"cutoff": past, "user_id": "a", "item_id": "y", "purchases": 1}]),
        item_demand=table(spark, ITEM_DEMAND, [
            {"cutoff": at.cutoff, "item_id": "x", "demand_7": 0.5, "demand_180": 0.25, "trend": 1.75}
        ]),
        events=events(spark, bought),
        windows=table(spark, WINDOWS_TOLD, []),
        features=table(spark, FEATURE_ROWS, []).withColumn(RUN_DATE, F.lit(None).cast("date")),
        night=at,
    )  # fmt: skip
    latest = at.cutoff.replace(tzinfo=None)
    return {(r.cutoff == latest, r.user_id, r.item_id): r.asDict() for r in found.collect()}


EXPECTED = {
    "als_score": 0.25, "als_rank": 3,
    "pair_weight": 1.5, "pair_purchases": 2, "pair_purchases_90": 2, "pair_log_units": log(7),
    "pair_cycle_of_user": 20 / 10, "pair_carts": 1, "pair_first_days": 40, "pair_last_days": 20,
    "pair_interval_days": 20 / 1, "pair_cycle": 20 / 20, "pair_share": 2 / 3, "pair_last_against_user": 20 - 20,
    "item_baskets_7": 0, "item_baskets_14": 1, "item_baskets_28": 2, "item_baskets_90": 3, "item_baskets": 3,
    "item_views_28": 1, "item_buyers": 2, "item_repeat_share": 1 / 2,
    "item_trend_28": 2 * 1 / (2 + 1), "item_trend_90": 3 * 2 / (3 + 1), "item_age_days": 40, "item_last_days": 10,
    "item_demand_7": 0.5, "item_demand_180": 0.25, "item_trend": 1.75, "item_price_change": 0.0, "item_log_units": 0.0,
    "item_log_price": LOG_PRICE, "price_against_user": 0.0,
    # Every purchase of tests.rows is an order of its own: three baskets of one item each.
    "user_baskets": 3, "user_baskets_28": 2, "user_baskets_90": 3, "user_last_days": 20,
    "user_interval_days": 20 / 2, "user_cycle": 20 / 10, "user_basket_items": 1, "user_last_basket_items": 1,
    "user_first_days": 40, "user_items": 2,
    "user_repeat_share": 1 - 2 / 3, "user_log_price": LOG_PRICE,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_known_answers(rows: dict[tuple[bool, str, str], dict[str, Any]], name: str) -> None:
    assert rows[True, "a", "x"][name] == pytest.approx(EXPECTED[name], rel=1e-6, abs=1e-6)


def test_an_earlier_cutoff_sees_what_came_before_it_alone(
    rows: dict[tuple[bool, str, str], dict[str, Any]],
) -> None:
    past = rows[False, "a", "x"]
    # Seven days earlier the view of three days ago has not happened, and the pair's own row was not there.
    assert (past["item_baskets"], past["item_last_days"], past["user_last_days"]) == (3, 3, 13)
    assert (past["item_views_28"], past["pair_weight"]) == (1, None)


def test_labels_are_of_earlier_cutoffs_alone(rows: dict[tuple[bool, str, str], dict[str, Any]]) -> None:
    assert {key[1:]: r["label"] for key, r in rows.items() if not key[0]} == {
        ("a", "x"): 0.0, ("a", "y"): 1.0, ("stranger", "x"): 0.0, ("a", "never seen"): 0.0,
    }  # fmt: skip
    assert {r["label"] for key, r in rows.items() if key[0]} == {None}


def test_what_does_not_exist_is_missing_and_never_zero(rows: dict[tuple[bool, str, str], dict[str, Any]]) -> None:
    stranger, unseen, once = rows[True, "stranger", "x"], rows[True, "a", "never seen"], rows[True, "a", "y"]
    assert {n for n in FEATURES if n.startswith("user_") and n not in CANDIDATES.column_names and stranger[n]} == set()
    assert stranger["user_baskets"] is None
    assert unseen["item_baskets"] is None
    assert unseen["price_against_user"] is None
    assert (once["item_repeat_share"], once["pair_interval_days"]) == (0.0, None)
