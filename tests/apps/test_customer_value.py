"""Customer value: windows end in time, planted spenders are told apart, the interval holds, little tells nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.stats import spearmanr

from recsynth.apps.customer_value import customer_value, cutoffs_of, spent_after
from recsynth.apps.judge_value import value_figures
from recsynth.apps.settings import ValueSettings
from recsynth.apps.user_days import user_days
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.output import USER_PROFILES
from tests.rows import events, night, table

AS_OF = date(2024, 6, 1)
SMALL = {"days": 28, "windows": 4, "min_history_days": 30, "min_each": 20, "trees": 40, "learning_rate": 0.15}


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"value": SMALL | changed}}))


def days_before(days: float) -> Any:
    return at().cutoff - timedelta(days=float(days))


def shop(spark: SparkSession, users: int = 240) -> DataFrame:
    """Users with a pace and a basket of their own, half a year before the night and four weeks after it."""
    rng = np.random.default_rng(3)
    rows: list[tuple[Any, ...]] = []
    for n in range(users):
        pace, basket = rng.uniform(4, 60), rng.integers(1, 40)
        day = 180.0 - rng.uniform(0, 60)
        while day > -28:
            rows.append((f"u{n:03d}", "a", "purchase", days_before(day), int(basket + rng.integers(0, 4))))
            day -= rng.exponential(pace) + 0.01
    return events(spark, rows)


def before(happened: DataFrame) -> DataFrame:
    return happened.where(F.col("ts") < F.lit(at().cutoff))


@pytest.fixture(scope="module")
def happened(spark: SparkSession) -> DataFrame:
    return shop(spark).persist()


@pytest.fixture(scope="module")
def said(happened: DataFrame) -> dict[str, Any]:
    return {r.user_id: r for r in customer_value(user_days(before(happened)), at()).collect()}


def test_windows_end_before_the_night_and_begin_with_enough_history() -> None:
    settings = ValueSettings(days=90, step_days=14, windows=3)
    cutoffs = cutoffs_of(AS_OF, date(2023, 1, 1), settings)
    assert len(cutoffs) == 3
    assert max(cutoffs) + timedelta(days=90) <= AS_OF
    assert cutoffs_of(AS_OF, AS_OF - timedelta(days=120), settings) == ()


def test_spend_is_that_of_the_days_from_the_cutoff_on(spark: SparkSession) -> None:
    bought = [("u", "a", "purchase", days_before(d), 2) for d in (11, 10, 4, 3)] + [("v", "a", "view", days_before(9))]
    cutoff = AS_OF - timedelta(days=10)
    found = spent_after(user_days(events(spark, bought)), [cutoff], 7).collect()
    # The day itself and six more, at 1.5 each: ten and four days before the night, not eleven, not three.
    assert [(r.cutoff, r.user_id, r.spent) for r in found] == [(cutoff, "u", 6.0)]


def test_who_spends_is_told_from_who_does_not_and_the_interval_holds(happened: DataFrame, said: dict[str, Any]) -> None:
    spent = {r.user_id: r.spent for r in spent_after(user_days(happened), [AS_OF], 28).collect()}
    assert {r.value_by for r in said.values()} == {"trees"}
    values, true = (np.array([of(u) for u in said]) for of in (lambda u: said[u].value, lambda u: spent.get(u, 0.0)))
    # Paces are drawn at random: who knows them all would still be off.
    assert spearmanr(values, true).statistic > 0.35
    assert 0.75 < values.sum() / true.sum() < 1.33
    assert np.abs(values - true).mean() < 0.9 * np.abs(true.mean() - true).mean()
    held = [r.value_low <= spent.get(u, 0.0) <= r.value_high for u, r in said.items()]
    assert 0.68 < np.mean(held) < 0.92


@pytest.mark.slow
def test_the_same_whatever_the_partitions_and_whatever_comes_later(happened: DataFrame, said: dict[str, Any]) -> None:
    shuffled = user_days(before(happened).repartition(3, "event_id").orderBy(F.rand(1)))
    assert {r.user_id: r for r in customer_value(shuffled, at()).collect()} == said


def test_too_few_spenders_get_what_all_spend(happened: DataFrame) -> None:
    rows = customer_value(user_days(before(happened)), at(min_each=10_000)).collect()
    assert {r.value_by for r in rows} == {"base_rate"}
    assert len({(r.value, r.value_low, r.value_high) for r in rows}) == 1
    assert rows[0].value_low <= rows[0].value <= rows[0].value_high


def test_without_a_whole_window_or_switched_off_nothing_is_said(spark: SparkSession, happened: DataFrame) -> None:
    young = events(spark, [("u", "a", "purchase", days_before(9))])
    for days, on in ((user_days(young), at()), (user_days(before(happened)), at(enabled=False))):
        assert {(r.value, r.value_by) for r in customer_value(days, on).collect()} == {(None, "unknown")}
    assert customer_value(user_days(events(spark, [])), at()).count() == 0


def test_the_judge_counts_what_was_spent_within_the_days(spark: SparkSession) -> None:
    ends = [("z", "a", "view", days_before(-27.5)), ("z", "a", "view", days_before(3))]
    bought = [("u", "a", "purchase", days_before(14), 4), ("u", "a", "purchase", days_before(-2), 2),
              ("v", "a", "purchase", days_before(28), 2), ("u", "a", "purchase", days_before(-40), 9)]  # fmt: skip
    profiles = table(spark, USER_PROFILES, [
        {"user_id": u, "is_default": False, "segment": "loyal", "summary": "", "value": value, "value_low": low,
         "value_high": 9.0, "value_by": "trees"} for u, value, low in (("u", 5.0, 0.0), ("v", 1.0, 0.5))
    ])  # fmt: skip
    found = {
        (r.metric, r.model): r.value for r in value_figures(events(spark, bought + ends), profiles, at()).collect()
    }
    # u spent 3 and v nothing; u went on at 6 in 14 days, v at 3 in 28.
    assert found["mean_absolute_error", "customer_value"] == pytest.approx((2 + 1) / 2)
    assert found["mean_absolute_error", "going_on_as_before"] == pytest.approx((9 + 3) / 2)
    assert found["said_over_spent", "customer_value"] == pytest.approx(2)
    assert found["coverage_80", "customer_value"] == pytest.approx(0.5)
    # Days that the data do not reach are not judged.
    assert value_figures(events(spark, bought[:3]), profiles, at()).count() == 0
