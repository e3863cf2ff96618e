"""What the gate says of items in other words: which keep their label, and whether they are learned from."""

from __future__ import annotations

import logging

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.synthesis.queries import QUERY
from recsynth.synthesis.verdict import Rules, report_rows
from recsynth.tables.synthesis import AUGMENTED_TEXTS

log = logging.getLogger(__name__)

METRICS = {
    "label_kept": ("fidelity", "share of the texts that still find their own item"),
    "changed": ("fidelity", "mean edit distance to the item's text, of the longer one's characters"),
    "items": ("bias", "share of the items with such a text"),
}
RULES = Rules(
    METRICS,
    {
        "label_kept": (True, lambda s, real: s.label_kept_at_least),
        "changed": (True, lambda s, real: s.changed_at_least),
    },
    (),
)


def gate_variants(
    written_texts: DataFrame, item_text: DataFrame, night: Night
) -> tuple[DataFrame, list[tuple[object, ...]]]:
    """Rows of augmented_texts, those that keep their label, and of the report, by way; figures reach the driver."""
    spark, settings = item_text.sparkSession, night.settings.synthesis.augment
    variants = written_texts.where(F.col("kind") != QUERY).withColumnsRenamed(
        {"source_id": "item_id", "kind": "generator"}
    )
    sources = item_text.select("item_id", F.col("text").alias("source"))
    far = F.levenshtein("text", "source") / F.greatest(F.length("text"), F.length("source"))
    is_kept = (F.col("found_rank") <= settings.find_within).cast("double")
    told = variants.join(sources, on="item_id").groupBy("generator").agg(
        F.avg(is_kept).alias("label_kept"), F.avg(far).alias("changed"),
        (F.count_distinct("item_id") / F.lit(max(item_text.count(), 1))).alias("items"),
    ).toPandas()  # fmt: skip  # bound: a row a way
    figures = told.melt("generator", var_name="metric", value_name="value")
    rows = report_rows(figures, settings.gate, RULES)
    failed = {str(r[0]) for r in rows if r[6] is False}
    verdicts = [(way, *(("failed", 0.0) if way in failed else ("passed", settings.share))) for way in told["generator"]]
    log.info("items in other words: %s", ", ".join(f"{way} {verdict}" for way, verdict, _ in verdicts) or "none")
    named = pd.DataFrame(verdicts, columns=["generator", "verdict", "training_weight"])
    if named.empty:
        return AUGMENTED_TEXTS.empty(spark), rows
    kept = variants.where(F.col("found_rank") <= settings.find_within)
    judged = kept.join(F.broadcast(spark.createDataFrame(named)), on="generator")
    return judged.select(*AUGMENTED_TEXTS.column_names), rows
