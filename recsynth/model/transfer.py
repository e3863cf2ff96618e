"""Text transfer: what users do with known items, carried over to any text by the language model's vectors.

A user's scores of the known items, s_K, are smoothed over the vectors by kernel ridge regression; the score of a
text v is k(v, anchors) (K + ridge I)^-1 s, with k(a, b) = exp((<a, b> - 1) / width). For a known item the same
regression is read without it (leave one out, in closed form), so that it is scored as if it were new: a user's
own purchases of an item never reach that item's score.

Shapes: K anchors (known items), M texts, D = embedding_size.
Source: kernel ridge and its leave-one-out residual, Hastie, Tibshirani and Friedman, Elements of Statistical
Learning, 7.10; that I - P / diag(P) then is the weight matrix, as in Steck, WWW 2019, with the kernel for the Gram
matrix. What else was tried, and measured: tests/benchmarks/README.md.
"""

from __future__ import annotations

import numpy as np


def kernel(a_ND: np.ndarray, b_MD: np.ndarray, width: float) -> np.ndarray:
    """k(a, b) of unit vectors, (N, M): 1 where they agree."""
    values_NM: np.ndarray = np.exp((a_ND @ b_MD.T - 1.0) / width).astype(np.float32)
    return values_NM


def transfer_weights(
    anchors_KD: np.ndarray, others_MD: np.ndarray, width: float, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K, K) and (K, M): a row of scores of the anchors times these is the row carried to each text.

    The first is for the anchors themselves, each left out of its own score: its diagonal is zero.

    >>> own, other = transfer_weights(np.eye(2), np.array([[1.0, 0.0]]), 0.1, 1e-9)
    >>> bool(np.allclose(own, 0, atol=1e-4) and np.allclose(other, [[1], [0]], atol=1e-4))
    True
    """
    inverse_KK = np.linalg.inv(
        kernel(anchors_KD, anchors_KD, width) + ridge * np.eye(len(anchors_KD), dtype=np.float32)
    )
    others_KM = inverse_KK @ kernel(anchors_KD, others_MD, width)
    weights_KK = -inverse_KK / np.diag(inverse_KK)
    np.fill_diagonal(weights_KK, 0.0)
    return weights_KK, others_KM
