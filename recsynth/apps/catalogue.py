"""Items as they were last known on the night."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def latest_items(items: DataFrame, *columns: str) -> DataFrame:
    """Rows (item_id, *columns) of the newest versions in silver.items; `category` is its path in one text, or null."""
    path = F.nullif(F.array_join("category", " > "), F.lit(""))
    known = {c: path if c == "category" else F.col(c) for c in columns}
    return items.groupBy("item_id").agg(*(F.max_by(value, "valid_from").alias(c) for c, value in known.items()))


def renamed(attributes: str, name: Callable[[Column], Column]) -> Column:
    """A map under other names, empty for null; of keys that get the same name the first by alphabet is kept.

    Spark itself would end the night at `Colour` beside `colour`.
    """
    entries = F.sort_array(F.map_entries(F.coalesce(attributes, F.create_map().cast("map<string,string>"))))
    named = F.transform(entries, lambda e: F.struct(name(e["key"]).alias("key"), e["value"].alias("value")))
    names = F.transform(named, lambda e: e["key"])
    return F.map_from_entries(F.filter(named, lambda e, i: F.array_position(names, e["key"]) == i + 1))
