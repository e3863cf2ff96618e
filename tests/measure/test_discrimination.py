"""AUC beside scikit-learn's, and its interval beside the bootstrap's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsynth.measure.discrimination import auc


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    outcomes = rng.random(600) < 0.3
    return np.round(rng.normal(outcomes * 0.8), 1), outcomes


def test_it_agrees_with_scikit_learn_ties_and_all(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, outcomes = drawn
    assert len(np.unique(scores)) < len(scores) / 4
    assert auc(scores, outcomes)[0] == pytest.approx(roc_auc_score(outcomes, scores))
    assert auc(-scores, outcomes)[0] == pytest.approx(1 - auc(scores, outcomes)[0])


def test_the_interval_is_the_bootstrap_s_within_noise(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, outcomes = drawn
    rng = np.random.default_rng(4)
    picks = (rng.integers(0, len(scores), len(scores)) for _ in range(600))
    low, high = np.quantile([roc_auc_score(outcomes[i], scores[i]) for i in picks], [0.025, 0.975])
    assert auc(scores, outcomes)[1:] == pytest.approx((low, high), abs=0.01)


def test_what_tells_all_apart_tells_nothing_and_has_one_kind_alone() -> None:
    assert auc(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1])) == (1.0, 1.0, 1.0)
    assert auc(np.ones(5), np.array([0, 1, 1, 0, 1]))[0] == 0.5
    for outcomes in (np.zeros(3), np.ones(3), np.array([])):
        assert np.isnan(auc(np.ones(len(outcomes)), outcomes)).all()
