"""Users of two tastes: each has items of its own half of the catalogue alone, the first of it more often."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

ITEMS = 40


def two_tastes(users: int, seed: int, items: int = ITEMS) -> sp.csr_matrix:
    """Rows (users, items) of ones; even users are of the first taste."""
    rng = np.random.default_rng(seed)
    half = items // 2
    share = 1 / np.arange(2, half + 2)
    rows = []
    for user in range(users):
        size = 3 + int(rng.geometric(0.25)) % (half - 4)
        chosen = rng.choice(half, size, replace=False, p=share / share.sum())
        rows.append(np.bincount(chosen + half * (user % 2), minlength=items))
    return sp.csr_matrix(np.array(rows, np.float32))
