"""Which model a night uses: the latest champion among the nights up to it."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F


def champion(models: DataFrame) -> Row | None:
    """The newest row of model.models with is_champion, or None; `models` has run_date. Bound: one row."""
    newest = models.where("is_champion").orderBy(F.desc("run_date"), "model_version").take(1)
    return newest[0] if newest else None
