"""Examples for the page: what a few users, items and queries get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.tables.output import STRANGER

USERS, LINES, EXAMPLES = 4, 6, 8


def examples(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """The list of strangers and a few users, the same ones for a night, with their last items and first lines."""
    known = tables["recommendations"].select("user_id").distinct().where(F.col("user_id") != STRANGER)
    users = known.orderBy(F.xxhash64("user_id")).limit(USERS).union(known.limit(1).select(F.lit(STRANGER)))
    titles = tables["item_text"].select("item_id", "title", "price", "currency")
    lines = tables["recommendations"].where(F.col("rank") <= LINES).join(users, on="user_id", how="inner")
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
            "is_stranger": user == STRANGER,
            "history": _said(had[had["user_id"] == user]),
            "lines": part.to_dict("records"),
        }
        for user, part in shown.groupby("user_id", sort=True)
    ]  # fmt: skip


def _said(events: pd.DataFrame) -> list[str]:
    texts = events["query"].where(events["event_type"] == "search", events["title"])
    return [f"{kind}: {text}" for kind, text in zip(events["event_type"], texts, strict=True)]


def new_items(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """The best matches of users with items that nobody has touched."""
    titles = tables["item_text"].select("item_id", "title")
    first = tables["new_item_recommendations"].where("rank = 1").orderBy(F.desc("score"), "user_id").limit(EXAMPLES)
    return _records(first.join(titles, on="item_id", how="left").orderBy(F.desc("score"), "user_id"))


def similar(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Popular items and the titles of the three items most like each."""
    popular = tables["interactions"].groupBy("item_id").count().orderBy(F.desc("count"), "item_id").limit(EXAMPLES)
    like = tables["similar_items"].where("rank <= 3").join(F.broadcast(popular), on="item_id", how="inner")
    return _titled(like.withColumnRenamed("similar_item_id", "other"), tables, "item_id")


def search(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
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


def _records(rows: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in rows.collect()]  # bound: EXAMPLES
