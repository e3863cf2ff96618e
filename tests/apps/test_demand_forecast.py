"""Demand of a planted shop: coherent sums, days and lead time by arithmetic, honest time, bad and little input."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from recsynth.apps.demand_forecast import demand_forecast
from recsynth.apps.demand_models import QuantileTrees
from recsynth.apps.demand_series import units_by_day
from recsynth.apps.settings import DemandSettings
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.silver import ITEMS, PROMOTIONS
from tests.rows import events, night, table

AS_OF, WEEKS = date(2024, 6, 1), 30
WEEKEND = (0, 1)  # places in the week from the as-of date, a Saturday
SMALL = {"history_weeks": 40, "backtests": 4, "trees": 30, "min_child_weight": 10, "lead_days": 10, "min_rows": 100}


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"demand": SMALL | changed}}))


def before(day: int) -> Any:
    """Noon, so many days before the as-of date."""
    return at().cutoff - timedelta(days=day) + timedelta(hours=12)


def planted() -> list[tuple[Any, ...]]:
    """Forty items of 0.05 to 2 orders a day, one unit each, three times as many on weekend days."""
    rng = np.random.default_rng(7)
    rows = []
    for n in range(40):
        rate = 0.05 * 40 ** (n / 39)
        for day in range(1, 7 * WEEKS + 1):
            share = 3.0 if (-day) % 7 in WEEKEND else 1.0
            rows += [("u", f"i{n:02d}", "purchase", before(day))] * int(rng.poisson(rate * share * 7 / 11))
    return rows


def catalogue(spark: SparkSession) -> DataFrame:
    return table(spark, ITEMS, [
        {"item_id": f"i{n:02d}", "valid_from": before(200 - v), "category": ["shop", f"c{(n + v) % 3}"]}
        for n in range(39) for v in (0, 1)
    ])  # fmt: skip


@pytest.fixture(scope="module")
def sold(spark: SparkSession) -> DataFrame:
    return events(spark, planted()).cache()


@pytest.fixture(scope="module")
def said(spark: SparkSession, sold: DataFrame) -> pd.DataFrame:
    return demand_forecast(sold, catalogue(spark), table(spark, PROMOTIONS, []), at()).toPandas()


def test_every_series_has_its_weeks_days_and_lead_time(said: pd.DataFrame) -> None:
    counted = said.groupby(["level", "grain"]).size()
    series = {"item": 40, "category": 4, "shop": 1}  # three categories, and `unknown` of the item without a record
    assert counted.to_dict() == {
        (level, grain): n * steps for level, n in series.items()
        for grain, steps in (("week", 4), ("day", 28), ("lead", 1))
    }  # fmt: skip
    assert set(said.loc[said["level"] == "category", "series_id"]) == {"shop > c0", "shop > c1", "shop > c2", "unknown"}
    weeks = said[said["grain"] == "week"]
    assert set(weeks["start"]) == {AS_OF + timedelta(days=7 * k) for k in range(4)}
    assert set(said.loc[said["grain"] == "lead", "days"]) == {10}


def test_days_sum_to_weeks_items_to_categories_and_categories_to_the_shop(said: pd.DataFrame) -> None:
    first_week = said[(said["grain"] == "day") & (said["start"] < AS_OF + timedelta(days=7))]
    weeks = said[(said["grain"] == "week") & (said["start"] == AS_OF)].set_index(["level", "series_id"])["expected"]
    assert first_week.groupby(["level", "series_id"])["expected"].sum().to_dict() == pytest.approx(weeks.to_dict())
    for grain in ("week", "day", "lead"):
        total = said[said["grain"] == grain].groupby(["start", "level"])["expected"].sum().unstack()
        assert total["item"].to_numpy() == pytest.approx(total["shop"].to_numpy(), rel=1e-5)
        assert total["category"].to_numpy() == pytest.approx(total["shop"].to_numpy(), rel=1e-5)
    lead = said[(said["grain"] == "lead") & (said["level"] == "shop")]["expected"].item()
    days = said[(said["grain"] == "day") & (said["level"] == "shop")].sort_values("start")["expected"]
    assert lead == pytest.approx(days.head(10).sum())


def test_without_a_calendar_nothing_is_told_of_promotions(said: pd.DataFrame) -> None:
    assert (said["expected_off_promotion"] == said["expected"]).all()
    assert said["promotion_days"].isna().all()


def test_the_planted_level_and_weekend_are_found(said: pd.DataFrame) -> None:
    weeks = said[(said["grain"] == "week") & (said["level"] == "item")].groupby("series_id")["expected"].mean()
    planted_units = 7 * 0.05 * 40 ** (np.arange(40) / 39)
    assert weeks.sum() == pytest.approx(planted_units.sum(), rel=0.15)
    assert np.corrcoef(np.log(weeks.to_numpy() + 0.1), np.log(planted_units + 0.1))[0, 1] > 0.9
    days = said[(said["grain"] == "day") & (said["level"] == "shop")].sort_values("start")["expected"].to_numpy()
    assert days[:2].mean() / days[2:7].mean() == pytest.approx(3.0, rel=0.3)


def test_quantiles_are_in_order_and_more_stock_covers_more(said: pd.DataFrame) -> None:
    ends = said[["low_95", "low_80", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0).all()
    assert (ends >= 0).all()
    assert (said["stock_needed"] >= np.floor(said["median"])).all()
    assert (said["stock_needed"] % 1 == 0).all()
    by = said.groupby("level")["interval_by"].unique().map(list).to_dict()
    assert by == {"item": ["trees"], "category": ["residuals"], "shop": ["residuals"]}
    # One that sells every third week: most likely nothing, though a little on average.
    scarce = said[(said["series_id"] == "i00") & (said["grain"] == "day")]
    assert (scarce["median"] == 0).all()
    assert (scarce["expected"] > 0).all()


def test_nothing_of_later_days_of_bots_or_of_double_clicks_counts_and_order_does_not(
    spark: SparkSession, sold: DataFrame, said: pd.DataFrame
) -> None:
    noise = [
        ("u", "i05", "purchase", before(0)), ("u", "later", "purchase", before(-3)), ("u", "i05", "view", before(2)),
        ("u", "i05", "return", before(2)),
    ]  # fmt: skip
    bots = events(spark, [("b", "i05", "purchase", before(3))] * 50, is_bot=True)
    doubles = events(spark, [("u", "i05", "purchase", before(3))] * 50, is_near_duplicate=True)
    more = sold.unionByName(events(spark, noise)).unionByName(bots).unionByName(doubles).repartition(5)
    found = demand_forecast(more, catalogue(spark), table(spark, PROMOTIONS, []), at()).toPandas()
    key = ["level", "series_id", "grain", "start"]
    pd.testing.assert_frame_equal(
        found.sort_values(key, ignore_index=True), said.sort_values(key, ignore_index=True), atol=1e-5
    )


def test_units_are_summed_by_day_and_a_line_without_a_quantity_is_one(spark: SparkSession) -> None:
    rows = [("u", "a", "purchase", before(1), 3), ("v", "a", "purchase", before(1), None),
            ("u", "a", "purchase", before(280), 2), ("u", "a", "purchase", before(281), 9)]  # fmt: skip
    counted = units_by_day(events(spark, rows), AS_OF - timedelta(weeks=40), AS_OF)
    found = {(r.item_id, r.day): (r.units, r.lines) for r in counted.collect()}
    assert found == {("a", 279): (4, 2), ("a", 0): (2, 1)}


def test_the_driver_learns_from_no_more_rows_than_it_is_said_to(
    spark: SparkSession, sold: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    fit = QuantileTrees.fit

    def counted(x: np.ndarray, *rest: Any) -> QuantileTrees:
        learned.append(len(x))
        return fit(x, *rest)

    monkeypatch.setattr(QuantileTrees, "fit", counted)
    found = demand_forecast(sold, catalogue(spark), table(spark, PROMOTIONS, []), at(max_rows=120))
    assert found.where("level = 'item'").select("interval_by").distinct().count() == 1
    assert learned == [120, 120, 120], "weeks, days, lead time: of 160 items at an origin, and their steps"


def test_a_shop_too_young_to_look_back_gets_counts_of_poisson(spark: SparkSession) -> None:
    young = events(spark, [("u", "a", "purchase", before(d)) for d in (3, 6, 9)])
    found = demand_forecast(young, table(spark, ITEMS, []), table(spark, PROMOTIONS, []), at()).toPandas()
    assert set(found["interval_by"]) == {"poisson"}
    week = found[(found["level"] == "item") & (found["grain"] == "week")].iloc[0]
    assert 0 < week["expected"] < 3
    assert week["low_95"] <= week["median"] <= week["high_95"]


def test_without_a_sale_or_switched_off_the_table_is_empty(spark: SparkSession, sold: DataFrame) -> None:
    none, calendar = table(spark, ITEMS, []), table(spark, PROMOTIONS, [])
    assert demand_forecast(events(spark, []), none, calendar, at()).count() == 0
    assert demand_forecast(events(spark, [("u", "a", "view", before(3))]), none, calendar, at()).count() == 0
    assert demand_forecast(sold, none, calendar, at(enabled=False)).count() == 0


def test_a_lead_time_beyond_the_horizon_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"lead_days: expected at most 7 \* horizon_weeks, found 15"):
        DemandSettings(horizon_weeks=2, lead_days=15)
