"""The k best items for each user vector: blocked products and partial sorts instead of a cross join."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from recsynth.model.vectors import load_vectors, write_vectors

ROWS_PER_BLOCK = 512


def top_k(users_UD: np.ndarray, items_MD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (U, k) and scores (U, k) of the greatest inner products, best first, ties by the lower index.

    >>> top_k(np.eye(2), np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), 2)[0].tolist()
    [[0, 2], [1, 0]]
    """
    return best(users_UD @ items_MD.T, k)


def best(scores_UM: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and values of each row's k greatest, best first, ties by the lower index."""
    k = min(k, scores_UM.shape[1])
    if k == 0:
        return np.zeros((len(scores_UM), 0), int), np.zeros((len(scores_UM), 0))
    # All that reach the k-th value compete, so that a tie at the edge falls by index and not by chance.
    edge_U1 = -np.partition(-scores_UM, k - 1, axis=1)[:, k - 1 : k]
    chosen = np.empty((len(scores_UM), k), int)
    for row, (scores, edge) in enumerate(zip(scores_UM, edge_U1, strict=True)):
        rivals = np.flatnonzero(scores >= edge)
        chosen[row] = rivals[np.argsort(-scores[rivals], kind="stable")[:k]]
    return chosen, np.take_along_axis(scores_UM, chosen, axis=1)


def blocked_top_k(users: DataFrame, items: DataFrame, k: int, folder: Path) -> DataFrame:
    """Rows (key columns of users, item_id, score, rank) of the k items with the greatest inner product.

    users: key columns and `vector`; items: item_id and `vector`, the catalogue, which is written to
    `folder` and read once by each worker (bound: catalogue * embedding_size * 4 bytes a worker).
    """
    path = write_vectors(items, folder)
    keys = [f for f in users.schema if f.name != "vector"]
    schema = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in keys)

    def score(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ids, items_MD = load_vectors(path)
        for rows in blocks:
            for start in range(0, len(rows), ROWS_PER_BLOCK):
                block = rows.iloc[start : start + ROWS_PER_BLOCK]
                if len(ids):
                    yield ranked(
                        block.drop(columns="vector"),
                        ids,
                        *top_k(np.stack(block.vector.to_list()).astype(np.float32), items_MD, k),
                    )

    return users.mapInPandas(score, f"{schema}, item_id string, score float, rank int")


def ranked(keys: pd.DataFrame, ids: np.ndarray, chosen_UK: np.ndarray, scores_UK: np.ndarray) -> pd.DataFrame:
    """What top_k or best found for each row of keys, a row a place: keys, item_id, score, rank."""
    users, k = chosen_UK.shape
    lines = keys.iloc[np.repeat(np.arange(users), k)].reset_index(drop=True)
    lines["item_id"] = ids[chosen_UK.ravel()]
    lines["score"] = scores_UK.ravel().astype(np.float32)
    lines["rank"] = np.tile(np.arange(1, k + 1, dtype=np.int32), users)
    return lines
