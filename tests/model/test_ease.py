"""EASE against its definition: ridge regression of each column on the others."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.model.ease import ease


def test_ease_minimises_each_column_by_ridge_regression_on_the_others() -> None:
    rng = np.random.default_rng(5)
    x_UM, l2 = rng.integers(1, 4, (23, 9)) * (rng.random((23, 9)) < 0.4).astype(float), 3.0
    expected = np.zeros((9, 9))
    for item in range(9):
        others = [i for i in range(9) if i != item]
        a = x_UM[:, others]
        expected[others, item] = np.linalg.solve(a.T @ a + l2 * np.eye(8), a.T @ x_UM[:, item])
    assert ease(x_UM.T @ x_UM, l2) == pytest.approx(expected, abs=1e-5)
