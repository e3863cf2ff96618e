"""What each customer will spend: a mean and an interval, learned from what customers spent after earlier days.

Boosted trees of three objectives on the features that chances to buy have, too: the mean (Tweedie, for spends of which
most are nothing and some are large), and the first and the last tenth (pinball loss). The interval is then made to hold
as often as it says on customers that no tree has seen (conformalised quantile regression, Romano et al., 2019). Models
of buying and dropping out in closed form (BG/NBD with gamma spends) know recency, frequency and money alone, and their
Python packages are no longer kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBRegressor, SparkXGBRegressorModel

from recsynth.apps.settings import ValueSettings
from recsynth.apps.user_days import at_cutoffs, feature_array, features_at, rows_in_order
from recsynth.stage import Night

TREES, BASE_RATE, UNKNOWN = "trees", "base_rate", "unknown"
COVERED = 0.8
# One customer in five is calibrated by and never learned from.
HELD_OUT = 5
_EXACT = 100_000


def customer_value(days: DataFrame, night: Night) -> DataFrame:
    """Rows (user_id, value, value_low, value_high, value_by) of users with an act before the as-of date.

    days: `user_days` of events before the as-of date. Spends are those of `[apps.value] days` from the as-of date on,
    in the shop's currency, returns not taken off. Where fewer than min_each customers spent something, of those learned
    from or those held out, everybody gets the mean and the tenths of all (`base_rate`); where no window of that length
    has passed yet, nothing (`unknown`). Every window that is learned from ends before the as-of date.
    """
    settings = night.settings.apps.value
    first = days.agg(F.min("day")).first() if settings.enabled else None
    cutoffs = cutoffs_of(night.as_of, first[0], settings) if first is not None and first[0] is not None else ()
    users = _with_features(features_at(days, [night.as_of]))
    if not cutoffs:
        return _said(users, F.lit(None), F.lit(None), F.lit(None), UNKNOWN)
    is_held = F.pmod(F.xxhash64(F.lit(night.seed("customer_value")), "user_id"), F.lit(HELD_OUT)) == 0
    rows = _with_features(features_at(days, cutoffs)).join(
        spent_after(days, cutoffs, settings.days), on=["cutoff", "user_id"], how="left"
    )
    rows = rows.withColumns({"spent": F.coalesce("spent", F.lit(0.0)), "is_held": is_held}).persist()
    spenders = {
        r.is_held: r.n for r in rows.where("spent > 0").groupBy("is_held").agg(F.count("*").alias("n")).collect()
    }
    if min(spenders.get(side, 0) for side in (True, False)) < settings.min_each:
        tenths = F.percentile_approx("spent", [(1 - COVERED) / 2, (1 + COVERED) / 2], _EXACT)
        all_of_them = rows.agg(F.round(F.avg("spent"), 6).alias("mean"), tenths.alias("tenths"))
        known = users.crossJoin(F.broadcast(all_of_them))
        return _said(known, F.col("mean"), F.col("tenths")[0], F.col("tenths")[1], BASE_RATE)
    seed = night.seed("customer_value", "fit")
    said = _predicted(
        rows.where("is_held").unionByName(users, allowMissingColumns=True), rows, settings, seed
    ).persist()
    held, tonight = said.where("is_held"), said.where("is_held is null")
    outside = F.greatest(F.col("low") - F.log1p("spent"), F.log1p("spent") - F.col("high"))
    by = held.agg(
        F.round(F.sum("spent") / F.sum("mean"), 4).alias("ratio"),
        F.round(F.percentile_approx(outside, COVERED, _EXACT), 6).alias("margin"),
    )
    known = tonight.crossJoin(F.broadcast(by))
    mean, margin = F.col("mean") * F.coalesce("ratio", F.lit(1.0)), F.col("margin")
    low, high = F.expm1(F.col("low") - margin), F.expm1(F.col("high") + margin)
    return _said(known, mean, F.greatest(low, F.lit(0.0)), F.greatest(high, low, F.lit(0.0)), TREES)


def cutoffs_of(as_of: date, first: date, settings: ValueSettings) -> tuple[date, ...]:
    """Earlier cut-offs whose window has passed whole, the newest first, on the grid of `step_days` before the night.

    >>> cutoffs_of(date(2024, 6, 1), date(2024, 1, 1), ValueSettings(days=28, min_history_days=90))
    (datetime.date(2024, 5, 4), datetime.date(2024, 4, 20), datetime.date(2024, 4, 6))
    """
    step = settings.step_days
    newest = as_of - timedelta(days=ceil(settings.days / step) * step)
    every = (newest - timedelta(days=step * i) for i in range(settings.windows))
    return tuple(c for c in every if (c - first).days >= settings.min_history_days)


def spent_after(days: DataFrame, cutoffs: Sequence[date], horizon: int) -> DataFrame:
    """Rows (cutoff, user_id, spent) of users who spent something within so many days from a cut-off on."""
    within = F.col("day").between(F.col("cutoff"), F.date_add("cutoff", horizon - 1))
    later = at_cutoffs(days.where("spend > 0"), cutoffs).where(within)
    return later.groupBy("cutoff", "user_id").agg(F.sum("spend").cast("double").alias("spent"))


def _with_features(rows: DataFrame) -> DataFrame:
    return rows.select("cutoff", "user_id", feature_array().alias("features"))


def _predicted(wanted: DataFrame, rows: DataFrame, settings: ValueSettings, seed: int) -> DataFrame:
    """`wanted` with mean, low and high, the tenths of log(1 + spend), of models that learn from rows not held out."""
    tail = (1 - COVERED) / 2
    objectives: dict[str, tuple[Column, dict[str, Any]]] = {
        "mean": (F.col("spent"), {"objective": "reg:tweedie", "tweedie_variance_power": 1.5}),
        "low": (F.log1p("spent"), {"objective": "reg:quantileerror", "quantile_alpha": tail}),
        "high": (F.log1p("spent"), {"objective": "reg:quantileerror", "quantile_alpha": 1 - tail}),
    }
    learned = rows.where("not is_held")
    ordered = rows_in_order(learned, max(1, learned.count()), settings.max_rows, settings.workers, seed).persist()
    for name, (label, objective) in objectives.items():
        trees = SparkXGBRegressor(
            features_col="features", label_col="label", num_workers=settings.workers, n_estimators=settings.trees,
            learning_rate=settings.learning_rate, max_depth=settings.max_depth, subsample=settings.subsample,
            colsample_bytree=settings.colsample, tree_method="hist", missing=float("nan"), random_state=seed,
            verbosity=0, verbose=False, **objective,
        )  # fmt: skip
        model: SparkXGBRegressorModel = trees.fit(ordered.withColumn("label", label))
        wanted = model.transform(wanted).withColumnRenamed("prediction", name)
    return wanted.drop("features")


def _said(users: DataFrame, value: Column, low: Column, high: Column, by: str) -> DataFrame:
    figures = {"value": value, "value_low": low, "value_high": high}
    rounded = (F.round(figure.cast("double"), 4).alias(name) for name, figure in figures.items())
    return users.select("user_id", *rounded, F.lit(by).alias("value_by"))
