"""How like the real the synthetic is: distances of distributions, co-occurrence, and whether one can be told apart.

Every figure here is of two samples and means little alone: read it beside the same figure of two real halves.
"""

from __future__ import annotations

import numpy as np


def ks_complement(a: np.ndarray, b: np.ndarray) -> float:
    """1 - the greatest distance of two empirical distribution functions: 1 where they agree, 0 where apart.

    Source: Kolmogorov and Smirnov's statistic; the complement as SDMetrics reports it. 0 where a sample is empty.

    >>> ks_complement(np.array([1, 2]), np.array([2, 1])), ks_complement(np.array([1, 1]), np.array([1, 2]))
    (1.0, 0.5)
    """
    if not len(a) or not len(b):
        return 0.0
    at = np.unique(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (a, b))
    return float(1 - np.abs(below_a - below_b).max())


def ks_of_counts(a_K: np.ndarray, b_K: np.ndarray) -> float:
    """The same of two samples that are told as counts of the same values, in their order.

    >>> ks_of_counts(np.array([1, 1]), np.array([2, 2])), ks_of_counts(np.array([2, 0]), np.array([1, 1]))
    (1.0, 0.5)
    """
    if not a_K.sum() or not b_K.sum():
        return 0.0
    return float(1 - np.abs(np.cumsum(a_K) / a_K.sum() - np.cumsum(b_K) / b_K.sum()).max())


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, those of equal values averaged.

    >>> average_ranks(np.array([5.0, 3.0, 5.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: np.ndarray = ((last - counts + 1 + last) / 2)[place]
    return ranks


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of the ranks of paired values; 0 where one of them does not vary or there are none.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 100, 1000])), spearman(np.array([1, 2]), np.array([1, 1]))
    (1.0, 0.0)
    """
    if not len(a):
        return 0.0
    ranks_a, ranks_b = (r - r.mean() for r in (average_ranks(np.asarray(x)) for x in (a, b)))
    spread = np.sqrt((ranks_a @ ranks_a) * (ranks_b @ ranks_b))
    return float(np.round(ranks_a @ ranks_b / spread, 12)) if spread > 0 else 0.0


def lift(gram_MM: np.ndarray, users: int) -> np.ndarray:
    """Users who have both items over those expected if items were independent, one value a pair i < j.

    gram_MM: users of each pair of items, on the diagonal users of each item. A pair of an item that nobody has is 0.

    >>> lift(np.array([[2, 1], [1, 1]]), users=4).tolist()
    [2.0]
    """
    holders = np.maximum(np.diag(gram_MM), 1).astype(float)
    first, second = np.triu_indices(len(gram_MM), 1)
    values: np.ndarray = gram_MM[first, second] * users / (holders[first] * holders[second])
    return values


def overlap(a_M: np.ndarray, b_M: np.ndarray) -> float:
    """What two distributions of counts over the same items have in common: 1 - their total variation.

    >>> overlap(np.array([1, 1, 0]), np.array([0, 2, 2]))
    0.5
    """
    if not a_M.sum() or not b_M.sum():
        return 0.0
    return float(np.minimum(a_M / a_M.sum(), b_M / b_M.sum()).sum())


def tail_share(counts_M: np.ndarray, real_M: np.ndarray, head: float = 0.2) -> float:
    """Share of all interactions outside the `head` share of items that are most popular among the real ones.

    >>> tail_share(np.array([6, 1, 1, 1, 1]), np.array([9, 2, 2, 2, 2]))
    0.4
    """
    total = counts_M.sum()
    places = np.argsort(-np.asarray(real_M), kind="stable")[: int(np.ceil(head * len(real_M)))]
    return float(1 - counts_M[places].sum() / total) if total else 0.0
