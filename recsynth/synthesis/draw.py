"""Drawing item sets: Gumbel top-k over the catalogue in rounds, each round drawn to what was drawn before.

Round by round a user gets the k items of the greatest log-odds plus Gumbel noise, which is a draw of k without
replacement from softmax(log-odds), and no matrix of users by items by draws is ever made. The log-odds are
a L + c log(eps + S) + calibration, with L the taste's (autoencoder), S the sum of the item weights (EASE) of the items
drawn so far, and a, c, eps by how many those are. They are tilted by t_1 f + t_2 f^2, f the items' log popularity, so
that the user ends with the mean and the spread of popularity that the taste asks for.

Shapes: B users of a block, M items, A bins of activity or of items drawn, G groups of popularity.
Source: Kool et al., Stochastic Beams and Where to Find Them, ICML 2019, for Gumbel top-k.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

BINS = np.array([1, 2, 4, 8, 16, 32, 64, 128])
"""Items drawn so far from which on another a, c and eps hold."""
ACTIVITY = np.array([1, 3, 6, 11, 21, 41, 81, 161])
GROUPS = np.array([1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987])
_ROUNDS = np.array([0.04, 0.1, 0.2, 0.35, 0.55, 0.75, 1.0])
_NEWTON_STEPS, _STEEPEST = 2, np.array([2.5, 1.0])
# A float32 draw is zero once in millions, and its noise would be infinite.
_LEAST = np.float32(1e-9)


@dataclass(frozen=True)
class Drawing:
    """What draws need beside the log-odds of tastes.

    weights_MM: sparse item weights; mix_3A: a, c and log eps; popularity_M: standardised log popularity;
    group_M: its group; calibration_AG and calibration_M: log corrections by activity and group, and by item.
    """

    weights_MM: sp.csr_matrix
    mix_3A: np.ndarray
    popularity_M: np.ndarray
    group_M: np.ndarray
    calibration_AG: np.ndarray
    calibration_M: np.ndarray

    def calibration(self, sizes_B: np.ndarray) -> np.ndarray:
        """Log corrections (B, M) for users of these many items."""
        corrections_BM: np.ndarray = self.calibration_AG[bins(sizes_B, ACTIVITY)][:, self.group_M] + self.calibration_M
        return corrections_BM


@dataclass(frozen=True)
class Wanted:
    """What each user of a block shall have: number of items, log-odds, mean and spread of popularity."""

    sizes_B: np.ndarray
    logits_BM: np.ndarray
    mean_B: np.ndarray
    spread_B: np.ndarray


def draw(wanted: Wanted, drawing: Drawing, rng: np.random.Generator) -> sp.csr_matrix:
    """Rows (B, M) of ones, each of its user's size; a size beyond the catalogue is the whole of it."""
    sizes_B, features_M2 = np.minimum(wanted.sizes_B, wanted.logits_BM.shape[1]), _features(drawing.popularity_M)
    calibration_BM = drawing.calibration(sizes_B)
    rows_BM = sp.csr_matrix(wanted.logits_BM.shape, dtype=np.float32)
    pull_BM = np.zeros(wanted.logits_BM.shape, np.float32)
    drawn_B = np.zeros_like(sizes_B)
    moments_B2 = np.column_stack([wanted.mean_B, wanted.spread_B**2 + wanted.mean_B**2]) * sizes_B[:, None]
    for number_B in rounds(sizes_B):
        logits_BM = mixed(wanted.logits_BM, pull_BM, drawn_B, drawing.mix_3A) + calibration_BM
        logits_BM[rows_BM.nonzero()] = -np.inf
        left_B2 = (moments_B2 - rows_BM @ features_M2) / np.maximum(sizes_B - drawn_B, 1)[:, None]
        logits_BM += tilt(logits_BM, features_M2, left_B2) @ features_M2.T
        new_BM = gumbel_top(logits_BM, number_B, rng)
        rows_BM, drawn_B = rows_BM + new_BM, drawn_B + number_B
        pull_BM += (new_BM @ drawing.weights_MM).toarray()
    return rows_BM.tocsr()


def rounds(sizes_B: np.ndarray) -> Iterator[np.ndarray]:
    """Items (B,) that each user draws in each round: few at first, at least one while any are left.

    >>> [n.tolist() for n in rounds(np.array([1, 10]))]
    [[1, 1], [0, 1], [0, 1], [0, 1], [0, 2], [0, 2], [0, 2]]
    """
    drawn_B = np.zeros_like(sizes_B)
    for number, share in enumerate(_ROUNDS, start=1):
        until_B = np.minimum(np.maximum(np.ceil(share * sizes_B - 1e-9).astype(int), number), sizes_B)
        yield until_B - drawn_B
        drawn_B = until_B


def mixed(logits_BM: np.ndarray, pull_BM: np.ndarray, drawn_B: np.ndarray, mix_3A: np.ndarray) -> np.ndarray:
    """a L + c log(eps + max(S, 0)); with nothing drawn yet, a L alone."""
    taste_B, item_B, floor_B = mix_3A[:, bins(drawn_B, BINS)].astype(np.float32)
    item_B = np.where(drawn_B > 0, item_B, 0).astype(np.float32)
    pulled_BM = np.log(np.exp(floor_B)[:, None] + np.maximum(pull_BM, 0))
    mixed_BM: np.ndarray = taste_B[:, None] * logits_BM + item_B[:, None] * pulled_BM
    return mixed_BM


def tilt(logits_BM: np.ndarray, features_M2: np.ndarray, moments_B2: np.ndarray) -> np.ndarray:
    """Bounded t (B, 2) so that softmax(logits + features t) has these means of the features, by Newton's steps."""
    f1_M, f2_M = features_M2.T
    powers_M4 = np.column_stack([f1_M, f2_M, f1_M * f2_M, f2_M * f2_M])
    first_B = np.clip(moments_B2[:, 0], -2.5, 2.0)
    wanted_B2 = np.column_stack([first_B, np.clip(moments_B2[:, 1], first_B**2 + 0.05, 8.0)])
    t_B2 = np.zeros((len(logits_BM), 2), np.float32)
    for _ in range(_NEWTON_STEPS):
        chance_BM = logits_BM + t_B2 @ features_M2.T
        chance_BM -= chance_BM.max(1, keepdims=True)
        np.exp(chance_BM, out=chance_BM)
        e1, e2, e3, e4 = (chance_BM @ powers_M4 / chance_BM.sum(1, keepdims=True)).T
        # What is added to the diagonal holds the step short where a user's chances leave little to tilt.
        h11, h12, h22 = e2 - e1 * e1 + 0.05, e3 - e1 * e2, e4 - e2 * e2 + 0.2
        g1, g2 = wanted_B2[:, 0] - e1, wanted_B2[:, 1] - e2
        determinant = np.maximum(h11 * h22 - h12 * h12, 1e-6)
        step_B2 = np.column_stack([h22 * g1 - h12 * g2, h11 * g2 - h12 * g1]) / determinant[:, None]
        t_B2 = np.clip(t_B2 + step_B2, -_STEEPEST, _STEEPEST).astype(np.float32)
    return t_B2


def gumbel_top(logits_BM: np.ndarray, number_B: np.ndarray, rng: np.random.Generator) -> sp.csr_matrix:
    """Rows (B, M) with number_B ones each, drawn without replacement in proportion to exp(logits)."""
    noisy_BM = logits_BM - np.log(np.maximum(rng.standard_exponential(logits_BM.shape, dtype=np.float32), _LEAST))
    chosen = [
        np.sort(np.argpartition(-noisy, number - 1)[:number]) if number else np.zeros(0, int)
        for noisy, number in zip(noisy_BM, number_B, strict=True)
    ]
    indptr = np.concatenate([[0], np.cumsum(number_B)])
    indices = np.concatenate(chosen)
    return sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=logits_BM.shape)


def recalibrated(drawing: Drawing, drawn_UM: sp.csr_matrix, real_UM: sp.csr_matrix) -> Drawing:
    """The drawing with its corrections moved towards the real shares of popularity groups and of items.

    A few users more or less are chance, so counts are smoothed and steps are short of the whole way.
    """
    real_AG, drawn_AG = (_shares(rows, drawing.group_M, drawing.calibration_AG.shape) for rows in (real_UM, drawn_UM))
    real_M, drawn_M = (np.bincount(rows.indices, minlength=len(drawing.group_M)) for rows in (real_UM, drawn_UM))
    real_M = real_M * (drawn_UM.nnz / max(real_UM.nnz, 1))
    return Drawing(
        drawing.weights_MM, drawing.mix_3A, drawing.popularity_M, drawing.group_M,
        drawing.calibration_AG + 0.8 * np.log(real_AG / drawn_AG).astype(np.float32),
        drawing.calibration_M + 0.7 * np.log((real_M + 8) / (drawn_M + 8)).astype(np.float32),
    )  # fmt: skip


def bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each value: how many edges it has reached."""
    return np.searchsorted(edges, values, side="right")


def _shares(rows_UM: sp.csr_matrix, group_M: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    sizes_U = np.diff(rows_UM.indptr)
    counts_AG = np.full(shape, 2.0)
    np.add.at(counts_AG, (np.repeat(bins(sizes_U, ACTIVITY), sizes_U), group_M[rows_UM.indices]), 1)
    shares_AG: np.ndarray = counts_AG / counts_AG.sum(1, keepdims=True)
    return shares_AG


def _features(popularity_M: np.ndarray) -> np.ndarray:
    return np.column_stack([popularity_M, popularity_M**2]).astype(np.float32)
