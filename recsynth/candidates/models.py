"""What the sources learned at one cut-off, as files in a folder that each Python worker reads once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

Weights: TypeAlias = np.ndarray | sp.csr_matrix


@dataclass(frozen=True)
class SourceModels:
    """Over M items: ids, which are known at the cut-off, popularity, trend, item weights, factors, vectors, the user
    pool; and the carrying over by text from K anchors to the M items and to N items that nobody has touched."""

    ids_M: np.ndarray
    is_known_M: np.ndarray
    popular_M: np.ndarray
    trend_M: np.ndarray
    weights_MM: Weights
    factors_MF: np.ndarray
    vectors_MD: np.ndarray
    pool_PM: sp.csr_matrix
    anchors_K: np.ndarray
    transfer_KM: np.ndarray
    new_ids_N: np.ndarray
    transfer_KN: np.ndarray

    def write(self, folder: Path) -> str:
        """Write as plain arrays; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            "known": self.is_known_M,
            "popular": self.popular_M,
            "trend": self.trend_M,
            "factors": self.factors_MF,
            "vectors": self.vectors_MD,
            "anchors": self.anchors_K,
            "transfer": self.transfer_KM,
            "transfer_new": self.transfer_KN,
        }
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        np.save(folder / "ids.npy", self.ids_M.astype(str), allow_pickle=False)
        np.save(folder / "new_ids.npy", self.new_ids_N.astype(str), allow_pickle=False)
        sp.save_npz(folder / "pool.npz", self.pool_PM)
        if isinstance(self.weights_MM, np.ndarray):
            np.save(folder / "weights.npy", self.weights_MM, allow_pickle=False)
        else:
            sp.save_npz(folder / "weights.npz", self.weights_MM)
        return str(folder)


@lru_cache(maxsize=1)
def load_models(folder: str) -> SourceModels:
    """Read what `write` wrote; large arrays are mapped, so that workers of one machine share the memory."""
    path = Path(folder)
    read = {
        n: np.load(path / f"{n}.npy", mmap_mode="r", allow_pickle=False)
        for n in ("known", "popular", "trend", "factors", "vectors", "anchors", "transfer", "transfer_new")
    }
    is_dense = (path / "weights.npy").exists()
    weights = (
        np.load(path / "weights.npy", mmap_mode="r", allow_pickle=False)
        if is_dense
        else sp.load_npz(path / "weights.npz")
    )
    ids, new_ids = (np.load(path / f"{n}.npy", allow_pickle=False).astype(object) for n in ("ids", "new_ids"))
    return SourceModels(
        ids, read["known"], read["popular"], read["trend"], weights, read["factors"], read["vectors"],
        sp.load_npz(path / "pool.npz"), read["anchors"], read["transfer"], new_ids, read["transfer_new"],
    )  # fmt: skip
