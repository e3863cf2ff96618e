"""Figures of texts against known answers and against torchmetrics."""

from __future__ import annotations

import math
from random import Random

import pytest
from torchmetrics.functional.text import rouge_score

from recsynth.measure.texts import distinct_n, rouge_l


def test_distinct_n_grams() -> None:
    assert distinct_n([["a", "b", "a"], ["a", "b"]], 2) == pytest.approx(2 / 3)
    assert math.isnan(distinct_n([["a"]], 2))


def test_rouge_l_is_that_of_torchmetrics() -> None:
    dice = Random(3)
    for _ in range(60):
        a, b = ([dice.choice("abcd") for _ in range(dice.randint(1, 9))] for _ in range(2))
        theirs = rouge_score(" ".join(a), " ".join(b), rouge_keys="rougeL")["rougeL_fmeasure"]
        assert rouge_l(a, b) == pytest.approx(float(theirs), abs=1e-6)
    assert rouge_l([], ["a"]) == 0.0
