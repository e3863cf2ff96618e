"""Chances to buy and to leave: windows end in time, features by arithmetic, a planted habit found, little input."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.apps.propensity import purchase_propensity, windows_of
from recsynth.apps.settings import PropensitySettings
from recsynth.apps.user_days import days_to_purchase, features_at, user_days
from recsynth.settings import Settings
from recsynth.stage import Night
from tests.rows import events, night

AS_OF = date(2024, 6, 1)
SMALL = {"leave_days": 35, "step_days": 14, "windows": 3, "min_history_days": 14, "min_each": 5, "trees": 10,
         "min_child_weight": 1.0, "l2": 1.0, "learning_rate": 0.3}  # fmt: skip


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"propensity": SMALL | changed}}))


def days_before(days: float) -> Any:
    return at().cutoff - timedelta(days=days)


def by_user(frame: DataFrame) -> dict[tuple[str, str, int], tuple[float | None, str]]:
    return {(r.user_id, r.target, r.horizon_days): (r.probability, r.method) for r in frame.collect()}


@pytest.mark.parametrize("horizon", [7, 28, 90])
def test_labels_end_before_the_newest_window_and_that_before_the_night(horizon: int) -> None:
    windows = windows_of(horizon, AS_OF, date(2023, 1, 1), PropensitySettings())
    assert windows is not None
    assert windows.newest + timedelta(days=horizon) <= AS_OF
    assert len(windows.learned) == PropensitySettings().windows
    assert max(windows.learned) + timedelta(days=horizon) <= windows.newest


def test_the_grid_has_its_step_and_begins_with_enough_history() -> None:
    settings = PropensitySettings(step_days=7, windows=50, min_history_days=30)
    windows = windows_of(7, AS_OF, AS_OF - timedelta(days=60), settings)
    assert windows is not None
    assert [(AS_OF - c).days for c in windows.learned] == [14, 21, 28]
    assert windows_of(28, AS_OF, AS_OF - timedelta(days=28), settings) is None


def test_features_and_waits_are_arithmetic(spark: SparkSession) -> None:
    happened = [
        ("u", "a", "purchase", days_before(40), 2), ("u", "b", "purchase", days_before(30), 1),
        ("u", "a", "purchase", days_before(10), 3), ("u", "a", "view", days_before(8)),
        ("u", "a", "return", days_before(5)), ("u", "c", "purchase", days_before(-1)),
        ("looker", None, "search", days_before(2), None, "mug"), ("giver", "a", "return", days_before(3)),
    ]  # fmt: skip
    days = user_days(events(spark, happened))
    found = {r.user_id: r for r in features_at(days, [AS_OF]).collect()}
    assert set(found) == {"u", "looker"}
    expected = {
        "days_since_purchase": 10, "days_since_event": 8, "days_since_first": 40, "buying_days": 3, "units": 6,
        "spend": 9.0, "items": 2, "gap_mean": 15, "gap_spread": 5, "gap_max": 20, "gap_last": 20, "gap_ratio": 10 / 15,
        "gap_excess": (10 - 15) / 12, "repeat_share": 1 / 3, "last_spend": 4.5, "unit_price": 1.5, "buying_days_28": 1,
        "buying_days_90": 3, "trend": 1 / 28 - 3 / 90, "returns": 1, "views": 1, "active_days_28": 2, "spend_90": 9.0,
    }  # fmt: skip
    assert {name: found["u"][name] for name in expected} == pytest.approx(expected)
    looker = found["looker"]
    assert (looker.days_since_purchase, looker.days_since_event, looker.searches, looker.spend) == (None, 2, 1, 0)
    cutoffs = [AS_OF - timedelta(days=30), AS_OF, AS_OF + timedelta(days=2)]
    waits = {(r.user_id, (r.cutoff - AS_OF).days): r.wait for r in days_to_purchase(days, cutoffs).collect()}
    assert waits == {("u", -30): 0, ("u", 0): 1}


def habits(spark: SparkSession, users: int = 40, noise: bool = True) -> DataFrame:
    """Of each two users one buys every fifth day, the other bought once, 100 to 60 days ago; some do otherwise."""
    rng = np.random.default_rng(5)
    rows: list[tuple[Any, ...]] = []
    for n in range(users):
        steady = [float(d) for d in np.arange(rng.uniform(0.1, 5), 110, 5)]
        once = [float(rng.uniform(60, 100)), *(float(rng.uniform(0.1, 60)) for _ in range(int(noise and n % 4 == 1)))]
        rows += [(f"u{n:03d}", f"i{n % 3}", "purchase", days_before(d)) for d in (steady if n % 2 == 0 else once)]
    return events(spark, rows)


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[tuple[str, str, int], tuple[float | None, str]]:
    return by_user(purchase_propensity(habits(spark), at()))


def test_who_buys_steadily_will_buy_and_who_bought_once_leaves(found: dict[Any, Any]) -> None:
    assert len(found) == 40 * 3
    assert {method for _, method in found.values()} == {"calibrated_trees"}
    for target, days, sign in (("buy", 7, 1), ("buy", 28, 1), ("leave", 35, -1)):
        chances = {u: p for (u, t, d), (p, _) in found.items() if (t, d) == (target, days)}
        steady = np.mean([p for u, p in chances.items() if int(u[1:]) % 2 == 0])
        once = np.mean([p for u, p in chances.items() if int(u[1:]) % 2 == 1])
        assert sign * (steady - once) > 0.3


def test_a_longer_horizon_has_no_smaller_chance(found: dict[Any, Any]) -> None:
    for user in {u for u, _, _ in found}:
        seven, month, left = (found[user, *key][0] for key in (("buy", 7), ("buy", 28), ("leave", 35)))
        assert 0 <= seven <= month <= 1 - left <= 1


def test_the_same_whatever_the_partitions_and_nothing_later_counts(spark: SparkSession, found: dict[Any, Any]) -> None:
    shuffled = habits(spark).repartition(3, "event_id").orderBy(F.rand(1))
    assert by_user(purchase_propensity(shuffled, at())) == found


def test_too_few_rows_of_a_kind_get_a_base_rate(spark: SparkSession) -> None:
    # Half of the users always buy, so they alone are none too many: 20 of 40 bought in the newest window of 28 days.
    found = by_user(purchase_propensity(habits(spark, noise=False), at(min_each=21)))
    assert found["u001", "buy", 28] == (pytest.approx(21 / 42), "base_rate")
    assert found["u000", "leave", 35] == (pytest.approx(1 - 21 / 42), "base_rate")


def test_one_user_one_class_no_purchase(spark: SparkSession) -> None:
    everyone = [(f"u{n}", "a", "purchase", days_before(d)) for n in range(9) for d in range(1, 100, 3)]
    assert {m for _, m in by_user(purchase_propensity(events(spark, everyone), at())).values()} == {"base_rate"}
    one = by_user(purchase_propensity(events(spark, [("u", "a", "purchase", days_before(40))]), at()))
    # It was there 28 and 14 days ago and bought nothing since; 42 days ago there was nobody.
    assert one == {
        ("u", "buy", 7): (pytest.approx(1 / 3), "base_rate"), ("u", "buy", 28): (pytest.approx(1 / 3), "base_rate"),
        ("u", "leave", 35): (None, "unknown"),
    }  # fmt: skip
    lookers = by_user(purchase_propensity(events(spark, [("v", "a", "view", days_before(20))]), at()))
    assert lookers["v", "buy", 7] == (pytest.approx(1 / 3), "base_rate")
    assert lookers["v", "buy", 28] == (None, "unknown")


def test_switched_off_or_without_events_there_is_an_empty_table(spark: SparkSession) -> None:
    assert purchase_propensity(habits(spark, 2), at(enabled=False)).count() == 0
    assert purchase_propensity(events(spark, []), at()).count() == 0
