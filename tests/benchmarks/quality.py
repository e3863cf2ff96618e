"""Quality on Online Retail: whole nights from raw files, each judged on the 28 days after it.

    make bench-quality                     # the three dates of the table in the README
    make bench-quality ARGS="--dates 2011-10-15 --lake data/bench"

Beside each night stand public recommenders on the same rows and users (peers.py). Exit code 0 only where the figures
of the date with floors reach them, no peer is ahead or level (95 % interval of the paired difference), and the
product's own figures agree with a judge that reads the raw files in plain pandas.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from recsynth.measure.intervals import bootstrap_difference, bootstrap_mean
from recsynth.nightly import run_night
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.ops import METRICS
from recsynth.tables.output import RECOMMENDATIONS
from tests.references import online_retail as judge

DATES = ("2011-08-20", "2011-09-17", "2011-10-15")
FLOORS = {("2011-10-15", "all"): 0.32, ("2011-10-15", "new"): 0.115}
VIEWS = ("all", "new", "strangers")
TOLERANCE = 1e-6


def main() -> int:
    """Run each date on a lake of its own, print one table, and return 1 where a floor or the judge is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--dates", nargs="+", default=DATES, help="as-of dates")
    parser.add_argument("--config", default="conf/online_retail.toml", help="settings of the night")
    parser.add_argument("--lake", help="keep the lakes and pages below this folder")
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment; without it they are left out")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    rows = judge.purchases(options.data)
    with tempfile.TemporaryDirectory() as scratch:
        faults = [f for d in options.dates for f in _judged(d, options, Path(options.lake or scratch), rows)]
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def _judged(as_of: str, options: argparse.Namespace, folder: Path, rows: pd.DataFrame) -> list[str]:
    """Run and print one date; returns what was missed."""
    lake = folder / as_of / "lake"
    places = [f"paths.{k}={v}" for k, v in (("landing", options.data), ("lake", lake), ("report", folder / as_of))]
    settings = Settings.load(options.config, places)
    spark, started = session("quality", settings.spark), time.monotonic()
    run_night(spark, settings, date.fromisoformat(as_of))
    seconds = time.monotonic() - started
    store = Store(spark, settings.paths.lake)
    metrics = store.read_night(METRICS, date.fromisoformat(as_of)).toPandas()
    print(f"\n## {as_of}: night {seconds:.0f} s, seed {settings.seed}, {platform.machine()}, Spark {spark.version}\n")
    print(_table(metrics))
    ours = judge.scores(_lists(store, as_of), judge.truth(rows, as_of))
    faults = _faults(as_of, metrics, {view: judge.mean(found) for view, found in ours.items()})
    return faults + (_beside_peers(as_of, options.peers, rows, ours) if options.peers else [])


def _table(metrics: pd.DataFrame) -> str:
    """NDCG@10 with its 95 % interval for each model: all, new and strangers, of whom baselines know nothing."""
    judged = metrics[(metrics["metric"] == "ndcg@10") & metrics["segment"].isin(VIEWS)]
    judged = judged[judged["stage"] == "evaluate"].set_index(["model", "segment"])
    lines = [f"| model | {' | 95 % | '.join(VIEWS)} | 95 % |", "|---" * (1 + 2 * len(VIEWS)) + "|"]
    order = judged.xs("all", level="segment")["value"].sort_values(ascending=False).index
    for model in order:
        cells = [judged.loc[(model, view)] if (model, view) in judged.index else None for view in VIEWS]
        shown = ["- | -" if c is None else f"{c['value']:.4f} | {c['low']:.4f} to {c['high']:.4f}" for c in cells]
        lines.append(f"| {model} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _lists(store: Store, as_of: str) -> dict[str, list[str]]:
    """The night's lists, best first."""
    lines = store.read_night(RECOMMENDATIONS, date.fromisoformat(as_of))
    ordered = lines.select("user_id", "rank", "item_id").orderBy("user_id", "rank").toPandas()
    return {str(user): list(items) for user, items in ordered.groupby("user_id")["item_id"]}


def _beside_peers(as_of: str, python: Path, rows: pd.DataFrame, ours: dict[str, dict[str, float]]) -> list[str]:
    """Fit and print the peers on the rows before the date; returns those that are not behind beyond chance."""
    known = judge.truth(rows, as_of)
    with tempfile.TemporaryDirectory() as folder:
        before, users, written = (Path(folder) / name for name in ("rows.csv", "users.txt", "lists.csv"))
        rows[rows["ts"] < pd.Timestamp(as_of)].to_csv(before, index=False)
        users.write_text("\n".join(sorted(known.wanted)))
        program = Path(__file__).with_name("peers.py")
        # implicit has threads of its own and asks for BLAS to have one.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([python, program, before, written, "--users", users], check=True, env=environment)
        lists = pd.read_csv(written, dtype={"user_id": str, "item_id": str})
    print("\n| peer | view | NDCG@10 | 95 % | recsynth ahead by | 95 % |\n|---|---|---|---|---|---|")
    faults = []
    for (model, view), of_model in lists.sort_values(["user_id", "rank"]).groupby(["model", "view"], sort=False):
        by_user = {str(user): list(items) for user, items in of_model.groupby("user_id")["item_id"]}
        theirs = judge.scores(by_user, known)[view]
        a, b = (np.array([scores[user] for user in theirs]) for scores in (ours[view], theirs))
        low, high = bootstrap_mean(b)
        least, most = bootstrap_difference(a, b)
        print(
            f"| {model} | {view} | {b.mean():.4f} | {low:.4f} to {high:.4f} | {(a - b).mean():.4f} "
            f"| {least:.4f} to {most:.4f} |"
        )
        if least <= 0:
            faults.append(f"{as_of} {view}: expected to be ahead of {model}, found a difference from {least:.4f} on")
    return faults


def _faults(as_of: str, metrics: pd.DataFrame, independent: dict[str, float]) -> list[str]:
    ours = metrics[
        (metrics["stage"] == "evaluate") & (metrics["metric"] == "ndcg@10") & (metrics["model"] == "recsynth")
    ]
    found = ours.set_index("segment")["value"]
    faults = []
    for view, value in independent.items():
        print(f"{view}: {found[view]:.4f}, by the judge of the raw files {value:.4f}")
        if abs(found[view] - value) > TOLERANCE:
            faults.append(f"{as_of} {view}: expected {value:.6f} as the raw files say, found {found[view]:.6f}")
        floor = FLOORS.get((as_of, view))
        if floor is not None and value < floor:
            faults.append(f"{as_of} {view}: expected at least {floor}, found {value:.4f}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
