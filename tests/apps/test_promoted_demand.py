"""Forecasts with a calendar of promotions: planted lifts, days to come by arithmetic, what is told late or never."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.apps.demand_forecast import demand_forecast
from recsynth.apps.price_beliefs import Beliefs
from recsynth.apps.price_response import COLUMNS
from recsynth.apps.promoted_demand import Calendar, calendar_of
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.silver import ITEMS, PROMOTIONS
from tests.rows import events, night, table

AS_OF, WEEKS, ITEMS_SOLD, RATE, LIFT = date(2024, 6, 1), 20, 12, 2.0, 2.5
SMALL = {"history_weeks": WEEKS, "horizon_weeks": 2, "backtests": 2, "trees": 5, "lead_days": 10, "min_rows": 10_000}
AHEAD = 7
"""Days before its first day on which a promotion is told."""


def at() -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"demand": SMALL}}))


def is_on(item: int, week: int) -> bool:
    """Each item has every fourth week on promotion; week 0 begins with the as-of date."""
    return (week + item) % 4 == 0


def sold() -> list[tuple[Any, ...]]:
    rng, rows = np.random.default_rng(5), []
    for item in range(ITEMS_SOLD):
        for day in range(-7 * WEEKS, 0):
            orders = rng.poisson(RATE * (LIFT if is_on(item, day // 7) else 1.0))
            rows += [("u", f"i{item:02d}", "purchase", at().cutoff + timedelta(days=day, hours=12))] * int(orders)
    return rows


def calendar(spark: SparkSession, weeks: range, **changed: Any) -> DataFrame:
    rows = [
        {"source": "s", "promotion_id": f"week {week}", "item_id": f"i{item:02d}",
         "first_day": AS_OF + timedelta(weeks=week), "last_day": AS_OF + timedelta(weeks=week, days=6),
         "is_cancelled": False, "seen_date": AS_OF + timedelta(weeks=week, days=-AHEAD), "copies": 1, **changed}
        for week in weeks for item in range(ITEMS_SOLD) if is_on(item, week)
    ]  # fmt: skip
    return table(spark, PROMOTIONS, rows)


@pytest.fixture(scope="module")
def bought(spark: SparkSession) -> DataFrame:
    return events(spark, sold()).cache()


@pytest.fixture(scope="module")
def said(spark: SparkSession, bought: DataFrame) -> pd.DataFrame:
    """A calendar up to the coming week, and one promotion of the week after it that is taken back."""
    told = calendar(spark, range(-WEEKS, 1)).where(f"seen_date < date'{AS_OF}'")
    off = calendar(spark, range(1, 2), seen_date=AS_OF - timedelta(days=3))
    called_off = calendar(spark, range(1, 2), seen_date=AS_OF - timedelta(days=2), is_cancelled=True)
    every = told.unionByName(off).unionByName(called_off)
    return demand_forecast(bought, table(spark, ITEMS, []), every, at()).toPandas()


def weeks_of(said: pd.DataFrame, level: str = "item") -> pd.DataFrame:
    return said[(said["level"] == level) & (said["grain"] == "week")].sort_values(["series_id", "start"])


def test_the_coming_week_is_multiplied_where_the_calendar_names_it(said: pd.DataFrame) -> None:
    first = weeks_of(said).query("start == @AS_OF").set_index("series_id")
    named = [f"i{item:02d}" for item in range(ITEMS_SOLD) if is_on(item, 0)]
    assert first.index[first["promotion_days"] == 7].tolist() == named
    assert set(first.loc[~first.index.isin(named), "promotion_days"]) == {0}
    times = first["expected"] / first["expected_off_promotion"]
    assert times[named].mean() == pytest.approx(LIFT, rel=0.1)
    # A promotion is always told seven days ahead, so that in the coming week nothing unnamed is to be feared.
    assert times.drop(named).to_numpy() == pytest.approx(1.0)


def test_what_was_sold_on_promotion_does_not_raise_the_days_off_it(said: pd.DataFrame) -> None:
    # The last week of these was on promotion.
    raised = [f"i{item:02d}" for item in range(ITEMS_SOLD) if is_on(item, -1)]
    off = weeks_of(said).groupby("series_id")["expected_off_promotion"].mean()
    assert off.mean() == pytest.approx(7 * RATE, rel=0.1)
    assert off[raised].mean() == pytest.approx(off.drop(raised).mean(), rel=0.15)


def test_beyond_the_calendar_a_day_is_on_promotion_as_likely_as_ever(said: pd.DataFrame) -> None:
    second = weeks_of(said).query("start > @AS_OF")
    assert set(second["promotion_days"]) == {0}, "called off, or not named"
    times = (second["expected"] / second["expected_off_promotion"]).mean()
    # One week of four; a day k of the second week is named k days too late to be known tonight.
    assert 1 + 0.05 * (LIFT - 1) < times < 1 + 0.25 * (LIFT - 1)


def test_sums_are_coherent_with_promotions(said: pd.DataFrame) -> None:
    for column in ("expected", "expected_off_promotion"):
        total = said.groupby(["grain", "start", "level"])[column].sum().unstack()
        assert total["item"].to_numpy() == pytest.approx(total["shop"].to_numpy(), rel=1e-5)
        weeks, days = (said[(said["grain"] == g) & (said["level"] == "shop")][column].sum() for g in ("week", "day"))
        assert weeks == pytest.approx(days)
    assert said.loc[said["level"] != "item", "promotion_days"].isna().all()


def test_a_promotion_raises_stock_and_interval_too(said: pd.DataFrame) -> None:
    first = weeks_of(said).query("start == @AS_OF").groupby("promotion_days")[["stock_needed", "high_80", "median"]]
    few, many = first.mean().loc[0], first.mean().loc[7]
    assert ((many / few) > 0.7 * LIFT).all()


@pytest.mark.slow
def test_a_calendar_that_names_nothing_that_was_sold_changes_nothing(
    spark: SparkSession, bought: DataFrame
) -> None:  # fmt: skip
    items, others = table(spark, ITEMS, []), calendar(spark, range(-1, 0), item_id="another")
    key = ["level", "series_id", "grain", "start"]
    made = [
        demand_forecast(bought, items, told, at()).toPandas().sort_values(key, ignore_index=True)
        for told in (others, others.limit(0))
    ]
    named, unnamed = (frame.drop(columns="promotion_days") for frame in made)
    pd.testing.assert_frame_equal(named, unnamed)
    assert set(made[0].loc[made[0]["level"] == "item", "promotion_days"]) == {0}


def a_calendar(told_ahead: list[float], usual_share: float) -> Calendar:
    none = pd.DataFrame({"item_id": [], "category": [], **{part: [] for part in COLUMNS}})
    return Calendar(Beliefs.learned_from(none), np.ones(8), np.array(told_ahead), usual_share, since=2, period_days=4)


def test_a_day_that_is_not_named_may_be_yet() -> None:
    named = np.full((2, 11), np.inf)
    named[0, 8:11] = (5, 7, 8)  # of the days to come two are told before tonight, day 8; the third on it
    named[1, [0, 3, 4]] = 0
    told = a_calendar([1.0, 0.5, 0.0], usual_share=0.25)
    found = told.to_come(named, np.array([3.0, 2.0]), began=np.array([0, 4]), today=8)
    # Known days: from day 2, the calendar's first, and from the item's first sale; four more at the usual share.
    first = (0 + 4 * 0.25) / (6 + 4)
    second = (1 + 4 * 0.25) / (4 + 4)
    assert found[0] == pytest.approx([3.0, 3.0, 1 + 2 * first])
    assert found[1] == pytest.approx([1.0, 1 + second * 0.5 / (1 - second * 0.5), 1 + second])


def test_how_far_ahead_promotions_are_told_is_counted(spark: SparkSession) -> None:
    def days(*pairs: tuple[int, int]) -> list[dict[str, int]]:
        return [{"day": day, "told": told} for day, told in pairs]

    last = 7 * WEEKS - 1
    rows = [
        ("a", "c", [{"day": 0, "units": 9, "lines": 3}], days((10, 8), (11, 8), (last + 1, 0))),
        ("b", "c", [{"day": last, "units": 1, "lines": 1}], days((20, 20), (last, last - 1))),
        ("d", "c", [{"day": 0, "units": 2, "lines": 2}], None),
    ]  # fmt: skip
    schema = (
        "item_id string, category string, sold array<struct<day bigint, units bigint, lines bigint>>, "
        "promoted array<struct<day int, told int>>"
    )
    found = calendar_of(spark.createDataFrame(rows, schema), at())
    # Two days, three days and one day ahead; of one told on its own day nothing is known, of tomorrow nothing yet.
    assert found.told_ahead[:4] == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])
    assert (found.exposure[0], found.exposure[last], found.exposure.sum()) == (5.0, 1.0, 6.0)
    assert found.since == 10
    # Of days from the calendar's first on, and from an item's first sale.
    assert found.usual_share == pytest.approx(3 / (2 * (last - 10 + 1) + 1))
