"""Does a set of histories say which recommender is best: six of them, learned from it and from real people.

All six are weights between items (M, M), so that a user's scores are the row of what they have times the weights.
Shapes: U users, M items. Sources: popularity and co-occurrence counts; cosine of items (Sarwar et al., WWW 2001);
random walks of three steps (Cooper et al., WWW 2014); PureSVD (Cremonesi et al., RecSys 2010); EASE (Steck, WWW 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import scipy.sparse as sp
from scipy.stats import kendalltau
from sklearn.utils.extmath import randomized_svd

from recsynth.model.ease import ease

FACTORS = 32


def weights(rows_UM: sp.csr_matrix, l2: float) -> Mapping[str, Callable[[], np.ndarray]]:
    """By name, what makes the weights (M, M) of each recommender. Bound: M^2 numbers, of one at a time."""
    gram_MM = (rows_UM.T @ rows_UM).toarray()
    holders_M, activity_U = np.diag(gram_MM).copy(), np.asarray(rows_UM.sum(1)).ravel()

    def others(found_MM: np.ndarray) -> np.ndarray:
        """An item says nothing of itself."""
        np.fill_diagonal(found_MM, 0)
        return found_MM

    def cosine() -> np.ndarray:
        size_M = np.sqrt(np.maximum(holders_M, 1))
        return others(gram_MM / size_M[:, None] / size_M[None])

    def walks() -> np.ndarray:
        even_UM = sp.diags(1 / np.maximum(activity_U, 1)) @ rows_UM
        return others((rows_UM.T @ even_UM).toarray() / np.maximum(holders_M, 1)[:, None])

    def factors() -> np.ndarray:
        number = min(FACTORS, min(rows_UM.shape) - 1)
        _, _, right_FM = randomized_svd(rows_UM.astype(np.float64), max(number, 1), random_state=0)
        return np.asarray(right_FM.T @ right_FM)

    return {
        "popularity": lambda: np.repeat(holders_M[None].astype(np.float64), len(holders_M), axis=0),
        "counts": lambda: others(gram_MM.astype(np.float64)),
        "cosine": cosine,
        "walks": walks,
        "factors": factors,
        "ease": lambda: ease(gram_MM, l2),
    }


def agreement(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """Kendall's tau-b of what the same recommenders reach: 1 where both rank them alike, NaN where one ranks none."""
    return float(kendalltau([ours[name] for name in sorted(ours)], [theirs[name] for name in sorted(ours)]).statistic)
