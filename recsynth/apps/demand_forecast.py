"""Units of each item, category and the shop by week, by day and until an order for stock arrives, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items
from recsynth.apps.demand_grains import Grain, expected_units, grains, shares
from recsynth.apps.demand_models import (
    ENDS,
    LEVELS,
    MODELS,
    QuantileTrees,
    chosen,
    errors,
    features,
    interval_ends,
    poisson_quantiles,
    rates,
)
from recsynth.apps.demand_series import CATEGORY, ITEM, SHOP, WHOLE_SHOP, by_week, matrix, units_by_day, with_category
from recsynth.apps.promoted_demand import Calendar, calendar_of, with_promotions
from recsynth.apps.settings import DemandSettings
from recsynth.stage import Night
from recsynth.tables.output import DEMAND_FORECAST

SUM = "sum"
LEAST_WEEKS = 4
_QUANTILES = (*ENDS, "median", "stock_needed")
_LEAST_UNITS = 1e-6
_AT_ORIGINS = (
    "item_id string, category string, origin int, scale double, features array<double>, rates array<double>, "
    "errors array<double>, days array<double>, base array<double>, to_come array<double>, promoted array<double>"
)
_FORECAST = ", ".join(
    ["level string, series_id string, grain string, start date, days int, expected double"]
    + ["expected_off_promotion double, promotion_days int"]
    + [f"{name} double" for name in _QUANTILES]
    + ["model string, interval_by string"]
)
_NAMES = [part.split()[0] for part in _FORECAST.split(", ")]


def demand_forecast(events: DataFrame, items: DataFrame, promotions: DataFrame, night: Night) -> DataFrame:
    """What will be asked for within the horizon; writes output.demand_forecast.

    Reads silver.events, silver.items and silver.promotions. Units as they were ordered: what comes back had to be in
    stock first. Weeks are seven days back from the as-of date. Each item is forecast from `backtests` earlier weeks
    too: there its model is chosen, and trees over all items learn the quantiles. A week is shared among its days as the
    shop's last weeks were. Where the shop names its promotions, all this is of demand off promotion, which days on one
    multiply: see promoted_demand. `expected` is coherent: days sum to weeks, items to categories, categories to the
    shop; a category's interval comes from how far its sums were off before. Bounds: on the driver max_rows rows of
    features, a row a weekday and what calendar_of says; in one task a row a category and backtest.
    """
    settings, spark = night.settings.apps.demand, events.sparkSession
    sold = units_by_day(events, night.as_of - timedelta(weeks=settings.history_weeks), night.as_of)
    first = sold.agg(F.min("day")).first()[0] if settings.enabled else None  # type: ignore[index]
    if first is None:
        return DEMAND_FORECAST.empty(spark)
    listed = sold.groupBy("item_id").agg(F.collect_list(F.struct("day", "units", "lines")).alias("sold"))
    of_items = with_category(listed, latest_items(items, "category"))
    calendar = None
    if not promotions.isEmpty():
        of_items = with_promotions(of_items, promotions, night).persist()
        calendar = calendar_of(of_items, night)
    weeks_known = settings.history_weeks - first // 7
    found = of_items.mapInPandas(_at_origins(settings, weeks_known, calendar), _AT_ORIGINS).persist()
    profile = _profile(sold, settings)
    known = _with_choice(found, settings).persist()
    trees = _taught(found, profile, night)
    tonight = known.where("origin = 0").mapInPandas(_forecast(trees, profile, night), _FORECAST)
    return tonight.unionByName(_sums(known, profile, night)).select(*DEMAND_FORECAST.column_names)


def _at_origins(
    settings: DemandSettings, weeks_known: int, calendar: Calendar | None
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function: each item as it stood at each origin, in weeks before the as-of date; 0 is tonight.

    With a calendar `base` are the days after off promotion, `to_come` what they are multiplied by as told at the
    origin, `promoted` 1 for days that it names tonight; null without one.
    """
    horizon, total = settings.horizon_weeks, settings.history_weeks
    origins = [horizon + k for k in range(settings.backtests) if weeks_known - horizon - k >= LEAST_WEEKS]

    def at(frame: pd.DataFrame, days: np.ndarray, base: np.ndarray, origin: int) -> pd.DataFrame:
        today = 7 * (total - origin)
        before = by_week(base[:, :today])
        is_known = before.sum(1) > 0
        before, later = before[is_known], slice(today, today + 7 * horizon)
        x, scale = features(before)
        said = rates(before)
        made = frame.loc[is_known, ["item_id", "category"]].assign(origin=origin, scale=scale)
        made["features"], made["rates"] = list(x), list(said)
        after = base[is_known, later]
        made["errors"] = list(errors(said, after.sum(1) / horizon, scale)) if origin else None
        made["days"] = list(days[is_known, later]) if origin else None
        made["base"] = list(after) if origin and calendar is not None else None
        return made

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            days = matrix(frame["sold"], 7 * total)
            base = days
            if calendar is not None:
                named = calendar.named(frame)
                lifts, began = calendar.lifts(frame, named), (days > 0).argmax(1)
                base = days / np.where(np.isfinite(named[:, : 7 * total]), lifts[:, None], 1.0)
            for origin in (0, *origins):
                made = at(frame, days, base, origin).assign(to_come=None, promoted=None)
                if calendar is not None:
                    to_come = calendar.to_come(named, lifts, began, 7 * (total - origin))
                    made["to_come"] = list(to_come[made.index])
                    promoted = np.isfinite(named[:, 7 * total :]).astype(float)
                    made["promoted"] = None if origin else list(promoted[made.index])
                yield made

    return function


def _profile(sold: DataFrame, settings: DemandSettings) -> np.ndarray:
    """Share of a week on each of its seven days from the as-of date on; lines, so that no one large order decides."""
    recent = sold.where(F.col("day") >= 7 * (settings.history_weeks - settings.profile_weeks))
    counted = np.ones(7)
    by_place = recent.groupBy((F.col("day") % 7).alias("place")).agg(F.sum("lines").alias("lines"))
    for row in by_place.collect():  # bound: seven rows
        counted[row.place] += row.lines
    return np.asarray(counted / counted.sum())


def _with_choice(found: DataFrame, settings: DemandSettings) -> DataFrame:
    """Add `choice`, the index of the item's model, and `rate`, what it says; tonight's and the backtests'."""
    tested = found.where("origin > 0")
    each = [F.col("errors")[k] for k in range(len(MODELS))]
    usual_row = tested.agg(*(F.avg(e).alias(str(k)) for k, e in enumerate(each))).first()
    usual = np.array([value or 0.0 for value in usual_row or [0.0] * len(MODELS)])
    sums = tested.groupBy("item_id").agg(
        F.array(*(F.sum(e) for e in each)).alias("sums"), F.count("*").cast("double").alias("backtests")
    )

    def choose(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            counts = frame["backtests"].fillna(0.0).to_numpy()
            own = np.array([np.zeros(len(MODELS)) if s is None else s for s in frame["sums"]]).reshape(-1, len(MODELS))
            # Rounded, so that the order in which errors were summed does not decide between equals.
            index = chosen(own.round(9), counts, usual.round(9), max(settings.shrinkage, 1e-9))
            yield pd.DataFrame({"item_id": frame["item_id"], "choice": index})

    tonight = found.where("origin = 0").select("item_id").join(sums, on="item_id", how="left")
    choice = tonight.mapInPandas(choose, "item_id string, choice int")
    return found.join(choice, on="item_id", how="inner").withColumn("rate", F.col("rates")[F.col("choice")])


def _taught(found: DataFrame, profile: np.ndarray, night: Night) -> dict[str, QuantileTrees]:
    """Trees of each grain; none where the backtests have too few rows to learn a spread from."""
    settings = night.settings.apps.demand
    off_promotion = F.coalesce("base", "days").alias("days")
    tested = found.where("origin > 0").select("item_id", "origin", "features", "scale", off_promotion)
    draw = F.xxhash64(F.lit(night.seed("demand", "rows")), "item_id", "origin")
    drawn = tested.orderBy(draw, "item_id", "origin").limit(settings.max_rows).toPandas()
    if not len(drawn):
        return {}
    x, days, scale = np.array(drawn["features"].tolist()), np.array(drawn["days"].tolist()), drawn["scale"].to_numpy()
    levels, made = (*LEVELS, settings.service_level), {}
    for grain in grains(settings):
        # Every row gives as many of its steps as fit; drawn, so that each step has its share.
        steps, rng = len(grain.steps), np.random.default_rng(night.seed("demand", grain.name))
        y, share = grain.sums(days), shares(grain, profile)
        row, step = np.divmod(rng.permutation(y.size)[: settings.max_rows], steps)
        if len(row) < settings.min_rows:
            continue
        inputs = np.column_stack([x[row], step, share[step]])
        target = y[row, step] / (scale[row] * share[step])
        made[grain.name] = QuantileTrees.fit(inputs, target, levels, settings, night.seed("demand", grain.name, "fit"))
    return made


def _rows(
    grain: Grain, ids: Sequence[str], expected: np.ndarray, off: np.ndarray, quantiles: np.ndarray, night: Night
) -> pd.DataFrame:  # fmt: skip
    """Long rows of expected and, off promotion, off (series, steps) and quantiles (series, steps, levels)."""
    steps = len(grain.steps)
    made = pd.DataFrame({"series_id": np.repeat(np.asarray(ids, object), steps), "grain": grain.name})
    starts = [night.as_of + timedelta(days=first) for first, _ in grain.steps]
    made["start"] = np.tile(np.array(starts, object), len(ids))
    made["days"] = np.tile([n for _, n in grain.steps], len(ids))
    made["expected"], made["expected_off_promotion"] = expected.ravel(), off.ravel()
    made["promotion_days"] = pd.array([None] * len(made), "Int32")
    flat = quantiles.reshape(-1, quantiles.shape[2])
    # Units come whole: half a unit is nobody's most likely demand, and no stock.
    median, stock = np.round(flat[:, LEVELS.index(0.5)]), np.ceil(flat[:, -1] - 1e-9)
    made[list(_QUANTILES)] = np.column_stack([interval_ends(flat), median, stock])
    return made


def _forecast(
    trees: dict[str, QuantileTrees], profile: np.ndarray, night: Night
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from items as they stand tonight to their rows."""
    settings = night.settings.apps.demand
    levels = (*LEVELS, settings.service_level)

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            if not len(frame):
                continue
            x, scale = np.array(frame["features"].tolist()), frame["scale"].to_numpy()
            names = np.array(MODELS, object)[frame["choice"].to_numpy()]
            rate = np.repeat(frame["rate"].to_numpy()[:, None], 7 * settings.horizon_weeks, 1)
            is_named = frame["promoted"].notna().all()
            to_come = np.array(frame["to_come"].tolist()) if is_named else np.ones_like(rate)
            for grain in grains(settings):
                off, share, steps = expected_units(grain, profile, rate), shares(grain, profile), len(grain.steps)
                expected = expected_units(grain, profile, rate * to_come)
                if grain.name in trees:
                    step = np.tile(np.arange(steps), len(frame))
                    inputs = np.column_stack([np.repeat(x, steps, 0), step, share[step]])
                    usual = expected_units(grain, profile, np.ones_like(to_come))
                    lifted = expected_units(grain, profile, to_come) / usual
                    unit = np.repeat(scale, steps) * share[step] * lifted.ravel()
                    said = trees[grain.name].predict(inputs) * unit[:, None]
                else:
                    said = poisson_quantiles(expected.ravel(), levels)
                quantiles = said.reshape(len(frame), steps, len(levels))
                made = _rows(grain, frame["item_id"].tolist(), expected, off, quantiles, night)
                if is_named:
                    made["promotion_days"] = grain.sums(np.array(frame["promoted"].tolist())).astype(int).ravel()
                by = "trees" if grain.name in trees else "poisson"
                yield made.assign(level=ITEM, model=np.repeat(names, steps), interval_by=by)[_NAMES]

    return function


def _sums(known: DataFrame, profile: np.ndarray, night: Night) -> DataFrame:
    """Rows of categories and of the shop: sums of their items, with intervals from how far the sums were off before."""
    settings = night.settings.apps.demand
    n = 7 * settings.horizon_weeks
    # Rounded: a sum of doubles hangs on the order of its rows.
    summed = [F.round(F.sum("rate"), 6).alias("rate"), *(F.sum(F.col("days")[k]).alias(f"d{k}") for k in range(n))]
    on_day = [F.col("rate") * F.coalesce(F.col("to_come")[k], F.lit(1.0)) for k in range(n)]
    summed += [F.round(F.sum(rate), 6).alias(f"r{k}") for k, rate in enumerate(on_day)]
    by_category = known.groupBy("origin", F.col("category").alias("series_id")).agg(*summed)
    by_shop = known.groupBy("origin").agg(*summed).withColumn("series_id", F.lit(WHOLE_SHOP))
    both = by_category.withColumn("level", F.lit(CATEGORY)).unionByName(by_shop.withColumn("level", F.lit(SHOP)))
    return both.groupBy().applyInPandas(_summed(profile, night), _FORECAST)


def _summed(profile: np.ndarray, night: Night) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The applyInPandas function over all sums at all origins.

    Normalised split conformal prediction (Lei et al., 2018): misses over each series' own spread have quantiles that
    all series share. A series' spread is the root of its mean squared miss, drawn towards that of all series in
    units of their expected demand, as one more backtest.
    """
    settings = night.settings.apps.demand
    levels, n = (*LEVELS, settings.service_level), 7 * settings.horizon_weeks

    def function(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.sort_values(["level", "series_id", "origin"]).reset_index(drop=True)
        now, past = frame[frame["origin"] == 0].reset_index(drop=True), frame[frame["origin"] > 0]
        rates_of_day, made = [f"r{k}" for k in range(n)], []
        off_promotion = np.repeat(now["rate"].to_numpy()[:, None], n, 1)
        for grain in grains(settings):
            expected = expected_units(grain, profile, now[rates_of_day].to_numpy())
            off = expected_units(grain, profile, off_promotion)
            quantiles, by = poisson_quantiles(expected.ravel(), levels).reshape(*expected.shape, -1), "poisson"
            if len(past):
                then = np.maximum(expected_units(grain, profile, past[rates_of_day].to_numpy()), _LEAST_UNITS)
                miss = grain.sums(past[[f"d{k}" for k in range(n)]].to_numpy(float)) - then
                key = pd.MultiIndex.from_frame(past[["level", "series_id"]])
                usual = float(np.median((miss / then) ** 2)) or 1.0
                prior = pd.Series((then**2).mean(1) * usual, index=key)
                own = pd.Series((miss**2).mean(1), index=key).groupby(level=[0, 1])
                spread = ((own.sum() + prior.groupby(level=[0, 1]).mean()) / (own.count() + 1)) ** 0.5
                unit = np.maximum(spread.reindex(key).to_numpy(), _LEAST_UNITS)
                shared = np.quantile(miss / unit[:, None], levels)
                tonight = pd.MultiIndex.from_frame(now[["level", "series_id"]])
                mine = spread.reindex(tonight).fillna(0.0).to_numpy()
                mine = np.maximum(mine, np.where(mine > 0, 0.0, expected.mean(1) * usual**0.5))
                quantiles = np.maximum(expected[:, :, None] + mine[:, None, None] * shared, 0.0)
                by = "residuals"
            rows = _rows(grain, now["series_id"].tolist(), expected, off, quantiles, night)
            level = np.repeat(now["level"].to_numpy(), len(grain.steps))
            made.append(rows.assign(level=level, model=SUM, interval_by=by))
        return pd.concat(made)[_NAMES]

    return function
