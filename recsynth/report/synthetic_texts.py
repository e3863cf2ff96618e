"""The page's section on reviews, questions and opinions that nobody wrote: verdicts, figures, a few of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.report import plots
from recsynth.report.synthesis import rows_of

KINDS = {"review": "Reviews", "question": "Questions", "opinion": "Opinions"}
WRITER = "writer"
GENERATORS = (WRITER, "writer_shuffled")
SHOWN = 4


def synthetic_texts(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """What was written and its verdict, figures and a picture by kind, some texts; None where nothing was tried."""
    report = tables["texts_report"].toPandas()  # bound: a row a kind, generator and metric
    if report.empty:
        return None
    judged = report[report["kind"] != "input"]
    parts, pictures = [], {}
    for kind, title in KINDS.items():
        own = judged[judged["kind_of_text"] == kind]
        if own.empty:
            continue
        told = [g for g in GENERATORS if g in set(own["generator"])]
        parts.append({"name": title, "rows": rows_of(own, WRITER), "generators": told})
        beside = own[own["generator"] == WRITER].dropna(subset=["value", "reference"])
        told_by = {"written": "value", "people": "reference"}
        sides = {side: beside[column].astype(float).tolist() for side, column in told_by.items()}
        if len(beside):
            pictures[f"{title} beside people\u2019s"] = Markup(
                plots.paired(beside["metric"].str.replace("_", " ").tolist(), sides)
            )
    drawn = tables["synthetic_texts"]
    counted = drawn.groupBy("kind").agg(
        F.count("*").alias("texts"), F.max("verdict").alias("verdict"), F.max("training_weight").alias("weight")
    ).orderBy("kind").collect()  # fmt: skip  # bound: three
    # One of a label, of a few labels of each kind.
    of_label = F.row_number().over(Window.partitionBy("kind", "label", "sentiment").orderBy(F.desc("draws"), "text"))
    of_kind = F.row_number().over(Window.partitionBy("kind").orderBy("label", "sentiment"))
    one = drawn.withColumn("place", of_label).where("place = 1").withColumn("place", of_kind)
    some = one.where(F.col("place") <= SHOWN).orderBy("kind", "place").select("kind", "label", "sentiment", "text")
    missed = report[(report["generator"] == WRITER) & report["passed"].isin([False])]
    return {
        "counted": [r.asDict() for r in counted], "parts": parts, "pictures": pictures,
        "used": [r.kind for r in counted if r.weight], "reasons": report["reason"].dropna().tolist(),
        "missed": [f"{r.kind_of_text} {r.metric}" for r in missed.itertuples()],
        "examples": [r.asDict() for r in some.collect()],
    }  # fmt: skip
