"""The ranker: gradient-boosted trees over the features of several earlier windows."""

from __future__ import annotations

import logging
import operator
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from pyspark import inheritable_thread_target
from pyspark.ml.regression import IsotonicRegression, IsotonicRegressionModel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBRanker, SparkXGBRankerModel, SparkXGBRegressor, SparkXGBRegressorModel

from recsynth.ranking.settings import RankerSettings
from recsynth.tables.rank import FEATURES

log = logging.getLogger(__name__)

SparkXGBModel = SparkXGBRankerModel | SparkXGBRegressorModel

LIST = ["cutoff", "user_id"]
PROBABILITY = "purchase_probability"
SURE, SAME = 1e-7, 1e-6


@dataclass(frozen=True)
class Ranker:
    """A fitted model, and by what its scores are divided before they are averaged with those of other objectives."""

    model: SparkXGBModel
    objective: str
    spread: float = 1.0


@dataclass(frozen=True)
class HeldOut:
    """The rankers that have not seen the newest window, and what the candidates of each of their mean scores there
    came to."""

    rankers: tuple[Ranker, ...]
    calibration: IsotonicRegressionModel


@dataclass(frozen=True)
class Fitted:
    """The rankers of all windows, the trees that each objective got, and while the newest window was held out NDCG@10
    on its candidates and the calibrated rankers (None: nothing to hold)."""

    rankers: tuple[Ranker, ...]
    trees: Mapping[str, int]
    validation_ndcg: float | None
    held_out: HeldOut | None


def fit(rows: DataFrame, settings: RankerSettings, label_days: int, seed: int) -> Fitted | None:
    """Train on labelled feature rows; None where no list has both a purchase and another candidate.

    First without the newest window, which decides when to stop; a window whose labels (`label_days` long) reach
    into the newest one is left out too, for it has seen part of the answer. Then on all windows with that many
    trees, once for each objective and each of `ensemble` seeds: what they agree on is less of an accident. Where no
    earlier window is left, the newest one's lists are split by a hash of the user; where that leaves a side empty,
    all trees are grown and there is no figure.
    """
    lists = learnable(rows, settings, seed).persist()
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
        trees: dict[str, int] = dict.fromkeys(map(str, settings.objectives), settings.trees)
        return Fitted(grown(lists, settings, trees, seed), trees, None, None)
    asked = [(str(objective), settings.trees, seed) for objective in settings.objectives]
    early = _trained(marked, settings, asked, early=True)
    trees = {ranker.objective: int(ranker.model.get_booster().best_iteration) + 1 for ranker in early}
    early, held = _spread(early, lists), rows.where(is_held)
    figure = _ndcg(_with_scores(held, early))
    log.info("ranker: NDCG@10 %.4f among candidates of the newest window after %s trees", figure, trees)
    return Fitted(grown(lists, settings, trees, seed), trees, figure, HeldOut(early, _calibrated(held, early)))


def grown(lists: DataFrame, settings: RankerSettings, trees: Mapping[str, int], seed: int) -> tuple[Ranker, ...]:
    """Rankers of all lists (`learnable`), `ensemble` of each objective, with so many trees and nothing held out."""
    seeds = range(seed, seed + settings.ensemble)
    asked = [(str(objective), trees[objective], s) for objective in settings.objectives for s in seeds]
    return _spread(_trained(lists, settings, asked, early=False), lists)


def _trained(
    rows: DataFrame, settings: RankerSettings, asked: Sequence[tuple[str, int, int]], early: bool
) -> tuple[Ranker, ...]:
    """A ranker for each objective, number of trees and seed; some at a time: XGBoost gives a Spark task one thread."""

    def fitted(objective: str, trees: int, seed: int) -> Ranker:
        return Ranker(_estimator(settings, objective, trees, seed, early).fit(rows), objective)

    target = inheritable_thread_target(rows.sparkSession)(fitted)
    with ThreadPool(min(settings.parallel, len(asked))) as pool:
        return tuple(pool.starmap(target, asked, chunksize=1))


def _spread(rankers: Sequence[Ranker], lists: DataFrame) -> tuple[Ranker, ...]:
    """Each with the standard deviation of its scores over the lists: objectives have scales of their own."""
    names = [f"score_{k}" for k in range(len(rankers))]
    found = _scores(lists, rankers).agg(*(F.stddev_pop(name).alias(name) for name in names)).first()
    assert found is not None
    # A sum over partitions: its last digits differ between two runs. Where no tree could be split, as with too few rows
    # for its leaves, all scores are the same but for such digits, and stay as they are.
    spreads = (float(f"{found[name]:.6g}") if found[name] > SAME else 1.0 for name in names)
    return tuple(replace(ranker, spread=spread) for ranker, spread in zip(rankers, spreads, strict=True))


def _ndcg(rows: DataFrame) -> float:
    """Mean NDCG@10 of scored candidates over the lists with a purchase."""
    place = F.row_number().over(Window.partitionBy(*LIST).orderBy(F.desc("score"), "item_id"))
    gain = 1 / F.log2(1 + F.col("place"))
    placed = rows.select(*LIST, "item_id", "label", "score").withColumn("place", place)
    found = placed.groupBy(*LIST).agg(
        F.sum(F.when(F.col("place") <= 10, gain * F.col("label")).otherwise(0.0)).alias("gained"),
        F.sum("label").cast("int").alias("bought"),
    )
    ideal = F.aggregate(
        F.sequence(F.lit(1), F.least("bought", F.lit(10))), F.lit(0.0), lambda s, n: s + 1 / F.log2(1 + n)
    )
    mean = found.where("bought > 0").agg(F.avg(F.col("gained") / ideal)).first()
    assert mean is not None
    return round(float(mean[0]), 9)


def _calibrated(rows: DataFrame, rankers: Sequence[Ranker]) -> IsotonicRegressionModel:
    """The share bought at each score among all candidates, none thinned out, of lists not learned from.

    Isotonic (Zadrozny and Elkan, KDD 2002), for a ranker's scores are no log-odds: a logistic curve through them
    is off by three times as much (tests/benchmarks/README.md).
    """
    given = _with_scores(rows, rankers).select("score", F.col("label").cast("double"))
    isotonic = IsotonicRegression(featuresCol="score", labelCol="label", predictionCol=PROBABILITY)
    calibration: IsotonicRegressionModel = isotonic.fit(given)
    return calibration


def with_probability(rows: DataFrame, fitted: Fitted | None) -> DataFrame:
    """Feature rows with `purchase_probability`, null where nothing could be held out to calibrate it on.

    It is the held-out rankers', whose scores the calibration knows: those of all windows score otherwise.
    """
    if fitted is None or fitted.held_out is None:
        return rows.withColumn(PROBABILITY, F.lit(None).cast("double"))
    ranked = rows.withColumnRenamed("score", "final_score")
    given = _with_scores(ranked, fitted.held_out.rankers)
    # The shares are sums over partitions, in whatever order these end: their last digits differ between two runs.
    probable: DataFrame = fitted.held_out.calibration.transform(given).withColumn(PROBABILITY, F.round(PROBABILITY, 9))
    return probable.drop("score").withColumnRenamed("final_score", "score")


def _estimator(
    settings: RankerSettings, objective: str, trees: int, seed: int, early: bool
) -> SparkXGBRanker | SparkXGBRegressor:
    shared: dict[str, Any] = {
        "features_col": "features", "label_col": "label", "num_workers": settings.workers, "objective": objective,
        "n_estimators": trees, "learning_rate": settings.learning_rate, "max_depth": settings.max_depth,
        "min_child_weight": settings.min_child_weight, "subsample": settings.subsample,
        "colsample_bytree": settings.colsample, "tree_method": "hist", "missing": float("nan"), "random_state": seed,
        "verbosity": 0,
    }  # fmt: skip
    if early:
        shared |= {"early_stopping_rounds": settings.patience, "validation_indicator_col": "is_validation"}
    if objective == "binary:logistic":
        return SparkXGBRegressor(**shared, eval_metric="logloss")
    # What stands below the tenth place is not judged: pairs drawn among all candidates waste most of the learning.
    method = "topk" if objective == "rank:ndcg" else "mean"
    return SparkXGBRanker(
        **shared, qid_col="list", eval_metric="ndcg@10", lambdarank_pair_method=method,
        lambdarank_num_pair_per_sample=settings.pairs_per_sample,
    )  # fmt: skip


def learnable(rows: DataFrame, settings: RankerSettings, seed: int) -> DataFrame:
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
    """Feature rows with `score`, the mean over the rankers, each in units of its own spread."""
    return _with_scores(rows, fitted.rankers)


def _with_scores(rows: DataFrame, rankers: Sequence[Ranker]) -> DataFrame:
    given = _scores(rows.withColumn("features", _features()), rankers)
    names = [f"score_{k}" for k in range(len(rankers))]
    scaled = (F.col(name) / ranker.spread for name, ranker in zip(names, rankers, strict=True))
    mean = reduce(operator.add, scaled) / len(rankers)
    return given.withColumn("score", mean).drop("features", *names)


def _scores(given: DataFrame, rankers: Sequence[Ranker]) -> DataFrame:
    """Rows with `features` and score_0, score_1, ... of each ranker: log-odds where it predicts a probability."""
    for k, ranker in enumerate(rankers):
        said = ranker.model.transform(given)
        score = F.col("prediction").cast("double")
        if ranker.objective == "binary:logistic":
            chance = F.greatest(F.least(score, F.lit(1 - SURE)), F.lit(SURE))
            score = F.log(chance / (1 - chance))
        given = said.withColumn(f"score_{k}", score).drop("prediction")
    return given


def gains(fitted: Fitted) -> dict[str, float]:
    """Each feature's share of the trees' gain, the mean over the rankers; those that no tree uses are left out."""
    found: defaultdict[str, float] = defaultdict(float)
    for ranker in fitted.rankers:
        of_ranker = ranker.model.get_booster().get_score(importance_type="gain")
        total = sum(float(np.sum(gain)) for gain in of_ranker.values()) or 1.0
        for name, gain in of_ranker.items():
            found[name] += float(np.sum(gain)) / total / len(fitted.rankers)
    return {name: found[f"f{i}"] for i, name in enumerate(FEATURES) if f"f{i}" in found}


def _features() -> Column:
    """One array in the order of FEATURES; NaN where a feature is missing.

    An array and not columns: xgboost 3.2 on CPUs loses the columns where a validation column is given.
    """
    return F.array(*(F.coalesce(F.col(name), F.lit(float("nan"))) for name in FEATURES))
