"""The stage that gives each candidate its features, honest at its cut-off."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.cutoffs import computed, learned_of, read_from
from recsynth.stage import Night
from recsynth.tables import RUN_DATE
from recsynth.tables.gold import DEMAND_HALF_LIVES
from recsynth.tables.rank import FEATURE_ROWS, FEATURES

SECONDS_PER_DAY = 86_400.0
DAYS = (7, 14, 28, 90)


def features(
    candidates: DataFrame, interactions: DataFrame, window_interactions: DataFrame, window_labels: DataFrame,
    item_demand: DataFrame, events: DataFrame, windows: DataFrame, features: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Join what is known of pair, item and user before each cut-off to its candidates; of windows that stand in the
    store, read it.

    Reads rank.candidates, gold.interactions, gold.window_interactions, gold.window_labels, gold.item_demand,
    silver.events, rank.windows and rank.features of the nights before; writes rank.features. What does not exist (the
    interval of a single purchase) is null: the trees learn where a missing value goes.
    """
    cutoffs = computed(windows, night)
    at_night = interactions.withColumn("cutoff", F.lit(night.cutoff))
    asked = window_interactions.where(F.col("cutoff").isin(*map(F.lit, cutoffs)))
    pairs = _pairs(asked.unionByName(at_night))
    trade = purchases(events, cutoffs)
    rows = (
        candidates.join(pairs, on=["cutoff", "user_id", "item_id"], how="left")
        .join(item_facts(trade, views(events, cutoffs)), on=["cutoff", "item_id"], how="left")
        .join(_recent_pairs(trade), on=["cutoff", "user_id", "item_id"], how="left")
        .join(_demand(item_demand), on=["cutoff", "item_id"], how="left")
        .join(user_facts(trade), on=["cutoff", "user_id"], how="left")
        .withColumns(_compared())
    )
    fresh = rows.select("cutoff", "user_id", "item_id", *(F.col(name).cast("float") for name in FEATURES))
    users = window_interactions.select("cutoff", "user_id").distinct()
    learned = learned_of(window_labels, night.settings.candidates.window_users)
    who = learned.join(users, on=["cutoff", "user_id"], how="left_semi")
    stored = _stored(features, windows, night).join(who, on=["cutoff", "user_id"], how="left_semi")
    labels = window_labels.select("cutoff", "user_id", "item_id", F.lit(1.0).alias("bought"))
    labelled = fresh.unionByName(stored).join(labels, on=["cutoff", "user_id", "item_id"], how="left")
    is_past = F.col("cutoff") < F.lit(night.cutoff)
    label = F.when(is_past, F.coalesce("bought", F.lit(0.0))).cast("float")
    # What is read was computed by the same and knew as much, or it would not be read.
    told = F.broadcast(windows.select("cutoff", "known_events", "computed_by"))
    return labelled.withColumn("label", label).join(told, on="cutoff", how="left").select(*FEATURE_ROWS.column_names)


def _stored(features: DataFrame, windows: DataFrame, night: Night) -> DataFrame:
    """Features of the windows that are read; of all users whom their own night had lists for, maybe."""
    of = [
        (F.col(RUN_DATE) == F.lit(read)) & (F.col("cutoff") == F.lit(cutoff))
        for cutoff, read in read_from(windows, night).items()
    ]
    return features.where(reduce(or_, of, F.lit(False))).select("cutoff", "user_id", "item_id", *FEATURES)


def purchases(events: DataFrame, cutoffs: list[datetime]) -> DataFrame:
    """Purchases of people before each cut-off: cutoff, user_id, item_id, basket, age in days, price, units."""
    bought = events.where("event_type = 'purchase' and not is_bot and not is_near_duplicate")
    basket = F.coalesce("order_id", "event_id").alias("basket")
    units = F.coalesce("quantity", F.lit(1)).alias("units")
    return _at(bought, cutoffs).select("cutoff", "user_id", "item_id", basket, _age().alias("age"), "price", units)


def views(events: DataFrame, cutoffs: list[datetime]) -> DataFrame:
    """Views and clicks by item in the 28 days before each cut-off."""
    seen = events.where("event_type in ('view', 'click') and not is_bot and not is_near_duplicate")
    recent = _at(seen, cutoffs).where(_age() < 28)
    return recent.groupBy("cutoff", "item_id").agg(F.count("*").alias("item_views_28"))


def item_facts(trade: DataFrame, viewed: DataFrame) -> DataFrame:
    """One row per (cutoff, item): baskets by window, buyers, repeats, trend, age and price."""
    pair = trade.groupBy("cutoff", "item_id", "user_id").agg(F.count_distinct("basket").alias("baskets"))
    buyers = pair.groupBy("cutoff", "item_id").agg(
        F.count("*").alias("item_buyers"), F.avg((F.col("baskets") > 1).cast("double")).alias("item_repeat_share")
    )
    windows = [F.count_distinct(F.when(F.col("age") < d, F.col("basket"))).alias(f"item_baskets_{d}") for d in DAYS]
    facts = trade.groupBy("cutoff", "item_id").agg(
        *windows,
        F.count_distinct("basket").alias("item_baskets"),
        F.max("age").alias("item_age_days"),
        F.min("age").alias("item_last_days"),
        F.log(F.avg("price").cast("double") + 0.01).alias("item_log_price"),
        F.log(F.avg(F.when(F.col("age") < 28, F.col("price"))).cast("double") + 0.01).alias("log_price_28"),
        F.log(F.avg("units")).alias("item_log_units"),
    )
    return (
        facts.join(buyers, on=["cutoff", "item_id"], how="left")
        .join(viewed, on=["cutoff", "item_id"], how="full")
        .withColumn("item_price_change", F.col("log_price_28") - F.col("item_log_price"))
        .withColumn("item_trend_28", 2 * F.col("item_baskets_14") / (F.col("item_baskets_28") + 1))
        .withColumn("item_trend_90", 3 * F.col("item_baskets_28") / (F.col("item_baskets_90") + 1))
    )


def user_facts(trade: DataFrame) -> DataFrame:
    """One row per (cutoff, user): baskets, recency, rhythm, size, repeats and price level."""
    baskets = trade.groupBy("cutoff", "user_id", "basket").agg(
        F.min("age").alias("age"), F.count_distinct("item_id").alias("n")
    )
    rhythm = baskets.groupBy("cutoff", "user_id").agg(
        F.count("*").alias("user_baskets"),
        F.max("age").alias("user_first_days"),
        F.min_by("n", "age").alias("user_last_basket_items"),
        F.count_if(F.col("age") < 28).alias("user_baskets_28"),
        F.count_if(F.col("age") < 90).alias("user_baskets_90"),
        F.min("age").alias("user_last_days"),
        ((F.max("age") - F.min("age")) / F.nullif(F.count("*") - 1, F.lit(0))).alias("user_interval_days"),
        F.avg("n").alias("user_basket_items"),
        F.sum("n").alias("lines"),
    )
    taste = trade.groupBy("cutoff", "user_id").agg(
        F.count_distinct("item_id").alias("user_items"),
        F.avg(F.log(F.col("price").cast("double") + 0.01)).alias("user_log_price"),
    )
    joined = rhythm.join(taste, on=["cutoff", "user_id"], how="inner")
    return joined.withColumn("user_repeat_share", 1 - F.col("user_items") / F.col("lines")).withColumn(
        "user_cycle", F.col("user_last_days") / F.nullif("user_interval_days", F.lit(0.0))
    )


def _recent_pairs(trade: DataFrame) -> DataFrame:
    recent = trade.where(F.col("age") < 90).groupBy("cutoff", "user_id", "item_id")
    return recent.agg(F.count_distinct("basket").alias("pair_purchases_90"))


def _demand(item_demand: DataFrame) -> DataFrame:
    renamed = {f"demand_{h}": f"item_demand_{h}" for h in DEMAND_HALF_LIVES} | {"trend": "item_trend"}
    return item_demand.select("cutoff", "item_id", *renamed).withColumnsRenamed(renamed)


def _pairs(every: DataFrame) -> DataFrame:
    first = (F.col("cutoff").cast("double") - F.col("first_ts").cast("double")) / SECONDS_PER_DAY
    last = (F.col("cutoff").cast("double") - F.col("last_ts").cast("double")) / SECONDS_PER_DAY
    interval = (first - last) / F.nullif(F.col("purchases") - 1, F.lit(0))
    return every.select(
        "cutoff", "user_id", "item_id",
        F.col("weight").alias("pair_weight"), F.col("purchases").alias("pair_purchases"),
        F.log1p("quantity").alias("pair_log_units"),
        F.col("views").alias("pair_views"), F.col("carts").alias("pair_carts"), last.alias("pair_last_days"),
        first.alias("pair_first_days"), F.when(F.col("purchases") > 1, interval).alias("pair_interval_days"),
    )  # fmt: skip


def _compared() -> dict[str, Column]:
    """Features that set pair, item and user against each other."""
    return {
        "pair_cycle": F.col("pair_last_days") / F.nullif("pair_interval_days", F.lit(0.0)),
        "pair_cycle_of_user": F.col("pair_last_days") / F.nullif("user_interval_days", F.lit(0.0)),
        "pair_share": F.col("pair_purchases") / F.col("user_baskets"),
        "pair_last_against_user": F.col("pair_last_days") - F.col("user_last_days"),
        "price_against_user": F.col("item_log_price") - F.col("user_log_price"),
    }


def _at(events: DataFrame, cutoffs: list[datetime]) -> DataFrame:
    each = F.explode(F.array(*map(F.lit, cutoffs)))
    return events.withColumn("cutoff", each).where("ts < cutoff")


def _age() -> Column:
    return (F.col("cutoff").cast("double") - F.col("ts").cast("double")) / SECONDS_PER_DAY
