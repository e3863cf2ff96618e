"""How many marked pieces of texts are those that are really there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set


def span_scores(found: Sequence[Set[Hashable]], true: Sequence[Set[Hashable]]) -> tuple[float, float, float, int]:
    """Precision, recall and F1 over the pieces of all texts, and how many pieces are there.

    Exact matches, as CoNLL-2003 counts them: field, beginning and end all have to agree; 0 where nothing is there.

    >>> span_scores([{("colour", 0, 3), ("size", 5, 6)}], [{("colour", 0, 3), ("brand", 8, 9)}])
    (0.5, 0.5, 0.5, 2)
    """
    right = sum(len(f & t) for f, t in zip(found, true, strict=True))
    said, there = sum(map(len, found)), sum(map(len, true))
    precision, recall = right / said if said else 0.0, right / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return precision, recall, f1, there
