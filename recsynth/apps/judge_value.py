"""How near tonight's customer values come to what customers then spent, beside going on as before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.stats import spearmanr

from recsynth.apps.customer_value import spent_after
from recsynth.apps.user_days import user_days
from recsynth.measure.intervals import bootstrap_mean
from recsynth.stage import Night

STAGE, OURS, GOING_ON = "judge_profiles", "customer_value", "going_on_as_before"
MEASURED = "metric string, model string, segment string, value double, low double, high double, count long"
_COLUMNS = [part.split()[0] for part in MEASURED.split(", ")]


def value_figures(events: DataFrame, user_profiles: DataFrame, night: Night) -> DataFrame:
    """Rows of MEASURED, none where the data do not reach the last day of the values yet.

    Mean absolute error, rank correlation, said over spent of all together, and how often the interval held. Going on as
    before: what a user spent so far, a day since the first act, times the days. About judged_users users, by hash.
    """
    settings = night.settings.apps
    reached = events.agg(F.max("event_date")).first()
    last = F.date_add(F.lit(night.as_of), settings.value.days - 1)
    said = user_profiles.where("not is_default and value is not null").where(
        last <= F.lit(reached[0] if reached is not None else None)
    )
    days = user_days(events)
    before = days.where((F.col("day") < F.lit(night.as_of)) & (F.col("acts") > 0)).groupBy("user_id").agg(
        F.sum("spend").cast("double").alias("so_far"),
        F.date_diff(F.lit(night.as_of), F.min("day")).alias("known_days"),
    )  # fmt: skip
    spent = spent_after(days, [night.as_of], settings.value.days).drop("cutoff")
    share = settings.profiles.judged_users / F.lit(max(1, said.count()))
    drawn = F.pmod(F.xxhash64(F.lit(night.seed(STAGE, "value")), "user_id"), F.lit(1_000_000)) / 1_000_000 < share
    judged = said.where(drawn).select("user_id", "value", "value_low", "value_high")
    judged = judged.join(before, on="user_id", how="inner").join(spent, on="user_id", how="left")
    going_on = F.col("so_far") / F.col("known_days") * settings.value.days
    judged = judged.select("user_id", "value", "value_low", "value_high", going_on.alias("going_on"),
                           F.coalesce("spent", F.lit(0.0)).alias("spent"))  # fmt: skip
    figures = _figures(f"spend of {settings.value.days} days", night.settings.evaluation.resamples)
    return judged.groupBy().applyInPandas(figures, MEASURED)


def _figures(segment: str, resamples: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def figures(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values("user_id")
        spent, n = rows["spent"].to_numpy(float), len(rows)
        made: list[tuple[object, ...]] = []
        for model, name in ((OURS, "value"), (GOING_ON, "going_on")):
            said = rows[name].to_numpy(float)
            errors = np.abs(said - spent)
            made.append(("mean_absolute_error", model, segment, errors.mean(), *bootstrap_mean(errors, resamples), n))
            if np.ptp(said) and np.ptp(spent):
                made.append(("rank_correlation", model, segment, spearmanr(said, spent).statistic, None, None, n))
            if spent.sum():
                made.append(("said_over_spent", model, segment, said.sum() / spent.sum(), None, None, n))
        held = ((rows["value_low"] <= spent) & (spent <= rows["value_high"])).to_numpy(float)
        made.append(("coverage_80", OURS, segment, held.mean(), *bootstrap_mean(held, resamples), n))
        return pd.DataFrame(made, columns=_COLUMNS)

    return figures
