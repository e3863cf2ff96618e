"""Item neighbours: EASE while the catalogue fits, cosine neighbours beyond.

Shapes: U users of a block, M items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import scipy.sparse as sp
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.candidates.models import Weights
from recsynth.candidates.settings import ItemNeighbourSettings
from recsynth.model.ease import ease


def gram(rows: DataFrame, items: int) -> DataFrame:
    """X^T X over users as rows (i, j, v), summed in Spark.

    rows: one row a user with `items` (indices) and `weights`. A task holds the pairs that its users touch.
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

    pairs = rows.select("items", "weights").mapInPandas(partial, "i int, j int, v double")
    return pairs.groupBy("i", "j").agg(F.sum("v").alias("v"))


def dense(folder: str, items: int) -> np.ndarray:
    """The Gram matrix (M, M) from its Parquet files, read piece by piece: never through Spark's driver."""
    matrix_MM = np.zeros((items, items), np.float32)
    for batch in ds.dataset(folder, format="parquet").to_batches(columns=["i", "j", "v"]):
        i, j, v = (column.to_numpy() for column in batch.columns)
        matrix_MM[i, j] = v
    return matrix_MM


def cosine_neighbours(cells: DataFrame, neighbours: int) -> DataFrame:
    """Rows (i, j, cosine) of each item's greatest `neighbours` cosines of columns of R, the item itself left out."""
    norm = cells.where("i = j").select(F.col("i").alias("n"), F.sqrt("v").alias("norm"))
    of_i, of_j = (
        F.broadcast(norm.withColumnsRenamed({"n": k, "norm": f"norm_{k}"}))
        for k in ("i", "j")
    )  # fmt: skip
    pairs = cells.where("i <> j and v > 0").join(of_i, on="i", how="inner").join(of_j, on="j", how="inner")
    cosine = pairs.withColumn("cosine", F.col("v") / (F.col("norm_i") * F.col("norm_j")))
    nearest = Window.partitionBy("i").orderBy(F.desc("cosine"), "j")
    placed = cosine.withColumn("place", F.row_number().over(nearest)).where(F.col("place") <= neighbours)
    return placed.select("i", "j", "cosine")


def fit(
    near: DataFrame, folder: str, items: int, settings: ItemNeighbourSettings, synthetic: str | None = None
) -> Weights:
    """Item weights (M, M): dense EASE while the catalogue fits `max_items`, else the sparse cosines.

    folder: the Gram matrix's files; near: what cosine_neighbours made of it; synthetic: the files of the Gram matrix
    of synthetic users, weighed already, which EASE learns from too. Bounds on the driver: max_items^2 floats, twice
    with synthetic users, or `neighbours` rows an item.
    """
    if items <= settings.max_items:
        gram_MM = dense(folder, items)
        if synthetic is not None:
            gram_MM += dense(synthetic, items)
        return ease(gram_MM, settings.l2)
    pairs = near.toPandas()
    return sp.csr_matrix((pairs["cosine"], (pairs["i"], pairs["j"])), shape=(items, items), dtype=np.float32)


def to_csr(items: pd.Series, weights: pd.Series, width: int) -> sp.csr_matrix:
    """Rows of index and weight arrays as a sparse matrix (U, width)."""
    lengths = [len(x) for x in items]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate([np.asarray(x, int) for x in items]) if indptr[-1] else np.zeros(0, int)
    data = np.concatenate([np.asarray(x, np.float32) for x in weights]) if indptr[-1] else np.zeros(0, np.float32)
    return sp.csr_matrix((data, indices, indptr), shape=(len(lengths), width))
