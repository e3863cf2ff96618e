"""Drift: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.measure.drift import chance_of_drift, population_stability_index, usual_deviation


def test_the_index_of_two_bins_by_hand() -> None:
    by_hand = (0.6 - 0.5) * np.log(0.6 / 0.5) + (0.4 - 0.5) * np.log(0.4 / 0.5)
    assert population_stability_index(np.array([50, 50]), np.array([6, 4])) == pytest.approx(by_hand)


def test_the_same_shares_move_nothing_whatever_their_number() -> None:
    assert population_stability_index(np.array([1, 2, 3]), np.array([100, 200, 300])) == pytest.approx(0)


def test_the_index_is_symmetric_and_finite_where_a_bin_is_empty() -> None:
    a, b = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    assert population_stability_index(a, b) == pytest.approx(population_stability_index(b, a))
    assert 1 < population_stability_index(a, b) < 10


def test_the_usual_deviation_of_normal_draws_is_theirs_and_a_freak_changes_little() -> None:
    draws = np.random.default_rng(0).normal(5, 2, 20_001)
    assert usual_deviation(draws) == pytest.approx(2, rel=0.03)
    assert usual_deviation(np.append(draws, 1e9)) == pytest.approx(usual_deviation(draws), rel=0.001)


def test_samples_of_one_source_differ_by_chance_as_much_as_is_said() -> None:
    draw, shares = np.random.default_rng(1), np.full(10, 0.1)
    pairs = [(draw.multinomial(300, shares), draw.multinomial(200, shares)) for _ in range(2_000)]
    mean = np.mean([population_stability_index(a, b) for a, b in pairs])
    assert mean == pytest.approx(chance_of_drift(10, 300, 200), rel=0.08)
