"""Texts of people as models read them: which of them, with what is known of them, and by which no model learns."""

from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Night

MOST_CHARS = 4000
ONE_OF = 10
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")


def readable(text: Column) -> Column:
    """A text as models read it, white space folded and cut; null where there is no letter in it."""
    folded = F.trim(F.regexp_replace(F.substring(text, 1, 4 * MOST_CHARS), r"[\p{Cntrl}\s]+", " "))
    return F.when(folded.rlike(r"\p{L}"), F.substring(folded, 1, MOST_CHARS))


def is_held_out(text: Column) -> Column:
    """Whether a text is of the tenth, by hash, that neither what reads texts nor what writes them ever learns from."""
    return F.pmod(F.xxhash64(text), F.lit(ONE_OF)) == 0


def as_known(rows: DataFrame, said_at: str, told: tuple[str, ...], night: Night) -> DataFrame:
    """Rows with `ts` as they stood on the night: what was told of them at the cut-off or later is not there.

    said_at: the column that says when; null: with the row itself.
    """
    is_known = F.coalesce(said_at, "ts") < F.lit(night.cutoff)
    return rows.withColumns({name: F.when(is_known, F.col(name)) for name in told})


def of_people(reviews: DataFrame, click_farms: DataFrame, night: Night) -> DataFrame:
    """Reviews but those that accounts of a click farm left on the item that they crowd on."""
    if not night.settings.gold.farms.leave_out:
        return reviews
    return reviews.join(click_farms.select("user_id", "item_id").distinct(), ["user_id", "item_id"], "left_anti")


def starred(reviews: DataFrame, zone: str) -> DataFrame:
    """Reviews with their `day`: what one writes of an item has the `rating` that one gave it that day."""
    dated = reviews.withColumn("day", F.to_date(F.from_utc_timestamp("ts", zone)))
    is_rated = F.when(F.col("rating").isNotNull(), F.struct("ts", "event_id"))
    last = F.max_by("rating", is_rated).over(Window.partitionBy("user_id", "item_id", "day"))
    return dated.withColumn("rating", F.coalesce("rating", last))
