"""Reasons: one sentence for each line, made from figures that hold by construction."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def with_reason(lines: DataFrame, item_text: DataFrame) -> DataFrame:
    """Add `reason` and `reason_items` to recommended lines.

    lines: pair_purchases, pair_weight, pair_last_days, because_item, the scores and `sources` of each line. The
    reason is the first that holds: bought before; an item of the history adds to its neighbour score; interest
    without purchase; like users have it; match of the text; popularity, which is also what a user of whom
    nothing is known is told. pair_last_days counts from any event of the pair, so no sentence calls it a purchase.
    """
    titles = item_text.select(F.col("item_id").alias("because_item"), F.col("title").alias("because_title"))
    lines = lines.join(titles, on="because_item", how="left")
    times, days = F.col("pair_purchases").cast("int"), F.floor("pair_last_days").cast("int")
    is_known = F.col("because_title").isNotNull() & (F.col("because_item") != F.col("item_id"))
    reasons: list[tuple[Column, Column, Column]] = [
        (times > 0, F.format_string("Bought %s, last activity %s.", _times(times), _ago(days)), F.array("item_id")),
        (
            is_known,
            F.concat(F.lit("Goes with "), "because_title", F.lit(", which is in the history.")),
            F.array("because_item"),
        ),
        (
            F.col("pair_weight") > 0,
            F.concat(F.lit("Of interest before, last activity "), _ago(days), F.lit(".")),
            F.array("item_id"),
        ),
        (
            F.array_contains("sources", "user_neighbours") & (F.col("user_neighbours_score") > 0),
            F.lit("Users with a like history have it."),
            F.array().cast("array<string>"),
        ),
        (F.col("text_score") > 0, F.lit("Its description matches the history."), F.array().cast("array<string>")),
    ]
    nothing = F.col("text_score").isNull() & F.col("item_neighbours_score").isNull()
    popular = (
        F.when(nothing, F.lit("Popular now; nothing is known of this user yet."))
        .when(F.array_contains("sources", "popular"), F.lit("Popular now."))
        .otherwise(F.lit("Suggested by the history as a whole."))
    )
    reason = F.coalesce(*(F.when(holds, sentence) for holds, sentence, _ in reasons), popular)
    items = F.coalesce(*(F.when(holds, items) for holds, _, items in reasons), F.array().cast("array<string>"))
    return lines.withColumn("reason", reason).withColumn("reason_items", items)


def _times(n: Column) -> Column:
    return (
        F.when(n == 1, F.lit("once"))
        .when(n == 2, F.lit("twice"))
        .otherwise(F.concat(n.cast("string"), F.lit(" times")))
    )


def _ago(days: Column) -> Column:
    return (
        F.when(days < 1, F.lit("in the last day"))
        .when(days < 2, F.lit("1 day ago"))
        .otherwise(F.concat(days.cast("string"), F.lit(" days ago")))
    )
