"""Coverage, novelty, diversity and inequality: known answers, and slow plain twins on random inputs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from recsynth.measure.variety import coverage, gini, intra_list_diversity, novelty


def plain_gini(counts: np.ndarray) -> float:
    """Half the mean absolute difference of all pairs, relative to the mean."""
    differences = [abs(a - b) for a in counts for b in counts]
    return float(np.mean(differences) / (2 * np.mean(counts)))


def plain_diversity(vectors: np.ndarray) -> float:
    distances = [1 - float(a @ b) for a, b in itertools.combinations(vectors, 2)]
    return sum(distances) / len(distances)


@pytest.mark.parametrize("seed", range(5))
def test_gini_equals_the_mean_difference_of_all_pairs(seed: int) -> None:
    counts = np.random.default_rng(seed).zipf(1.7, 60) - 1
    assert gini(counts) == pytest.approx(plain_gini(counts))


def test_gini_knows_neither_order_nor_scale_and_nothing_shown_is_even() -> None:
    counts = np.array([5, 0, 1, 2])
    assert gini(counts) == pytest.approx(gini(counts[::-1] * 3))
    assert gini(np.zeros(4)) == gini(np.zeros(0)) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_diversity_equals_the_mean_over_pairs(seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(7, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert intra_list_diversity(vectors) == pytest.approx(plain_diversity(vectors))


def test_diversity_of_equals_opposites_and_too_few() -> None:
    same, opposite = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert (intra_list_diversity(same), intra_list_diversity(opposite)) == (0.0, 2.0)
    assert intra_list_diversity(same[:1]) == intra_list_diversity(np.zeros((0, 2))) == 0.0


def test_novelty_is_the_mean_self_information() -> None:
    holders = np.random.default_rng(0).integers(1, 50, 30)
    plain = sum(-math.log2(h / 50) for h in holders) / len(holders)
    assert novelty(holders, users=50) == pytest.approx(plain)
    # An item that nobody has is as new as one that a single user has.
    assert novelty(np.array([0]), users=8) == novelty(np.array([1]), users=8) == 3.0
    assert novelty(np.zeros(0), users=8) == 0.0


def test_coverage_is_the_share_of_the_catalogue_that_is_shown() -> None:
    assert coverage(np.array([3, 0, 1, 0])) == 0.5
    assert coverage(np.zeros(0)) == 0.0
