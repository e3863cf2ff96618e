"""Reposts: texts that say again, in all but the same words, what was said a few days before."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.settings import OpinionSettings

# Two hashes a band: texts that share seven of ten pairs of words share a band in 99.5 cases of 100. What shares one by
# chance is told apart by the pairs themselves.
BANDS, ROWS = 8, 2
# What is added to a text that is passed on, and addresses that are shortened anew each time.
_ADDED = r"https?://\S+|www\.\S+|@[\p{L}\p{N}_.]+|^\s*rt\b"
_MARK = r"(?i)^\s*rt\s+@"
# A character is a word where writing has no spaces.
_WORDS = r"[\x{3040}-\x{30ff}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}]|[\p{L}\p{N}]+"


def with_reposts(voices: DataFrame, of: Sequence[str], settings: OpinionSettings) -> DataFrame:
    """Add is_repost to rows of event_id, topic, day and text: whether a like one of the same `of` came before it.

    What begins with `RT @` says of itself that it is passed on. Two texts are like where they share at least fold_share
    of their pairs of words (Jaccard), not more than fold_days lie between them, and they have fold_chars letters and
    digits. Found by MinHash in bands (Broder, 1997), so that no text is compared with all others; a text that is posted
    a million times is one sorted partition.
    """
    plain = F.regexp_replace(F.lower("text"), _ADDED, " ")
    letters = F.length(F.regexp_replace(plain, r"[^\p{L}\p{N}]+", ""))
    long = voices.where(letters >= settings.fold_chars).select("event_id", "topic", "day", *of, _pairs(plain))
    bands = long.withColumn("band", F.explode(F.array(*map(_band, range(BANDS)))))
    same = Window.partitionBy(*of, "topic", "band").orderBy("day", "event_id")
    is_near = F.date_diff("day", F.lag("day").over(same)) <= settings.fold_days
    before = F.lag("pairs").over(same)
    shared = F.size(F.array_intersect("pairs", before)) / F.size(F.array_union("pairs", before))
    is_repost = F.coalesce(is_near & (shared >= settings.fold_share), F.lit(False))
    # A window's value stands in no aggregate: it is a column first.
    told = bands.withColumn("again", is_repost).groupBy("event_id", "topic").agg(F.max("again").alias("again"))
    joined = voices.join(told, on=["event_id", "topic"], how="left")
    is_marked = F.coalesce(F.col("text").rlike(_MARK), F.lit(False))
    return joined.withColumn("is_repost", is_marked | F.coalesce("again", F.lit(False))).drop("again")


def _pairs(plain: Column) -> Column:
    """Hashes of the pairs of words that follow each other, each once; of a single word that word."""
    words = F.regexp_extract_all(plain, F.lit(_WORDS), F.lit(0))

    def paired(one: Column) -> Column:
        size = F.size(one)
        many = F.transform(F.sequence(F.lit(1), size - 1), lambda i: F.xxhash64(one[i - 1], one[i]))
        return F.when(size >= 2, many).otherwise(F.transform(one, lambda w: F.xxhash64(w)))

    # By a name of its own within the array, the words are found once and not again wherever they are used.
    return F.array_distinct(F.transform(F.array(words), paired)[0]).alias("pairs")


def _band(number: int) -> Column:
    return F.xxhash64(F.lit(number), *(_least(F.lit(ROWS * number + row)) for row in range(ROWS)))


def _least(seed: Column) -> Column:
    """The least hash of the pairs under a seed."""
    return F.array_min(F.transform("pairs", lambda pair: F.xxhash64(pair, seed)))
