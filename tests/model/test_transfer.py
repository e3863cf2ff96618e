"""Carrying scores over by text: leave one out is what a refit without the item gives, and likeness decides."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.model.transfer import kernel, transfer_weights

RNG = np.random.default_rng(3)


def unit(count: int, size: int = 6) -> np.ndarray:
    vectors = RNG.normal(size=(count, size))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_kernel_is_one_for_the_same_text_and_falls_with_the_angle() -> None:
    a = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert kernel(a, a[:1], 0.5)[:, 0] == pytest.approx([1.0, np.exp(-2), np.exp(-4)], rel=1e-5)


@pytest.mark.parametrize("ridge", [0.1, 1.0])
def test_an_anchor_scores_as_if_it_had_been_left_out(ridge: float) -> None:
    anchors, scores = unit(12), RNG.normal(size=12)
    own, _ = transfer_weights(anchors, anchors[:0], 0.7, ridge)
    for item in range(12):
        rest = np.arange(12) != item
        _, alone = transfer_weights(anchors[rest], anchors[[item]], 0.7, ridge)
        assert (scores @ own)[item] == pytest.approx((scores[rest] @ alone)[0], rel=1e-2, abs=1e-3)


def test_other_texts_get_the_ridge_regression() -> None:
    anchors, others, scores = unit(8), unit(3), RNG.normal(size=8)
    _, carried = transfer_weights(anchors, others, 1.0, 0.1)
    gram = np.exp(anchors @ anchors.T - 1) + 0.1 * np.eye(8)
    expected = np.exp(others @ anchors.T - 1) @ np.linalg.solve(gram, scores)
    assert scores @ carried == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_no_anchor_gives_empty_weights() -> None:
    own, carried = transfer_weights(np.zeros((0, 4)), np.zeros((2, 4)), 1.0, 0.1)
    assert (own.shape, carried.shape) == ((0, 0), (0, 2))
