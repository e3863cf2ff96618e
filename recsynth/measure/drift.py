"""How far a night lies from the nights before it."""

from __future__ import annotations

import numpy as np

# A share of nothing would make the index infinite: the usual floor, a hundredth of a per cent.
_LEAST_SHARE = 1e-4


def population_stability_index(before: np.ndarray, now: np.ndarray) -> float:
    """Sum over bins of (now - before) * ln(now / before): 0 where shares are the same.

    before, now: counts or shares of the same bins. The symmetric Kullback-Leibler divergence of the two (Jeffreys);
    by custom (Siddiqi, Credit Risk Scorecards, 2006) below 0.1 little has moved, above 0.25 much.

    >>> round(population_stability_index(np.array([50, 50]), np.array([60, 40])), 4)
    0.0405
    """
    before, now = (np.asarray(x, float) / max(float(np.sum(x)), 1e-300) for x in (before, now))
    before, now = np.maximum(before, _LEAST_SHARE), np.maximum(now, _LEAST_SHARE)
    return float(np.sum((now - before) * np.log(now / before)))


def chance_of_drift(bins: int, before: int, now: int) -> float:
    """The index that two samples of the same source have on average: (bins - 1) * (1 / before + 1 / now).

    before, now: rows. The index is a chi-squared statistic over its sizes (Yurdakul and Naranjo, Journal of Risk Model
    Validation, 2020).

    >>> chance_of_drift(11, 100, 100)
    0.2
    """
    return (bins - 1) * (1 / before + 1 / now)


def usual_deviation(values: np.ndarray) -> float:
    """1.4826 times the median absolute deviation: of normal draws their standard deviation, and deaf to a freak.

    >>> round(usual_deviation(np.array([10.0, 11.0, 9.0, 10.0, 1000.0])), 4)
    1.4826
    """
    values = np.asarray(values, float)
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
