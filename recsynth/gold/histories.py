"""Histories: a user's last events in order, as of the night and of each earlier cut-off."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.gold.interactions import at_cutoffs
from recsynth.stage import Frames, Night
from recsynth.tables.gold import HISTORIES, WINDOW_HISTORIES


def histories(events: DataFrame, night: Night) -> Frames:
    """The last N item events and searches of each user, oldest first; returns and bots are left out.

    Reads silver.events; writes gold.histories and gold.window_histories.
    """
    people = events.where("not is_bot and not is_near_duplicate and event_type <> 'return'")
    last = night.settings.gold.history_events
    return {
        "histories": last_events(people, [night.cutoff], last).select(*HISTORIES.column_names),
        "window_histories": last_events(people, night.window_cutoffs, last).select(*WINDOW_HISTORIES.column_names),
    }


def last_events(events: DataFrame, cutoffs: list[datetime], last: int) -> DataFrame:
    """One row per (cutoff, user) with at most `last` events; events of one instant are ordered by their id."""
    latest = Window.partitionBy("cutoff", "user_id").orderBy(F.desc("ts"), F.desc("event_id"))
    kept = (
        at_cutoffs(events, cutoffs).withColumn("age_rank", F.row_number().over(latest)).where(F.col("age_rank") <= last)
    )
    event = F.struct("ts", "event_id", "event_type", "item_id", "query")
    return kept.groupBy("cutoff", "user_id").agg(
        F.transform(
            F.sort_array(F.collect_list(event)),
            lambda e: F.struct(
                e["ts"].alias("ts"),
                e["event_type"].alias("event_type"),
                e["item_id"].alias("item_id"),
                e["query"].alias("query"),
            ),
        ).alias("events")
    )
