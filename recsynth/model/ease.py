"""EASE: the linear autoencoder of items in closed form.

Source: Steck, Embarrassingly Shallow Autoencoders, WWW 2019.
"""

from __future__ import annotations

import numpy as np


def ease(gram_MM: np.ndarray, l2: float) -> np.ndarray:
    """Item weights B (M, M) that best rebuild X with a zero diagonal: B = I - P / diag(P), P = (G + l2 I)^-1."""
    inverse_MM = np.linalg.inv(gram_MM + l2 * np.eye(len(gram_MM), dtype=gram_MM.dtype))
    weights_MM = -inverse_MM / np.diag(inverse_MM)
    np.fill_diagonal(weights_MM, 0.0)
    return weights_MM.astype(np.float32)
