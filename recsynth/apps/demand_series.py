"""What was asked for by day, as series of items, categories and the shop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import reduce

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

ITEM, CATEGORY, SHOP = "item", "category", "shop"
WHOLE_SHOP, UNKNOWN = "all", "unknown"


def units_by_day(events: DataFrame, first: date, until: date | None = None) -> DataFrame:
    """Rows (item_id, day, units, lines): what people ordered from `first`, day 0, to the day before `until`.

    A line without a quantity is of one unit. Units are whole numbers: no sum hangs on the order of rows.
    """
    bought = events.where("event_type = 'purchase' and item_id is not null and not is_bot and not is_near_duplicate")
    recent = bought.where(F.col("event_date") >= F.lit(first))
    recent = recent if until is None else recent.where(F.col("event_date") < F.lit(until))
    units = F.sum(F.coalesce("quantity", F.lit(1))).alias("units")
    day = F.date_diff("event_date", F.lit(first)).alias("day")
    return recent.groupBy("item_id", day).agg(units, F.count("*").alias("lines"))


def with_category(sold: DataFrame, categories: DataFrame) -> DataFrame:
    """Add `category` by item, UNKNOWN where there is none: so categories sum to the shop."""
    return sold.join(categories, on="item_id", how="left").fillna(UNKNOWN, subset=["category"])


def series(sold: DataFrame) -> DataFrame:
    """Rows (level, series_id, sold) of rows with a category: the days of each item, category and the shop."""
    by = {ITEM: F.col("item_id"), CATEGORY: F.col("category"), SHOP: F.lit(WHOLE_SHOP)}
    daily = [
        sold.groupBy(F.lit(level).alias("level"), key.alias("series_id"), "day").agg(F.sum("units").alias("units"))
        for level, key in by.items()
    ]
    listed = F.collect_list(F.struct("day", "units")).alias("sold")  # bound: a pair a day
    return reduce(DataFrame.unionByName, daily).groupBy("level", "series_id").agg(listed)


def matrix(sold: Iterable[Iterable[dict[str, int]]], days: int, counted: str = "units") -> np.ndarray:
    """Units (series, days) of each series' list of {day, units}; or what else is counted of a day, such as lines."""
    dense = [[(row, pair["day"], pair[counted]) for pair in pairs] for row, pairs in enumerate(sold)]
    made = np.zeros((len(dense), days))
    if any(dense):
        row, day, units = np.array([triple for triples in dense for triple in triples]).T
        made[row, day] = units
    return made


def by_week(days: np.ndarray) -> np.ndarray:
    """Sums of seven days each, shape (series, weeks)."""
    return np.asarray(days.reshape(len(days), -1, 7).sum(2))
