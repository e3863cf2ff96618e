"""User neighbours: what the users most similar by their row of R have.

Shapes: U users of a block, P users of the pool, M items.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def unit_rows(x: sp.csr_matrix) -> sp.csr_matrix:
    """Rows scaled to length 1; empty rows stay empty."""
    norms_U = np.sqrt(np.asarray(x.multiply(x).sum(1)).ravel())
    return sp.diags(1 / np.maximum(norms_U, 1e-12)) @ x


def scores(x_UM: sp.csr_matrix, pool_PM: sp.csr_matrix, neighbours: int) -> np.ndarray:
    """Votes of the nearest users, (U, M): sum over neighbours of cosine * their unit row.

    A user of the pool is no neighbour of itself: a cosine of 1 is left out.
    """
    cosine_UP = (unit_rows(x_UM) @ pool_PM.T).toarray()
    cosine_UP[cosine_UP > 1 - 1e-6] = 0.0
    if cosine_UP.shape[1] > neighbours:
        edge_U1 = -np.partition(-cosine_UP, neighbours - 1, axis=1)[:, neighbours - 1 : neighbours]
        cosine_UP[cosine_UP < edge_U1] = 0.0
    votes_UM: np.ndarray = (sp.csr_matrix(cosine_UP) @ pool_PM).toarray()
    return votes_UM
