"""Accounting: nothing that landed is lost, and there is something before the as-of date to work on."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.errors import AccountingError, InputError
from recsynth.stage import Night
from recsynth.tables.ops import METRICS


def account(
    landed_files: DataFrame, events: DataFrame, item_records: DataFrame, tickets: DataFrame, policies: DataFrame,
    posts: DataFrame, promotions: DataFrame, quarantine: DataFrame, erasures: DataFrame, expired: DataFrame,
    night: Night,
) -> DataFrame:  # fmt: skip
    """Check landed = kept + duplicates + quarantined + erased + expired for each source; write the counts as metrics.

    Reads bronze.landed_files, silver.events, silver.item_records, silver.tickets, silver.policies,
    silver.posts, silver.promotions, silver.quarantine of all time, ops.erasures and ops.expired; writes ops.metrics.
    Raises AccountingError naming source and counts; InputError if there are events but none before the as-of date.
    """
    item_sources = [s.name for s in night.settings.sources if s.kind == "items"]
    parts = [
        landed_files.select("source", F.lit("landed").alias("part"), F.col("rows").alias("n")),
        events.where("is_near_duplicate").select("source", F.lit("near_duplicates"), F.lit(1)),
        events.where("is_bot").select("source", F.lit("bots"), F.lit(1)),
        quarantine.select("source", F.lit("quarantined"), "copies"),
        erasures.select(F.explode("landed").alias("source", "n")).select("source", F.lit("erased"), "n"),
        expired.select("source", F.lit("expired"), "landed"),
    ]
    # Records that rows of events told are counted with those rows.
    records = item_records.where(F.col("source").isin(*item_sources))
    for kept in (events, records, tickets, policies, posts, promotions):
        parts += [kept.select("source", F.lit("kept"), F.lit(1)),
                  kept.select("source", F.lit("duplicates"), F.col("copies") - 1)]  # fmt: skip
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.union(part)
    counted = rows.groupBy("source").pivot("part", list(_PARTS)).agg(F.sum("n")).na.fill(0)
    totals = [r.asDict() for r in counted.orderBy("source").collect()]  # one row a source
    for total in totals:
        check(total)
    _check_events(events, night)
    made = [("account", f"rows_{p}", "", t["source"], float(t[p]), None, None, None) for t in totals for p in _PARTS]
    return events.sparkSession.createDataFrame(made, METRICS.schema)


_ENDS = ("kept", "duplicates", "quarantined", "erased", "expired")
_PARTS = ("landed", *_ENDS, "near_duplicates", "bots")


def check(total: dict[str, int]) -> None:
    """Raise AccountingError unless landed = kept + duplicates + quarantined + erased + expired; bots are kept.

    >>> check({"source": "s", "landed": 8, "kept": 3, "duplicates": 2, "quarantined": 1, "erased": 1, "expired": 1})
    """
    found = sum(total[end] for end in _ENDS)
    if total["landed"] != found:
        raise AccountingError(
            f"source {total['source']}: expected {total['landed']} landed rows, found {found}: "
            f"{', '.join(f'{total[end]} {end}' for end in _ENDS)}"
        )


def _check_events(events: DataFrame, night: Night) -> None:
    span = events.agg(
        F.min("ts").alias("first"), F.min(F.when(F.col("ts") < F.lit(night.cutoff), 1)).alias("any")
    ).first()
    if span is not None and span["first"] is not None and span["any"] is None:
        raise InputError(f"as-of date {night.as_of}", "an event before it", f"the first event at {span['first']} UTC")
