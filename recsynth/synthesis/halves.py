"""R as two halves of its users: one to learn from, one that no generator sees and every gate judges by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import scipy.sparse as sp
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.synthesis.settings import SynthesisSettings

LEARN, HOLD_OUT = "learn", "hold_out"


@dataclass(frozen=True)
class Halves:
    """`items` (item_id, item): the modelled catalogue, numbered by id; `users` (half, user_id, items): its users.

    `items` of a user are item numbers in their order. Bounds: max_items rows, 2 * max_users rows of at most
    max_user_items numbers.
    """

    items: DataFrame
    users: DataFrame


def halves(interactions: DataFrame, settings: SynthesisSettings, seed: int) -> Halves:
    """Two equal halves of at most max_users users each, by a hash of the seed and their ids.

    interactions: rows of gold.interactions. The catalogue is its max_items items with the most users; of a user's
    items the max_user_items of the greatest weight are kept.
    """
    holders = interactions.groupBy("item_id").agg(F.count("*").alias("holders"))
    kept = holders.orderBy(F.desc("holders"), "item_id").limit(settings.max_items)
    # One window over all rows: a bounded catalogue.
    number = F.row_number().over(Window.orderBy("item_id")) - 1
    items = kept.select("item_id", number.cast("int").alias("item"))
    greatest = Window.partitionBy("user_id").orderBy(F.desc("weight"), "item")
    cells = interactions.join(F.broadcast(items), on="item_id", how="inner").withColumn(
        "place", F.row_number().over(greatest)
    )
    bounded = cells.where(F.col("place") <= settings.max_user_items)
    rows = bounded.groupBy("user_id").agg(F.sort_array(F.collect_list("item")).alias("items"))
    by_hash = (F.xxhash64(F.lit(seed), "user_id"), F.col("user_id"))
    chosen = rows.orderBy(*by_hash).limit(2 * settings.max_users)
    # Bounded by the limit: every second user by hash is held out; the odd one of an odd number is left out.
    place = F.row_number().over(Window.orderBy(*by_hash)) - 1
    count = F.count("*").over(Window.partitionBy())
    numbered = chosen.withColumn("place", place).withColumn("count", count)
    half = F.when(F.col("place") % 2 == 0, LEARN).otherwise(HOLD_OUT)
    users = numbered.where((F.col("place") < F.col("count") - 1) | (F.col("place") % 2 == 1))
    return Halves(items, users.select(half.alias("half"), "user_id", "items"))


def read_rows(folder: str | Path, items: int, column: str = "items", **equals: str) -> tuple[list[str], sp.csr_matrix]:
    """User ids in their order and their rows (U, M) of ones, from Parquet with `user_id` and item numbers in `column`.

    equals: columns that must have a value, such as half="learn".
    """
    wanted = None
    for name, value in equals.items():
        condition = ds.field(name) == value
        wanted = condition if wanted is None else wanted & condition
    table = ds.dataset(folder, format="parquet").to_table(columns=["user_id", column], filter=wanted)
    table = table.sort_by("user_id")
    lists = table[column].combine_chunks()
    lengths = np.diff(lists.offsets.to_numpy()) if len(lists) else np.zeros(0, int)
    indices = lists.flatten().to_numpy() if len(lists) else np.zeros(0, int)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    rows_UM = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(lists), items))
    return table["user_id"].to_pylist(), rows_UM
