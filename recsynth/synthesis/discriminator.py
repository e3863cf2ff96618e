"""Can synthetic users be told from real ones: a classifier that is judged on users it did not learn from."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils.extmath import randomized_svd

from recsynth.measure.discrimination import auc

FACTORS, FOLDS = 32, 5


def discriminator_auc(real_UM: sp.csr_matrix, synthetic_UM: sp.csr_matrix, seed: int) -> float:
    """AUC, over five folds, of boosted trees on what they see of a user; NaN where a side has under ten users.

    Features: activity, mean and spread of the log popularity of the items, the share of rare ones, and the position
    in the first factors of both together: what sets of items go with what.
    """
    if min(real_UM.shape[0], synthetic_UM.shape[0]) < 2 * FOLDS:
        return float("nan")
    features_UF = _features(sp.vstack([real_UM, synthetic_UM]).tocsr(), np.asarray(real_UM.sum(0)).ravel(), seed)
    real = real_UM.shape[0]
    return told_apart(features_UF[real:], features_UF[:real], seed)


def told_apart(synthetic_UF: np.ndarray, real_UF: np.ndarray, seed: int) -> float:
    """AUC, over five folds, of boosted trees that tell real rows of features from synthetic ones; see above."""
    if min(len(real_UF), len(synthetic_UF)) < 2 * FOLDS:
        return float("nan")
    is_real_U = np.repeat([1, 0], [len(real_UF), len(synthetic_UF)])
    trees = HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=15, random_state=seed % 2**32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    both_UF = np.concatenate([real_UF, synthetic_UF])
    chance_U = cross_val_predict(trees, both_UF, is_real_U, cv=folds, method="predict_proba")[:, 1]
    return auc(chance_U, is_real_U)[0]


def _features(rows_UM: sp.csr_matrix, holders_M: np.ndarray, seed: int) -> np.ndarray:
    activity_U = np.maximum(np.diff(rows_UM.indptr), 1)
    log_holders_M = np.log1p(holders_M)
    mean_U = rows_UM @ log_holders_M / activity_U
    spread_U = rows_UM @ log_holders_M**2 / activity_U - mean_U**2
    rare_U = rows_UM @ (holders_M < 3).astype(float) / activity_U
    scaled_UM = (sp.diags(1 / np.sqrt(activity_U)) @ rows_UM).astype(np.float64)
    factors = min(FACTORS, min(rows_UM.shape) - 1)
    left_UF, values_F, _ = randomized_svd(scaled_UM, factors, random_state=seed % 2**32)
    return np.column_stack([np.log1p(activity_U), mean_U, spread_U, rare_U, left_UF * values_F])
