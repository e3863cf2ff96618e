"""Places for items that nobody has touched in the lists of what people know: else nobody would ever touch them."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def with_new_items(lines: DataFrame, new_items: DataFrame, places: int, first_rank: int) -> DataFrame:
    """Lists with up to `places` new items of each user from `first_rank` on; what stood there moves behind them.

    lines: what output.recommendations says of a list; new_items: output.new_item_recommendations. In a shorter list
    they stand last. They have no purchase probability, for no label was ever one of theirs. Who has no list gets none.
    """
    if not places:
        return lines
    shown = new_items.join(lines.select("user_id", "item_id"), on=["user_id", "item_id"], how="left_anti")
    best = F.row_number().over(Window.partitionBy("user_id").orderBy("rank"))
    chosen = shown.withColumn("best", best).where(F.col("best") <= places).join(
        lines.select("user_id").distinct(), on="user_id", how="left_semi"
    )  # fmt: skip
    added = chosen.select(
        "user_id", "item_id", "score", "reason", "reason_items", F.array("source").alias("sources"),
        F.lit(False).alias("is_explored"), F.lit(1.0).alias("propensity"),
        (first_rank - 1 + F.col("best")).alias("at"),
    )  # fmt: skip
    moved = F.col("rank") + F.when(F.col("rank") >= first_rank, places).otherwise(0)
    both = lines.withColumn("at", moved).unionByName(added, allowMissingColumns=True)
    return both.withColumn("rank", F.row_number().over(Window.partitionBy("user_id").orderBy("at"))).drop("at")
