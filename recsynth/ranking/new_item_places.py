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
    # One union and windows over it: a join of the lines with themselves would rank everything once more.
    offered = new_items.select(
        "user_id", "rank", "item_id", "score", "reason", "reason_items", F.array("source").alias("sources"),
        F.lit(False).alias("is_explored"), F.lit(1.0).alias("propensity"), F.lit(True).alias("is_offered"),
    )  # fmt: skip
    both = lines.withColumn("is_offered", F.lit(False)).unionByName(offered, allowMissingColumns=True)
    of_user, of_pair = Window.partitionBy("user_id"), Window.partitionBy("user_id", "item_id")
    is_fit = F.max(~F.col("is_offered")).over(of_user) & F.min("is_offered").over(of_pair)
    fit = both.withColumn("is_fit", is_fit).where("is_fit or not is_offered")
    best = F.row_number().over(Window.partitionBy("user_id", "is_offered").orderBy("rank"))
    moved = F.col("rank") + F.when(F.col("rank") >= first_rank, places).otherwise(0)
    at = F.when(F.col("is_offered"), first_rank - 1 + F.col("best")).otherwise(moved)
    placed = fit.withColumn("best", best).where(~F.col("is_offered") | (F.col("best") <= places)).withColumn("at", at)
    rank = F.row_number().over(of_user.orderBy("at"))
    return placed.withColumn("rank", rank).drop("is_offered", "is_fit", "best", "at")
