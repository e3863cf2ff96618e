"""The page's section on synthetic data: what the gates found, and real and synthetic side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

POINTS = 2_000
GAN, REAL = "gan", "real"
ORDER = (GAN, "gaussian", "independent", "resampled", "shuffled")
WRITERS = WRITER, _ = ("writer", "writer_shuffled")
WAYS = ("typos", "missing", "synonyms", "infill", "paraphrase", "back_translation")
SHOWN = 12


def synthesis(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """Verdict, figures of each generator beside those of real people, and two pictures; None where nothing was made."""
    report = tables["synthesis_report"].toPandas()  # bound: a row a generator and metric
    report = report[report["generator"].isin(ORDER)]
    if report.empty:
        return None
    reasons = report["reason"].dropna().tolist()
    judged = report[report["kind"] != "input"]
    ours = judged[judged["generator"] == GAN]
    batch = tables["synthetic_interactions"]
    made = batch.agg(
        F.count("*").alias("cells"),
        F.count_distinct("user_id").alias("users"),
        F.max("verdict"),
        F.max("training_weight").alias("weight"),
    ).first()
    return {
        "reasons": reasons,
        "made": made,
        "verdict": made[2] if made else None,
        "missed": ours.loc[ours["passed"].isin([False]), "metric"].tolist(),
        "generators": [g for g in ORDER if g in set(judged["generator"])],
        "rows": rows_of(judged, GAN),
        "pictures": _pictures(tables["interactions"], batch) if made and made.cells else {},
    }


def written(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """Verdict on the searches that were written, their figures beside people's, a picture and some of them."""
    report = tables["synthesis_report"].toPandas()  # bound: a row a generator and metric
    report = report[report["generator"].isin(WRITERS)]
    if report.empty:
        return None
    batch, judged = tables["synthetic_queries"], report[report["kind"] != "input"]
    made = batch.agg(
        F.count("*").alias("texts"),
        F.count_distinct("item_id").alias("items"),
        F.max("verdict").alias("verdict"),
        F.max("training_weight").alias("weight"),
    ).first()
    ours = judged[judged["generator"] == WRITER]
    beside = ours.dropna(subset=["value", "reference"])
    drawn = {
        side: beside[column].astype(float).tolist() for side, column in (("written", "value"), ("people", "reference"))
    }
    names = beside["metric"].str.replace("_", " ").tolist()
    return {
        "reasons": report["reason"].dropna().tolist() if judged.empty else [],
        "made": made, "missed": ours.loc[ours["passed"].isin([False]), "metric"].tolist(),
        "rows": rows_of(judged, WRITER), "generators": [g for g in WRITERS if g in set(judged["generator"])],
        "picture": Markup(plots.paired(names, drawn)) if names else None,
        "examples": _examples(tables),
    }  # fmt: skip


def other_words(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """Figures of the items in other words, by way, and one of each way for some items; None where there are none."""
    report = tables["synthesis_report"].toPandas()  # bound: a row a generator and metric
    report = report[report["generator"].isin(WAYS)]
    if report.empty:
        return None
    ways = [way for way in WAYS if way in set(report["generator"])]
    by = {"item": F.hash("item_id"), "text": F.hash("text")}
    one = tables["augmented_texts"].groupBy("generator", "item_id").agg(F.min_by("text", by["text"]).alias("text"))
    titled = one.join(tables["item_text"].select("item_id", F.col("text").alias("own")), on="item_id")
    shown = titled.orderBy(by["item"], "item_id", "generator").limit(SHOWN).collect()
    used = tables["augmented_texts"].groupBy("generator").agg(F.max("training_weight").alias("weight")).collect()
    return {
        "rows": rows_of(report, ways[0]), "generators": ways,
        "used": sorted(r.generator for r in used if r.weight > 0), "examples": [r.asDict() for r in shown],
    }  # fmt: skip


def _examples(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Some items, new ones first, with what was written for each; bound: SHOWN."""
    drawn = F.sort_array(F.collect_list(F.struct(-F.col("draws"), "query")))
    queries = F.array_join(F.transform(drawn, lambda q: q["query"]), "; ").alias("queries")
    said = tables["synthetic_queries"].groupBy("item_id").agg(queries)
    shown = said.join(tables["item_text"].select("item_id", "title", "is_cold"), on="item_id")
    rows = shown.orderBy(F.desc("is_cold"), F.xxhash64("item_id"), "item_id").limit(SHOWN).collect()
    return [r.asDict() for r in rows]


def rows_of(judged: pd.DataFrame, ours: str) -> list[dict[str, Any]]:
    """A row a metric of the report, with a cell a generator; the bound is that of `ours`."""
    return [_row(str(metric), part, ours) for metric, part in judged.groupby("metric", sort=False)]


def _row(metric: str, part: pd.DataFrame, ours: str) -> dict[str, Any]:
    of = part.set_index("generator")
    bound = of.loc[ours] if ours in of.index else of.iloc[0]
    cells = {name: (float(r["value"]), r["passed"]) for name, r in of.iterrows() if pd.notna(r["value"])}
    return {"metric": metric, "kind": bound["kind"], "cells": cells, "reference": _number(bound["reference"]),
            "threshold": _number(bound["threshold"])}  # fmt: skip


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _pictures(real: DataFrame, synthetic: DataFrame) -> dict[str, Markup]:
    """Popularity of items as shares of users, and activity of users, of at most POINTS places each."""
    sides = {"synthetic": synthetic, REAL: real}
    shares, sizes = {}, {}
    for name, rows in sides.items():
        users = rows.select("user_id").distinct().count()
        shares[name] = _greatest(rows, "item_id") / max(users, 1)
        sizes[name] = _quantiles(rows)
    return {
        "How popular items are": Markup(plots.beside(shares, "share of items", "share of users")),
        "How active users are": Markup(plots.beside(sizes, "share of users", "items of a user")),
    }


def _greatest(rows: DataFrame, key: str) -> np.ndarray:
    counts = rows.groupBy(key).count().orderBy(F.desc("count")).limit(POINTS).toPandas()["count"]
    return np.asarray(counts, float)


def _quantiles(rows: DataFrame) -> np.ndarray:
    """Items of a user at a hundred even places of the users."""
    sizes = rows.groupBy("user_id").count()
    found = sizes.agg(F.percentile("count", [(i + 0.5) / 100 for i in range(100)]).alias("q")).first()
    return np.asarray(found.q if found and found.q else [], float)
