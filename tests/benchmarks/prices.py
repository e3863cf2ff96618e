"""Answers to prices on Online Retail and on the simulated shop, judged on prices that changed after the night.

    make bench-prices
    make bench-prices ARGS="--dates --users 10000"

Online Retail: the stages that it needs, from raw files, as of each date. The simulated shop, of so many users and with
the promotions of its default: the same, and what a promotion multiplies orders by as the table says, beside what it did
by the planted calendar: a regression on the true promotions of all days before the as-of date; and demand as it is
forecast with the calendar and without it, judged on the days after. `--unnamed`: the shop does not tell its calendar,
and prices alone must tell what a promotion is.
Exit code 0 only where no gain's 95 % interval lies below 0 and the told lift's 80 % interval holds the planted one.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from recsynth.apps.demand_forecast import demand_forecast
from recsynth.apps.judge_demand import judge_demand
from recsynth.apps.price_response import NEUTRAL, Cells, Response, dispersion, fit, joined, quantile
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.ops import METRICS, STAGE_RUNS
from recsynth.tables.output import DEMAND_FORECAST, DEMAND_WHAT_IF
from recsynth.tables.silver import EVENTS, ITEMS, PROMOTIONS
from tests.rows import night

DATES = ("2011-06-11", "2011-07-23", "2011-08-20", "2011-09-17", "2011-10-15")
NEEDED = ("land", "clean", "items", "demand_forecast", "demand_what_if", "judge_what_if")
SIMULATED = date(2025, 4, 17)


def main() -> int:
    """Print the judge's rows and what is told of promotions; return 1 where something is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with online_retail")
    parser.add_argument("--dates", nargs="*", default=DATES, help="as-of dates on Online Retail; none: leave it out")
    parser.add_argument("--users", type=int, default=10_000, help="customers of the simulated shop; 0: leave it out")
    parser.add_argument("--seeds", nargs="+", type=int, default=[20250101], help="seeds of the simulated shop")
    parser.add_argument("--unnamed", action="store_true", help="the simulated shop tells no calendar of promotions")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    print(f"{platform.machine()}, {os.cpu_count()} cores\n\nset | as of | measure | model | value | 95 % | items")
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for day in options.dates:
            places = [f"paths.landing={options.data / 'online_retail'}", *_paths(Path(scratch) / day)]
            settings = Settings.load("conf/online_retail.toml", places)
            faults += _night(settings, date.fromisoformat(day), "Online Retail")[1]
        for seed in options.seeds if options.users else []:
            folder = Path(scratch) / str(seed)
            places = [f"paths.landing={folder / 'landing'}", *_paths(folder)]
            settings = Settings.load("conf/default.toml", [*places, f"shop.users={options.users}", f"seed={seed}"])
            if options.unnamed:
                kept = [source for source in settings.sources if source.kind != "promotions"]
                settings = settings.model_copy(update={"sources": kept})
            store, missed = _night(settings, SIMULATED, f"simulated shop, seed {seed}")
            faults += missed + _planted(store, settings, folder / "landing_truth")
            if not options.unnamed:
                _forecasts(store, settings)
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def _paths(folder: Path) -> list[str]:
    return [f"paths.{name}={folder / name}" for name in ("lake", "report")]


def _night(settings: Settings, day: date, name: str) -> tuple[Store, list[str]]:
    spark = session("prices", settings.spark)
    run_night(spark, settings, day, stages=[stage for stage in STAGES if stage.name in NEEDED])
    store, faults = Store(spark, settings.paths.lake), []
    judged = store.read_night(METRICS, day).where("stage = 'judge_what_if'").orderBy("metric", "model").toPandas()
    for row in judged.itertuples():
        interval = f"{row.low:.4f} to {row.high:.4f}"
        print(f"{name} | {day} | {row.metric} | {row.model} | {row.value:.4f} | {interval} | {row.count}", flush=True)
        if row.metric == "log_likelihood_gain" and row.high < 0:
            faults.append(f"{name} as of {day}: orders moved otherwise than told, {row.value:.4f} nats ({interval})")
    said = (
        store.read_night(DEMAND_WHAT_IF, day).where("price_change = 0 and is_promotion = promotion_tonight").toPandas()
    )
    seconds = {r.stage: r.seconds for r in store.read(STAGE_RUNS).collect()}
    taught = said["learned_from"].value_counts().to_dict()
    print(f"{name} | {day} | elasticity, median | told | {said['elasticity'].median():.3f} | | {taught}, "
          f"{seconds['demand_what_if']:.0f} s", flush=True)  # fmt: skip
    return store, faults


def _planted(store: Store, settings: Settings, truth: Path) -> list[str]:
    """What a promotion does as it is told, over items with prices of their own, beside the planted calendar's."""
    off = settings.shop.promotion_discount
    said = store.read_night(DEMAND_WHAT_IF, SIMULATED).where("learned_from = 'item' and expected > 0").toPandas()
    is_on, is_on_tonight = (said[name].astype(bool) for name in ("is_promotion", "promotion_tonight"))
    stays = said[(said["price_change"] == 0) & ~is_on & ~is_on_tonight].set_index("item_id")
    # Where the calendar is told the row that is on promotion too, else the only one.
    less = (
        said[np.isclose(said["price_change"], -off)].sort_values("is_promotion").drop_duplicates("item_id", keep="last")
    )
    less = less.set_index("item_id").reindex(stays.index)
    weight = stays["expected"].to_numpy()
    told, low, high = (
        float(np.exp(np.average(np.log(less[name] / stays["expected"]), weights=weight)))
        for name in ("expected", "low_80", "high_80")
    )
    found = _by_calendar(store, settings, pd.read_parquet(truth / "promotions"), set(stays.index))
    x = np.array([np.log1p(-off), 1.0])
    mean, variance = x @ found.mean, x @ found.covariance @ x
    ends = [float(quantile(np.array([mean]), np.array([variance]), level)[0]) for level in (0.025, 0.975)]
    print(f"simulated shop, seed {settings.seed} | {SIMULATED} | lift at {off:.0%} off | told | {told:.3f} | 80 %: "
          f"{low:.3f} to {high:.3f} | {len(stays)}")  # fmt: skip
    print(f"simulated shop, seed {settings.seed} | {SIMULATED} | lift at {off:.0%} off | planted calendar | "
          f"{np.exp(mean):.3f} | {ends[0]:.3f} to {ends[1]:.3f} | {len(stays)}")  # fmt: skip
    if not low <= np.exp(mean) <= high:
        return [f"seed {settings.seed}: lift {told:.3f} ({low:.3f} to {high:.3f}), planted {np.exp(mean):.3f}"]
    return []


def _forecasts(store: Store, settings: Settings) -> None:
    """Demand as it was forecast tonight, beside the same without a calendar, judged on the same days and items."""
    at = night(SIMULATED, settings)
    ours, key = store.read_night(DEMAND_FORECAST, SIMULATED), ["level", "series_id", "grain", "start"]
    events, items, promotions = (store.read_before(t, at.cutoff, SIMULATED) for t in (EVENTS, ITEMS, PROMOTIONS))
    plain = demand_forecast(events, items, promotions.limit(0), at).drop("promotion_days")
    plain = plain.join(ours.select(*key, "promotion_days"), on=key)
    for name, said in (("named", ours), ("none", plain)):
        judged = judge_demand(store.read(EVENTS), store.read(ITEMS), said, at).where("model = 'demand'")
        wanted = judged.where("segment in ('item_week', 'item_week_promoted', 'item_day_promoted', 'shop_week')")
        wanted = wanted.where("metric in ('mase', 'wrmsse', 'bias', 'coverage_80')").orderBy("segment", "metric")
        for row in wanted.collect():
            print(f"simulated shop, seed {settings.seed} | {SIMULATED} | {row.segment} {row.metric} | "
                  f"forecast, calendar: {name} | {row.value:.4f} | | {row['count']}", flush=True)  # fmt: skip


def _by_calendar(store: Store, settings: Settings, promotions: pd.DataFrame, among: set[str]) -> Response:
    """The response of purchases to the true promotions, in the periods of the settings."""
    what_if, off = settings.apps.what_if, settings.shop.promotion_discount
    bought = store.read(EVENTS).where("event_type = 'purchase' and not is_bot and not is_near_duplicate")
    daily = bought.where(F.col("event_date") < F.lit(SIMULATED)).groupBy("item_id", "event_date").count().toPandas()
    first = settings.shop.start
    days = (SIMULATED - first).days
    place = (pd.to_datetime(daily["event_date"]) - pd.Timestamp(first)).dt.days
    lines = pd.crosstab(daily["item_id"], place, daily["count"], aggfunc="sum").fillna(0.0)
    lines = lines.reindex(columns=range(days), fill_value=0.0)
    period = (days - 1 - np.arange(days)) // what_if.period_days
    exposure, parts = lines.to_numpy().sum(0), []
    for item_id, row in lines[lines.index.isin(among)].iterrows():
        on = np.zeros(days, bool)
        for start in promotions.loc[promotions["item_id"] == item_id, "first_day"]:
            since = (pd.Timestamp(start) - pd.Timestamp(first)) // timedelta(days=1)
            on[max(since, 0) : max(since + 7, 0)] = True
        for number in np.unique(period):
            at = [(period == number) & (on == flag) for flag in (False, True)]
            if all(exposure[mask].sum() > 0 for mask in at):
                sums = (np.array([values[mask].sum() for mask in at]) for values in (row.to_numpy(), exposure))
                parts.append(Cells(np.zeros(2, int), np.log([1.0, 1 - off]), np.array([0.0, 1.0]), *sums))
    every = joined(parts)
    return fit(every, NEUTRAL, dispersion(every, fit(every, NEUTRAL)))


if __name__ == "__main__":
    sys.exit(main())
