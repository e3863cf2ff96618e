"""The text-item association matrix: which items a query led to."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.gold.click_farms import without_farms
from recsynth.gold.interactions import decayed
from recsynth.gold.sums import exact_sum
from recsynth.mapping import LED_TO, with_searches
from recsynth.stage import Night
from recsynth.tables.gold import QUERY_ITEMS


def query_items(events: DataFrame, click_farms: DataFrame, night: Night) -> DataFrame:
    """Credit each click, cart and purchase to the last search before it in its session.

    Reads silver.events and gold.click_farms; writes gold.query_items. Where the shop logs the search with the event
    itself, that one counts. weight = sum of w(type) * 2^(-age / half_life), as in R: what a click farm searched leads
    to its item no more than its clicks do.
    """
    gold = night.settings.gold
    traced = with_searches(events.where("not is_bot and not is_near_duplicate"))
    session = F.struct("user_id", "session_id")
    searches = (
        traced.where("search is not null")
        .groupBy(F.col("search").alias("query"))
        .agg(F.count_distinct(session).alias("all_sessions"))
    )
    led = traced.where(F.col("event_type").isin(*LED_TO) & F.col("led_by").isNotNull() & F.col("item_id").isNotNull())
    people = without_farms(led.withColumn("cutoff", F.lit(night.cutoff)), click_farms, gold.farms)
    pairs = people.groupBy(F.col("led_by").alias("query"), "item_id").agg(
        exact_sum(decayed(gold)).alias("weight"),
        F.count_distinct(session).alias("sessions"),
        F.max("ts").alias("last_ts"),
    )
    # A shop may log the query with the click alone: then the sessions that clicked are all that are known.
    query_sessions = F.greatest(F.coalesce("all_sessions", F.lit(0)), F.col("sessions"))
    return (
        pairs.join(searches, on="query", how="left")
        .withColumn("query_sessions", query_sessions)
        .where("weight > 0")
        .select(*QUERY_ITEMS.column_names)
    )
