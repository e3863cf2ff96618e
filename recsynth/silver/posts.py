"""Posts: what people write in public or in a complaint, with a time, and what somebody said that it is about."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.mapping import text
from recsynth.silver.masking import masked
from recsynth.silver.rules import common_rules, first_broken, is_outside, utc, with_every
from recsynth.silver.states import latest_states
from recsynth.source import SourceSettings
from recsynth.stage import Night
from recsynth.tables.silver import POSTS

TEXTS = ("post_id", "user_id", "text", "topic", "sentiment", "entity", "item_id")


def post_rows(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Rows of a source of posts, typed, with `reason`, null where the row is good."""
    rows = with_every(rows, ("ts", "labelled_at", *TEXTS))
    times = {name: utc(source, name) for name in ("ts", "labelled_at")}
    rows = rows.withColumns(times | {name: text(name) for name in TEXTS})
    rows = rows.withColumn("sentiment", F.lower("sentiment"))
    silver = night.settings.silver
    if silver.mask_texts:
        rows = rows.withColumn("text", masked(F.col("text")))
    # A source that names its posts names each; of one that does not, the row itself is the name, as of an event.
    named = F.col("post_id") if "post_id" in source.columns else F.sha2(F.concat_ws("/", "source", "raw"), 256)
    rules = [
        *common_rules(),
        (named.isNull(), F.lit("missing post_id")),
        (text("ts").isNull(), F.lit("missing ts")),
        (F.col("ts").isNull(), F.lit("unparsable ts")),
        (is_outside(silver.earliest, silver.latest), F.lit("ts out of range")),
        (text("labelled_at").isNotNull() & F.col("labelled_at").isNull(), F.lit("unparsable labelled_at")),
        (~F.col("sentiment").isin("positive", "neutral", "negative"), F.lit("unknown sentiment")),
        (F.col("text").isNull() & F.col("sentiment").isNull(), F.lit("neither text nor sentiment")),
    ]
    return rows.withColumns({"post_id": named, "reason": first_broken(rules)})


def merged_posts(fresh: DataFrame, posts: DataFrame) -> DataFrame:
    """Good rows and what silver has of the same posts, folded to one: the latest label, then the one with a topic."""
    order = (F.col("labelled_at"), F.col("topic").isNotNull(), F.col("sentiment").isNotNull())
    return latest_states(fresh, posts, POSTS, order)
