"""The stage that judges tonight's probabilities to buy and to leave on the days after the night."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.measure.calibration import binned, expected_calibration_error
from recsynth.measure.discrimination import auc
from recsynth.measure.intervals import bootstrap_mean
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

STAGE, OURS, BINS = "judge_propensity", "propensity", 10
MEASURED = "metric string, model string, segment string, value double, low double, high double, count long"
_COLUMNS = ["metric", "model", "segment", "value", "low", "high", "count"]


def judge_propensity(events: DataFrame, purchase_propensity: DataFrame, night: Night) -> DataFrame:
    """AUC, Brier score, expected calibration error and reliability of each horizon, beside two plain scores.

    Reads silver.events of all time and output.purchase_propensity; writes ops.metrics. A horizon is judged where the
    data reach its last day. The baselines' scores are the time of the last event and the number of days with an
    event before the night. Segments are `<target>_<days>`, for reliability with the bin behind a slash.
    """
    people = events.where("not is_bot and not is_near_duplicate and event_type <> 'return'")
    reached = events.agg(F.max("event_date")).first()[0]  # type: ignore[index]
    if reached is None:
        return METRICS.empty(events.sparkSession)
    whole = purchase_propensity.where(
        F.date_add(F.lit(night.as_of), F.col("horizon_days") - 1) <= F.lit(reached)
    ).where("probability is not null")
    before = people.where(F.col("ts") < F.lit(night.cutoff)).groupBy("user_id").agg(
        F.max("ts").cast("double").alias("recency"), F.count_distinct("event_date").cast("double").alias("active_days")
    )  # fmt: skip
    later = people.where(F.col("event_type") == "purchase").where(F.col("event_date") >= F.lit(night.as_of))
    waits = later.groupBy("user_id").agg(F.min("event_date").alias("day"))
    is_bought = F.coalesce(F.col("day") < F.date_add(F.lit(night.as_of), F.col("horizon_days")), F.lit(False))
    settings = night.settings
    share = settings.apps.propensity.judged_users / F.lit(max(1, whole.select("user_id").distinct().count()))
    drawn = F.pmod(F.xxhash64(F.lit(night.seed(STAGE)), "user_id"), F.lit(1_000_000)) / 1_000_000 < share
    judged = whole.where(drawn).join(before, on="user_id", how="inner").join(waits, on="user_id", how="left")
    judged = judged.withColumn("is_bought", is_bought)
    figures = judged.groupBy("target", "horizon_days").applyInPandas(measured(settings.evaluation.resamples), MEASURED)
    return figures.select(F.lit(STAGE).alias("stage"), *_COLUMNS)


def measured(resamples: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The applyInPandas function from the judged rows of one target and horizon to rows of MEASURED."""

    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values("user_id")
        target, n = str(rows["target"].iloc[0]), len(rows)
        segment = f"{target}_{rows['horizon_days'].iloc[0]}"
        said, bought = rows["probability"].to_numpy(float), rows["is_bought"].to_numpy(bool)
        came_true = bought if target == "buy" else ~bought
        sign = 1 if target == "buy" else -1
        scores = {OURS: said, **{name: sign * rows[name].to_numpy(float) for name in ("recency", "active_days")}}
        made: list[tuple[object, ...]] = []
        for name, score in scores.items():
            found = auc(score, came_true)
            # One outcome alone leaves nothing to tell apart: a figure that is no number is not stated.
            made += [("auc", name, segment, *found, n)] if not np.isnan(found[0]) else []
        losses = (said - came_true) ** 2
        made.append(("brier", OURS, segment, losses.mean(), *bootstrap_mean(losses, resamples), n))
        base = (came_true.mean() - came_true) ** 2
        made.append(("brier", "share_in_hindsight", segment, base.mean(), *bootstrap_mean(base, resamples), n))
        return pd.DataFrame(made + reliability(said, came_true, segment), columns=_COLUMNS)

    return figures


def reliability(said: np.ndarray, came_true: np.ndarray, segment: str) -> list[tuple[object, ...]]:
    """The expected calibration error over ten bins of equal width, and what was said and came true in each."""
    used, predicted, observed, counts = binned(said, came_true, BINS)
    error = expected_calibration_error(predicted, observed, counts)
    rows: list[tuple[object, ...]] = [("expected_calibration_error", OURS, segment, error, None, None, len(said))]
    for name, values in (("probability_predicted", predicted), ("probability_observed", observed)):
        rows += [
            (name, OURS, f"{segment}/{b / BINS:.1f} to {(b + 1) / BINS:.1f}", value, None, None, int(n))
            for b, value, n in zip(used, values, counts, strict=True)
        ]
    return rows
