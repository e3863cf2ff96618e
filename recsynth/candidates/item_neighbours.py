"""Item neighbours: EASE while the catalogue fits, cosine neighbours beyond.

Shapes: U users of a block, M items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.candidates.settings import ItemNeighbourSettings


def gram(rows: DataFrame, items: int) -> sp.csr_matrix:
    """X^T X over users, (M, M), summed in Spark; what reaches the driver is bounded by pairs of the catalogue.

    rows: one row a user with `items` (indices) and `weights`.
    """

    def partial(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        total = sp.csr_matrix((items, items), dtype=np.float32)
        for block in blocks:
            x = to_csr(block["items"], block["weights"], items)
            total += (x.T @ x).tocsr()
        total = total.tocoo()
        yield pd.DataFrame(
            {"i": total.row.astype(np.int32), "j": total.col.astype(np.int32), "v": total.data.astype(float)}
        )

    summed = (
        rows.select("items", "weights").mapInPandas(partial, "i int, j int, v double").groupBy("i", "j").agg(F.sum("v"))
    )
    cells = summed.toPandas()
    matrix = sp.csr_matrix((cells.iloc[:, 2], (cells["i"], cells["j"])), shape=(items, items))
    matrix.sum_duplicates()
    return matrix


def ease(gram_MM: np.ndarray, l2: float) -> np.ndarray:
    """Item weights B (M, M) that best rebuild X with a zero diagonal: B = I - P / diag(P), P = (G + l2 I)^-1.

    Source: Steck, Embarrassingly Shallow Autoencoders, WWW 2019.
    """
    inverse_MM = np.linalg.inv(gram_MM + l2 * np.eye(len(gram_MM), dtype=gram_MM.dtype))
    weights_MM = -inverse_MM / np.diag(inverse_MM)
    np.fill_diagonal(weights_MM, 0.0)
    return weights_MM.astype(np.float32)


def cosine_neighbours(gram_MM: sp.csr_matrix, neighbours: int) -> sp.csr_matrix:
    """Cosine of item columns, each row cut to its greatest `neighbours`, the item itself left out."""
    norms_M = np.sqrt(gram_MM.diagonal())
    scale = sp.diags(1 / np.maximum(norms_M, 1e-12))
    cosine = (scale @ gram_MM @ scale).tolil()
    cosine.setdiag(0)
    cosine = cosine.tocsr()
    cosine.eliminate_zeros()
    rows, columns, values = [], [], []
    for row in range(cosine.shape[0]):
        start, end = cosine.indptr[row], cosine.indptr[row + 1]
        order = np.lexsort((cosine.indices[start:end], -cosine.data[start:end]))[:neighbours]
        rows.append(np.full(len(order), row))
        columns.append(cosine.indices[start:end][order])
        values.append(cosine.data[start:end][order])
    flat = [np.concatenate(x) if x else np.zeros(0) for x in (values, rows, columns)]
    return sp.csr_matrix((flat[0], (flat[1].astype(int), flat[2].astype(int))), shape=cosine.shape)


def fit(gram_MM: sp.csr_matrix, settings: ItemNeighbourSettings) -> np.ndarray | sp.csr_matrix:
    """Item weights (M, M): dense EASE while the catalogue fits `max_items`, else sparse cosine."""
    if gram_MM.shape[0] <= settings.max_items:
        return ease(gram_MM.toarray().astype(np.float32), settings.l2)
    return cosine_neighbours(gram_MM, settings.neighbours)


def to_csr(items: pd.Series, weights: pd.Series, width: int) -> sp.csr_matrix:
    """Rows of index and weight arrays as a sparse matrix (U, width)."""
    lengths = [len(x) for x in items]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate([np.asarray(x, int) for x in items]) if indptr[-1] else np.zeros(0, int)
    data = np.concatenate([np.asarray(x, np.float32) for x in weights]) if indptr[-1] else np.zeros(0, np.float32)
    return sp.csr_matrix((data, indices, indptr), shape=(len(lengths), width))
