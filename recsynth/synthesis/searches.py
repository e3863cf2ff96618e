"""Searches and the items they led to, as histories tell them."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.mapping import LED_TO, normalised


def led(histories: DataFrame, minutes: int) -> DataFrame:
    """Rows (user_id, query, item_id, ts) of each search, normalised, with what the user took up after it.

    histories: user_id and events. What comes later than `minutes` after the search, or after another one, is not its.
    ts is the search's.
    """
    event = histories.select("user_id", F.posexplode("events").alias("place", "e")).select("user_id", "place", "e.*")
    search = F.when(F.col("event_type") == "search", F.struct(normalised(F.col("query")).alias("query"), "ts"))
    so_far = Window.partitionBy("user_id").orderBy("place").rowsBetween(Window.unboundedPreceding, 0)
    traced = event.withColumn("search", F.last(search, ignorenulls=True).over(so_far))
    soon = F.col("ts").cast("double") - F.col("search.ts").cast("double") <= 60.0 * minutes
    taken = traced.where(F.col("event_type").isin(*LED_TO) & F.col("item_id").isNotNull() & soon)
    return taken.where("search.query is not null").select("user_id", "search.query", "item_id", "search.ts")


def known_searches(histories: DataFrame) -> DataFrame:
    """Rows (query, users): how many people typed it."""
    event = histories.select("user_id", F.explode("events").alias("e")).where("e.event_type = 'search'")
    typed = event.select("user_id", normalised(F.col("e.query")).alias("query")).dropna()
    return typed.groupBy("query").agg(F.count_distinct("user_id").alias("users"))
