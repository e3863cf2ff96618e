"""Ranking metrics: known answers as arithmetic, and two libraries' on random lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score
from torchmetrics import retrieval

from recsynth.measure.ranking import hit_rate, mean_ndcg, ndcg, precision, recall, reciprocal_rank

LIST, RELEVANT = ["a", "b", "c", "d"], {"b", "d", "z"}
METRICS: list[tuple[Callable[..., float], type[Any]]] = [
    (ndcg, retrieval.RetrievalNormalizedDCG),
    (recall, retrieval.RetrievalRecall),
    (precision, retrieval.RetrievalPrecision),
    (reciprocal_rank, retrieval.RetrievalMRR),
    (hit_rate, retrieval.RetrievalHitRate),
]


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        (ndcg, 4, (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))),
        (ndcg, 2, (1 / np.log2(3)) / (1 + 1 / np.log2(3))),
        (ndcg, 1, 0.0),
        (recall, 4, 2 / 3),
        (recall, 2, 1 / 3),
        (precision, 4, 2 / 4),
        (precision, 10, 2 / 10),
        (reciprocal_rank, 4, 1 / 2),
        (reciprocal_rank, 1, 0.0),
        (hit_rate, 2, 1.0),
        (hit_rate, 1, 0.0),
    ],
)
def test_known_answers(metric: Callable[..., float], k: int, expected: float) -> None:
    assert metric(LIST, RELEVANT, k) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [metric for metric, _ in METRICS])
def test_nothing_shown_or_nothing_wanted_scores_nothing(metric: Callable[..., float]) -> None:
    assert metric([], RELEVANT) == metric(LIST, set()) == 0.0


def test_more_relevant_items_than_places_can_still_be_perfect() -> None:
    assert ndcg(["a", "b"], {"a", "b", "c", "d"}, k=2) == 1.0


@pytest.mark.parametrize(("metric", "library"), METRICS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_equals_torchmetrics_on_random_full_rankings(metric: Callable[..., float], library: type[Any], k: int) -> None:
    rng = np.random.default_rng(k)
    users, items = 30, 25
    relevant_UM = rng.random((users, items)) < 0.15
    relevant_UM[:, 0] = True
    scores_UM = rng.permuted(np.tile(np.arange(items), (users, 1)), axis=1)
    ours = [
        metric(list(np.argsort(-scores)), set(np.flatnonzero(relevant)), k)
        for scores, relevant in zip(scores_UM, relevant_UM, strict=True)
    ]
    indexes = torch.arange(users).repeat_interleave(items)
    flat = torch.tensor(scores_UM.ravel() / items), torch.tensor(relevant_UM.ravel())
    assert np.mean(ours) == pytest.approx(float(library(top_k=k)(*flat, indexes=indexes)), abs=1e-6)


def test_equals_scikit_learn_on_random_full_rankings() -> None:
    rng = np.random.default_rng(0)
    relevant_UM = rng.random((40, 20)) < 0.2
    relevant_UM[:, -1] = True
    scores_UM = rng.permuted(np.tile(np.arange(20), (40, 1)), axis=1)
    lists = [list(row) for row in np.argsort(-scores_UM, axis=1)]
    ours = mean_ndcg(lists, [set(np.flatnonzero(row)) for row in relevant_UM], k=7)
    assert ours == pytest.approx(ndcg_score(relevant_UM, scores_UM, k=7))


def test_the_mean_over_nobody_is_zero_and_lengths_must_agree() -> None:
    assert mean_ndcg([], []) == 0.0
    with pytest.raises(ValueError, match="shorter"):
        mean_ndcg([["a"], ["b"]], [{"a"}])
