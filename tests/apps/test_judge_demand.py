"""The judge of forecasts: MASE, WRMSSE, coverage and bias of two items by arithmetic, and only whole periods."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from recsynth.apps.judge_demand import judge_demand
from recsynth.settings import Settings
from recsynth.tables.output import DEMAND_FORECAST
from recsynth.tables.silver import ITEMS
from tests.rows import events, night, table

AS_OF = date(2024, 6, 1)
AT = night(AS_OF, Settings.model_validate({"apps": {"demand": {"history_weeks": 8}}}))
PAST = {"a": [4, 2, 6, 2, 4, 2, 6, 2], "b": [0, 0, 0, 0, 1, 0, 0, 1]}  # units a week, oldest first
LATER = {"a": [3, 5], "b": [0, 2]}
SAID = {"a": (4.0, 4.0), "b": (0.0, 0.5)}  # median, expected
DAYS = 14


def happened() -> list[tuple[Any, ...]]:
    def noon(day: int) -> Any:
        return AT.cutoff + timedelta(days=day, hours=12)

    past = [("u", i, "purchase", noon(7 * (w - 8)), n) for i, row in PAST.items() for w, n in enumerate(row) if n]
    later = [("u", i, "purchase", noon(7 * w + 1), n) for i, row in LATER.items() for w, n in enumerate(row) if n]
    return [*past, *later, ("u", "a", "view", noon(DAYS - 1))]


def judged(spark: SparkSession, rows: list[tuple[Any, ...]]) -> dict[tuple[str, str, str], Any]:
    ends = {"low_95": 0.0, "low_80": 1.0, "high_80": 4.0, "high_95": 5.0, "stock_needed": 4.0, "model": "ses",
            "interval_by": "trees"}  # fmt: skip
    said = [
        {"level": "item", "series_id": i, "grain": "week", "start": AS_OF + timedelta(days=7 * w), "days": 7,
         "median": m, "expected": e, "expected_off_promotion": 1.0, "promotion_days": 7 * (i == "a" and w == 0), **ends}
        for i, (m, e) in SAID.items() for w in range(3)
    ]  # fmt: skip
    found = judge_demand(events(spark, rows), table(spark, ITEMS, []), table(spark, DEMAND_FORECAST, said), AT)
    return {(r.metric, r.model, r.segment): r for r in found.collect()}


def test_figures_are_arithmetic_over_the_weeks_that_have_passed(spark: SparkSession) -> None:
    found = judged(spark, happened())
    # From the first sale, but over no fewer than four weeks.
    scale = {"a": np.diff(PAST["a"]), "b": np.diff(PAST["b"][4:])}
    mase = {i: np.mean(np.abs(np.array(LATER[i]) - SAID[i][0])) / np.abs(scale[i]).mean() for i in SAID}
    assert found["mase", "demand", "item_week"].value == pytest.approx(np.mean(list(mase.values())))
    rmsse = {i: (np.mean((np.array(LATER[i]) - SAID[i][1]) ** 2) / np.mean(scale[i] ** 2)) ** 0.5 for i in SAID}
    weight = {i: sum(PAST[i][-4:]) for i in SAID}
    expected = sum(rmsse[i] * weight[i] for i in SAID) / sum(weight.values())
    assert found["wrmsse", "demand", "item_week"].value == pytest.approx(expected)
    naive = np.mean([np.mean(np.abs(np.array(LATER[i]) - PAST[i][-1])) / np.abs(scale[i]).mean() for i in SAID])
    assert found["mase", "seasonal_naive", "item_week"].value == pytest.approx(naive)
    assert found["coverage_80", "demand", "item_week"].value == pytest.approx(0.5)  # 3 and 2 lie from 1 to 4
    assert found["coverage_95", "demand", "item_week"].value == pytest.approx(1.0)
    assert found["service", "demand", "item_week"].value == pytest.approx(0.75)
    assert found["bias", "demand", "item_week"].value == pytest.approx((2 * 4.0 + 2 * 0.5) / 10 - 1)
    assert found["wape", "demand", "item_week"].value == pytest.approx((1 + 1 + 0.5 + 1.5) / 10)
    assert found["mase", "demand", "item_week"]["count"] == 2
    # The first week of `a` alone is on a named promotion: 3 came, 4 were expected, and 1 without it.
    promoted = {model: found["wrmsse", model, "item_week_promoted"].value for model in ("demand", "off_promotion")}
    assert promoted["demand"] == pytest.approx(1 / np.mean(scale["a"] ** 2) ** 0.5)
    assert promoted["off_promotion"] == pytest.approx(2 / np.mean(scale["a"] ** 2) ** 0.5)
    assert found["bias", "off_promotion", "item_week_promoted"].value == pytest.approx(1 / 3 - 1)
    assert found["mase", "demand", "item_week_promoted"]["count"] == 1
    assert not [key for key in found if key[1] == "off_promotion" and key[2] != "item_week_promoted"]


def test_without_later_days_nothing_is_judged(spark: SparkSession) -> None:
    before = [row for row in happened() if row[3] < AT.cutoff]
    assert judged(spark, before) == {}
    assert judged(spark, []) == {}
