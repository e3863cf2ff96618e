"""The ranker: gradient-boosted trees over the features of several earlier windows."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBRanker, SparkXGBRankerModel

from recsynth.ranking.settings import RankerSettings
from recsynth.tables.rank import FEATURES

log = logging.getLogger(__name__)

LIST = ["cutoff", "user_id"]


@dataclass(frozen=True)
class Fitted:
    """The model of all windows, the trees that the newest window asked for, and its NDCG@10 while held out."""

    model: SparkXGBRankerModel
    trees: int
    validation_ndcg: float


def fit(rows: DataFrame, settings: RankerSettings, seed: int) -> Fitted | None:
    """Train on labelled feature rows; None where no list has both a purchase and another candidate.

    First on all windows but the newest, which decides when to stop and gives an honest figure; then on all
    windows with that many trees. With a single window its lists are split by a hash of the user.
    """
    lists = _learnable(rows, settings, seed).persist()
    newest = lists.agg(F.max("cutoff")).first()[0]  # type: ignore[index]
    if newest is None:
        return None
    is_newest = F.col("cutoff") == F.lit(newest)
    is_single = lists.select("cutoff").distinct().count() == 1
    held_out = F.pmod(F.xxhash64("user_id"), F.lit(4)) == 0 if is_single else is_newest
    first = _ranker(settings, settings.trees, seed, early=True).fit(lists.withColumn("is_validation", held_out))
    booster = first.get_booster()
    trees, figure = int(booster.best_iteration) + 1, float(booster.best_score)
    log.info("ranker: NDCG@10 %.4f among candidates of the newest window after %d trees", figure, trees)
    return Fitted(_ranker(settings, trees, seed, early=False).fit(lists), trees, figure)


def _ranker(settings: RankerSettings, trees: int, seed: int, early: bool) -> SparkXGBRanker:
    stopping = {"early_stopping_rounds": settings.patience, "validation_indicator_col": "is_validation"}
    return SparkXGBRanker(
        features_col=list(FEATURES), eval_metric="ndcg@10", label_col="label", qid_col="list", num_workers=settings.workers, objective=settings.objective,
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
    filled = {name: F.coalesce(name, F.lit(float("nan"))) for name in FEATURES}
    # One list must not be split, and the same rows in the same order give the same trees.
    return lists.withColumns(filled).withColumn("list", F.xxhash64(*LIST)).orderBy("list", "item_id")


def scored(rows: DataFrame, fitted: Fitted) -> DataFrame:
    """Feature rows with `score`."""
    filled = {name: F.coalesce(name, F.lit(float("nan"))) for name in FEATURES}
    return fitted.model.transform(rows.withColumns(filled)).withColumnRenamed("prediction", "score")
