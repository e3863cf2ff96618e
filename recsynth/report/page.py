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
from recsynth.stage import Night

EXAMPLE_USERS, EXAMPLE_LINES, EXAMPLES = 4, 6, 8
POINTS = 2_000


def write_page(tables: Mapping[str, DataFrame], night: Night, folder: Path) -> Path:
    """Write `<folder>/<date>/index.html` from the night's tables and return its path.

    tables: short name to rows of this night. What is collected is aggregated or cut to a few examples.
    Every text of the shop's is escaped; a table that is empty is said to be so.
    """
    environment = Environment(loader=PackageLoader("recsynth.report", "."), autoescape=True, undefined=StrictUndefined)
    metrics = tables["metrics"].toPandas()  # bound: figures, not data
    context = {
        "night": night, "metrics": metrics, "input": _input(tables, metrics), "matrix": _matrix(tables),
        "model": _model(metrics), "quality": _quality(metrics), "examples": _examples(tables),
        "new_items": _new_items(tables), "similar": _similar(tables), "search": _search(tables),
        "stages": _stages(tables),
    }  # fmt: skip
    path = folder / str(night.as_of) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment.get_template("page.html.jinja").render(context))
    return path


def _input(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any]:
    """Rows by source and fate, reasons of quarantine, events by day and type."""
    account = metrics[metrics["stage"] == "account"]
    fates = account.pivot_table(index="segment", columns="metric", values="value", aggfunc="sum").reset_index()
    reasons = (
        tables["quarantine"].groupBy("reason").agg(F.sum("copies").alias("n")).orderBy(F.desc("n")).limit(20).toPandas()
    )
    by_day = tables["events"].groupBy("event_date", "event_type").count().toPandas()  # bound: days * types
    daily = by_day.pivot_table(index="event_date", columns="event_type", values="count", aggfunc="sum").fillna(0)
    most = daily.sum().nlargest(5).index
    return {
        "fates": fates.to_dict("records"),
        "reasons": _plot(plots.bars, reasons["reason"], reasons["n"], "rows") if len(reasons) else None,
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


def _model(metrics: pd.DataFrame) -> dict[str, Any]:
    """Training curve, before and after."""
    train = metrics[metrics["stage"] == "train"]
    curve = train[train["model"] == "curve"].assign(step=lambda f: f["segment"].str.removeprefix("step ").astype(int))
    drawn = {
        name: _plot(
            plots.lines, part[["step", "value"]].rename(columns={"value": name}).sort_values("step"), "step", name
        )
        for name, part in curve.groupby("metric")
    }
    figures = train[train["model"].isin(["before", "after"])].set_index("model")["value"].to_dict()
    return {"curves": drawn, "before": figures.get("before"), "after": figures.get("after")}


def _quality(metrics: pd.DataFrame) -> dict[str, Any]:
    """NDCG of the night and its baselines with intervals, and the table of all figures of ours."""
    judged = metrics[metrics["stage"] == "evaluate"]
    days = judged.loc[judged["metric"] == "evaluated_days", "value"].sum()
    ndcg = judged[judged["metric"] == "ndcg@10"]
    views = {
        view: _plot(plots.intervals, part[["model", "value", "low", "high"]], "recsynth", "NDCG@10")
        for view, part in ndcg.groupby("segment") if view in ("all", "new", "cold_items")
    }  # fmt: skip
    segments = ndcg.pivot_table(index="segment", columns="model", values="value").reset_index() if len(ndcg) else ndcg
    overall = judged[(judged["segment"] == "all") & (judged["metric"] != "evaluated_days")]
    every = (
        overall.pivot_table(index="metric", columns="model", values="value").reset_index() if len(overall) else overall
    )
    held_out = metrics[(metrics["stage"] == "recommend") & (metrics["metric"] == "ndcg@10")]["value"]
    gains = metrics[(metrics["stage"] == "recommend") & (metrics["metric"] == "gain")].nlargest(12, "value")
    return {
        "days": int(days), "views": views, "segments": _table(segments), "overall": _table(every),
        "held_out": held_out.iloc[0] if len(held_out) else None,
        "gains": _plot(plots.bars, gains["segment"], 100 * gains["value"], "% of gain") if len(gains) else None,
    }  # fmt: skip


def _examples(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """A few users, always the same ones for the same night, with their last items and first lines."""
    users = tables["recommendations"].select("user_id").distinct().orderBy(F.xxhash64("user_id")).limit(EXAMPLE_USERS)
    titles = tables["item_text"].select("item_id", "title", "price", "currency")
    lines = tables["recommendations"].where(F.col("rank") <= EXAMPLE_LINES).join(users, on="user_id", how="inner")
    shown = lines.join(titles, on="item_id", how="left").orderBy("user_id", "rank").toPandas()
    last = (
        tables["histories"]
        .join(users, on="user_id", how="inner")
        .select("user_id", F.explode(F.slice(F.reverse("events"), 1, 6)).alias("e"))
    )
    had = (
        last.select("user_id", "e.*").join(titles, on="item_id", how="left").orderBy("user_id", F.desc("ts")).toPandas()
    )
    return [
        {
            "user_id": user,
            "history": _said(had[had["user_id"] == user]),
            "lines": part.to_dict("records"),
        }
        for user, part in shown.groupby("user_id", sort=True)
    ]  # fmt: skip


def _said(events: pd.DataFrame) -> list[str]:
    texts = events["query"].where(events["event_type"] == "search", events["title"])
    return [f"{kind}: {text}" for kind, text in zip(events["event_type"], texts, strict=True)]


def _new_items(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    titles = tables["item_text"].select("item_id", "title")
    first = tables["new_item_recommendations"].where("rank = 1").orderBy(F.desc("score"), "user_id").limit(EXAMPLES)
    return _records(first.join(titles, on="item_id", how="left"))


def _similar(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Popular items and the titles of the three items most like each."""
    popular = tables["interactions"].groupBy("item_id").count().orderBy(F.desc("count"), "item_id").limit(EXAMPLES)
    like = tables["similar_items"].where("rank <= 3").join(F.broadcast(popular), on="item_id", how="inner")
    return _titled(like.withColumnRenamed("similar_item_id", "other"), tables, "item_id")


def _search(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Frequent queries and the titles of their three best items."""
    frequent = (
        tables["query_items"]
        .groupBy("query")
        .agg(F.max("query_sessions").alias("count"))
        .orderBy(F.desc("count"), "query")
    )
    best = (
        tables["search_results"].where("rank <= 3").join(F.broadcast(frequent.limit(EXAMPLES)), on="query", how="inner")
    )
    return _titled(best.withColumnRenamed("item_id", "other"), tables, "query")


def _titled(rows: DataFrame, tables: Mapping[str, DataFrame], key: str) -> list[dict[str, Any]]:
    titles = tables["item_text"].select(F.col("item_id").alias("other"), F.col("title").alias("other_title"))
    listed = (
        rows.join(titles, on="other", how="left")
        .groupBy(key, "count")
        .agg(
            F.transform(
                F.sort_array(F.collect_list(F.struct("rank", "other_title"))), lambda x: x["other_title"]
            ).alias("titles")
        )
    )
    if key == "item_id":
        listed = listed.join(
            tables["item_text"].select("item_id", F.col("title").alias("name")), on="item_id", how="left"
        )
    else:
        listed = listed.withColumn("name", F.col(key))
    return _records(listed.orderBy(F.desc("count"), key))


def _stages(tables: Mapping[str, DataFrame]) -> Markup | None:
    newest = Window.partitionBy("stage").orderBy(F.desc("started_at"))
    last = tables["stage_runs"].withColumn("n", F.row_number().over(newest)).where("n = 1")
    found = last.orderBy("started_at").select("stage", "seconds").toPandas()
    return _plot(plots.bars, found["stage"], found["seconds"], "seconds") if len(found) else None


def _plot(function: Any, *arguments: Any) -> Markup:
    """A plot as markup: matplotlib escapes the texts that it draws."""
    return Markup(function(*arguments))


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    rows = [[None if pd.isna(x) else x for x in row] for row in frame.itertuples(index=False)]
    return {"columns": list(frame.columns), "rows": rows}


def _records(rows: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in rows.collect()]  # bound: EXAMPLES
