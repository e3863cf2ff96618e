"""Synthetic people and tables on Online Retail: learned from half of the users, judged by the other, beside baselines.

    make bench-synthesis
    make bench-synthesis ARGS="--seeds 1 --set synthesis.gan.steps=300"

Only the stages that synthesis needs are run, from the raw files. A seed draws the halves anew. Exit code 0 only where
the means over the seeds reach the floors and the bounds of tables, and a plain second judge finds no real history
copied and no event that its user's history has not.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsynth.measure.discrimination import auc
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.synthesis.fitting import fit
from recsynth.synthesis.generator import BLOCK
from recsynth.synthesis.judge import likeness
from recsynth.synthesis.settings import SynthesisSettings
from recsynth.synthesis.table_gate import RULES
from recsynth.tables.gold import INTERACTIONS
from recsynth.tables.ops import STAGE_RUNS
from recsynth.tables.synthesis import SYNTHESIS_REPORT, SYNTHETIC_EVENTS, SYNTHETIC_HISTORIES, TABLES_REPORT

NEEDED = ("land", "clean", "items", "interactions", "query_items", "synthesise", "synthesise_tables", "gate")
AS_OF = "2011-10-15"
CANARIES = 100
# What holds on 2011-10-15 with room for the seed; what was aimed at is in README.md here. True: at least.
FLOORS = {"popularity": (True, 0.92), "activity": (True, 0.97), "copies": (False, 0.0), "tail": (True, 0.8)}


def main() -> int:
    """Run each seed on a lake of its own, print the means, and return 1 where a floor or the second judge is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--as-of", default=AS_OF, help="as-of date")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: 0, 1, ...")
    parser.add_argument("--config", default="conf/online_retail.toml", help="settings of the night")
    parser.add_argument("--set", action="append", default=[], help="SECTION.KEY=VALUE, as of a job")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        found = [_run(seed, options, Path(scratch) / str(seed)) for seed in range(options.seeds)]
    figures, tables = (pd.concat([reports[n] for reports, _ in found]) for n in (0, 1))
    print(f"\n{options.as_of}, {options.seeds} seeds, {time.monotonic() - started:.0f} s in all, {platform.machine()}, "
          f"{os.cpu_count()} cores; mean (least to greatest over the seeds)\n")  # fmt: skip
    _print(figures)
    for table, part in tables.groupby("table", sort=False):
        print(f"\n{table}\n")
        _print(part)
    faults = [fault for _, faults in found for fault in faults] + _missed(figures) + _missed_by_tables(tables)
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def _run(seed: int, options: argparse.Namespace, folder: Path) -> tuple[tuple[pd.DataFrame, pd.DataFrame], list[str]]:
    """The two reports of one seed and what a second judge found otherwise."""
    places = [f"paths.{k}={v}" for k, v in (("landing", options.data), ("lake", folder), ("report", folder / "report"))]
    settings = Settings.load(options.config, [*places, f"seed={seed}", *options.set])
    day = date.fromisoformat(options.as_of)
    spark = session("synthesis", settings.spark)
    run_night(spark, settings, day, stages=[stage for stage in STAGES if stage.name in NEEDED])
    store = Store(spark, settings.paths.lake)
    seconds = {r.stage: r.seconds for r in store.read(STAGE_RUNS).collect()}
    drawn = store.read_night(SYNTHETIC_HISTORIES, day).toPandas()
    lived = store.read_night(SYNTHETIC_EVENTS, day).select("user_id", "item_id").toPandas()
    took = ", ".join(f"{name} {seconds[name]:.0f} s" for name in ("synthesise", "synthesise_tables", "gate"))
    print(f"seed {seed}: {took}, {len(drawn):,} users, {len(lived):,} events")
    report, tables = (store.read_night(t, day).toPandas().assign(seed=seed) for t in (SYNTHESIS_REPORT, TABLES_REPORT))
    real = store.read_night(INTERACTIONS, day).select("user_id", "item_id").toPandas()
    found, told = _canaries(real, settings.synthesis, seed)
    print(f"seed {seed}: {found} of {CANARIES} planted people found again, told from others by an AUC of {told:.3f}")
    faults = [f"canaries: expected none, found {found} of {CANARIES}"] if found else []
    faults += _second_judge(drawn, real, settings.synthesis.gate.copy_items)
    histories = drawn[drawn["generator"] == "gan"].explode("items")
    said = set(zip(histories["user_id"], histories["items"], strict=True))
    done = set(zip(*(lived.dropna()[c] for c in ("user_id", "item_id")), strict=True))
    faults += [f"events beside the histories: expected none, found {len(said ^ done)}"] if said ^ done else []
    return (report, tables), faults


def _second_judge(drawn: pd.DataFrame, real: pd.DataFrame, least: int) -> list[str]:
    """Whole histories of any real user, of at least `least` items, that the GAN drew: plain Python, by item ids."""
    known = {h for h in real.groupby("user_id")["item_id"].agg(frozenset) if len(h) >= least}
    copied = known & {frozenset(items) for items in drawn.loc[drawn["generator"] == "gan", "items"]}
    return [f"copies by a second judge: expected none, found {len(copied)}"] if copied else []


def _canaries(real: pd.DataFrame, settings: SynthesisSettings, seed: int) -> tuple[int, float]:
    """Plant CANARIES people with items drawn blindly among half of the real ones, learn, draw, and look for them.

    Returns how many histories come back whole or all but an item, and the AUC of an attack that tells the planted ones
    from as many that were drawn the same way and not planted, by the likeness of the closest record.
    """
    users, items = (pd.factorize(real[c], sort=True) for c in ("user_id", "item_id"))
    ones = np.ones(len(real), np.float32)
    rows_UM = sp.csr_matrix((ones, (users[0], items[0])), shape=(len(users[1]), len(items[1])))
    popular = np.sort(np.argsort(-np.asarray(rows_UM.sum(0)).ravel(), kind="stable")[: settings.max_items])
    rng = np.random.default_rng(seed)
    half_UM = rows_UM[np.sort(rng.permutation(rows_UM.shape[0])[::2])][:, popular]
    half_UM = half_UM[np.diff(half_UM.indptr) > 0]
    planted, others = (sp.vstack([_blind(len(popular), rng) for _ in range(CANARIES)]).tocsr() for _ in range(2))
    learn_UM = sp.vstack([half_UM, planted]).tocsr()
    generator = fit(learn_UM, [str(n) for n in popular], settings, seed)
    started = time.monotonic()
    drawn_UM = sp.vstack([generator.users("gan", n, seed)[1] for n in range(learn_UM.shape[0] // BLOCK)]).tocsr()
    print(f"{drawn_UM.nnz / (time.monotonic() - started):,.0f} interactions drawn a second, in one process")
    shared = (planted @ drawn_UM.T).toarray()
    missing = planted.sum(1) - shared
    near = np.asarray(missing <= 1) & (np.diff(drawn_UM.indptr)[None] - shared <= 1)
    close = np.concatenate([likeness(side, drawn_UM, 1) for side in (planted, others)])
    return int(near.any(1).sum()), auc(close, np.repeat([1, 0], CANARIES))[0]


def _blind(items: int, rng: np.random.Generator) -> sp.csr_matrix:
    chosen = rng.choice(items, int(rng.integers(5, 20)), replace=False)
    return sp.csr_matrix(np.bincount(chosen, minlength=items).astype(np.float32)[None])


def _print(figures: pd.DataFrame) -> None:
    names = [g for g in ("gan", "gaussian", "independent", "resampled", "shuffled") if g in set(figures["generator"])]
    print("| figure | " + " | ".join(names) + " | real | bound |\n|" + "---|" * (len(names) + 3))
    for metric, part in figures.groupby("metric", sort=False):
        cells = [_spread(part.loc[part["generator"] == name, "value"]) for name in names]
        ours = part[part["generator"] == "gan"]
        print(f"| {metric} | " + " | ".join([*cells, _spread(ours["reference"]), _spread(ours["threshold"])]) + " |")


def _spread(values: pd.Series) -> str:
    values = values.dropna()
    if values.empty:
        return ""
    return f"{values.mean():.3f}" + (f" ({values.min():.3f} to {values.max():.3f})" if len(values) > 1 else "")


def _missed_by_tables(tables: pd.DataFrame) -> list[str]:
    """Bounds of the settings that the means over the seeds miss; what is asked is a mean over them too."""
    ours = tables[(tables["generator"] == "gan") & tables["threshold"].notna()]
    means = ours.groupby(["table", "metric"])[["value", "threshold"]].mean()
    found = []
    for (table, metric), row in means.iterrows():
        at_least, _ = RULES.bounds[metric]
        if (row["value"] < row["threshold"]) if at_least else (row["value"] > row["threshold"]):
            found.append(f"{table} {metric}: asked for {row['threshold']:.4f}, found {row['value']:.4f}")
    return found


def _missed(figures: pd.DataFrame) -> list[str]:
    means = figures[figures["generator"] == "gan"].groupby("metric")["value"].mean()
    return [
        f"{metric}: expected at {'least' if at_least else 'most'} {bound}, found {means[metric]:.4f}"
        for metric, (at_least, bound) in FLOORS.items()
        if (means[metric] < bound if at_least else means[metric] > bound)
    ]


if __name__ == "__main__":
    sys.exit(main())
