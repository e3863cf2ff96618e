"""The page of the night: one self-contained HTML file that a merchandiser can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.report import plots
from recsynth.report.ads import ads
from recsynth.report.checks import checks
from recsynth.report.demand import demand
from recsynth.report.examples import examples, new_items, search, similar
from recsynth.report.farms import farms, triggers
from recsynth.report.labels import labels
from recsynth.report.opinions import opinions
from recsynth.report.profiles import profiles
from recsynth.report.propensity import propensity
from recsynth.report.sentiment import sentiment
from recsynth.report.service import service
from recsynth.report.synthesis import other_words, synthesis, written
from recsynth.report.synthetic_tables import synthetic_tables
from recsynth.report.synthetic_texts import synthetic_texts
from recsynth.stage import Night
from recsynth.untrusted import visible

POINTS, REASONS, CHANGED, RAW_CHARS = 2_000, 20, 20, 160
CALIBRATION = ("expected_calibration_error", "probability_predicted", "probability_observed")
SOURCE_RECALL, FOUND_ALONE = "recall@100", "found_alone"
OURS, VIEWS = "recsynth", ("all", "new", "cold_items", "strangers")


def write_page(tables: Mapping[str, DataFrame], night: Night, folder: Path) -> Path:
    """Write `<folder>/<date>/index.html` from the night's tables and return its path.

    tables: short name to rows of this night. What is collected is aggregated or cut to a few examples.
    Every text of the shop's is escaped; a table that is empty is said to be so.
    """
    metrics = tables["metrics"].toPandas()  # bound: figures, not data
    context = {
        "night": night, "metrics": metrics, "input": _input(tables, metrics), "farms": farms(tables),
        "triggers": triggers(tables), "matrix": _matrix(tables),
        "model": _model(metrics, tables), "quality": _quality(metrics), "examples": examples(tables),
        "new_items": new_items(tables), "similar": similar(tables), "search": search(tables),
        "searched": _searched(metrics),
        "profiles": profiles(tables, metrics), "propensity": propensity(tables, metrics),
        "labels": labels(tables, metrics), "ads": ads(tables, metrics), "sentiment": sentiment(tables, metrics),
        "opinions": opinions(tables), "service": service(tables, metrics),
        "demand": demand(tables, metrics), "synthesis": synthesis(tables),
        "drawn": synthetic_tables(tables, night.settings.shop_time_zone),
        "said": synthetic_texts(tables), "written": written(tables), "other_words": other_words(tables),
        "checks": checks(tables), "stages": _stages(tables),
    }  # fmt: skip
    path = folder / str(night.as_of) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(templates().get_template("page.html.jinja").render(context), encoding="utf-8")
    return path


def templates() -> Environment:
    """The templates: each value is escaped, and what would hide or turn a text is left out of it."""
    return Environment(
        loader=PackageLoader("recsynth.report", "."), autoescape=True, undefined=StrictUndefined, finalize=_shown
    )


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _input(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any]:
    """Rows by source and fate, reasons of quarantine with a row of each, changed columns, events by day and type."""
    account = metrics[metrics["stage"] == "account"]
    fates = account.pivot_table(index="segment", columns="metric", values="value", aggfunc="sum").reset_index()
    counted = (
        tables["quarantine"]
        .groupBy("reason")
        .agg(F.sum("copies").alias("n"), F.substring(F.min("raw"), 1, RAW_CHARS).alias("raw"))
    )
    reasons = counted.orderBy(F.desc("n"), "reason").limit(REASONS).toPandas()
    by_day = tables["events"].groupBy("event_date", "event_type").count().toPandas()  # bound: days * types
    daily = by_day.pivot_table(index="event_date", columns="event_type", values="count", aggfunc="sum").fillna(0)
    most = daily.sum().nlargest(5).index
    # Where a new column stands says nothing about it.
    was = F.when(~F.col("change").isin("new", "renamed"), F.col("was"))
    changed = tables["column_changes"].where("change <> 'first'").orderBy(F.desc("landed_at"), F.desc("place"))
    told = changed.select("source", "column", "change", was.alias("was"), "found", "policy",
                          F.to_date("landed_at").alias("day")).limit(CHANGED)  # fmt: skip
    return {
        "fates": fates.to_dict("records"),
        "reasons": _plot(plots.bars, reasons["reason"], reasons["n"], "rows") if len(reasons) else None,
        "set_aside": reasons.to_dict("records"),
        "changed": [r.asDict() for r in told.collect()],
        "daily": _plot(plots.lines, daily[most].reset_index(), "event_date", "events a day") if len(daily) else None,
    }


def _matrix(tables: Mapping[str, DataFrame]) -> dict[str, Any] | None:
    """R's shape and its two tails, drawn from at most 2,000 points each."""
    r = tables["interactions"]
    shape = r.agg(
        F.count("*").alias("cells"),
        F.count_distinct("user_id").alias("users"),
        F.count_distinct("item_id").alias("items"),
    )
    found = shape.first()
    if found is None or not found.cells:
        return None
    tails = {
        k: r.groupBy(f"{k}_id").count().orderBy(F.desc("count")).limit(POINTS).toPandas()["count"]
        for k in ("item", "user")
    }
    return {
        "cells": found.cells, "users": found.users, "items": found["items"],
        "density": found.cells / (found.users * found["items"]),
        "item_tail": _plot(plots.tail, tails["item"], "users of an item"),
        "user_tail": _plot(plots.tail, tails["user"], "items of a user"),
    }  # fmt: skip


def _model(metrics: pd.DataFrame, tables: Mapping[str, DataFrame]) -> dict[str, Any]:
    """Training curves, validation before and after, and whether what was trained is used from tonight on."""
    train = metrics[metrics["stage"] == "train"]
    curve = train[train["model"] == "curve"].assign(step=lambda f: f["segment"].str.removeprefix("step ").astype(int))
    drawn = {
        name: _plot(
            plots.lines, part[["step", "value"]].rename(columns={"value": name}).sort_values("step"), "step", name
        )
        for name, part in curve.groupby("metric")
    }
    validated = train[(train["metric"] == "ndcg@10") & train["model"].isin(["before", "after"])]
    figures = validated.set_index("model")["value"].to_dict()
    made = tables["models"].orderBy("model_version").first()
    return {"curves": drawn, "before": figures.get("before"), "after": figures.get("after"), "made": made}


def _quality(metrics: pd.DataFrame) -> dict[str, Any]:
    """NDCG@10 of the night and its baselines, drawn and by segment; all figures for each view; what the ranker uses."""
    judged = metrics[metrics["stage"] == "evaluate"]
    days = judged.loc[judged["metric"] == "evaluated_days", "value"].sum()
    judged, reliability = judged[judged["metric"] != "evaluated_days"], _reliability(judged)
    explored = judged[judged["metric"] == "purchase_rate"].sort_values("model")
    judged = judged[~judged["metric"].isin([*CALIBRATION, "purchase_rate"])]
    ndcg = judged[judged["metric"] == "ndcg@10"]
    views = {
        view: _plot(plots.intervals, part[["model", "value", "low", "high"]], OURS, "NDCG@10")
        for view, part in ndcg.groupby("segment") if view in VIEWS
    }  # fmt: skip
    ranker = metrics[metrics["stage"] == "recommend"]
    held_out = ranker[ranker["metric"] == "ndcg@10"]["value"]
    gains = ranker[ranker["metric"] == "gain"].nlargest(12, "value")
    return {
        "days": int(days), "views": views, "segments": _table(ndcg, "segment"),
        "figures": {view: _table(judged[judged["segment"] == view], "metric") for view in views},
        "sources": _sources(judged), "held_out": held_out.iloc[0] if len(held_out) else None,
        "gains": _plot(plots.bars, gains["segment"], 100 * gains["value"], "% of gain") if len(gains) else None,
        "reliability": reliability, "exploration": explored.to_dict("records"),
    }  # fmt: skip


def _sources(judged: pd.DataFrame) -> Markup | None:
    """What each source found of the purchases: within its first hundred, and what no other source proposed."""
    found = judged[(judged["segment"] == "candidates/all") & judged["metric"].isin([SOURCE_RECALL, FOUND_ALONE])]
    if not len(found):
        return None
    shown = found.pivot(index="model", columns="metric", values="value").sort_values(SOURCE_RECALL, ascending=False)
    shown = 100 * shown.reindex(columns=[SOURCE_RECALL, FOUND_ALONE]).fillna(0.0)
    sides = {"% found among its first 100": shown[SOURCE_RECALL], "% found by it alone": shown[FOUND_ALONE]}
    return _plot(plots.paired, shown.index.str.replace("_", " "), sides)


def _searched(metrics: pd.DataFrame) -> dict[str, Any] | None:
    """How well search results met the searches of the days after: drawn, and all figures of all and of rare queries."""
    judged = metrics[metrics["stage"] == "judge_search"]
    ndcg = judged[(judged["metric"] == "ndcg@10") & (judged["segment"] == "all")]
    if not len(ndcg):
        return None
    answered = judged[judged["metric"] == "answered"].iloc[0]
    return {
        "answered": answered["value"], "searches": int(answered["count"]),
        "plot": _plot(plots.intervals, ndcg[["model", "value", "low", "high"]], OURS, "NDCG@10"),
        "figures": {part: _table(judged[judged["segment"] == part], "metric") for part in ("all", "rare")},
    }  # fmt: skip


def _reliability(judged: pd.DataFrame) -> dict[str, Any] | None:
    """The probabilities of the lines against what was bought, drawn, and the expected calibration error."""
    error, predicted, observed = (judged[judged["metric"] == m].sort_values("segment") for m in CALIBRATION)
    if not len(error):
        return None
    plot = _plot(plots.reliability, predicted["value"], observed["value"], predicted["count"])
    return {"error": error["value"].iloc[0], "lines": int(error["count"].iloc[0]), "plot": plot}


def _table(figures: pd.DataFrame, index: str) -> dict[str, Any]:
    """A row for each value of `index`, a column for each model, ours first; a cell is (value, low, high) or None."""
    cells = {(row[index], row["model"]): _cell(row) for _, row in figures.iterrows()}
    models = sorted({model for _, model in cells}, key=lambda m: (m != OURS, m))
    names = sorted({name for name, _ in cells})
    return {"index": index, "models": models, "rows": [(n, [cells.get((n, m)) for m in models]) for n in names]}


def _cell(row: pd.Series) -> tuple[float | None, ...]:
    return tuple(None if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high"))


def _stages(tables: Mapping[str, DataFrame]) -> Markup | None:
    newest = Window.partitionBy("stage").orderBy(F.desc("started_at"))
    last = tables["stage_runs"].withColumn("n", F.row_number().over(newest)).where("n = 1")
    found = last.orderBy("started_at").select("stage", "seconds").toPandas()
    return _plot(plots.bars, found["stage"], found["seconds"], "seconds") if len(found) else None


def _plot(function: Any, *arguments: Any) -> Markup:
    """A plot as markup: matplotlib escapes the texts that it draws."""
    return Markup(function(*arguments))
