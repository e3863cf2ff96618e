"""The part of the page that names what tries to move the lists: crowds of accounts without a past, planted words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

ITEMS, WORDS = 10, 10


def farms(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Items of click farms, those noticed last first. Bound: ITEMS rows."""
    said = tables["click_farms"].groupBy("item_id").agg(
        F.min("noticed").cast("date").cast("string").alias("day"), F.count("*").alias("left_out"),
        F.max_by(F.struct("accounts", "shallow_accounts", "usual_share", "chance"), "noticed").alias("f"),
    )  # fmt: skip
    last = said.select("item_id", "day", "left_out", "f.*").orderBy(F.desc("day"), "chance", "item_id").limit(ITEMS)
    titled = last.join(tables["item_text"].select("item_id", "title"), on="item_id", how="left")
    return [row.asDict() for row in titled.orderBy(F.desc("day"), "chance", "item_id").collect()]


def triggers(tables: Mapping[str, DataFrame]) -> list[dict[str, Any]]:
    """Words planted in titles, those noticed last first. Bound: WORDS rows."""
    said = tables["title_triggers"].groupBy("word").agg(
        F.min("noticed").cast("string").alias("day"), F.count("*").alias("titles"), F.min("item_id").alias("item_id"),
        F.max_by(F.struct("changed_items", "categories", "usual_share", "chance"), "noticed").alias("f"),
    )  # fmt: skip
    last = said.select("word", "day", "titles", "item_id", "f.*").orderBy(F.desc("day"), "chance", "word").limit(WORDS)
    titled = last.join(tables["item_text"].select("item_id", "title"), on="item_id", how="left")
    return [row.asDict() for row in titled.orderBy(F.desc("day"), "chance", "word").collect()]
