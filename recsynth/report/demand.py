"""The part of the page that tells how much will be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots

LINES = 8
MEASURES = ("mase", "wrmsse", "coverage_80", "bias", "service")


def demand(tables: Mapping[str, DataFrame], metrics: pd.DataFrame) -> dict[str, Any] | None:
    """The shop's days with their interval, categories and items that will be asked for most, what the judge found.

    None where nothing is forecast. Bound: a row a day of the horizon, LINES categories and items.
    """
    said = tables["demand_forecast"]
    shop = said.where("level = 'shop' and grain = 'day'").orderBy("start")
    days = shop.select(F.col("start").cast("string").alias("day"), "expected", "low_80", "high_80").toPandas()
    if not len(days):
        return None
    drawn = days.rename(columns={"low_80": "80 % interval, from", "high_80": "to"})
    judged = metrics[(metrics["stage"] == "judge_demand") & metrics["metric"].isin(MEASURES)]
    judged = judged[judged["segment"].isin(["item_week", "item_lead", "shop_week"])]
    return {
        "days": Markup(plots.lines(drawn, "day", "units a day")),
        "categories": _most(said, "category").withColumn("title", F.col("series_id")).toPandas().to_dict("records"),
        "items": _titled(_most(said, "item"), tables["item_text"]).toPandas().to_dict("records"),
        "lead": said.where("grain = 'lead'").agg(F.max("days").alias("days")).toPandas()["days"].tolist()[0],
        "judged": judged.sort_values(["segment", "metric", "model"]).to_dict("records"),
    }


def _most(said: DataFrame, level: str) -> DataFrame:
    """The series that will be asked for most until stock arrives."""
    until = said.where((F.col("level") == level) & (F.col("grain") == "lead"))
    names = ("series_id", "expected", "low_80", "high_80", "stock_needed")
    return until.orderBy(F.desc("expected"), "series_id").limit(LINES).select(*names)


def _titled(most: DataFrame, item_text: DataFrame) -> DataFrame:
    titles = item_text.select(F.col("item_id").alias("series_id"), "title")
    return most.join(titles, on="series_id", how="left").orderBy(F.desc("expected"), "series_id")
