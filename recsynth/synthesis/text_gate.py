"""What the gate says of searches that were written: which are kept, what they are worth, and whether they are used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.synthesis.finding import rivals
from recsynth.synthesis.plain_vectors import with_vectors
from recsynth.synthesis.queries import QUERY, examples, words_of
from recsynth.synthesis.searches import known_searches, led
from recsynth.synthesis.text_judge import METRICS, Pairs, Searches, judged, reference, shuffled
from recsynth.synthesis.text_settings import TextsSettings
from recsynth.synthesis.verdict import REAL, Rules, judgement, report_rows
from recsynth.synthesis.writer import unit
from recsynth.tables.synthesis import SYNTHETIC_QUERIES

log = logging.getLogger(__name__)

WRITER, DEALT = "writer", "writer_shuffled"
MOST_PAIRS = 20_000
"""Pairs of a search and an item that the judge reads of people's, early and later each."""
RULES = Rules(
    METRICS,
    {
        "query_length": (True, lambda s, real: s.likeness_of_real_at_least * real),
        "query_words": (True, lambda s, real: s.likeness_of_real_at_least * real),
        "query_explained": (True, lambda s, real: s.words_of_real_at_least * real),
        "query_found": (True, lambda s, real: s.found_of_real_at_least * real),
        "query_transfer": (True, lambda s, real: s.transfer_of_real_at_least * real),
        "query_coverage": (True, lambda s, real: s.coverage_at_least),
    },
    ("query_length", "query_words", "query_explained", "query_found", "query_transfer"),
)


def gate_queries(
    written_texts: DataFrame, item_text: DataFrame, histories: DataFrame, window_histories: DataFrame, night: Night
) -> tuple[DataFrame, list[tuple[object, ...]]]:
    """Rows of synthetic_queries and of the report.

    Judged by searches since the earliest window, of which the writer saw nothing. One task holds max_rivals items,
    their written searches and MOST_PAIRS of people's; figures alone reach the driver.
    """
    spark, settings = item_text.sparkSession, night.settings.synthesis.texts
    written = written_texts.where(F.col("kind") == QUERY)
    if written.isEmpty():
        is_on = night.settings.synthesis.enabled and settings.enabled
        report = _reasons(window_histories, item_text, night) if is_on else []
        return SYNTHETIC_QUERIES.empty(spark), report
    rare = known_searches(histories).where(F.col("users") < settings.least_users).select("query")
    kept = kept_texts(written, rare, settings).persist()
    folder = night.work / "text_gate"
    copies = written.join(rare.withColumnRenamed("query", "text"), on="text", how="left_semi")
    _write(kept, copies, item_text, histories, window_histories, night, folder)
    function = _judge(str(folder), settings, night.seed("text_gate"))
    schema = "generator string, metric string, value double"
    figures = spark.range(0, 1, 1, 1).mapInPandas(function, schema).toPandas()  # bound: a row a metric and set
    rows = report_rows(figures, settings.gate, RULES)
    verdict, weight = judgement(rows, WRITER, "query_share")
    log.info("searches written: %s; %s", verdict, ", ".join(f"{r[1]} {r[3]}" for r in rows if r[0] == WRITER))
    told = kept.withColumns({
        "generator": F.lit(WRITER), "verdict": F.lit(verdict), "training_weight": F.lit(weight),
    })  # fmt: skip
    return told.select(*SYNTHETIC_QUERIES.column_names), rows


def kept_texts(written: DataFrame, rare: DataFrame, settings: TextsSettings) -> DataFrame:
    """Of each item the texts that find it, those drawn most often, one of those with the same words."""
    found = written.where(F.col("found_rank") <= settings.find_within).withColumnsRenamed(
        {"source_id": "item_id", "text": "query"}
    )
    order = (F.desc("draws"), F.col("found_rank"), F.col("query"))
    alike, own = Window.partitionBy("item_id", "words").orderBy(*order), Window.partitionBy("item_id").orderBy(*order)
    typed = found.join(rare, on="query", how="left_anti").withColumn("words", F.sort_array(F.split("query", " ")))
    once = typed.withColumn("place", F.row_number().over(alike)).where("place = 1")
    return once.withColumn("place", F.row_number().over(own)).where(F.col("place") <= settings.kept)


def _reasons(window_histories: DataFrame, item_text: DataFrame, night: Night) -> list[tuple[object, ...]]:
    """Why nothing was written: too few pairs of a search and an item to learn from."""
    settings = night.settings.synthesis.texts
    found = 0 if window_histories.isEmpty() else examples(window_histories, item_text, night).count()
    reason = (
        f"expected at least {settings.min_examples} pairs of a search, typed by {settings.least_users} people, and an "
        f"item that it finds, found {found}"
    )
    return [(WRITER, "examples", "input", float(found), None, float(settings.min_examples), False, reason)]


def _write(
    kept: DataFrame, copies: DataFrame, item_text: DataFrame, histories: DataFrame, window_histories: DataFrame,
    night: Night, folder: Path,
) -> None:  # fmt: skip
    """Write what the task reads as Parquet."""
    settings, minutes = night.settings.synthesis.texts, night.settings.silver.session_gap_minutes
    cutoff = window_histories.agg(F.min("cutoff")).first()[0]  # type: ignore[index]
    items = rivals(item_text, settings.max_rivals).select("item_id", "text")
    earliest = window_histories.where(F.col("cutoff") == F.lit(cutoff))
    since = led(histories, minutes).where(F.col("ts") >= F.lit(cutoff))
    sides = {"early": led(earliest, minutes), "later": since, "made": kept}
    for name, rows in sides.items():
        pairs = rows.select("query", "item_id").distinct().join(items.select("item_id"), on="item_id", how="left_semi")
        bounded = pairs if name == "made" else pairs.orderBy(F.xxhash64("query", "item_id")).limit(MOST_PAIRS)
        bounded.write.mode("overwrite").parquet(str(folder / name))
    read = item_text.sparkSession.read
    queries = [read.parquet(str(folder / name)).select("query") for name in sides]
    texts = queries[0].union(queries[1]).union(queries[2]).distinct().withColumnRenamed("query", "text")
    with_vectors(texts, night).write.mode("overwrite").parquet(str(folder / "queries"))
    with_vectors(items, night).write.mode("overwrite").parquet(str(folder / "items"))
    copies.select("text").distinct().write.mode("overwrite").parquet(str(folder / "copies"))


def _judge(folder: str, settings: TextsSettings, seed: int) -> Callable[[Iterator[Any]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from one row to (generator, metric, value)."""

    def judge(rows: Iterator[Any]) -> Iterator[pd.DataFrame]:
        for _ in rows:
            told = read_searches(Path(folder))
            found = {
                REAL: reference(told, words_of), WRITER: judged(told, words_of, settings.gate),
                DEALT: shuffled(told, settings.gate, seed),
            }  # fmt: skip
            for name, figures in found.items():
                values = np.array(list(figures.values()), float)
                yield pd.DataFrame({"generator": name, "metric": list(figures), "value": values})

    return judge


def read_searches(folder: Path) -> Searches:
    """What _write left, by places; vectors centred on the items' mean."""

    def table(name: str) -> pd.DataFrame:
        found: pd.DataFrame = ds.dataset(folder / name, format="parquet").to_table().to_pandas()
        return found

    items, queries = table("items").sort_values("item_id"), table("queries").sort_values("text")
    plain_MD, asked_QD = (np.stack(t["vector"].to_list()).astype(np.float32) for t in (items, queries))
    mean_D = plain_MD.mean(0)
    at_item, at_query = (pd.Series(range(len(k)), index=k) for k in (items["item_id"], queries["text"]))

    def pairs(name: str) -> Pairs:
        rows = table(name).sort_values(["query", "item_id"])
        return Pairs(at_query.loc[rows["query"]].to_numpy(int), at_item.loc[rows["item_id"]].to_numpy(int))

    return Searches(
        items["text"].tolist(), queries["text"].tolist(), unit(plain_MD, mean_D), unit(asked_QD, mean_D),
        pairs("early"), pairs("later"), pairs("made"), len(table("copies")),
    )  # fmt: skip
