"""R as a sparse matrix for mathematics: indices and CSR blocks, made in Spark, nothing collected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

BLOCK_SCHEMA = "block int, user_ids array<string>, indptr array<int>, indices array<int>, data array<float>"


@dataclass(frozen=True)
class SparseView:
    """The matrix: `items` (item_id, item_index) and `blocks`, each some rows of R in CSR form.

    Row r of a block belongs to user_ids[r]; its columns are indices[indptr[r]:indptr[r + 1]], ascending,
    and its values the same slice of data.
    """

    items: DataFrame
    blocks: DataFrame


def sparse_view(interactions: DataFrame, block_count: int, value: str = "weight") -> SparseView:
    """Index the items by the order of their ids and cut the users into blocks by a hash of theirs.

    interactions: rows (user_id, item_id, `value`), unique by pair. The result is the same however the rows
    lie. A block holds about users / block_count rows: choose block_count so that one fits an executor.
    """
    everything = Window.orderBy("item_id")  # one row an item: a catalogue, not a clickstream
    items = (
        interactions.select("item_id")
        .distinct()
        .select("item_id", (F.row_number().over(everything) - 1).cast("int").alias("item_index"))
    )
    block = F.pmod(F.xxhash64("user_id"), F.lit(block_count)).cast("int")
    cells = interactions.join(F.broadcast(items), on="item_id", how="inner").select(
        block.alias("block"), "user_id", "item_index", F.col(value).cast("float").alias("value")
    )
    return SparseView(items, cells.groupBy("block").applyInPandas(_to_csr, BLOCK_SCHEMA))


def _to_csr(cells: pd.DataFrame) -> pd.DataFrame:
    cells = cells.sort_values(["user_id", "item_index"])
    user_ids, counts = np.unique(cells.user_id.to_numpy(dtype=object), return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    row = (
        int(cells.block.iloc[0]),
        user_ids.tolist(),
        indptr.tolist(),
        cells.item_index.tolist(),
        cells.value.tolist(),
    )
    return pd.DataFrame([row], columns=["block", "user_ids", "indptr", "indices", "data"])


def rows_of(block: pd.Series) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Each user's (user_id, item indices, values) of one block."""
    indptr, indices, data = (np.asarray(block[name]) for name in ("indptr", "indices", "data"))
    for user_id, start, end in zip(block["user_ids"], indptr[:-1], indptr[1:], strict=True):
        yield user_id, indices[start:end], data[start:end]
