"""The promotions that a shop names itself, as it last told each of them."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def promoted_days(promotions: DataFrame, first: date, until: date) -> DataFrame:
    """Rows (item_id, promoted): on which days from first (0) to before until an item was, or is to be, on promotion.

    promotions: rows of silver.promotions; of each promotion and item what was told last counts, of one day the later
    end. promoted: {day, told} in the order of days; told is the day on which the promotion was first spoken of, below 0
    where that was before first. Bound: a pair a day in a row.
    """
    days = (until - first).days
    told = F.struct("seen_date", "last_day", "first_day", ~F.col("is_cancelled"))
    latest = promotions.groupBy("source", "promotion_id", "item_id").agg(
        F.max_by(F.struct("first_day", "last_day", "is_cancelled"), told).alias("said"),
        F.date_diff(F.min("seen_date"), F.lit(first)).alias("told"),
    )
    begins = F.greatest(F.date_diff("said.first_day", F.lit(first)), F.lit(0))
    ends = F.least(F.date_diff("said.last_day", F.lit(first)), F.lit(days - 1))
    within = latest.where("not said.is_cancelled").where(begins <= ends)
    each = within.select("item_id", "told", F.explode(F.sequence(begins, ends)).alias("day"))
    of_day = each.groupBy("item_id", "day").agg(F.min("told").alias("told"))
    return of_day.groupBy("item_id").agg(F.sort_array(F.collect_list(F.struct("day", "told"))).alias("promoted"))
