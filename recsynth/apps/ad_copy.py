"""Advertising copy: a title, a description, headlines and bodies for each item that changed, true to its record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.ad_figures import held_out, of_texts
from recsynth.apps.ad_prompt import prompt_for
from recsynth.apps.ad_texts import Record, pieces
from recsynth.apps.ad_writer import Book, Text, Write, patterns_of, record_of, sentences_of, slot_of, texts_of
from recsynth.apps.item_words import CATEGORY, JOINT, item_words
from recsynth.apps.text_settings import AdSettings
from recsynth.memory import give_back
from recsynth.model.text_generator import Generator, check_generator, read_generator
from recsynth.seeds import sub_seed
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import AD_COPY

STAGE, JUDGED_OF = "ad_copy", 10
SETTING = "apps.ads.generator"
LEAST_WEIGHT = 0.05
"""Of a slot that no search names: it still tells something."""
MOST_FIELDS, MOST_SLOTS = 20, 1000
"""max_values times MOST_FIELDS values are known by name, MOST_SLOTS slots have a weight."""
FIRST, LATER, PIECE = "first", "later", "piece"
_TEXTS = """item_id string, content_hash string, slot string, variant int, text string, score double,
claims array<struct<text:string,field:string,found_in:string>>, written_by string"""


def ad_copy(
    items: DataFrame, item_labels: DataFrame, query_items: DataFrame, ad_copy: DataFrame, night: Night
) -> Frames:
    """Texts of each item, written anew where its record, its words or the settings are others than the night before.

    Reads silver.items, output.item_labels (gaps that are sure are filled, fields that the item's own words contradict
    are not told), gold.query_items (what customers look for is told first) and output.ad_copy of the night before;
    writes output.ad_copy and ops.metrics. No customer's data are read. Bounds on the driver, and in every worker:
    `templates` sentences, MOST_FIELDS * max_values values, MOST_SLOTS weights, words that a share of plain_share of
    the descriptions has; judged_items descriptions for the figures.
    """
    settings, spark = night.settings.apps.ads, items.sparkSession
    if not settings.enabled:
        empty = {"ad_copy": AD_COPY, "metrics": METRICS}
        return {name: declared.empty(spark) for name, declared in empty.items()}
    if settings.generator:
        check_generator(settings.generator, SETTING)
    known = records(items, item_labels, night).persist()
    last = ad_copy.agg(F.max("run_date")).first()
    before = ad_copy.where(F.col("run_date") == F.lit(last[0] if last else None)).drop("run_date")
    kept = before.join(known.select("item_id", "content_hash"), on=["item_id", "content_hash"], how="left_semi")
    changed = known.join(kept.select("item_id").distinct(), on="item_id", how="left_anti")
    book = _book(known, query_items, settings)
    spread = changed.repartition(spark.sparkContext.defaultParallelism, "item_id")
    new = spread.mapInPandas(_writing(book, settings, night.settings.seed), _TEXTS).select(
        "*", F.lit(settings.language).alias("language"), F.lit(settings.tone).alias("tone"),
        F.lit(night.as_of).alias("written"),
    )  # fmt: skip
    made = new.select(*AD_COPY.column_names).unionByName(kept.select(*AD_COPY.column_names)).persist()
    judged = _judged(known).orderBy(F.xxhash64(F.lit(night.seed(STAGE)), "item_id"), "item_id")
    drawn = judged.limit(settings.judged_items).orderBy("item_id").toPandas()
    figures = [*of_texts(made, settings), *held_out(drawn, book, settings)]
    counted = made.groupBy("item_id").agg(F.max(F.col("written") == F.lit(night.as_of)).alias("is_new"))
    counts = known.join(counted, on="item_id", how="left").groupBy("is_new").count().collect()
    names = {True: "written", False: "kept", None: "without a text"}
    figures += [("items", "", names[r.is_new], float(r["count"]), r["count"]) for r in counts]
    rows = [(STAGE, metric, model, segment, value, None, None, n) for metric, model, segment, value, n in figures]
    return {"ad_copy": made, "metrics": spark.createDataFrame(rows, METRICS.schema)}


def records(items: DataFrame, item_labels: DataFrame, night: Night) -> DataFrame:
    """Rows of items with words: item_id, title, description, category, fields, inferred, disputed, content_hash.

    fields: as recorded, without those that the item's own words surely contradict; disputed: their values, of either
    side; inferred: field to (value, found_in) where the record has a gap and the words surely fill it.
    """
    settings, least = night.settings.apps.ads, night.settings.apps.labels.least_confidence
    sure = item_labels.where((F.col("confidence") >= least) & (F.col("field") != CATEGORY))
    against = ~F.col("is_inferred") & (F.lower(F.trim("recorded")) != F.lower(F.trim("value")))
    entry = F.struct("field", F.struct("value", "found_in").alias("said"))
    found = sure.groupBy("item_id").agg(
        F.collect_set(F.when(against, F.col("field"))).alias("against"),
        F.sort_array(F.flatten(F.collect_set(F.when(against, F.array("recorded", "value"))))).alias("disputed"),
        F.map_from_entries(F.sort_array(F.collect_list(F.when(F.col("is_inferred"), entry)))).alias("inferred"),
    )
    words = item_words(items).join(found, on="item_id", how="left")
    told = F.map_filter(
        "fields", lambda k, _: ~F.array_contains(F.coalesce("against", F.array().cast("array<string>")), k)
    )
    rest = F.substring("text", F.col("title_length") + 1, F.length("text"))
    said = words.select(
        "item_id", F.substring("text", F.lit(1), F.col("title_length")).alias("title"),
        F.when(F.startswith(rest, F.lit(JOINT)), F.substring(rest, F.lit(len(JOINT) + 1), F.length(rest)))
        .otherwise(rest).alias("description"),
        "category", told.alias("fields"), "inferred", "disputed",
    )  # fmt: skip
    how = hashlib.sha256(json.dumps([settings.model_dump(mode="json"), patterns_of(settings)]).encode()).hexdigest()
    maps = [F.sort_array(F.map_entries(name)).alias(name) for name in ("fields", "inferred")]
    record = F.to_json(F.struct("title", "description", "category", "disputed", *maps))
    return said.withColumn("content_hash", F.sha2(F.concat(record, F.lit(how)), 256))


def _judged(known: DataFrame) -> DataFrame:
    """Every tenth item with a description, by its id: its sentences are used for no other."""
    return known.where((F.col("description") != "") & (F.pmod(F.xxhash64("item_id"), F.lit(JUDGED_OF)) == 0))


def _book(known: DataFrame, query_items: DataFrame, settings: AdSettings) -> Book:
    """What the shop's own descriptions, records and searches say of how its items are told of."""
    described = known.where(F.col("description") != "").join(_judged(known).select("item_id"), "item_id", "left_anti")
    mined = described.mapInPandas(_mining(settings), "kind string, text string").groupBy("kind", "text").count()
    least = max(settings.least_items, described.count() * settings.plain_share)
    # What many texts share is little: a text of n words has at most n, so the plain ones are at most n / plain_share.
    plain = mined.where((F.col("kind") == PIECE) & (F.col("count") >= least)).select("text").collect()
    shared = mined.where((F.col("kind") != PIECE) & (F.col("count") >= settings.least_items))
    first = shared.orderBy(F.desc("count"), "text", "kind").limit(settings.templates).collect()
    said = [(r.text, r.kind == FIRST) for r in first]
    return Book.of(
        settings, said, [r.text for r in plain], _values(known, settings), _weights(known, query_items, settings)
    )


def _values(known: DataFrame, settings: AdSettings) -> dict[str, list[str]]:
    counted = known.select(F.explode("fields").alias("field", "value")).groupBy("field", "value").count()
    order = Window.partitionBy("field").orderBy(F.desc("count"), "value")
    best = counted.withColumn("n", F.row_number().over(order)).where(F.col("n") <= settings.max_values)
    rows = best.orderBy("n", "field").limit(MOST_FIELDS * settings.max_values).collect()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(slot_of(row.field, settings), []).append(row.value)
    return found


def _weights(known: DataFrame, query_items: DataFrame, settings: AdSettings) -> dict[str, float]:
    """For each slot the share of searches, by weight, that name the item's value of it; 1 each without searches.

    Of the MOST_SLOTS that most items have; what stands in any other counts for nothing.
    """
    facts = known.mapInPandas(_telling(settings), "item_id string, slot string, value string").persist()
    value = F.lower("value")
    is_short = (F.length(value) <= 2) & value.rlike(r"^\p{ASCII}*$")
    is_named = F.when(is_short, F.array_contains(F.split("query", " "), value)).otherwise(F.contains("query", value))
    joined = query_items.select("item_id", "query", "weight").join(facts, on="item_id", how="inner")
    # Rounded: sums depend on the order of partitions in their last digits.
    share = F.round(F.sum(F.when(is_named, F.col("weight")).otherwise(0.0)) / F.sum("weight"), 6)
    searched = joined.groupBy("slot").agg(share.alias("share"))
    slots = facts.groupBy("slot").agg(F.count("*").alias("items")).join(searched, on="slot", how="left")
    rows = slots.orderBy(F.desc("items"), "slot").limit(MOST_SLOTS).collect()
    is_searched = any(r.share is not None for r in rows)
    return {r.slot: max(LEAST_WEIGHT, r.share or 0.0) if is_searched else 1.0 for r in rows}


def _mining(settings: AdSettings) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Of each item every sentence once, with its facts taken out, and every piece of them once."""

    def mine(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            rows: list[tuple[str, str]] = []
            for row in batch.to_dict("records"):
                sentences = sentences_of(row["description"], record_of(row, settings))
                rows += sorted({(FIRST if n == 0 else LATER, s) for n, s in enumerate(sentences)})
                rows += sorted({(PIECE, piece) for s in sentences for piece in pieces(s)})
            yield pd.DataFrame(rows, columns=["kind", "text"])

    return mine


def _telling(settings: AdSettings) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def tell(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            rows = [(row["item_id"], slot, value) for row in batch.to_dict("records")
                    for slot, value in record_of(row, settings).values.items()]  # fmt: skip
            yield pd.DataFrame(rows, columns=["item_id", "slot", "value"])

    return tell


def _writing(book: Book, settings: AdSettings, seed: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def write(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = read_generator(settings.generator, SETTING) if settings.generator else None
        for batch in batches:
            rows: list[tuple[Any, ...]] = []
            for row in batch.to_dict("records"):
                record = record_of(row, settings)
                by_model = _by_model(model, record, sub_seed(seed, row["content_hash"]), settings) if model else None
                made = texts_of(record, book, settings, by_model)
                rows += [(row["item_id"], row["content_hash"], *text) for text in made]
            yield pd.DataFrame(rows, columns=["item_id", "content_hash", *Text._fields])
        del model
        give_back()

    return write


def _by_model(model: Generator, record: Record, seed: int, settings: AdSettings) -> Write:
    def write(slot: str, longest: int) -> list[str]:
        prompt = prompt_for(slot, longest, settings.language, settings.tone, record.values)
        return model.write(prompt, settings.generated, settings.generated_tokens, sub_seed(seed, slot))

    return write
