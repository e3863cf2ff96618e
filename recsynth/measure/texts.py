"""Figures of written texts: how varied they are, and how much of a reference they hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distinct_n(texts: Sequence[Sequence[str]], n: int) -> float:
    """Distinct n-grams over all n-grams of texts given as words (Li et al., NAACL 2016); NaN where there are none.

    >>> distinct_n([["a", "red", "mug"], ["a", "red", "pan"]], 1)
    0.6666666666666666
    """
    grams = [tuple(words[i : i + n]) for words in texts for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else float("nan")


def rouge_l(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words (Lin, ACL 2004), 0 to 1.

    >>> rouge_l("the red mug".split(), "the small red mug".split())
    0.8571428571428571
    """
    if not candidate or not reference:
        return 0.0
    row = np.zeros(len(reference) + 1, dtype=np.int64)
    same = np.asarray(reference, dtype=object)
    for word in candidate:
        ahead = np.where(same == word, row[:-1] + 1, row[1:])
        row[1:] = np.maximum.accumulate(ahead)
    common = int(row[-1])
    return 2 * common / (len(candidate) + len(reference))
