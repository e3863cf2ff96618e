"""Item vectors as a matrix that every Python worker reads once from files: bounded by the catalogue."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from pyspark.sql import DataFrame


def rounded(vectors_ND: np.ndarray, levels: int) -> np.ndarray:
    """Each number as the nearest multiple of 1 / levels, as float32; as it is where levels is 0.

    Numbers of unit vectors are small, so that few multiples occur and Parquet's dictionary needs a byte for each.

    >>> rounded(np.array([0.26, -0.1]), 4).tolist()
    [0.25, 0.0]
    """
    if not levels:
        return vectors_ND.astype(np.float32, copy=False)
    # Minus zero would be one more entry of the dictionary.
    steps_ND: np.ndarray = (np.rint(vectors_ND * levels) / levels + 0.0).astype(np.float32)
    return steps_ND


def write_vectors(vectors: DataFrame, folder: Path) -> str:
    """Write rows (item_id, vector) as Parquet, to be read by load_vectors; returns the folder."""
    vectors.select("item_id", "vector").write.mode("overwrite").parquet(str(folder))
    return str(folder)


@lru_cache(maxsize=4)
def load_vectors(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Item ids (M,) in their order and vectors (M, D) as float32; kept for the life of the worker.

    A folder's content never changes once written: each run and stage has folders of its own.
    """
    table = ds.dataset(folder, format="parquet").to_table(columns=["item_id", "vector"])
    ids = np.array(table["item_id"].to_pylist(), dtype=object)
    if not len(ids):
        return ids, np.zeros((0, 1), np.float32)
    flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix_MD = flat.astype(np.float32).reshape(len(ids), -1)
    order = np.argsort(ids)
    return ids[order], matrix_MD[order]


def vectors_of(wanted_K: np.ndarray, ids_M: np.ndarray, matrix_MD: np.ndarray) -> np.ndarray:
    """Vectors (K, D) of the wanted items; zeros where an item has none. ids_M as load_vectors gives them, ascending."""
    found_KD = np.zeros((len(wanted_K), matrix_MD.shape[1]), np.float32)
    if len(ids_M):
        place_K = np.minimum(np.searchsorted(ids_M, wanted_K), len(ids_M) - 1)
        is_known_K = ids_M[place_K] == wanted_K
        found_KD[is_known_K] = matrix_MD[place_K[is_known_K]]
    return found_KD
