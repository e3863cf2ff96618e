"""The cut-offs of a night: which features are computed tonight, which are read, and of whom a window learns."""

from __future__ import annotations

from datetime import date, datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Night


def computed(windows: DataFrame, night: Night) -> list[datetime]:
    """Cut-offs whose candidates and features are computed tonight, the night's own first.

    windows: rank.windows; a cut-off without a row there is computed.
    """
    stored = read_from(windows, night)
    return [cutoff for cutoff in (night.cutoff, *night.window_cutoffs) if cutoff not in stored]


def read_from(windows: DataFrame, night: Night) -> dict[datetime, date]:
    """Earlier cut-off to the night whose features of it are read."""
    rows = windows.where("read_from is not null").select(F.unix_seconds("cutoff"), "read_from").collect()
    nights = {int(seconds): night_of for seconds, night_of in rows}  # bound: gold.windows.count
    return {c: nights[s] for c in night.window_cutoffs if (s := int(c.timestamp())) in nights}


def learned_of(window_labels: DataFrame, most: int) -> DataFrame:
    """(cutoff, user_id) of those who bought in a window and are learned from, at most so many a window, by hash."""
    order = Window.partitionBy("cutoff").orderBy(F.xxhash64("user_id"), "user_id")
    labelled = window_labels.select("cutoff", "user_id").distinct()
    return labelled.withColumn("n", F.row_number().over(order)).where(F.col("n") <= most).drop("n")
