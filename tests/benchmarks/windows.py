"""What reading a window from the night that wrote it saves and costs: nights on end on Online Retail.

    make bench-windows
    make bench-windows ARGS="--date 2011-10-15 --lake data/bench/windows"

A night on each date from which the last one learns, on one lake, then the last one, which finds all of its windows
there and computes none. Beside it the same date on a lake of its own, as a shop's first night, which computes them
all. Of each night those stages are run that its lists, or its features alone, hang on. Both last ones are judged on
the 28 days after the date, which no model saw; the default date is the one that settings are chosen on. Exit code 0
only where one has read every window, the other none, and the lists of the one are not worse beyond chance (95 % of the
paired difference over users).
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from recsynth.measure.intervals import bootstrap_difference
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.ops import PUBLISHED, STAGE_RUNS
from recsynth.tables.output import RECOMMENDATIONS
from recsynth.tables.rank import WINDOWS
from tests.references import online_retail as judge

IN_A_ROW, ALONE = "one after the other", "alone"
KEPT = (
    "land", "clean", "items", "click_farms", "title_triggers", "interactions", "histories", "item_demand",
    "query_items", "item_text", "train", "embed_texts", "windows", "embed_users", "candidates", "features",
)  # fmt: skip
LISTED = (*KEPT, "new_items", "recommend")
TIMED = ("windows", "embed_users", "candidates", "features", "recommend")
VIEWS = ("all", "new")


def main() -> int:
    """Run the nights, print the last ones beside each other, and return 1 where anything was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--date", type=date.fromisoformat, default=date(2011, 9, 17), help="as-of date that is judged")
    parser.add_argument("--lake", type=Path, help="keep the lakes below this folder, and go on with what they hold")
    parser.add_argument("--set", nargs="*", default=[], metavar="SECTION.KEY=VALUE", help="more settings")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.lake or Path(scratch)
        chosen = {name: _settings(options, folder / name.replace(" ", "_")) for name in (IN_A_ROW, ALONE)}
        windows = chosen[ALONE].gold.windows
        spark = session("windows", chosen[ALONE].spark)
        for number in reversed(range(windows.count)):
            earlier = options.date - timedelta(days=windows.days + number * windows.step_days)
            _night(spark, chosen[IN_A_ROW], earlier, KEPT)
        for settings in chosen.values():
            _night(spark, settings, options.date, LISTED)
        stores = {name: Store(spark, settings.paths.lake) for name, settings in chosen.items()}
        faults = _compared(stores, options, windows.count)
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def _settings(options: argparse.Namespace, folder: Path) -> Settings:
    places = {"landing": options.data, "lake": folder / "lake", "report": folder / "report"}
    return Settings.load("conf/online_retail.toml", [*(f"paths.{k}={v}" for k, v in places.items()), *options.set])


def _night(spark: SparkSession, settings: Settings, as_of: date, needed: Sequence[str]) -> None:
    if not _of(Store(spark, settings.paths.lake).read(PUBLISHED), as_of):
        run_night(spark, settings, as_of, stages=[stage for stage in STAGES if stage.name in needed])


def _of(rows: DataFrame, as_of: date) -> list[Row]:
    return rows.where(F.col("run_date") == F.lit(as_of)).collect()


def _compared(stores: dict[str, Store], options: argparse.Namespace, count: int) -> list[str]:
    """Print what both nights read, took and are worth; returns what was missed."""
    known = judge.truth(judge.purchases(options.data), str(options.date))
    print(f"\n## {options.date}, {platform.machine()}\n")
    print(f"| night | windows read | {' | '.join(f'{s}, s' for s in TIMED)} | NDCG@10 all | new |")
    print("|---" * (len(TIMED) + 4) + "|")
    found, read = {}, {}
    for name, store in stores.items():
        read[name] = sum(r.read_from is not None for r in _of(store.read(WINDOWS), options.date))
        seconds = {r.stage: r.seconds for r in _of(store.read(STAGE_RUNS), options.date)}
        found[name] = judge.scores(_lists(store, options.date), known)
        figures = [f"{np.mean(list(found[name][view].values())):.4f}" for view in VIEWS]
        took = [f"{seconds[stage]:.1f}" for stage in TIMED]
        print(f"| {name} | {read[name]} of {count} | {' | '.join([*took, *figures])} |")
    faults = [f"{name}: expected {n} windows read, found {read[name]}"
              for name, n in ((IN_A_ROW, count), (ALONE, 0)) if read[name] != n]  # fmt: skip
    print("\n| view | one after the other ahead of alone by | 95 % |\n|---|---|---|")
    for view in VIEWS:
        users = list(found[ALONE][view])
        a, b = (np.array([found[name][view][user] for user in users]) for name in (IN_A_ROW, ALONE))
        low, high = bootstrap_difference(a, b)
        print(f"| {view} | {(a - b).mean():+.4f} | {low:+.4f} to {high:+.4f} |")
        if high < 0:
            faults.append(f"{view}: expected nothing lost by reading, found a difference up to {high:.4f}")
    return faults


def _lists(store: Store, as_of: date) -> dict[str, list[str]]:
    rows = store.read_night(RECOMMENDATIONS, as_of).select("user_id", "rank", "item_id")
    ordered = rows.orderBy("user_id", "rank").toPandas()
    return {str(user): list(items) for user, items in ordered.groupby("user_id")["item_id"]}


if __name__ == "__main__":
    sys.exit(main())
