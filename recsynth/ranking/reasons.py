"""Reasons: one sentence for each line, made from figures that hold by construction."""

from __future__ import annotations

from string import Formatter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.ranking.settings import ReasonSettings


def said(sentence: str, **values: Column) -> Column:
    """A sentence of the settings with its places filled in; null where one of the values is. A value stays what it is,
    braces and all: no title is read as a sentence."""
    parts: list[Column] = []
    for text, name, _, _ in Formatter().parse(sentence):
        parts += [F.lit(text)] if text else []
        parts += [values[name].cast("string")] if name is not None else []
    return F.concat(*parts)


def with_reason(lines: DataFrame, item_text: DataFrame, say: ReasonSettings) -> DataFrame:
    """Add `reason` and `reason_items` to recommended lines.

    lines: pair_purchases, pair_weight, pair_last_days, because_item, the scores and `sources` of each line. The
    reason is the first that holds: bought before; an item of the history adds to its neighbour score; interest
    without purchase; like users have it; match of the text; popularity, which is also what a user of whom
    nothing is known is told. pair_last_days counts from any event of the pair, so no sentence calls it a purchase.
    """
    titles = item_text.select(F.col("item_id").alias("because_item"), F.col("title").alias("because_title"))
    lines = lines.join(titles, on="because_item", how="left")
    times, days = F.col("pair_purchases").cast("int"), F.floor("pair_last_days").cast("int")
    is_known = F.col("because_title").isNotNull() & (F.col("because_item") != F.col("item_id"))
    reasons: list[tuple[Column, Column, Column]] = [
        (times > 0, said(say.bought, times=_times(times, say), ago=_ago(days, say)), F.array("item_id")),
        (
            is_known,
            said(say.goes_with, title=F.col("because_title")),
            F.array("because_item"),
        ),
        (
            F.col("pair_weight") > 0,
            said(say.interest, ago=_ago(days, say)),
            F.array("item_id"),
        ),
        (
            F.array_contains("sources", "user_neighbours") & (F.col("user_neighbours_score") > 0),
            said(say.like_users),
            F.array().cast("array<string>"),
        ),
        (F.col("text_score") > 0, said(say.text), F.array().cast("array<string>")),
    ]
    nothing = F.col("text_score").isNull() & F.col("item_neighbours_score").isNull()
    popular = (
        F.when(nothing, said(say.nothing_known))
        .when(F.array_contains("sources", "popular"), said(say.popular))
        .otherwise(said(say.history))
    )
    reason = F.coalesce(*(F.when(holds, sentence) for holds, sentence, _ in reasons), popular)
    items = F.coalesce(*(F.when(holds, items) for holds, _, items in reasons), F.array().cast("array<string>"))
    return lines.withColumn("reason", reason).withColumn("reason_items", items)


def _times(n: Column, say: ReasonSettings) -> Column:
    return F.when(n == 1, said(say.once)).when(n == 2, said(say.twice)).otherwise(said(say.often, n=n))


def _ago(days: Column, say: ReasonSettings) -> Column:
    return F.when(days < 1, said(say.today)).when(days < 2, said(say.yesterday)).otherwise(said(say.earlier, n=days))
