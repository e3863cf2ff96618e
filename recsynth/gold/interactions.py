"""R, the sparse user-item matrix, as of the night and of each earlier cut-off, and what was bought after those."""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.gold.click_farms import without_farms
from recsynth.gold.settings import GoldSettings
from recsynth.gold.sums import exact_sum
from recsynth.stage import Frames, Night
from recsynth.tables.gold import INTERACTIONS, WINDOW_INTERACTIONS, WINDOW_LABELS

SECONDS_PER_DAY = 86_400.0


def interactions(events: DataFrame, click_farms: DataFrame, night: Night) -> Frames:
    """Build R for the as-of date and for every training window, and each window's purchases.

    Reads silver.events and gold.click_farms; writes gold.interactions, gold.window_interactions and gold.window_labels.

    R_ij = kept_ij * sum over events e of w(type_e) * 2^(-age_e / half_life), where kept_ij falls on
    purchases alone: the share of the units bought that was not given back. Bots and click farms are left out.
    """
    gold = night.settings.gold
    people = events.where("not is_bot and not is_near_duplicate and item_id is not null")
    now = matrix(people, click_farms, [night.cutoff], gold)
    earlier = matrix(people, click_farms, night.window_cutoffs, gold)
    return {
        "interactions": now.select(*INTERACTIONS.column_names),
        "window_interactions": earlier.select(*WINDOW_INTERACTIONS.column_names),
        "window_labels": labels(people, night.window_cutoffs, gold.windows.days),
    }


def matrix(events: DataFrame, click_farms: DataFrame, cutoffs: list[datetime], gold: GoldSettings) -> DataFrame:
    """R at each cut-off, one row per (cutoff, user, item) with R_ij > 0."""
    event_type, quantity = F.col("event_type"), F.coalesce("quantity", F.lit(1))
    is_purchase, is_return = event_type == "purchase", event_type == "return"
    seen = without_farms(at_cutoffs(events, cutoffs), click_farms, gold.farms)
    pairs = seen.groupBy("cutoff", "user_id", "item_id").agg(
        exact_sum(F.when(is_purchase, decayed(gold))).alias("bought_weight"),
        exact_sum(F.when(~(is_purchase | is_return), decayed(gold))).alias("other_weight"),
        F.sum(F.when(is_purchase, quantity).otherwise(0)).alias("bought"),
        F.sum(F.when(is_return, quantity).otherwise(0)).alias("returned"),
        F.count_if(event_type.isin("view", "click")).cast("int").alias("views"),
        F.count_if(event_type == "cart").cast("int").alias("carts"),
        F.count_distinct(F.when(is_purchase, F.coalesce("order_id", "event_id"))).cast("int").alias("baskets"),
        F.count_if(event_type.isin("rating", "comment", "share")).cast("int").alias("opinions"),
        F.avg("rating").alias("rating"),
        F.min(F.when(~is_return, F.col("ts"))).alias("first_ts"),
        F.max(F.when(~is_return, F.col("ts"))).alias("last_ts"),
    )
    kept = F.when(F.col("bought") > 0, F.greatest(F.lit(0.0), 1 - F.col("returned") / F.col("bought"))).otherwise(0.0)
    weight = F.col("bought_weight") * kept + F.col("other_weight")
    return (
        pairs.withColumn("weight", weight)
        .withColumn("purchases", F.when(kept > 0, F.col("baskets")).otherwise(0))
        .withColumn("quantity", F.greatest(F.lit(0), F.col("bought") - F.col("returned")).cast("bigint"))
        .where("weight > 0")
    )


def labels(events: DataFrame, cutoffs: list[datetime], days: int) -> DataFrame:
    """What was bought in the `days` days from each cut-off on, one row per (cutoff, user, item)."""
    windows = [(start, start + timedelta(days=days)) for start in cutoffs]
    span = F.explode(F.array(*(F.struct(F.lit(a).alias("cutoff"), F.lit(b).alias("until")) for a, b in windows)))
    bought = events.where("event_type = 'purchase'").withColumn("window", span)
    inside = bought.where("ts >= window.cutoff and ts < window.until")
    return (
        inside.groupBy(F.col("window.cutoff").alias("cutoff"), "user_id", "item_id")
        .agg(
            F.count_distinct(F.coalesce("order_id", "event_id")).cast("int").alias("purchases"),
            F.min("ts").alias("first_ts"),
        )
        .select(*WINDOW_LABELS.column_names)
    )


def at_cutoffs(events: DataFrame, cutoffs: list[datetime]) -> DataFrame:
    """Each event once for every cut-off that lies after it, in a column `cutoff`."""
    each = F.explode(F.array(*map(F.lit, cutoffs)))
    return events.withColumn("cutoff", each).where("ts < cutoff")


def decayed(gold: GoldSettings) -> Column:
    """What an event adds to R at `cutoff`."""
    return weight_of(gold) * F.pow(F.lit(2.0), -age_days() / F.lit(gold.half_life_days))


def age_days() -> Column:
    """Age of `ts` at `cutoff`, in days."""
    return (F.col("cutoff").cast("double") - F.col("ts").cast("double")) / SECONDS_PER_DAY


def weight_of(gold: GoldSettings) -> Column:
    """What an event adds to R when it is new; 0 for a type that adds nothing."""
    weights = F.create_map(*(F.lit(x) for pair in gold.event_weights.items() for x in pair))
    return F.coalesce(weights[F.col("event_type")], F.lit(0.0))
