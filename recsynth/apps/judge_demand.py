"""The stage that judges tonight's forecasts of demand on the days after the night."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items
from recsynth.apps.demand_grains import DAY, LEAD, WEEK
from recsynth.apps.demand_series import by_week, matrix, series, units_by_day, with_category
from recsynth.apps.settings import DemandSettings
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

STAGE, OURS, NAIVE, AVERAGE, OFF = "judge_demand", "demand", "seasonal_naive", "window_average", "off_promotion"
PROMOTED = "_promoted"
"""After a segment: its periods with a day on promotion that the shop had named."""
_PAST = (
    "level string, series_id string, grain string, abs_scale double, sq_scale double, weight double, "
    "naive array<double>, average double"
)


def judge_demand(events: DataFrame, items: DataFrame, demand_forecast: DataFrame, night: Night) -> DataFrame:
    """MASE, WRMSSE, pinball loss, coverage and bias of each level and grain, beside two plain forecasts.

    Reads silver.events of all time, silver.items and output.demand_forecast; writes ops.metrics. A period is judged
    where the data reach its last day. The median is judged by absolute errors (MASE; Hyndman and Koehler, 2006), the
    mean by squared ones (WRMSSE of the M5 competition, weights: units of the last four weeks), both over those of
    repeating the last week in the past. Intervals are mean and 1.96 standard errors over series. Periods of items with
    a named promotion are judged once more on their own, there beside what was expected off promotion.
    """
    settings, spark = night.settings.apps.demand, events.sparkSession
    reached = events.agg(F.max("event_date")).first()[0]  # type: ignore[index]
    if reached is None:
        return METRICS.empty(spark)
    said = demand_forecast.where(F.date_add("start", F.col("days") - 1) <= F.lit(reached))
    categories = latest_items(items, "category")
    past = units_by_day(events, night.as_of - timedelta(weeks=settings.history_weeks), night.as_of)
    known = series(with_category(past, categories)).mapInPandas(_scales(settings), _PAST)
    later = series(with_category(units_by_day(events, night.as_of), categories))
    first = F.date_diff("start", F.lit(night.as_of))
    in_step = F.expr("filter(sold, x -> x.day >= first and x.day < first + days)")
    judged = said.join(known, on=["level", "series_id", "grain"], how="inner")
    judged = judged.join(later, on=["level", "series_id"], how="left").withColumn("first", first)
    units = F.aggregate(F.transform(in_step, lambda x: x["units"].cast("double")), F.lit(0.0), lambda a, x: a + x)
    judged = judged.withColumn("y", F.coalesce(units, F.lit(0.0)))
    place = F.when(F.col("grain") == DAY, F.col("first") % 7).otherwise(0)
    judged = judged.withColumn("naive", F.col("naive")[place])
    # Twice in the rows and not in the plan: a union would join and sum everything once more.
    once = F.array("grain")
    twice = F.array("grain", F.concat("grain", F.lit(PROMOTED)))
    judged = judged.withColumn("grain", F.explode(F.when(F.col("promotion_days") > 0, twice).otherwise(once)))
    return _figures(judged, settings.service_level)


def _scales(settings: DemandSettings) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function: what each series did before, by week and by day."""
    n = settings.history_weeks

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            if not len(frame):
                continue
            days = matrix(frame["sold"], 7 * n)
            start = np.minimum((by_week(days) > 0).argmax(1), n - 4)  # from the week of the first sale
            for grain, values, season in ((WEEK, by_week(days), 1), (DAY, days, 7), (LEAD, by_week(days), 1)):
                change = values[:, season:] - values[:, :-season]
                is_in = np.arange(change.shape[1]) >= (start * (7 if grain == DAY else 1))[:, None]
                count = is_in.sum(1)
                made = frame[["level", "series_id"]].assign(grain=grain)
                made["abs_scale"] = (np.abs(change) * is_in).sum(1) / count
                made["sq_scale"] = (change**2 * is_in).sum(1) / count
                made["weight"] = days[:, -28:].sum(1)
                made["naive"] = list(values[:, -season:])
                made["average"] = days[:, -28:].sum(1) / (28 if grain == DAY else 4)
                yield made

    return function


def _figures(judged: DataFrame, service_level: float) -> DataFrame:
    """Rows of ops.metrics of judged periods: first over the periods of a series, then over series."""
    y = F.col("y")
    medians = {OURS: F.col("median"), NAIVE: F.col("naive"), AVERAGE: F.col("average")}
    means = medians | {OURS: F.col("expected"), OFF: F.col("expected_off_promotion")}
    # An interval from nothing on has one side: see interval_ends.
    highs = (("high_80", "low_80", 0.8, 0.9), ("high_95", "low_95", 0.95, 0.975))
    quantiles = {high: F.when(F.col(low) == 0, one).otherwise(two) for high, low, one, two in highs}
    quantiles |= {"median": F.lit(0.5), "stock_needed": F.lit(service_level)}
    pinball = [F.greatest((y - F.col(e)) * q, (F.col(e) - y) * (1 - q)) for e, q in quantiles.items()]
    of_series = judged.groupBy("level", "grain", "series_id", "abs_scale", "sq_scale", "weight").agg(
        *((F.avg(F.abs(y - f)) / F.nullif("abs_scale", F.lit(0.0))).alias(f"mase_{m}") for m, f in medians.items()),
        *((F.sqrt(F.avg(F.pow(y - f, 2)) / F.nullif("sq_scale", F.lit(0.0)))).alias(f"rmsse_{m}")
          for m, f in means.items()),
        (F.avg(sum(pinball, F.lit(0.0)) / len(pinball)) / F.nullif("abs_scale", F.lit(0.0))).alias("pinball"),
        *(F.avg(((y >= F.col(f"low_{p}")) & (y <= F.col(f"high_{p}"))).cast("double")).alias(f"coverage_{p}")
          for p in (80, 95)),
        F.avg((y <= F.col("stock_needed")).cast("double")).alias("service"),
        F.sum("y").alias("y"), F.sum("expected").alias("expected"),
        F.sum("expected_off_promotion").alias("expected_off_promotion"),
        F.sum(F.abs(y - F.col("expected"))).alias("miss"),
    )  # fmt: skip
    weights = F.sum(F.when(F.col(f"rmsse_{OURS}").isNotNull(), F.col("weight")))
    rows: list[Column] = []
    for model in means:
        weighted = F.sum(F.col(f"rmsse_{model}") * F.col("weight")) / F.nullif(weights, F.lit(0.0))
        rows.append(_row("wrmsse", model, weighted))
    rows += [_mean_row("mase", model, f"mase_{model}") for model in medians]
    rows += [_mean_row(m, OURS, m) for m in ("pinball", "coverage_80", "coverage_95", "service")]
    total = F.nullif(F.sum("y"), F.lit(0.0))
    rows += [_row("wape", OURS, F.sum("miss") / total), _row("bias", OURS, F.sum("expected") / total - 1)]
    rows.append(_row("bias", OFF, F.sum("expected_off_promotion") / total - 1))
    found = of_series.groupBy("level", "grain").agg(F.array(*rows).alias("rows"))
    flat = found.select(F.concat_ws("_", "level", "grain").alias("segment"), F.explode("rows").alias("row"))
    # Until stock arrives only the stock is judged: of a single sum the other figures would mislead.
    is_judged = ~F.col("segment").contains(f"_{LEAD}") | (F.col("row.metric") == "service")
    # All else is on promotion here and there, and means to be.
    is_judged &= F.col("segment").endswith(PROMOTED) | (F.col("row.model") != OFF)
    names = ("metric", "model", "segment", "value", "low", "high", "count")
    made = flat.where(is_judged & F.col("row.value").isNotNull()).select("segment", "row.*")
    return made.select(F.lit(STAGE).alias("stage"), *names)


def _mean_row(metric: str, model: str, column: str) -> Column:
    error = 1.96 * F.stddev_samp(column) / F.sqrt(F.count(column))
    mean = F.avg(column)
    return _row(metric, model, mean, mean - error, mean + error, F.count(column))


def _row(
    metric: str, model: str, value: Column, low: Column | None = None, high: Column | None = None,
    count: Column | None = None,
) -> Column:  # fmt: skip
    none = F.lit(None).cast("double")
    return F.struct(
        F.lit(metric).alias("metric"), F.lit(model).alias("model"), value.alias("value"),
        (none if low is None else low).alias("low"), (none if high is None else high).alias("high"),
        (F.count("*") if count is None else count).alias("count"),
    )  # fmt: skip
