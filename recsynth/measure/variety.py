"""Beyond accuracy: how much of the catalogue is shown, how new, how varied, how evenly."""

from __future__ import annotations

import numpy as np


def coverage(counts: np.ndarray) -> float:
    """Share of the catalogue that is shown to somebody; counts: how often each item is.

    >>> coverage(np.array([3, 0, 1, 0]))
    0.5
    """
    return float((np.asarray(counts) > 0).mean()) if len(counts) else 0.0


def novelty(popularity: np.ndarray, users: int) -> float:
    """Mean self-information of recommended items, -log2(share of users that know the item), in bits.

    >>> novelty(np.array([1, 2]), users=4)
    1.5
    """
    if not len(popularity) or users < 1:
        return 0.0
    return float(-np.log2(np.maximum(popularity, 1) / max(users, 1)).mean())


def gini(counts: np.ndarray) -> float:
    """Inequality of exposure: 0 where every item is shown alike, near 1 where one has all.

    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    ordered = np.sort(np.asarray(counts, float))
    n, total = len(ordered), ordered.sum()
    if n == 0 or total == 0:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def intra_list_diversity(vectors_KD: np.ndarray) -> float:
    """Mean cosine distance between the pairs of a list's unit vectors; 0 for fewer than two.

    >>> intra_list_diversity(np.eye(2))
    1.0
    """
    k = len(vectors_KD)
    if k < 2:
        return 0.0
    similar = (vectors_KD @ vectors_KD.T).sum() - np.einsum("kd,kd->", vectors_KD, vectors_KD)
    return float(1 - similar / (k * (k - 1)))
