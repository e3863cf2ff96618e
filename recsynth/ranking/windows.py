"""The stage that looks in the feature store: which windows stand there already, as nights before wrote them."""

from __future__ import annotations

import hashlib
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.tables import RUN_DATE
from recsynth.tables.rank import WINDOWS

KNOWN_SHARE = 0.99
"""Part of the events before a cut-off that must have been known when its features were computed, and the reverse.

What comes in a day late moves no feature by much; a source that lands months late, or is cleaned anew, does.
"""


def windows(events: DataFrame, features: DataFrame, erasures: DataFrame, night: Night) -> DataFrame:
    """Find the earlier cut-offs whose features need not be computed again, but for what was bought after them.

    Reads silver.events, rank.features of the published nights before and ops.erasures; writes rank.windows. A night
    computes the features of its own cut-off for its lists; once the days after it are over, they are a window to learn
    from, as that night saw the catalogue and its language model the texts. The rows of the newest night that has the
    cut-off are read, where the same settings and code made them, nothing was erased since, and they saw nearly the
    events that are known now (KNOWN_SHARE). A cut-off without an event has no row.
    """
    made = hashlib.sha256(f"{night.made_by} {erasures.count()}".encode()).hexdigest()[:16]
    cutoffs = [night.cutoff, *night.window_cutoffs]
    known = events.agg(*(F.count_if(F.col("ts") < F.lit(c)) for c in cutoffs)).collect()[0]
    stored = _stored(features, made, night) if night.settings.gold.windows.read_stored else {}
    lines = []
    for cutoff, now in zip(cutoffs, known, strict=True):
        nights = stored.get(int(cutoff.timestamp()), [])
        same = [(of, then) for of, then in nights if min(then, now) >= KNOWN_SHARE * max(then, now)]
        read_from, then = max(same, default=(None, now))
        lines += [(cutoff, read_from, then, made)] if now else []
    return events.sparkSession.createDataFrame(lines, WINDOWS.schema)


def _stored(features: DataFrame, made: str, night: Night) -> dict[int, list[tuple[date, int]]]:
    """Earlier cut-off, in seconds, to the nights that have its features and the events that these saw."""
    is_asked = F.col("cutoff").isin(*map(F.lit, night.window_cutoffs))
    rows = features.where(is_asked & (F.col("computed_by") == made))
    # Bound: gold.windows.count times the nights that are kept.
    found = rows.select(F.unix_seconds("cutoff").alias("at"), RUN_DATE, "known_events").distinct().collect()
    nights: dict[int, list[tuple[date, int]]] = {}
    for at, of, then in found:
        nights.setdefault(at, []).append((of, then))
    return nights
