"""Intervals by the bootstrap over users."""

from __future__ import annotations

import numpy as np

DRAWS_AT_ONCE = 8_000_000


def bootstrap_mean(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean: the mean of `resamples` draws with replacement.

    Source: Efron (1979). Draws are made in parts, so that memory stays at 64 MB whatever the number of users.

    >>> bootstrap_mean(np.ones(10))
    (1.0, 1.0)
    """
    values = np.asarray(values, float)
    if not len(values):
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    part = max(1, DRAWS_AT_ONCE // len(values))
    sizes = [min(part, resamples - start) for start in range(0, resamples, part)]
    means = np.concatenate([rng.choice(values, (size, len(values))).mean(1) for size in sizes])
    return (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


def bootstrap_difference(
    ours: np.ndarray, theirs: np.ndarray, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean of paired differences: the same users under two recommenders.

    >>> bootstrap_difference(np.array([1.0, 2.0]), np.array([0.5, 1.5]))
    (0.5, 0.5)
    """
    return bootstrap_mean(np.asarray(ours, float) - np.asarray(theirs, float), resamples, seed)
