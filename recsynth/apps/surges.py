"""Surges of daily counts: more than chance explains, against a baseline by weekday. Plain arrays, no Spark.

In the manner of Farrington et al. (1996) and Noufaily et al. (2013), who watch counts of infections: what came within
the last days is compared with what the weeks before would lead to, allowing for a spread beyond Poisson's and for how
little a short baseline tells; days of earlier surges do not count as usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import nbinom, poisson

from recsynth.apps.settings import SurgeSettings

WEEK, QUARTER = 7, 90
_LEAST_COUNT, _DAYS_OF_ALL = 0.5, 4.0


@dataclass(frozen=True)
class Surge:
    """Days are indices into the counts: when it began, when it was noticed, the last day on which it still held.

    negatives, texts, expected and chance are of the window in which it was noticed: what came, what the baseline led
    to, and the probability of so much without a surge.
    """

    began: int
    raised: int
    last: int
    negatives: int
    texts: int
    expected: float
    chance: float


def least_chance(settings: SurgeSettings) -> float:
    """The probability below which a window is a surge: the false alarms allowed, over days and windows looked at."""
    return settings.false_alarms / (QUARTER * len(settings.windows))


def surges(negatives: np.ndarray, texts: np.ndarray, settings: SurgeSettings) -> list[Surge]:
    """Surges within daily counts (days,) of one topic, oldest first; `texts` counts all, not the negative ones alone.

    A day is looked at with what was known on it: later days change nothing of what was raised before. A surge that is
    noticed again within cool_down days goes on; it is no new one.
    """
    found: list[Surge] = []
    usual = np.ones(len(negatives), bool)
    for day in range(settings.min_days, len(negatives)):
        surge = _at(day, negatives, texts, usual, settings)
        if surge is None:
            continue
        usual[surge.began : day + 1] = False
        if found and day - found[-1].last <= settings.cool_down:
            before = found.pop()
            surge = Surge(
                before.began, before.raised, day, before.negatives, before.texts, before.expected, before.chance
            )
        found.append(surge)
    return found


def _at(day: int, negatives: np.ndarray, texts: np.ndarray, usual: np.ndarray, settings: SurgeSettings) -> Surge | None:
    best: Surge | None = None
    for window in settings.windows:
        first = day - window + 1
        came, of = int(negatives[first : day + 1].sum()), int(texts[first : day + 1].sum())
        if first <= 0 or came < settings.min_volume:
            continue
        base = np.arange(max(0, first - settings.baseline_days), first)
        base = base[usual[base]]
        if len(base) < settings.min_days - max(settings.windows):
            continue
        expected, variance = _baseline(negatives[base], base, np.arange(first, day + 1))
        known = texts[base].sum()
        is_more = known == 0 or came / max(of, 1) >= negatives[base].sum() / known
        chance = tail(came, expected, variance)
        if is_more and chance < least_chance(settings) and (best is None or chance < best.chance):
            each = expected / window
            began = next((d for d in range(first, day + 1) if negatives[d] > each), first)
            best = Surge(began, day, day, came, of, expected, chance)
    return best


def _baseline(counts: np.ndarray, days: np.ndarray, ahead: np.ndarray) -> tuple[float, float]:
    """Mean and variance of the sum of counts on days `ahead`, by what came on `days`: a weekday has its own mean."""
    total = counts.sum() + _LEAST_COUNT
    mean = total / len(counts)
    # A weekday's own factor, drawn towards 1 as though a few average days had been seen as well.
    place, of_day = days % WEEK, np.zeros(WEEK)
    seen = np.bincount(place, minlength=WEEK)
    of_day = (np.bincount(place, counts, minlength=WEEK) + _DAYS_OF_ALL * mean) / ((seen + _DAYS_OF_ALL) * mean)
    fitted = mean * of_day[place]
    spread = max(1.0, float(((counts - fitted) ** 2 / fitted).sum() / max(1, len(counts) - 1)))
    expected = float((mean * of_day[ahead % WEEK]).sum())
    return expected, spread * expected + spread * expected**2 / total


def tail(count: int, mean: float, variance: float) -> float:
    """Probability of `count` and more: negative binomial with this mean and variance, Poisson where they are equal.

    >>> round(tail(3, 1.0, 1.0), 4)
    0.0803
    """
    if variance <= mean * (1 + 1e-9):
        return float(poisson.sf(count - 1, mean))
    return float(nbinom.sf(count - 1, mean**2 / (variance - mean), mean / variance))
