"""What a user's day shows: double clicks, sessions, and whether it is a person's."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.silver.settings import SilverSettings
from recsynth.tables.silver import TRADES


def with_activity(events: DataFrame, silver: SilverSettings) -> DataFrame:
    """Fill session_id where the shop gave none, and mark near duplicates and bots.

    Looks at one (user, event_date) at a time, on all events of that day: the order in which files arrived
    makes no difference, and nothing of a later day does. A session ends after idle minutes or at midnight.
    """
    return _with_bots(_with_sessions(_with_near_duplicates(events, silver), silver), silver)


def _with_near_duplicates(events: DataFrame, silver: SilverSettings) -> DataFrame:
    alike = Window.partitionBy("event_date", "user_id", "event_type", "item_id", "query").orderBy("ts", "event_id")
    gap = _seconds(F.col("ts")) - _seconds(F.lag("ts").over(alike))
    is_near = ~F.col("event_type").isin(*TRADES) & (gap <= silver.near_duplicate_seconds)
    is_on = F.lit(silver.near_duplicate_seconds > 0)
    return events.withColumn("is_near_duplicate", is_on & F.coalesce(is_near, F.lit(False)))


def _with_sessions(events: DataFrame, silver: SilverSettings) -> DataFrame:
    day = Window.partitionBy("event_date", "user_id").orderBy("ts", "event_id")
    is_new = _seconds(F.col("ts")) - _seconds(F.lag("ts").over(day)) > 60 * silver.session_gap_minutes
    events = events.withColumn("starts", F.coalesce(is_new, F.lit(False)).cast("int"))
    found = F.concat_ws("/", "user_id", F.col("event_date").cast("string"), F.sum("starts").over(day).cast("string"))
    return events.withColumn("session_id", F.coalesce("shop_session", found)).drop("starts")


def _with_bots(events: DataFrame, silver: SilverSettings) -> DataFrame:
    acts = F.when(~F.col("event_type").isin(*TRADES), 1)
    day = Window.partitionBy("event_date", "user_id")
    minute = Window.partitionBy("event_date", "user_id", F.date_trunc("minute", "ts"))
    events = events.withColumn("in_minute", F.count(acts).over(minute))
    is_bot = (F.max("in_minute").over(day) > silver.bot_events_per_minute) | (
        F.count(acts).over(day) > silver.bot_events_per_day
    )
    return events.withColumn("is_bot", is_bot).drop("in_minute")


def _seconds(ts: Column) -> Column:
    return ts.cast("double")
