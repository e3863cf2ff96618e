"""The ranker: gradient-boosted trees over the features of several earlier windows."""

from __future__ import annotations

import logging
import operator
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
from pyspark.ml.regression import IsotonicRegression, IsotonicRegressionModel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBRanker, SparkXGBRankerModel

from recsynth.ranking.settings import RankerSettings
from recsynth.tables.rank import FEATURES

log = logging.getLogger(__name__)

LIST = ["cutoff", "user_id"]
PROBABILITY = "purchase_probability"


@dataclass(frozen=True)
class HeldOut:
    """The model that has not seen the newest window, and what the candidates of each of its scores there came to."""

    model: SparkXGBRankerModel
    calibration: IsotonicRegressionModel


@dataclass(frozen=True)
class Fitted:
    """The models of all windows, one a seed, the trees of each, and while the newest window was held out NDCG@10 on
    it and the calibrated model (None: nothing to hold)."""

    models: tuple[SparkXGBRankerModel, ...]
    trees: int
    validation_ndcg: float | None
    held_out: HeldOut | None


def fit(rows: DataFrame, settings: RankerSettings, label_days: int, seed: int) -> Fitted | None:
    """Train on labelled feature rows; None where no list has both a purchase and another candidate.

    First without the newest window, which decides when to stop; a window whose labels (`label_days` long) reach
    into the newest one is left out too, for it has seen part of the answer. Then on all windows with that many
    trees, once for each of `ensemble` seeds: what they agree on is less of an accident. Where no earlier window
    is left, the newest one's lists are split by a hash of the user; where that leaves a side empty, all trees
    are grown and there is no figure.
    """
    lists = _learnable(rows, settings, seed).persist()
    try:
        return _fit(rows, lists, settings, label_days, seed)
    finally:
        lists.unpersist()


def _fit(rows: DataFrame, lists: DataFrame, settings: RankerSettings, label_days: int, seed: int) -> Fitted | None:
    windows = sorted(r.cutoff for r in lists.select("cutoff").distinct().collect())  # bound: gold.windows.count
    if not windows:
        return None
    is_newest = F.col("cutoff") == F.lit(windows[-1])
    # An hour of grace: the clock may change between two midnights.
    last_before = windows[-1] - timedelta(days=label_days, hours=-1)
    if windows[0] <= last_before:
        apart = lists.where(is_newest | (F.col("cutoff") <= F.lit(last_before)))
        is_held = is_newest
        marked = apart.withColumn("is_validation", is_held)
    else:
        is_held = is_newest & (F.pmod(F.xxhash64("user_id"), F.lit(4)) == 0)
        marked = lists.where(is_newest).withColumn("is_validation", is_held)
    if marked.select("is_validation").distinct().count() < 2:
        return Fitted(_ensemble(lists, settings, settings.trees, seed), settings.trees, None, None)
    early = _ranker(settings, settings.trees, seed, early=True).fit(marked)
    booster = early.get_booster()
    trees, figure = int(booster.best_iteration) + 1, float(booster.best_score)
    log.info("ranker: NDCG@10 %.4f among candidates of the newest window after %d trees", figure, trees)
    held_out = HeldOut(early, _calibrated(rows.where(is_held), early))
    return Fitted(_ensemble(lists, settings, trees, seed), trees, figure, held_out)


def _calibrated(rows: DataFrame, model: SparkXGBRankerModel) -> IsotonicRegressionModel:
    """The share bought at each score among all candidates, none thinned out, of lists not learned from.

    Isotonic (Zadrozny and Elkan, KDD 2002), for a ranker's scores are no log-odds: a logistic curve through them
    is off by three times as much (tests/benchmarks/README.md).
    """
    given = _with_scores(rows, (model,)).select(F.col("score").cast("double"), F.col("label").cast("double"))
    isotonic = IsotonicRegression(featuresCol="score", labelCol="label", predictionCol=PROBABILITY)
    calibration: IsotonicRegressionModel = isotonic.fit(given)
    return calibration


def with_probability(rows: DataFrame, fitted: Fitted | None) -> DataFrame:
    """Feature rows with `purchase_probability`, null where nothing could be held out to calibrate it on.

    It is the held-out model's, whose scores the calibration knows: a model of all windows scores otherwise.
    """
    if fitted is None or fitted.held_out is None:
        return rows.withColumn(PROBABILITY, F.lit(None).cast("double"))
    ranked = rows.withColumnRenamed("score", "final_score")
    given = _with_scores(ranked, (fitted.held_out.model,)).withColumn("score", F.col("score").cast("double"))
    # The shares are sums over partitions, in whatever order these end: their last digits differ between two runs.
    probable: DataFrame = fitted.held_out.calibration.transform(given).withColumn(PROBABILITY, F.round(PROBABILITY, 9))
    return probable.drop("score").withColumnRenamed("final_score", "score")


def _ensemble(lists: DataFrame, settings: RankerSettings, trees: int, seed: int) -> tuple[SparkXGBRankerModel, ...]:
    return tuple(_ranker(settings, trees, seed + k, early=False).fit(lists) for k in range(settings.ensemble))


def _ranker(settings: RankerSettings, trees: int, seed: int, early: bool) -> SparkXGBRanker:
    stopping: dict[str, Any] = {"early_stopping_rounds": settings.patience, "validation_indicator_col": "is_validation"}
    return SparkXGBRanker(
        features_col="features", eval_metric="ndcg@10", label_col="label", qid_col="list",
        num_workers=settings.workers, objective=settings.objective,
        n_estimators=trees, learning_rate=settings.learning_rate, max_depth=settings.max_depth,
        min_child_weight=settings.min_child_weight, subsample=settings.subsample, colsample_bytree=settings.colsample,
        # What stands below the tenth place is not judged: pairs drawn among all candidates waste most of the learning.
        lambdarank_pair_method="topk" if settings.objective == "rank:ndcg" else "mean",
        lambdarank_num_pair_per_sample=settings.pairs_per_sample, tree_method="hist",
        missing=float("nan"), random_state=seed, verbosity=0, **(stopping if early else {}),
    )  # fmt: skip


def _learnable(rows: DataFrame, settings: RankerSettings, seed: int) -> DataFrame:
    """Lists with a purchase among their candidates, negatives thinned by hash, numbered and in order."""
    draw = F.pmod(F.xxhash64(F.lit(seed), "cutoff", "user_id", "item_id"), F.lit(10_000)) / 10_000
    kept = rows.where((F.col("label") > 0) | (draw < settings.negative_share))
    both = Window.partitionBy(*LIST)
    kept = kept.withColumn("least", F.min("label").over(both)).withColumn("most", F.max("label").over(both))
    lists = kept.where("least < most").drop("least", "most")
    # XGBoost reads the number of a list as 32 bits: a 64-bit hash would be cut and no longer ascend.
    numbers = lists.select(*LIST).distinct().withColumn("list", F.row_number().over(Window.orderBy(*LIST)))
    # The same rows in the same order give the same trees.
    numbered = lists.join(numbers, on=LIST, how="inner").withColumn("features", _features())
    return numbered.select(*LIST, "item_id", "label", "list", "features").orderBy("list", "item_id")


def scored(rows: DataFrame, fitted: Fitted) -> DataFrame:
    """Feature rows with `score`, the mean over the ensemble."""
    return _with_scores(rows, fitted.models)


def _with_scores(rows: DataFrame, models: Sequence[SparkXGBRankerModel]) -> DataFrame:
    given = rows.withColumn("features", _features())
    names = [f"score_{k}" for k in range(len(models))]
    for name, model in zip(names, models, strict=True):
        given = model.transform(given).withColumnRenamed("prediction", name)
    mean = reduce(operator.add, map(F.col, names)) / len(names)
    return given.withColumn("score", mean).drop("features", *names)


def gains(fitted: Fitted) -> dict[str, float]:
    """Each feature's share of the trees' gain, those that no tree uses left out."""
    found: defaultdict[str, float] = defaultdict(float)
    for model in fitted.models:
        for name, gain in model.get_booster().get_score(importance_type="gain").items():
            found[name] += float(np.sum(gain))
    total = sum(found.values()) or 1.0
    return {name: found[f"f{i}"] / total for i, name in enumerate(FEATURES) if f"f{i}" in found}


def _features() -> Column:
    """One array in the order of FEATURES; NaN where a feature is missing.

    An array and not columns: xgboost 3.2 on CPUs loses the columns where a validation column is given.
    """
    return F.array(*(F.coalesce(F.col(name), F.lit(float("nan"))) for name in FEATURES))
