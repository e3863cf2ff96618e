"""Surges: a planted one is found with its first day, chance is left alone, nothing of later days is used."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from recsynth.apps.settings import SurgeSettings
from recsynth.apps.surges import least_chance, surges, tail

SETTINGS = SurgeSettings()


def counts(days: int = 120, mean: float = 3.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, days)


def test_a_planted_surge_is_found_within_a_day_told_once_and_with_the_day_it_began() -> None:
    negatives = counts()
    negatives[90:95] += 12
    (found,) = surges(negatives, negatives + 20, SETTINGS)
    assert found.began == 90
    assert found.raised in (90, 91)
    assert 94 <= found.last <= 100
    assert found.negatives > 3 * found.expected
    assert found.chance < least_chance(SETTINGS)


def test_what_was_raised_on_a_day_does_not_hang_on_later_days() -> None:
    negatives = counts()
    negatives[90:95] += 12
    for last in (91, 92, 100, 120):
        assert (
            surges(negatives[:last], negatives[:last], SETTINGS)[0].raised
            == surges(negatives, negatives, SETTINGS)[0].raised
        )


def test_chance_raises_fewer_alarms_than_are_put_up_with() -> None:
    raised = [len(surges(counts(208, 4.0, seed), np.full(208, 50), SETTINGS)) for seed in range(60)]
    quarters = (208 - SETTINGS.min_days) / 90
    assert np.mean(raised) / quarters <= SETTINGS.false_alarms * 1.3
    strict = SurgeSettings(false_alarms=0.01)
    assert sum(len(surges(counts(208, 4.0, s), np.full(208, 50), strict)) for s in range(60)) < sum(raised)


def test_more_of_everything_is_no_surge_of_complaints() -> None:
    negatives, texts = counts(), np.full(120, 30)
    negatives[90:93], texts[90:93] = 15, 300
    assert surges(negatives, texts, SETTINGS) == []


def test_a_lasting_rise_is_the_new_usual_after_a_while() -> None:
    negatives = counts(200)
    negatives[90:] += 12
    found = surges(negatives, negatives, SETTINGS)
    assert found[0].began == 90
    assert found[0].last < 140


def test_a_weekday_that_is_always_bad_is_usual() -> None:
    negatives = counts(150, 1.0)
    negatives[::7] += 12
    assert surges(negatives, negatives + 5, SETTINGS) == []


@pytest.mark.parametrize("negatives", [[], [0] * 100, [9] * 10, [0] * 99 + [4]])
def test_nothing_little_or_too_short_a_history_raises_nothing(negatives: list[int]) -> None:
    assert surges(np.array(negatives, int), np.array(negatives, int), SETTINGS) == []


def test_the_tail_is_the_negative_binomials_with_this_mean_and_variance() -> None:
    draws = np.random.default_rng(0).negative_binomial(4.0, 0.4, 200_000)
    mean, variance = float(nbinom.mean(4.0, 0.4)), float(nbinom.var(4.0, 0.4))
    assert tail(12, mean, variance) == pytest.approx((draws >= 12).mean(), abs=0.003)
    assert tail(0, mean, variance) == pytest.approx(1.0)
