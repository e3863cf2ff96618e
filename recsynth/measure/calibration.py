"""How true predicted probabilities are."""

from __future__ import annotations

import numpy as np


def expected_calibration_error(predicted: np.ndarray, observed: np.ndarray, counts: np.ndarray) -> float:
    """Mean over all predictions of |mean prediction - share that came true| of the bin that each lies in.

    predicted, observed, counts: one value a bin (mean prediction, share that came true, predictions).
    Source: Naeini, Cooper and Hauskrecht, AAAI 2015. NaN without a prediction.

    >>> expected_calibration_error(np.array([0.1, 0.8]), np.array([0.2, 0.8]), np.array([30, 10]))
    0.075
    """
    counts = np.asarray(counts, float)
    if not counts.sum():
        return float("nan")
    gaps = np.abs(np.asarray(predicted, float) - np.asarray(observed, float))
    return float(np.round((gaps * counts).sum() / counts.sum(), 12))


def binned(
    predicted: np.ndarray, came_true: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bins of equal width that are in use: number, mean prediction, share that came true, predictions of each.

    predicted: probabilities; came_true: true or false, one each.

    >>> [x.tolist() for x in binned(np.array([0.25, 0.75, 1.0]), np.array([True, False, True]), 2)]
    [[0, 1], [0.25, 0.875], [1.0, 0.5], [1, 2]]
    """
    at = np.minimum((np.asarray(predicted, float) * bins).astype(int), bins - 1)
    counts = np.bincount(at, minlength=bins)
    used = np.flatnonzero(counts)
    means, shares = (np.bincount(at, x, minlength=bins)[used] / counts[used] for x in (predicted, came_true))
    return used, means, shares, counts[used]
