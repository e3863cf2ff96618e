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
