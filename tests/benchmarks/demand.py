"""Forecasts of demand on weekly_sales and on Online Retail, judged on weeks that nothing saw.

    make bench-demand
    make bench-demand ARGS="--dates 2011-10-15"

weekly_sales: the last twelve of the weeks that are there, and of the first thirty-six, through the models alone
(they have no days). Online Retail: the stages that forecasts need, from raw files, judged by judge_demand, and by
an independent judge that reads the raw files in plain pandas, beside each statistical model alone. Seasonal naive of
weeks is last week again: neither set has two years. Exit code 0 only where the floors hold.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from recsynth.apps.demand_models import LEVELS, MODELS, QuantileTrees, chosen, errors, features, interval_ends, rates
from recsynth.apps.settings import DemandSettings
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.ops import METRICS, STAGE_RUNS
from recsynth.tables.output import DEMAND_FORECAST
from tests.references import online_retail as judge

DATES = ("2011-08-20", "2011-09-17", "2011-10-15")
NEEDED = ("land", "clean", "items", "demand_forecast", "judge_demand")
# What was aimed at: 10 % under seasonal naive, 3 % under the best statistical model alone, MASE of the median.
MOST_OF_NAIVE, MOST_OF_BEST = 0.90, 0.97
COVERED = (0.76, 0.84)
TOLERANCE = 1e-6


def main() -> int:
    """Judge both sets, print a table of each, and return 1 where something is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with weekly_sales and online_retail")
    parser.add_argument("--dates", nargs="+", default=DATES, help="as-of dates on Online Retail")
    parser.add_argument("--config", default="conf/online_retail.toml", help="settings of the night")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    weeks = weekly_sales(options.data / "weekly_sales")
    faults = [f for last in (weeks.shape[1], 36) for f in _weekly(weeks[:, :last], horizon=12)]
    with tempfile.TemporaryDirectory() as scratch:
        faults += [fault for d in options.dates for fault in _judged(d, options, Path(scratch) / d)]
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def weekly_sales(folder: Path) -> np.ndarray:
    """Units (products, weeks)."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"{folder}: expected a CSV of weekly sales, found none")
    return pd.concat([pd.read_csv(f, index_col="Product_Code") for f in files], axis=1).to_numpy(float)


def _weekly(weeks: np.ndarray, horizon: int) -> list[str]:
    settings, past, y = DemandSettings(), weeks[:, :-horizon], weeks[:, -horizon:]
    sums, counts, xs, ys = np.zeros((len(past), len(MODELS))), np.zeros(len(past)), [], []
    for k in range(settings.backtests):
        before, after = past[:, : past.shape[1] - horizon - k], past[:, past.shape[1] - horizon - k :][:, :horizon]
        if before.shape[1] < 4:
            break
        sold = before.sum(1) > 0
        x, scale = features(before[sold])
        sums[sold] += errors(rates(before[sold]), after[sold].mean(1), scale)
        counts[sold] += 1
        xs += [np.column_stack([x, np.full(len(x), step)]) for step in range(horizon)]
        ys += [after[sold, step] / scale for step in range(horizon)]
    said = rates(past)
    best = chosen(sums, counts, sums.sum(0) / counts.sum(), settings.shrinkage)
    trees = QuantileTrees.fit(np.concatenate(xs), np.concatenate(ys), LEVELS, settings, 0)
    x, scale = features(past)
    inputs = [np.column_stack([x, np.full(len(x), step)]) for step in range(horizon)]
    quantiles = np.stack([trees.predict(i) * scale[:, None] for i in inputs], 1)
    alone = {m: said[:, [k]] for k, m in enumerate(MODELS[:-1])}
    found = {"seasonal_naive": (past[:, -1:],) * 2, **{m: (f, f) for m, f in alone.items()}}
    found["demand"] = (np.round(quantiles[:, :, 2]), said[np.arange(len(said)), best][:, None])
    table = pd.DataFrame({m: scores(past, y, *f) for m, f in found.items()}, index=["mase", "wrmsse"]).T
    ends = interval_ends(quantiles.reshape(-1, len(LEVELS))).reshape(*y.shape, -1)
    covered = [((y >= ends[:, :, a]) & (y <= ends[:, :, b])).mean() for a, b in ((1, 2), (0, 3))]
    name = f"weekly_sales, weeks {past.shape[1]} to {weeks.shape[1] - 1}"
    return _told(name, table, covered)


def scores(past: np.ndarray, y: np.ndarray, median: np.ndarray, mean: np.ndarray) -> tuple[float, float]:
    """MASE of the median and WRMSSE of the mean; past (series, weeks), the others (series, steps)."""
    starts = np.minimum((past > 0).argmax(1), past.shape[1] - 4)
    change = [np.diff(row[start:]) for row, start in zip(past, starts, strict=True)]
    absolute, squared = (np.array([f(c).mean() for c in change]) for f in (np.abs, np.square))
    known = absolute > 0
    mase = (np.abs(y - median).mean(1)[known] / absolute[known]).mean()
    weight = past[known, -4:].sum(1)
    rmsse = np.sqrt(((y - mean) ** 2).mean(1)[known] / squared[known])
    return float(mase), float((rmsse * weight).sum() / weight.sum())


def _judged(as_of: str, options: argparse.Namespace, folder: Path) -> list[str]:
    data = options.data / "online_retail"
    places = [f"paths.{k}={v}" for k, v in (("landing", data), ("lake", folder), ("report", folder / "report"))]
    settings, day = Settings.load(options.config, places), date.fromisoformat(as_of)
    demand = settings.apps.demand
    spark = session("demand", settings.spark)
    run_night(spark, settings, day, stages=[stage for stage in STAGES if stage.name in NEEDED])
    store = Store(spark, settings.paths.lake)
    metrics = store.read_night(METRICS, day).where("stage = 'judge_demand'").toPandas()
    seconds = {r.stage: r.seconds for r in store.read(STAGE_RUNS).collect()}["demand_forecast"]
    print(f"\n## {as_of}: {seconds:.0f} s, seed {settings.seed}, {platform.machine()}, Spark {spark.version}\n")
    print("| what | measure | model | value | 95 % |\n|---|---|---|---|---|")
    for row in metrics.sort_values(["segment", "metric", "model"]).itertuples():
        interval = "" if pd.isna(row.low) else f"{row.low:.4f} to {row.high:.4f}"
        print(f"| {row.segment} | {row.metric} | {row.model} | {row.value:.4f} | {interval} |")
    ours = store.read_night(DEMAND_FORECAST, day).where("level = 'item' and grain = 'week'").toPandas()
    table, covered = _independent(ours, judge.weekly_units(data, as_of, demand.history_weeks, demand.horizon_weeks))
    faults = _told(f"Online Retail {as_of}", table, covered)
    stated = metrics.set_index(["segment", "metric", "model"])["value"]
    for metric in ("mase", "wrmsse"):
        value = stated["item_week", metric, "demand"]
        if abs(value - table.loc["demand", metric]) > TOLERANCE:
            faults.append(f"{as_of} {metric}: {table.loc['demand', metric]:.6f} by the raw files, found {value:.6f}")
    return faults


def _independent(ours: pd.DataFrame, units: pd.DataFrame) -> tuple[pd.DataFrame, list[float]]:
    """The same figures by the raw files in plain pandas, and those of each statistical model alone."""
    past, y = units.loc[:, :-1].to_numpy(float), units.loc[:, 0:].to_numpy(float)
    wide = ours.pivot_table(index="series_id", columns="start", values=["median", "expected", *_ENDS]).reindex(
        units.index
    )
    alone = {m: rates(past)[:, [k]] for k, m in enumerate(MODELS[:-1])}
    found = {"seasonal_naive": (past[:, -1:],) * 2, **{m: (f, f) for m, f in alone.items()}}
    found["demand"] = (wide["median"].to_numpy(float), wide["expected"].to_numpy(float))
    table = pd.DataFrame({m: scores(past, y, *f) for m, f in found.items()}, index=["mase", "wrmsse"]).T
    covered = [((y >= wide[f"low_{p}"]) & (y <= wide[f"high_{p}"])).to_numpy().mean() for p in (80, 95)]
    return table, [float(c) for c in covered]


_ENDS = ("low_80", "high_80", "low_95", "high_95")


def _told(name: str, table: pd.DataFrame, covered: list[float]) -> list[str]:
    """Print a table and return what was missed."""
    print(f"\n### {name}\n\n| model | MASE | WRMSSE |\n|---|---|---|")
    for model, row in table.iterrows():
        print(f"| {model} | {row['mase']:.4f} | {row['wrmsse']:.4f} |")
    print(f"\nThe 80 % interval covers {covered[0]:.3f}, the 95 % one {covered[1]:.3f}.", flush=True)
    alone = table.drop(index=["demand", "seasonal_naive"])["mase"]
    ours, naive = table.loc["demand", "mase"], table.loc["seasonal_naive", "mase"]
    faults = []
    if ours > MOST_OF_NAIVE * naive:
        faults.append(f"{name}: MASE {ours:.4f}, expected at most {MOST_OF_NAIVE} of seasonal naive's {naive:.4f}")
    if ours > MOST_OF_BEST * alone.min():
        faults.append(
            f"{name}: MASE {ours:.4f}, expected at most {MOST_OF_BEST} of {alone.idxmin()}'s {alone.min():.4f}"
        )
    if not COVERED[0] <= covered[0] <= COVERED[1]:
        faults.append(f"{name}: the 80 % interval covers {covered[0]:.3f}, expected {COVERED[0]} to {COVERED[1]}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
