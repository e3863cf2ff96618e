"""Votes of the most similar users against a slow plain twin."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsynth.candidates.user_neighbours import scores, unit_rows


def test_votes_are_the_cosines_times_the_unit_rows_of_the_nearest() -> None:
    rng = np.random.default_rng(2)
    pool = rng.random((12, 7)) * (rng.random((12, 7)) < 0.6)
    x = rng.random((5, 7))
    unit = pool / np.maximum(np.linalg.norm(pool, axis=1, keepdims=True), 1e-12)
    expected = np.zeros((5, 7))
    for user in range(5):
        cosines = unit @ (x[user] / np.linalg.norm(x[user]))
        for neighbour in np.argsort(-cosines)[:4]:
            expected[user] += cosines[neighbour] * unit[neighbour]
    found = scores(sp.csr_matrix(x), unit_rows(sp.csr_matrix(pool)).tocsr(), 4)
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_user_is_no_neighbour_of_itself() -> None:
    x = sp.csr_matrix(np.array([[1.0, 1.0, 0.0]]))
    pool = unit_rows(sp.csr_matrix(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))).tocsr()
    # Cosine with the other is 1/2, and it has the third item with 1/sqrt(2) of its unit row.
    assert scores(x, pool, 5)[0] == pytest.approx([0.5 / 2**0.5, 0.0, 0.5 / 2**0.5], abs=1e-6)


def test_an_unknown_user_gets_no_votes() -> None:
    assert not scores(sp.csr_matrix((1, 3)), sp.csr_matrix(np.eye(3)), 2).any()
