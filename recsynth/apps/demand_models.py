"""Demand of many short, mostly intermittent series: means from statistical models, quantiles from pooled trees.

Plain arrays, tested without Spark. A mean and a median are different answers: of an item that sells once a month,
the expected demand of a week is a quarter and the most likely none. The mean is what sums to a budget, and a
statistical model of the series gives it; the quantiles say what may happen, and what stock covers it, and trees
learned over all series at once (each divided by its own level) give those better than a model of one short series can.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from scipy.stats import poisson

from recsynth.apps.settings import DemandSettings

LEVELS = (0.025, 0.1, 0.5, 0.8, 0.9, 0.95, 0.975)
"""Quantiles: the median, and the ends of the 80 and of the 95 % interval, of one side and of two."""
ENDS = ("low_95", "low_80", "high_80", "high_95")
MODELS = ("ses", "tsb", "imapa", "window_average", "mean_of_all")
"""Statistical models of a series' mean; all say that the weeks to come are alike."""
MOST_SCALED = 10.0
"""A week of so many times the usual is one order of a kind that nobody can foresee: no choice hangs on it."""
_FADES, _MEANS, _LEAST_WEEKS = (0.05, 0.1, 0.2, 0.4, 0.7), (1, 2, 4, 8, 13, 26), 4
_LONGEST, _LEAST_SCALE = 60, 0.05


def rates(weeks: np.ndarray) -> np.ndarray:
    """Mean units a week to come by each of MODELS, shape (series, models), of weeks (series, weeks), oldest first.

    A series begins with its first sale. Simple exponential smoothing with its best alpha, TSB (Teunter, Syntetos and
    Babai, 2011), IMAPA (Petropoulos and Kourentzes, 2015) by statsforecast, the last four weeks' mean, and the mean of
    these four. Nothing is below 0.
    """
    # Here, not above: it takes seconds to import, and only where demand is forecast.
    from statsforecast import StatsForecast
    from statsforecast.models import IMAPA, TSB, Naive, SimpleExponentialSmoothingOptimized, WindowAverage

    if not len(weeks):
        return np.zeros((0, len(MODELS)))
    starts = np.minimum(_starts(weeks), weeks.shape[1] - _LEAST_WEEKS).clip(0)
    is_known = np.arange(weeks.shape[1]) >= starts[:, None]
    row, week = np.nonzero(is_known)
    models = [SimpleExponentialSmoothingOptimized(), TSB(0.2, 0.2), IMAPA(), WindowAverage(_LEAST_WEEKS)]
    logging.getLogger("statsforecast").setLevel(logging.ERROR)
    long = pd.DataFrame({"unique_id": row, "ds": week, "y": weeks[is_known]})
    found = StatsForecast(models, freq=1, fallback_model=Naive()).forecast(df=long, h=1)
    each = found.sort_values("unique_id").drop(columns=["unique_id", "ds"]).to_numpy(float)
    each = np.maximum(np.where(np.isfinite(each), each, weeks.mean(1, keepdims=True)), 0.0)
    return np.column_stack([each, each.mean(1)])


def features(weeks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What trees read of weeks (series, weeks), and each series' own level, by which its numbers are divided.

    Shapes (series, features) and (series,). Faded means and means of the last weeks over the level, shares of empty
    weeks, weeks since the first and the last sale, spread, greatest and median week, the level's logarithm.
    """
    n = weeks.shape[1]
    is_known = np.cumsum(weeks > 0, 1) > 0
    faded = []
    for fade in _FADES:
        weight = (1 - fade) ** np.arange(n)[::-1] * is_known
        faded.append((weight * weeks).sum(1) / np.maximum(weight.sum(1), 1e-9))
    means = [weeks[:, -k:].mean(1) for k in _MEANS]
    scale = (faded[1] + faded[2]) / 2 + 0.05 * faded[0] + _LEAST_SCALE
    last = n - 1 - np.where(weeks > 0, np.arange(n), -1).max(1)
    recent = weeks[:, -13:]
    columns = [
        *(column / scale for column in (*faded, *means, weeks[:, -26:].std(1), recent.max(1), np.median(recent, 1))),
        (weeks[:, -4:] == 0).mean(1), (recent == 0).mean(1), np.minimum(is_known.sum(1), _LONGEST),
        np.minimum(last, _LONGEST), np.log(scale),
    ]  # fmt: skip
    return np.column_stack(columns), scale


def errors(found: np.ndarray, true_mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Squared errors of rates (series, models) against the mean week that came, in units of the series' level."""
    miss = np.minimum(np.abs(found - true_mean[:, None]) / scale[:, None], MOST_SCALED)
    return np.asarray(miss**2)


def chosen(sums: np.ndarray, counts: np.ndarray, usual: np.ndarray, shrinkage: float) -> np.ndarray:
    """Index into MODELS of each series' best by rolling backtest, shape (series,).

    sums: (series, models) of squared errors over `counts` (series,) backtests; usual: the models' mean squared error
    over all series. A series' own record counts as much as `shrinkage` backtests of everybody's: few backtests of a
    noisy series prove nothing.
    """
    return np.asarray(((sums + shrinkage * usual) / (counts[:, None] + shrinkage)).argmin(1))


@dataclass(frozen=True)
class QuantileTrees:
    """Boosted trees that say quantiles of demand in units of a series' level (Koenker and Bassett's pinball loss)."""

    levels: tuple[float, ...]
    booster: bytes

    @classmethod
    def fit(
        cls, x: np.ndarray, y: np.ndarray, levels: Sequence[float], settings: DemandSettings, seed: int
    ) -> QuantileTrees:
        """Learn from x (rows, features) and y (rows,), in this order: the same rows give the same trees."""
        options = {
            "objective": "reg:quantileerror", "quantile_alpha": np.array(levels), "eta": settings.learning_rate,
            "max_depth": settings.max_depth, "min_child_weight": settings.min_child_weight, "lambda": settings.l2,
            "subsample": settings.subsample, "colsample_bytree": settings.colsample, "tree_method": "hist",
            "seed": seed, "verbosity": 0,
        }  # fmt: skip
        trees = xgb.train(options, xgb.QuantileDMatrix(x, y), settings.trees)
        return cls(tuple(levels), bytes(trees.save_raw("ubj")))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Quantiles (rows, levels), never below 0 nor falling from a level to the next (Chernozhukov et al., 2010)."""
        # One thread: as many tasks as cores say quantiles side by side.
        trees = xgb.Booster({"nthread": 1})
        trees.load_model(bytearray(self.booster))
        said = trees.predict(xgb.DMatrix(x)).reshape(len(x), len(self.levels))
        order = np.argsort(self.levels)
        ranked: np.ndarray = np.empty_like(said)
        ranked[:, order] = np.sort(said, 1)
        return np.asarray(np.maximum(ranked, 0.0))


def interval_ends(quantiles: np.ndarray) -> np.ndarray:
    """ENDS of quantiles (rows, levels), of which the first are LEVELS; shape (rows, 4).

    Where the lower end is nothing at all, nothing lies below it: an interval that ended as high as one of two sides
    would cover more than it says, so it ends where one of one side does.
    """
    at = {level: quantiles[:, k] for k, level in enumerate(LEVELS)}
    ends = {}
    for share, low, one_sided, two_sided in ((80, 0.1, 0.8, 0.9), (95, 0.025, 0.95, 0.975)):
        is_nothing = np.round(at[low]) == 0
        ends[f"low_{share}"] = np.where(is_nothing, 0.0, at[low])
        ends[f"high_{share}"] = np.where(is_nothing, at[one_sided], at[two_sided])
    # The 80 % interval lies within the 95 % one, on whichever sides they are.
    ends["low_95"] = np.minimum(ends["low_95"], ends["low_80"])
    ends["high_95"] = np.maximum(ends["high_95"], ends["high_80"])
    return np.column_stack([ends[name] for name in ENDS])


def poisson_quantiles(mean: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles (rows, levels) of Poisson counts of this mean: for want of anything to learn a spread from."""
    return np.asarray(poisson.ppf(np.array(levels)[None, :], np.maximum(mean, 0.0)[:, None]).clip(0), float)


def _starts(weeks: np.ndarray) -> np.ndarray:
    """The week of the first sale; the number of weeks where there is none."""
    is_sold = weeks > 0
    return np.asarray(np.where(is_sold.any(1), is_sold.argmax(1), weeks.shape[1]))
