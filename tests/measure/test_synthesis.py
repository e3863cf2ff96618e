"""Figures of two samples: known answers, and that they agree with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsynth.measure.synthesis import average_ranks, ks_complement, lift, overlap, spearman, tail_share


@pytest.mark.parametrize("seed", range(5))
def test_they_agree_with_well_kept_libraries_on_random_samples_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, 50), rng.integers(2, 12, 50)
    assert ks_complement(a, b) == pytest.approx(1 - stats.ks_2samp(a, b).statistic)
    assert average_ranks(a).tolist() == stats.rankdata(a).tolist()
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


def test_samples_that_are_alike_and_samples_that_are_apart() -> None:
    a = np.arange(10)
    assert ks_complement(a, a) == 1.0
    assert ks_complement(a, a + 100) == 0.0
    assert overlap(a, a) == 1.0
    assert overlap(np.array([1, 0]), np.array([0, 5])) == 0.0


def test_nothing_to_compare_is_no_likeness() -> None:
    nothing = np.zeros(0)
    assert ks_complement(nothing, np.ones(3)) == 0.0
    assert overlap(np.zeros(3), np.ones(3)) == 0.0
    assert spearman(nothing, nothing) == 0.0


def test_lift_is_users_with_both_over_those_expected() -> None:
    # Four users: {0, 1}, {0, 1}, {2}, {}; items 0 and 1 go together, 2 stands alone.
    rows = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    pair = 4 * 2 / (2 * 2)
    assert lift(rows.T @ rows, users=4).tolist() == [pair, 0.0, 0.0]


def test_lift_of_an_item_that_nobody_has_is_zero() -> None:
    assert lift(np.array([[0, 0], [0, 3]]), users=3).tolist() == [0.0]


def test_the_tail_is_what_is_rare_among_the_real() -> None:
    real = np.array([100, 1, 1, 1, 1])
    assert tail_share(real, real) == pytest.approx(4 / 104)
    assert tail_share(np.array([0, 1, 0, 0, 0]), real) == 1.0
    assert tail_share(np.zeros(5), real) == 0.0
