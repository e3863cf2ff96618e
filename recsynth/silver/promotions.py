"""Promotions: from which day to which the shop said that an item would be on promotion, and on which day it said so."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.mapping import text
from recsynth.silver.rules import common_rules, first_broken, with_every
from recsynth.source import SourceSettings
from recsynth.stage import Night

TEXTS, DAYS = ("promotion_id", "item_id"), ("first_day", "last_day")


def promotion_rows(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Rows of a source of promotions, typed, with `reason`, null where the row is good."""
    rows = with_every(rows, (*TEXTS, *DAYS, "is_cancelled", "seen_date"))
    # A calendar without a day is dated by the run that landed it, as a record of the catalogue is.
    seen = text("seen_date").try_cast("date") if "seen_date" in source.columns else F.lit(night.started_at.date())
    cancelled = text("is_cancelled").try_cast("boolean")
    rows = rows.withColumns({
        "seen_date": seen, "is_cancelled": F.coalesce(cancelled, F.lit(False)),
        **{name: text(name) for name in TEXTS}, **{name: text(name).try_cast("date") for name in DAYS},
    })  # fmt: skip
    rules = [
        *common_rules(),
        *((F.col(name).isNull(), F.lit(f"missing {name}")) for name in TEXTS),
        *((F.col(name).isNull(), F.lit(f"unparsable {name}")) for name in DAYS),
        (F.col("last_day") < F.col("first_day"), F.lit("last_day before first_day")),
        (text("is_cancelled").isNotNull() & cancelled.isNull(), F.lit("unparsable is_cancelled")),
        (F.col("seen_date").isNull(), F.lit("unparsable seen_date")),
    ]
    return rows.withColumn("reason", first_broken(rules))
