"""How well a score tells two outcomes apart."""

from __future__ import annotations

import numpy as np


def auc(scores: np.ndarray, outcomes: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve with its 95 % interval: the chance that one with the outcome has the higher score.

    scores: any numbers, ties count half; outcomes: true or false. A score's placement is the share of the other
    kind below it; the variance is that of the placements' means (DeLong, DeLong and Clarke-Pearson, Biometrics
    1988). NaN where there is one kind alone.

    >>> auc(np.array([0.9, 0.8, 0.2, 0.1]), np.array([1, 0, 1, 0]))[0]
    0.75
    """
    outcomes = np.asarray(outcomes, bool)
    with_it, without = np.asarray(scores, float)[outcomes], np.asarray(scores, float)[~outcomes]
    if not len(with_it) or not len(without):
        return (float("nan"), float("nan"), float("nan"))
    placed, others = _below(with_it, without), 1 - _below(without, with_it)
    value = float(placed.mean())
    margin = 1.96 * float(np.sqrt(_variance(placed) + _variance(others)))
    return (value, max(0.0, value - margin), min(1.0, value + margin))


def _below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` below each value, ties half."""
    ordered = np.sort(among)
    both = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    share: np.ndarray = both / (2 * len(ordered))
    return share


def _variance(placements: np.ndarray) -> float:
    return float(placements.var(ddof=1)) / len(placements) if len(placements) > 1 else 0.0
