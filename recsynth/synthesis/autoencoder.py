"""The autoencoder of user histories: a linear encoder in closed form, a decoder by multinomial likelihood.

Shapes: U users, M items, K = latent_size tastes, L = K + 3: beside the tastes stand the mean and the spread of the log
popularity of a user's items, and the log of their number.
Source: the multinomial likelihood of Liang et al., Variational Autoencoders for Collaborative Filtering, WWW 2018; a
linear model in place of their deep one, because a shop's few thousand users overfit it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd

STEPS, BATCH, LEARNING_RATE = 150, 512, 0.05


@dataclass(frozen=True)
class Autoencoder:
    """Arrays of a fitted autoencoder; see the module for shapes."""

    basis_MK: np.ndarray
    popularity_M: np.ndarray
    mean_L: np.ndarray
    scale_L: np.ndarray
    decoder_LM: np.ndarray
    bias_M: np.ndarray

    def encode(self, rows_UM: sp.csr_matrix) -> np.ndarray:
        """Latent vectors (U, L) of histories, each column of mean 0 and spread 1 over those learned from."""
        raw_UL = _raw(rows_UM, self.basis_MK, self.popularity_M)
        latent_UL: np.ndarray = ((raw_UL - self.mean_L) / self.scale_L).astype(np.float32)
        return latent_UL

    def decode(self, latent_UL: np.ndarray) -> np.ndarray:
        """Log-odds (U, M) of the next item of each user, up to a constant."""
        logits_UM: np.ndarray = latent_UL @ self.decoder_LM + self.bias_M
        return logits_UM


def fit_autoencoder(rows_UM: sp.csr_matrix, size: int, l2: float, seed: int) -> Autoencoder:
    """Encode by the first right singular vectors of the scaled rows, then fit the decoder to the histories.

    rows_UM: ones; every row has one at least. A batch of rows alone is ever dense.
    """
    rows_UM = rows_UM.tocsr()
    activity_U, holders_M = np.diff(rows_UM.indptr), np.asarray(rows_UM.sum(0)).ravel() + 0.5
    size = max(1, min(size, min(rows_UM.shape) - 1))
    scaled_UM = (sp.diags(1 / np.sqrt(np.maximum(activity_U, 1))) @ rows_UM).astype(np.float64)
    _, _, basis_KM = randomized_svd(scaled_UM, size, random_state=seed % 2**32)
    log_holders_M = np.log(holders_M)
    popularity_M = ((log_holders_M - log_holders_M.mean()) / max(log_holders_M.std(), 1e-6)).astype(np.float32)
    raw_UL = _raw(rows_UM, basis_KM.T.astype(np.float32), popularity_M)
    mean_L, scale_L = raw_UL.mean(0).astype(np.float32), (raw_UL.std(0) + 1e-6).astype(np.float32)
    start_M = np.log(holders_M / holders_M.sum()).astype(np.float32)
    decoder_LM, bias_M = _decoder(rows_UM, ((raw_UL - mean_L) / scale_L).astype(np.float32), start_M, l2, seed)
    return Autoencoder(basis_KM.T.astype(np.float32), popularity_M, mean_L, scale_L, decoder_LM, bias_M)


def _raw(rows_UM: sp.csr_matrix, basis_MK: np.ndarray, popularity_M: np.ndarray) -> np.ndarray:
    activity_U = np.maximum(np.diff(rows_UM.indptr), 1).astype(np.float32)
    tastes_UK = (rows_UM @ basis_MK) / np.sqrt(activity_U)[:, None]
    mean_U = rows_UM @ popularity_M / activity_U
    spread_U = np.sqrt(np.maximum(rows_UM @ popularity_M**2 / activity_U - mean_U**2, 0))
    return np.column_stack([tastes_UK, mean_U, spread_U, np.log(activity_U)])


def _decoder(
    rows_UM: sp.csr_matrix, latent_UL: np.ndarray, start_M: np.ndarray, l2: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Maximise sum_u w_u sum_i x_ui log p_ui, w_u = 1 / sqrt(items of u): the active do not drown the rest."""
    rng = np.random.default_rng(seed)
    decoder_LM = torch.zeros(latent_UL.shape[1], rows_UM.shape[1], requires_grad=True)
    bias_M = torch.from_numpy(start_M.copy()).requires_grad_(True)
    optimizer = torch.optim.Adam([decoder_LM, bias_M], LEARNING_RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / STEPS)
        users = rng.integers(0, len(latent_UL), BATCH)
        rows_BM = torch.from_numpy(rows_UM[users].toarray())
        log_p_BM = torch.log_softmax(torch.from_numpy(latent_UL[users]) @ decoder_LM + bias_M, 1)
        weight_B = rows_BM.sum(1).clamp(min=1).rsqrt() / 8
        loss = -((log_p_BM * rows_BM).sum(1) * weight_B).mean() + l2 / 1000 * decoder_LM.square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return decoder_LM.detach().numpy(), bias_M.detach().numpy()
