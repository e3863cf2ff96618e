"""Span scores against scikit-learn's micro averages over the same pieces as labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from recsynth.measure.spans import span_scores


def test_scores_are_those_of_micro_averages() -> None:
    rng = np.random.default_rng(0)
    there, said = rng.random((2, 40, 30)) < 0.2
    found, true = ([set(np.flatnonzero(row).tolist()) for row in side] for side in (said, there))
    expected = precision_recall_fscore_support(there, said, average="micro")[:3]
    score = span_scores(found, true)
    assert score[:3] == pytest.approx(expected)
    assert score[3] == there.sum()


def test_nothing_there_and_nothing_said_are_zero() -> None:
    assert span_scores([], []) == (0.0, 0.0, 0.0, 0)
    assert span_scores([{1}], [set()]) == (0.0, 0.0, 0.0, 0)
    assert span_scores([set()], [{1}]) == (0.0, 0.0, 0.0, 1)
