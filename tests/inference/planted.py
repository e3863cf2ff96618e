"""A champion `m` and texts with planted vectors under it, for every stage that reads what the model gave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DateType, StructField, StructType

from recsynth.tables.gold import ITEM_TEXT
from recsynth.tables.model import ITEM_EMBEDDINGS, MODELS
from tests.rows import table


def champions(spark: SparkSession) -> DataFrame:
    """model.models with the champion `m`, as a stage sees it: with `run_date`."""
    schema = StructType([*MODELS.schema.fields, StructField("run_date", DateType())])
    row = {"model_version": "m", "path": "_models/m", "is_champion": True, "run_date": date(2024, 5, 1)}
    return spark.createDataFrame([tuple(row.get(f.name) for f in schema)], schema)


def angle(degrees: float) -> list[float]:
    """A unit vector in the plane."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def item_text(spark: SparkSession, items: Mapping[str, str]) -> DataFrame:
    """gold.item_text; what is said of an item may hold `cold` or `unavailable`."""
    return table(
        spark,
        ITEM_TEXT,
        [
            {"item_id": i, "content_hash": f"h{i}", "title": f"Title {i}", "available": said != "unavailable",
             "is_cold": said == "cold"}
            for i, said in items.items()
        ],
    )  # fmt: skip


def item_embeddings(spark: SparkSession, degrees: Mapping[str, float], queries: Mapping[str, float]) -> DataFrame:
    """model.item_embeddings of items by id and of queries by their hash, and those of another model, the wrong way."""
    texts = [("item", f"h{i}", d) for i, d in degrees.items()] + [("query", h, d) for h, d in queries.items()]
    return table(
        spark,
        ITEM_EMBEDDINGS,
        [
            {"model_version": version, "kind": kind, "content_hash": content, "vector": angle(d + turned)}
            for kind, content, d in texts
            for version, turned in (("m", 0.0), ("older", 180.0))
        ],
    )
