"""The calibration error beside torchmetrics'."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.classification import BinaryCalibrationError

from recsynth.measure.calibration import expected_calibration_error


def test_it_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(7)
    said = rng.random(500).astype(np.float32)
    true = (rng.random(500) < said**1.5).astype(int)
    bins = np.minimum((said * 10).astype(int), 9)
    counts = np.bincount(bins, minlength=10)
    predicted, observed = (np.bincount(bins, x, minlength=10) / counts for x in (said, true))
    theirs = BinaryCalibrationError(n_bins=10, norm="l1")(torch.tensor(said), torch.tensor(true))
    assert abs(expected_calibration_error(predicted, observed, counts) - float(theirs)) < 1e-6


def test_without_a_prediction_there_is_no_error_to_state() -> None:
    assert np.isnan(expected_calibration_error(np.array([]), np.array([]), np.array([])))
