"""People's texts that have a label, those learned from apart from those held out, and a writer taught by the first."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.memory import give_back
from recsynth.model.folder import read_card, register, use_threads
from recsynth.model.towers import TextTower
from recsynth.seeds import sub_seed
from recsynth.stage import Night
from recsynth.synthesis.label_judge import RUN
from recsynth.synthesis.label_settings import LabelledTextSettings
from recsynth.synthesis.plain_vectors import plain_encoder
from recsynth.synthesis.queries import is_said
from recsynth.synthesis.writer import Example, fit_writer, read_writer, tower_of, write_writer
from recsynth.texts import SENTENCE_END, as_known, is_held_out, of_people, readable, starred

log = logging.getLogger(__name__)

REVIEW, QUESTION, OPINION = "review", "question", "opinion"
SOURCES = {REVIEW: "silver.reviews", QUESTION: "silver.tickets", OPINION: "silver.posts"}
LEARN, HELD, MADE = "learn", "held", "made"
DRAWN = "kind string, label string, sentiment string, text string, draws int"
_TEXT = ("kind", "label", "sentiment", "text")
# As `words_of` tells words apart, in Java's regular expressions.
_WORD = r"[\x{3040}-\x{30ff}\x{3400}-\x{9fff}]|[\p{L}\p{N}_&&[^\x{3040}-\x{30ff}\x{3400}-\x{9fff}]]+"


class Source(NamedTuple):
    """Who writes texts of a kind: the version of a writer below _models, and the as-of date of who taught it."""

    version: str
    taught: date


def told_texts(
    reviews: DataFrame, tickets: DataFrame, posts: DataFrame, click_farms: DataFrame, night: Night
) -> DataFrame:
    """Rows (kind, label, sentiment, text, person) of texts whose label was known before the as-of date.

    Whoever is not known is a person of their own with each text; what a click farm wrote is nobody's. sentiment: of
    opinions alone.
    """

    def of(kind: str, rows: DataFrame, text: str, label: Column, sentiment: Column) -> DataFrame:
        return rows.select(
            F.lit(kind).alias("kind"), label.alias("label"), sentiment.alias("sentiment"),
            readable(F.col(text)).alias("text"), F.col("user_id").alias("person"),
        )  # fmt: skip

    none = F.lit(None).cast("string")
    rated = starred(of_people(reviews, click_farms, night), night.settings.shop_time_zone)
    asked = as_known(tickets, "answered_at", ("intent",), night)
    posted = as_known(posts, "labelled_at", ("topic", "sentiment"), night)
    parts = (
        of(REVIEW, rated, "text", F.round("rating").cast("int").cast("string"), none),
        of(QUESTION, asked, "question", F.col("intent"), none),
        of(OPINION, posted, "text", F.col("topic"), F.col("sentiment")),
    )
    every = reduce(DataFrame.unionByName, parts).where("text is not null and trim(label) <> ''")
    nobody = F.concat(F.lit("\0"), F.sha2("text", 256))
    return every.where("kind <> 'opinion' or sentiment is not null").withColumn("person", F.coalesce("person", nobody))


def split_texts(told: DataFrame, settings: LabelledTextSettings, seed: int) -> DataFrame:
    """Distinct (kind, label, sentiment, text) with `side`, learn or held, of the labels with enough of them.

    people: least_users of those who wrote it, of a text that is long enough to have a run of words to be copied. A
    text under two labels has the more frequent, then the later word. Bound: max_texts rows a kind and side.
    """
    is_long = F.size(F.split(plain(F.col("text")), " ")) >= RUN
    people = F.collect_set(F.when(is_long, F.col("person")))
    once = told.groupBy(*_TEXT).agg(F.count("*").alias("times"), people.alias("people"))
    labelled = F.max_by(F.struct("label", "sentiment"), F.struct("times", "label", "sentiment"))
    everybody = F.array_sort(F.array_distinct(F.flatten(F.collect_list("people"))))
    texts = once.groupBy("kind", "text").agg(
        labelled.alias("of"), F.slice(everybody, 1, settings.least_users).alias("people")
    )
    side = F.when(is_held_out(F.col("text")), F.lit(HELD)).otherwise(F.lit(LEARN))
    sided = texts.select("kind", "text", "people", "of.*").withColumn("side", side)
    counted = sided.where(F.col("side") == LEARN).groupBy("kind", "label", "sentiment").count()
    enough = counted.where(F.col("count") >= settings.min_each)
    by_size = Window.partitionBy("kind").orderBy(F.desc("count"), "label", "sentiment")
    labels = enough.withColumn("place", F.row_number().over(by_size)).where(F.col("place") <= settings.max_labels)
    same = [sided["kind"] == labels["kind"], sided["label"] == labels["label"],
            sided["sentiment"].eqNullSafe(labels["sentiment"])]  # fmt: skip
    by_hash = Window.partitionBy("kind", "side").orderBy(F.xxhash64(F.lit(seed), "text"), "text")
    kept = sided.join(F.broadcast(labels), same, "left_semi").withColumn("place", F.row_number().over(by_hash))
    return kept.where(F.col("place") <= settings.max_texts).drop("place")


def rare_texts(told: DataFrame, settings: LabelledTextSettings) -> DataFrame:
    """Rows (plain): texts, as `plain` gives them, that fewer than least_users people wrote."""
    counted = told.groupBy(plain(F.col("text")).alias("plain")).agg(F.count_distinct("person").alias("users"))
    return counted.where(F.col("users") < settings.least_users).select("plain")


def plain(text: Column) -> Column:
    """A text's words alone, in lower case."""
    return F.array_join(F.regexp_extract_all(F.lower(text), F.lit(_WORD), F.lit(0)), " ")


def known_words(told: DataFrame, settings: LabelledTextSettings) -> list[str]:
    """Words that least_users people said, ascending. Bound on the driver: max_words, those of the most people."""
    word = F.explode(F.split(plain(F.col("text")), " "))
    said = told.select("person", word.alias("word")).groupBy("word").agg(F.count_distinct("person").alias("users"))
    often = said.where(F.col("users") >= settings.least_users).orderBy(F.desc("users"), "word")
    return sorted(r.word for r in often.limit(settings.max_words).collect() if r.word)


def in_use(before: DataFrame, night: Night) -> Source | None:
    """Who wrote the texts of a kind last, unless it is time for another; before: rows of the newest night before."""
    last = before.select("model_version", "taught").first()
    settings = night.settings.synthesis.labelled
    if last is None or night.as_of - last.taught >= timedelta(days=settings.retrain_days):
        return None
    return Source(last.model_version, last.taught) if (night.models / last.model_version).is_dir() else None


def teach_writer(kind: str, learn: DataFrame, words: list[str], night: Night) -> Source | None:
    """Teach a writer by texts (label, sentiment, text) of a kind; None where none is short enough.

    Of a long text the first sentences that fit are learned from. Bound on the driver: max_texts, max_words.
    """
    settings, seed = night.settings.synthesis.labelled, night.seed("labelled", kind)
    texts = learn.orderBy("text").toPandas()  # bound: max_texts
    tower = tower_of(*plain_encoder(night))
    rows = texts[["label", "sentiment", "text"]].itertuples(index=False)
    cut = [(condition(kind, label, sentiment), _beginning(text, tower, settings.writer.most_tokens - 1))
           for label, sentiment, text in rows]  # fmt: skip
    examples = [Example(source, text) for source, text in cut if text]
    log.info("%s texts: %d of %d have a beginning that is short enough to learn from", kind, len(examples), len(texts))
    if not examples:
        return None
    # What a decoder reads too often it says again word for word; all of that would be set aside.
    steps = min(settings.writer.steps, math.ceil(settings.passes * len(examples) / settings.writer.batch_size))
    how = settings.writer.model_copy(update={"steps": steps})
    writer = fit_writer(examples, tower, how, seed)
    card = {"settings": how.model_dump(mode="json"), "encoder": night.settings.training.encoder,
            "max_tokens": tower.max_tokens, "words": words, "seed": seed}  # fmt: skip
    made = night.work / f"{kind}s"
    version = register(f"{kind}s", lambda folder: write_writer(writer, folder, card), made, night.models)
    del tower
    give_back()
    return Source(version, night.as_of)


def _beginning(text: str, tower: TextTower, most_tokens: int) -> str:
    """The first sentences of a text that have so many tokens together; none where the first has more."""
    kept = ""
    for sentence in SENTENCE_END.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(tower.tokenizer(longer, add_special_tokens=False)["input_ids"]) > most_tokens:
            break
        kept = longer
    return kept


def condition(kind: str, label: str, sentiment: str | None) -> str:
    """What the language model reads before a text of a label is written.

    >>> condition("opinion", "late_delivery", "negative")
    'opinion late delivery negative'
    """
    return " ".join(part.replace("_", " ") for part in (kind, label, sentiment) if part)


def draw(labels: DataFrame, version: str, seed: int, night: Night) -> DataFrame:
    """Rows DRAWN of texts for rows (kind, label, sentiment); a label's depend on the seed and its words alone."""
    settings, threads = night.settings.synthesis.labelled, night.settings.inference.threads
    folder = str(night.models / version)

    def write(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        use_threads(threads)
        writer, known = read_writer(Path(folder)), frozenset(read_card(Path(folder))["words"])
        for batch in batches:
            rows = []
            for kind, label, sentiment in batch[["kind", "label", "sentiment"]].itertuples(index=False):
                asked = condition(kind, label, sentiment)
                drawn = writer.write(writer.read([asked])[0], settings.draws, sub_seed(seed, asked))
                counts = pd.Series([t for t in drawn if is_said(t, known)], dtype=object).value_counts()
                rows += [(kind, label, sentiment, text, int(n)) for text, n in counts.items()]
            yield pd.DataFrame(rows, columns=["kind", "label", "sentiment", "text", "draws"])
        del writer
        give_back()

    spread = labels.repartition(labels.sparkSession.sparkContext.defaultParallelism, "label")
    return spread.select("kind", "label", "sentiment").mapInPandas(write, DRAWN)
