"""What each user did day by day, and the features of buying again that follow from it as of any date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

RECENT_DAYS = (7, 28, 90, 180)
FEATURES = (
    "days_since_purchase", "days_since_event", "days_since_first", "buying_days", "orders", "lines", "items", "units",
    "spend", "gap_mean", "gap_spread", "gap_max", "gap_last", "gap_ratio", "gap_excess", "lines_an_order",
    "spend_an_order", "unit_price", "repeat_share", "buying_days_a_day", "last_lines", "last_spend",
    *(f"buying_days_{days}" for days in RECENT_DAYS), "spend_90", "trend", "returns", "views", "carts", "searches",
    "active_days_28",
)  # fmt: skip


def user_days(events: DataFrame) -> DataFrame:
    """One row per (user, day of the shop) of people; `gap` is the days since the user's last buying day.

    Counts of events by type, orders, units, spend (whatever the currency: it only ever orders users) and
    `items`, those bought for the first time. Whole numbers and decimals: sums do not hang on the order of rows.
    """
    people = events.where("not is_bot and not is_near_duplicate")
    is_bought = F.col("event_type") == "purchase"
    units = F.coalesce("quantity", F.lit(1))
    pair = Window.partitionBy("user_id", "item_id", is_bought).orderBy("ts", "event_id")
    marked = people.withColumn("is_first", is_bought & F.col("item_id").isNotNull() & (F.row_number().over(pair) == 1))
    days = marked.groupBy("user_id", F.col("event_date").alias("day")).agg(
        _count(is_bought).alias("lines"),
        F.count_distinct(F.when(is_bought, F.coalesce("order_id", "session_id"))).alias("orders"),
        F.coalesce(F.sum(F.when(is_bought, units)), F.lit(0)).alias("units"),
        F.coalesce(F.sum(F.when(is_bought, F.col("price") * units)), F.lit(0)).cast("decimal(30,4)").alias("spend"),
        _count(F.col("is_first")).alias("items"),
        _count(F.col("event_type") == "return").alias("returns"),
        _count(F.col("event_type").isin("view", "click")).alias("views"),
        _count(F.col("event_type") == "cart").alias("carts"),
        _count(F.col("event_type") == "search").alias("searches"),
        _count(F.col("event_type") != "return").alias("acts"),
    )
    earlier = Window.partitionBy("user_id").orderBy("day").rowsBetween(Window.unboundedPreceding, -1)
    last = F.max(F.when(F.col("lines") > 0, F.col("day"))).over(earlier)
    return days.withColumn("gap", F.when(F.col("lines") > 0, F.date_diff("day", last)))


def features_at(days: DataFrame, cutoffs: Sequence[date]) -> DataFrame:
    """One row per (cutoff, user with an event before it other than a return) with FEATURES, doubles.

    What a user has not got yet is null: the gap of one who bought on a single day, the recency of one who
    only looked. gap_ratio = recency / mean gap; gap_excess = (recency - mean gap) / (spread + 7 days); trend =
    buying days a day over the last 28 days less those over the last 90.
    """
    age = F.date_diff("cutoff", "day")
    is_buying, is_act = F.col("lines") > 0, F.col("acts") > 0
    summed = ("orders", "lines", "items", "units", "spend", "returns", "views", "carts", "searches")
    known = at_cutoffs(days, cutoffs).where("day < cutoff").groupBy("cutoff", "user_id").agg(
        F.min(F.when(is_buying, age)).alias("days_since_purchase"),
        F.min(F.when(is_act, age)).alias("days_since_event"),
        F.max(F.when(is_act, age)).alias("days_since_first"),
        _count(is_buying).alias("buying_days"),
        *(F.sum(name).alias(name) for name in summed),
        *(_count(is_buying & (age <= d)).alias(f"buying_days_{d}") for d in RECENT_DAYS),
        F.coalesce(F.sum(F.when(age <= 90, F.col("spend"))), F.lit(0)).alias("spend_90"),
        _count(is_act & (age <= 28)).alias("active_days_28"),
        F.count("gap").alias("gaps"),
        F.sum("gap").alias("gap_sum"),
        F.sum(F.col("gap") * F.col("gap")).alias("gap_squares"),
        F.max("gap").alias("gap_max"),
        F.max_by("gap", F.when(is_buying, F.col("day"))).alias("gap_last"),
        F.max_by("lines", F.when(is_buying, F.col("day"))).alias("last_lines"),
        F.max_by("spend", F.when(is_buying, F.col("day"))).alias("last_spend"),
    )  # fmt: skip
    mean = F.col("gap_sum") / F.col("gaps")
    spread = F.sqrt(F.greatest(F.col("gap_squares") / F.col("gaps") - mean * mean, F.lit(0.0)))
    recency = F.col("days_since_purchase")
    made = known.where("days_since_event is not null").withColumns({
        "gap_mean": mean, "gap_spread": spread, "gap_ratio": recency / mean,
        "gap_excess": (recency - mean) / (spread + 7),
        "lines_an_order": F.col("lines") / F.col("orders"), "spend_an_order": F.col("spend") / F.col("orders"),
        "unit_price": F.col("spend") / F.col("units"), "repeat_share": 1 - F.col("items") / F.col("lines"),
        "buying_days_a_day": F.col("buying_days") / F.col("days_since_first"),
        "trend": F.col("buying_days_28") / 28 - F.col("buying_days_90") / 90,
    })  # fmt: skip
    return made.select("cutoff", "user_id", *(F.col(name).cast("double").alias(name) for name in FEATURES))


def feature_array() -> Column:
    """FEATURES as one array in their order; NaN where one is missing."""
    return F.array(*(F.coalesce(F.col(name), F.lit(float("nan"))) for name in FEATURES))


def rows_in_order(learned: DataFrame, of: int, most: int, workers: int, seed: int) -> DataFrame:
    """About `most` of the `of` rows (cutoff, user_id, ...) drawn by hash, in as many partitions as workers, each in
    order: the same rows in the same order give the same trees.
    """
    draw = F.pmod(F.xxhash64(F.lit(seed), "cutoff", "user_id"), F.lit(of))
    return learned.where(draw < most).repartition(workers, "user_id").sortWithinPartitions("cutoff", "user_id")


def days_to_purchase(days: DataFrame, cutoffs: Sequence[date]) -> DataFrame:
    """One row per (cutoff, user who bought at or after it): `wait`, the days until then; 0 is the cut-off's own day."""
    later = at_cutoffs(days.where("lines > 0"), cutoffs).where("day >= cutoff")
    return later.groupBy("cutoff", "user_id").agg(F.min(F.date_diff("day", "cutoff")).alias("wait"))


def at_cutoffs(days: DataFrame, cutoffs: Sequence[date]) -> DataFrame:
    """Every row once for each cut-off."""
    return days.withColumn("cutoff", F.explode(F.array(*map(F.lit, cutoffs))))


def _count(condition: Column) -> Column:
    return F.count(F.when(condition, 1))
