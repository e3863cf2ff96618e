"""Known answers of six recommenders on three users and three items."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

from recsynth.synthesis.algorithms import agreement, weights

ROWS = sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.float32))
FOUND = {name: make() for name, make in weights(ROWS, l2=1.0).items()}


def test_each_weighs_as_its_formula_says() -> None:
    assert FOUND["popularity"][0].tolist() == [3, 2, 1]
    assert FOUND["counts"].tolist() == [[0, 2, 1], [2, 0, 1], [1, 1, 0]]
    assert FOUND["cosine"][0, 1] == pytest.approx(2 / math.sqrt(6))
    # From the first item to one of its three users, then to one of that user's items.
    assert FOUND["walks"][0, 1] == pytest.approx((1 / 2 + 1 / 3) / 3)
    assert FOUND["walks"][0, 2] == pytest.approx((1 / 3) / 3)
    assert np.diag(FOUND["ease"]) == pytest.approx(np.zeros(3))
    # The greatest two of three directions: what they make of the rows is the nearest of rank two.
    left, values, right = np.linalg.svd(ROWS.toarray(), full_matrices=False)
    assert ROWS @ FOUND["factors"] == pytest.approx(left[:, :2] * values[:2] @ right[:2], abs=1e-5)


def test_nobody_says_an_item_of_itself_but_popularity_and_factors() -> None:
    assert {n for n, w in FOUND.items() if not np.allclose(np.diag(w), 0)} == {"popularity", "factors"}


def test_agreement_is_kendalls_tau() -> None:
    ours = {"a": 0.1, "b": 0.2, "c": 0.3}
    assert agreement(ours, {"a": 1, "b": 2, "c": 3}) == pytest.approx(1)
    assert agreement(ours, {"a": 3, "b": 2, "c": 1}) == pytest.approx(-1)
    assert agreement(ours, {"a": 2, "b": 1, "c": 3}) == pytest.approx(1 / 3)
    assert math.isnan(agreement(ours, {"a": 1, "b": 1, "c": 1}))
