"""Words planted in titles: one word that comes into many titles at once, in categories that share nothing else."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.gold.crowds import log_chance
from recsynth.gold.settings import TriggerSettings
from recsynth.stage import Night
from recsynth.tables.gold import TITLE_TRIGGERS

# What separates words: all but letters, marks and digits, so that a word is never a pattern.
BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}]+"
LEAST_CHARS = 2


def title_triggers(item_records: DataFrame, night: Night) -> DataFrame:
    """Find the words, and the items into whose titles they came.

    Reads silver.item_records; writes gold.title_triggers. A word enters an item on the first day on which a title of
    it has the word; the words of its brand do not count. It is foreign there where the item's top category hardly
    knows it: at most `foreign_share` of the items that were known before have it. Of the items that got words within
    the last days, those that got this one as a foreign one are a crowd where chance explains so many of such a share
    with at most `max_chance`; and no line of goods is behind it: they lie in several categories, none of which holds
    most of them. A day is judged by the titles until then alone (categories are as last
    known), so a catalogue's first days name nothing.
    What is held in one place: a row a day of the shop.
    """
    triggers = night.settings.gold.triggers
    if not triggers.enabled:
        return TITLE_TRIGGERS.empty(item_records.sparkSession)
    entered = _entered(item_records).persist()
    foreign = _foreign(entered, triggers).persist()
    crowded = _scattered(foreign, _crowded(entered, foreign, triggers), triggers)
    first = F.min(F.struct("noticed", "items", "changed_items", "categories", "usual_share", "chance"))
    found = _within(foreign, crowded, triggers).groupBy("item_id", "word").agg(first.alias("f"))
    return found.select("item_id", "word", "f.*").select(*TITLE_TRIGGERS.column_names)


def without_triggers(text: Column, words: Column) -> Column:
    """A text without the words that were planted; `words` is an array of what title_triggers found, or null."""
    pattern = F.concat(
        F.lit(r"(?iu)\s*(?<![\p{L}\p{M}\p{N}])("), F.array_join(words, "|"), F.lit(r")(?![\p{L}\p{M}\p{N}])")
    )
    left = F.trim(F.regexp_replace(F.regexp_replace(text, pattern, F.lit("")), r"\s+", " "))
    return F.when(F.size(F.coalesce(words, F.array())) > 0, left).otherwise(text)


def _entered(item_records: DataFrame) -> DataFrame:
    """(item_id, word, day, category): since when an item's titles have each word; its top category as last known."""
    titled = item_records.where("title is not null")
    words = F.array_except(_words("title"), F.coalesce(_words("brand"), F.array().cast("array<string>")))
    each = titled.select("item_id", "seen_date", F.explode(words).alias("word"))
    pairs = each.where(F.length("word") >= LEAST_CHARS).groupBy("item_id", "word").agg(F.min("seen_date").alias("day"))
    top = F.get("category", 0)
    last = F.max_by(top, F.when(top.isNotNull(), F.struct("seen_date", "source", "record_hash")))
    return pairs.join(titled.groupBy("item_id").agg(last.alias("category")), on="item_id", how="inner").dropna(
        subset="category"
    )


def _words(column: str) -> Column:
    return F.split(F.lower(column), BETWEEN_WORDS)


def _foreign(entered: DataFrame, triggers: TriggerSettings) -> DataFrame:
    """(item_id, word, day, category, had_it): the words that the item's category hardly knew before those days."""
    known = entered.groupBy("item_id", "category").agg(F.min("day").alias("day"))
    new = known.groupBy("category", "day").agg(F.count("*").alias("n"))
    days = entered.select("category", "day").distinct().join(new, on=["category", "day"], how="left")
    of_category = days.select("category", "day", _before("n", triggers, "category").alias("known"))
    daily = entered.groupBy("word", "category", "day").agg(F.count("*").alias("n"))
    share = F.col("n_before") / F.col("known")
    of_word = daily.select("word", "category", "day", _before("n", triggers, "word", "category").alias("n_before"))
    judged = of_word.join(of_category, on=["category", "day"], how="inner").where("known > 0")
    strange = judged.where(share <= triggers.foreign_share).withColumn("had_it", share)
    columns = ["word", "category", "day"]
    return entered.join(strange.select(*columns, "had_it"), on=columns, how="inner")


def _before(count: str, triggers: TriggerSettings, *of: str) -> Column:
    """The sum of a daily count over all days before the days that are looked at together."""
    past = Window.partitionBy(*of).orderBy(_number()).rangeBetween(Window.unboundedPreceding, -triggers.days)
    return F.coalesce(F.sum(count).over(past), F.lit(0))


def _number() -> Column:
    return F.date_diff(F.col("day"), F.lit("1970-01-01").cast("date"))


def _crowded(entered: DataFrame, foreign: DataFrame, triggers: TriggerSettings) -> DataFrame:
    """(word, noticed, items, changed_items, chance): foreign words that came into too many titles, by day."""
    span = (1 - triggers.days, Window.currentRow)
    # One window over all rows: one a day.
    changed = entered.groupBy("day").agg(F.count_distinct("item_id").alias("n"))
    shop = changed.select("day", F.sum("n").over(Window.orderBy(_number()).rangeBetween(*span)).alias("changed_items"))
    daily = foreign.groupBy("word", "day").agg(F.count("*").alias("n"))
    of_word = Window.partitionBy("word").orderBy(_number()).rangeBetween(*span)
    sums = daily.select("word", "day", F.sum("n").over(of_word).alias("items"))
    both = sums.where(F.col("items") >= triggers.least_items).join(F.broadcast(shop), on="day", how="inner")
    share = F.lit(triggers.foreign_share)
    judged = both.where(F.col("items") / F.col("changed_items") > share)
    judged = judged.withColumn("log_chance", log_chance(F.col("items"), F.col("changed_items"), share))
    return judged.where(F.col("log_chance") <= math.log(triggers.max_chance)).select(
        "word", F.col("day").alias("noticed"), "items", "changed_items", F.exp("log_chance").alias("chance")
    )


def _scattered(foreign: DataFrame, crowded: DataFrame, triggers: TriggerSettings) -> DataFrame:
    """The crowds that lie in several categories, none of which holds most of them; with `categories`, `usual_share`."""
    met = _within(foreign, crowded, triggers).groupBy("word", "noticed", "category")
    by_category = met.agg(F.count("*").alias("n"), F.max("had_it").alias("had_it"))
    spread = by_category.groupBy("word", "noticed").agg(
        F.count("*").alias("categories"), F.max("had_it").alias("usual_share"),
        (F.max("n") / F.sum("n")).alias("largest"),
    )  # fmt: skip
    spread = spread.where((F.col("categories") >= triggers.least_categories) & (F.col("largest") <= 0.5))
    return crowded.join(spread.drop("largest"), on=["word", "noticed"], how="inner")


def _within(foreign: DataFrame, crowded: DataFrame, triggers: TriggerSettings) -> DataFrame:
    """The items of each crowd: those that got the word in the days that ended with its being noticed."""
    met = foreign.join(crowded, on="word", how="inner")
    return met.where(F.date_diff("noticed", "day").between(0, triggers.days - 1))
