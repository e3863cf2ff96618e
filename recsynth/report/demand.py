"""The part of the page that tells how much will be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.report import plots

LINES = 8
SURE = 0.8
"""Chance of more revenue from which a price is worth showing."""
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
    judged = judged[judged["segment"].isin(["item_week", "item_week_promoted", "item_lead", "shop_week"])]
    return {
        "days": Markup(plots.lines(drawn, "day", "units a day")),
        "categories": _most(said, "category").withColumn("title", F.col("series_id")).toPandas().to_dict("records"),
        "items": _titled(_most(said, "item"), tables["item_text"]).toPandas().to_dict("records"),
        "promoted": _titled(_promoted(said), tables["item_text"]).toPandas().to_dict("records"),
        "lead": said.where("grain = 'lead'").agg(F.max("days").alias("days")).toPandas()["days"].tolist()[0],
        "judged": judged.sort_values(["segment", "metric", "model"]).to_dict("records"),
        "prices": _prices(tables, metrics[metrics["stage"] == "judge_what_if"]),
    }


def _prices(tables: Mapping[str, DataFrame], judged: pd.DataFrame) -> dict[str, Any] | None:
    """What other prices would change: all items' sums by change, and the items that would surely earn more.

    Of the currency of most items alone: pounds and euros do not add up. None where no price ever changed. Bound: a row
    a currency and a change, LINES items.
    """
    said = tables["demand_what_if"].withColumn("currency", F.coalesce("currency", F.lit("")))
    is_tonight = "price_change = 0 and is_promotion = promotion_tonight"
    items = said.where(is_tonight).groupBy("currency").agg(F.count("*").alias("items"))
    currencies = items.orderBy(F.desc("items"), "currency").toPandas()
    if not len(currencies):
        return None
    said = said.where(F.col("currency") == currencies["currency"].iloc[0])
    # Of two rows of a price, on promotion and not, the one that leaves this as it is tonight.
    same = F.struct(F.col("is_promotion") != F.col("promotion_tonight"), "is_promotion")
    of_price = said.groupBy("item_id", "price_change").agg(
        F.min_by(F.struct("expected", "revenue"), same).alias("told")
    )
    sums = (
        of_price.select("price_change", "told.*")
        .groupBy("price_change")
        .agg(F.sum("expected").alias("units"), F.sum("revenue").alias("revenue"))
    )
    by_change = sums.orderBy("price_change").toPandas()
    stays = by_change[by_change["price_change"] == 0]
    if not stays["revenue"].iloc[0]:
        return None
    drawn = pd.DataFrame(
        {"price": [f"{change:+.0%}" if change else "tonight's" for change in by_change["price_change"]]}
    )
    for name in ("units", "revenue"):
        drawn[name] = 100 * by_change[name] / stays[name].iloc[0]
    now = said.where(is_tonight).select(
        "item_id", F.col("price").alias("price_now"), F.col("revenue").alias("revenue_now"),
        F.col("expected").alias("expected_now"),
    )  # fmt: skip
    sure = said.where(f"not ({is_tonight})").where(F.col("chance_of_more_revenue") >= SURE)
    more = sure.join(now, on="item_id").withColumn("more", F.col("revenue") - F.col("revenue_now")).where("more > 0")
    of_item = Window.partitionBy("item_id").orderBy(F.desc("more"), "price_change", "is_promotion")
    best = more.withColumn("place", F.row_number().over(of_item)).where("place = 1")
    best = best.withColumnRenamed("item_id", "series_id").orderBy(F.desc("more"), "series_id").limit(LINES)
    return {
        "currency": currencies["currency"].iloc[0],
        "elsewhere": int(currencies["items"].iloc[1:].sum()),
        "plot": Markup(plots.lines(drawn, "price", "percent of tonight's")),
        "items": _titled(best, tables["item_text"], "more").toPandas().to_dict("records"),
        "came": judged[judged["metric"] == "promotion_orders"].set_index("model")["value"].to_dict(),
    }


def _most(said: DataFrame, level: str) -> DataFrame:
    """The series that will be asked for most until stock arrives."""
    until = said.where((F.col("level") == level) & (F.col("grain") == "lead"))
    names = ("series_id", "expected", "low_80", "high_80", "stock_needed")
    return until.orderBy(F.desc("expected"), "series_id").limit(LINES).select(*names)


def _promoted(said: DataFrame) -> DataFrame:
    """The items that will be asked for most in a week with a named promotion of theirs."""
    weeks = said.where("level = 'item' and grain = 'week' and promotion_days > 0")
    names = ("series_id", F.col("start").cast("string").alias("start"), "promotion_days", "expected", "stock_needed")
    most = weeks.orderBy(F.desc("expected"), "series_id", "start").limit(LINES)
    return most.select(*names, F.col("expected_off_promotion").alias("off"))


def _titled(most: DataFrame, item_text: DataFrame, by: str = "expected") -> DataFrame:
    titles = item_text.select(F.col("item_id").alias("series_id"), "title")
    return most.join(titles, on="series_id", how="left").orderBy(F.desc(by), "series_id")
