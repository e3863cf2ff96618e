"""Items as they were last known on the night."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def latest_items(items: DataFrame, *columns: str) -> DataFrame:
    """Rows (item_id, *columns) of the newest versions in silver.items; `category` is its path in one text, or null."""
    path = F.nullif(F.array_join("category", " > "), F.lit(""))
    known = {c: path if c == "category" else F.col(c) for c in columns}
    return items.groupBy("item_id").agg(*(F.max_by(value, "valid_from").alias(c) for c, value in known.items()))
