"""The ranker: gradient-boosted trees over the features of several earlier windows."""

from __future__ import annotations

import logging
import operator
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBRanker, SparkXGBRankerModel

from recsynth.ranking.settings import RankerSettings
from recsynth.tables.rank import FEATURES

log = logging.getLogger(__name__)

LIST = ["cutoff", "user_id"]


@dataclass(frozen=True)
class Fitted:
    """The models of all windows, one a seed, the trees of each, and NDCG@10 on the newest window while held out
    (None: nothing to hold)."""

    models: tuple[SparkXGBRankerModel, ...]
    trees: int
    validation_ndcg: float | None


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
        return _fit(lists, settings, label_days, seed)
    finally:
        lists.unpersist()


def _fit(lists: DataFrame, settings: RankerSettings, label_days: int, seed: int) -> Fitted | None:
    windows = sorted(r.cutoff for r in lists.select("cutoff").distinct().collect())  # bound: gold.windows.count
    if not windows:
        return None
    is_newest = F.col("cutoff") == F.lit(windows[-1])
    # An hour of grace: the clock may change between two midnights.
    last_before = windows[-1] - timedelta(days=label_days, hours=-1)
    if windows[0] <= last_before:
        apart = lists.where(is_newest | (F.col("cutoff") <= F.lit(last_before)))
        marked = apart.withColumn("is_validation", is_newest)
    else:
        by_user = F.pmod(F.xxhash64("user_id"), F.lit(4)) == 0
        marked = lists.where(is_newest).withColumn("is_validation", by_user)
    if marked.select("is_validation").distinct().count() < 2:
        return Fitted(_ensemble(lists, settings, settings.trees, seed), settings.trees, None)
    booster = _ranker(settings, settings.trees, seed, early=True).fit(marked).get_booster()
    trees, figure = int(booster.best_iteration) + 1, float(booster.best_score)
    log.info("ranker: NDCG@10 %.4f among candidates of the newest window after %d trees", figure, trees)
    return Fitted(_ensemble(lists, settings, trees, seed), trees, figure)


def _ensemble(lists: DataFrame, settings: RankerSettings, trees: int, seed: int) -> tuple[SparkXGBRankerModel, ...]:
    return tuple(_ranker(settings, trees, seed + k, early=False).fit(lists) for k in range(settings.ensemble))


def _ranker(settings: RankerSettings, trees: int, seed: int, early: bool) -> SparkXGBRanker:
    stopping: dict[str, Any] = {"early_stopping_rounds": settings.patience, "validation_indicator_col": "is_validation"}
    return SparkXGBRanker(
        features_col="features", eval_metric="ndcg@10", label_col="label", qid_col="list",
        num_workers=settings.workers, objective=settings.objective,
        n_estimators=trees, learning_rate=settings.learning_rate, max_depth=settings.max_depth,
        min_child_weight=settings.min_child_weight, subsample=settings.subsample, colsample_bytree=settings.colsample,
        lambdarank_pair_method="mean", lambdarank_num_pair_per_sample=settings.pairs_per_sample, tree_method="hist",
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
    given = rows.withColumn("features", _features())
    names = [f"score_{k}" for k in range(len(fitted.models))]
    for name, model in zip(names, fitted.models, strict=True):
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
