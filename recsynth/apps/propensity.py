"""Each user's calibrated chance to buy within 7 and 28 days, and to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from math import ceil

from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBClassifier, SparkXGBClassifierModel

from recsynth.apps.settings import PropensitySettings
from recsynth.apps.user_days import days_to_purchase, feature_array, features_at, rows_in_order, user_days
from recsynth.stage import Night
from recsynth.tables.output import PURCHASE_PROPENSITY

BUY_DAYS = (7, 28)
TREES, BASE_RATE, UNKNOWN = "calibrated_trees", "base_rate", "unknown"
EDGE = 1e-6


@dataclass(frozen=True)
class Windows:
    """Earlier cut-offs of one horizon: those learned from, and the newest, on which the model is calibrated."""

    learned: tuple[date, ...]
    newest: date


@dataclass(frozen=True)
class Count:
    """Users at a cut-off, or at several, and how many of them bought within a horizon."""

    bought: int
    users: int

    @property
    def kept_away(self) -> int:
        """Users who did not."""
        return self.users - self.bought


@dataclass(frozen=True)
class Task:
    """One horizon of a night to model: its windows, what was counted at (cut-off, horizon), its seed."""

    as_of: date
    horizon: int
    windows: Windows | None
    counts: Mapping[tuple[date, int], Count]
    seed: int

    @property
    def newest(self) -> Count:
        """What was counted where the model is calibrated."""
        return self._sum((self.windows.newest,) if self.windows else ())

    @property
    def learned(self) -> Count:
        """What was counted where it learns."""
        return self._sum(self.windows.learned if self.windows else ())

    def _sum(self, cutoffs: Sequence[date]) -> Count:
        found = [self.counts[c, self.horizon] for c in cutoffs if (c, self.horizon) in self.counts]
        return Count(sum(c.bought for c in found), sum(c.users for c in found))


def purchase_propensity(events: DataFrame, night: Night) -> DataFrame:
    """The probability of a purchase within each horizon, and of none within `leave_days`, for users with an event.

    Reads silver.events; writes output.purchase_propensity. For each horizon, boosted trees learn from users as
    they were at earlier cut-offs whose labels end before the newest cut-off; on that one, which they have not
    seen, a logistic curve through their log-odds is fitted (Platt, 1999). All labels end before the as-of date.
    Where rows of either kind are too few for that, everybody gets the newest cut-off's base rate, (buyers + 1) /
    (users + 2); where no window has passed whole yet, nothing (`unknown`). A longer horizon has no smaller chance.
    """
    settings = night.settings.apps.propensity
    first = events.agg(F.min("event_date")).first()[0] if settings.enabled else None  # type: ignore[index]
    if first is None:
        return PURCHASE_PROPENSITY.empty(events.sparkSession)
    horizons = (*BUY_DAYS, settings.leave_days)
    windows = {days: windows_of(days, night.as_of, first, settings) for days in horizons}
    cutoffs = sorted({c for w in windows.values() if w for c in (*w.learned, w.newest)})
    days = user_days(events).persist()
    rows = features_at(days, [*cutoffs, night.as_of]).join(
        days_to_purchase(days, cutoffs), on=["cutoff", "user_id"], how="left"
    )
    rows = rows.withColumn("features", feature_array()).select("cutoff", "user_id", "features", "wait").persist()
    counts = {(r.cutoff, h): Count(r[f"bought_{h}"], r.users) for r in _counted(rows, horizons) for h in horizons}
    users = rows.where(F.col("cutoff") == F.lit(night.as_of)).drop("wait")
    tasks = (Task(night.as_of, h, windows[h], counts, night.seed("propensity", h)) for h in horizons)
    chances = reduce(DataFrame.unionByName, (_with_chance(users, rows, task, settings) for task in tasks))
    shorter = Window.partitionBy("user_id").orderBy("horizon_days")
    chance = F.when(F.col("chance").isNotNull(), F.max("chance").over(shorter))
    leaves = F.col("horizon_days") == settings.leave_days
    return chances.select(
        "user_id", F.when(leaves, "leave").otherwise("buy").alias("target"), "horizon_days",
        F.when(leaves, 1 - chance).otherwise(chance).alias("probability"), "method",
    )  # fmt: skip


def windows_of(horizon: int, as_of: date, first: date, settings: PropensitySettings) -> Windows | None:
    """The cut-offs of a horizon on the grid of `step_days` before the as-of date; None: no window has passed whole.

    >>> windows_of(28, date(2024, 6, 1), date(2024, 1, 1), PropensitySettings(min_history_days=60))
    Windows(learned=(datetime.date(2024, 4, 6), datetime.date(2024, 3, 23), datetime.date(2024, 3, 9)), \
newest=datetime.date(2024, 5, 4))
    """
    step = settings.step_days
    newest = as_of - timedelta(days=ceil(horizon / step) * step)
    if newest <= first:
        return None
    latest = newest - timedelta(days=ceil(horizon / step) * step)
    learned = (latest - timedelta(days=step * i) for i in range(settings.windows))
    return Windows(tuple(c for c in learned if (c - first).days >= settings.min_history_days), newest)


def _counted(rows: DataFrame, horizons: Sequence[int]) -> list[Row]:
    """Users and buyers of each horizon at each cut-off; bound: a row a cut-off."""
    bought = (F.count(F.when(F.col("wait") < h, 1)).alias(f"bought_{h}") for h in horizons)
    return rows.groupBy("cutoff").agg(F.count("*").alias("users"), *bought).collect()


def _with_chance(users: DataFrame, rows: DataFrame, task: Task, settings: PropensitySettings) -> DataFrame:
    """users: user_id, features; gives user_id, horizon_days, chance, method."""
    newest, learned, windows = task.newest, task.learned, task.windows
    chance, method = F.lit(None).cast("double"), UNKNOWN
    if windows and min(newest.bought, newest.kept_away, learned.bought, learned.kept_away) >= settings.min_each:
        label = F.coalesce(F.col("wait") < task.horizon, F.lit(False)).cast("double")
        labelled = rows.withColumn("label", label)
        trees = _fit(labelled.where(F.col("cutoff").isin(list(windows.learned))), task, settings)
        is_newest = F.col("cutoff") == F.lit(windows.newest)
        # One pass of the trees; the curve takes many over what it reads.
        known = _with_odds(labelled.where(is_newest | (F.col("cutoff") == F.lit(task.as_of))), trees).persist()
        users = _calibrated(known.where(is_newest)).transform(known.where(~is_newest))
        chance, method = vector_to_array(F.col("probability"))[1], TREES
    elif newest.users:
        chance, method = F.lit((newest.bought + 1) / (newest.users + 2)), BASE_RATE
    return users.select(
        "user_id", F.lit(task.horizon).alias("horizon_days"), chance.alias("chance"), F.lit(method).alias("method")
    )


def _fit(learned: DataFrame, task: Task, settings: PropensitySettings) -> SparkXGBClassifierModel:
    ordered = rows_in_order(learned, task.learned.users, settings.max_rows, settings.workers, task.seed)
    trees = SparkXGBClassifier(
        features_col="features", label_col="label", num_workers=settings.workers, n_estimators=settings.trees,
        learning_rate=settings.learning_rate, max_depth=settings.max_depth, reg_lambda=settings.l2,
        min_child_weight=settings.min_child_weight, subsample=settings.subsample,
        colsample_bytree=settings.colsample, tree_method="hist", missing=float("nan"), random_state=task.seed,
        verbosity=0, verbose=False,
    )  # fmt: skip
    model: SparkXGBClassifierModel = trees.fit(ordered)
    return model


def _with_odds(rows: DataFrame, trees: SparkXGBClassifierModel) -> DataFrame:
    """Rows with `odds`, a vector of one number: the trees' log-odds of a purchase."""
    p = F.greatest(F.lit(EDGE), F.least(F.lit(1 - EDGE), vector_to_array(F.col("probability"))[1]))
    given = trees.transform(rows).withColumn("odds", array_to_vector(F.array(F.log(p / (1 - p)))))
    return given.drop("features", "prediction", "probability", "rawPrediction")


def _calibrated(newest: DataFrame) -> LogisticRegressionModel:
    ordered = newest.repartition(1).sortWithinPartitions("user_id")
    model: LogisticRegressionModel = LogisticRegression(featuresCol="odds", labelCol="label").fit(ordered)
    return model
