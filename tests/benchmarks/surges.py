"""Surges of complaints: planted ones found within a day, false alarms counted, and real dated complaints run through.

    make bench-surges

Planted: a year of negative binomial counts with weekdays for each of many topics, 2 to 20 a day; in each a surge of
three or five times the usual for five days. Real: cfpb_complaints, daily counts by product, company and issue, to be
read by eye: the data name no surges. Exit code 0 only where the floors hold: of Poisson counts, surges to 25 a day
and more are found, and nowhere is there more than one false alarm a topic and quarter.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from recsynth.apps.settings import SurgeSettings
from recsynth.apps.surges import surges

WEEKDAYS = np.array([1.1, 1.1, 1.0, 1.0, 1.0, 0.9, 0.9])
DAYS, QUARTER, SURGE_DAYS = 364, 90, 5
LEAST_RECALL, MOST_FALSE = 0.95, 1.0


def main() -> int:
    """Print both tables and return 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with cfpb_complaints")
    parser.add_argument("--topics", type=int, default=200, help="planted topics of each kind")
    options = parser.parse_args()
    print(f"\nPlanted, {options.topics} topics each, seed 0: found within a day of its first, false alarms a quarter\n")
    print("| usual a day | spread | times the usual | found | false alarms | seconds |\n|---|---|---|---|---|---|")
    faults = []
    for mean in (2.0, 5.0, 20.0):
        for spread in (1.0, 2.0):
            for times in (3.0, 5.0):
                recall, false, seconds = planted(mean, spread, times, options.topics)
                print(
                    f"| {mean:.0f} | {spread:.0f} | {times:.0f} | {recall:.3f} | {false:.3f} | {seconds:.1f} |",
                    flush=True,
                )
                name = f"{times:.0f} times {mean:.0f} a day at a spread of {spread:.0f}"
                if spread == 1 and times * mean >= 25 and recall < LEAST_RECALL:
                    faults.append(f"{name}: found {recall:.3f}, expected at least {LEAST_RECALL}")
                if false > MOST_FALSE:
                    faults.append(
                        f"{name}: {false:.2f} false alarms a topic and quarter, expected at most {MOST_FALSE}"
                    )
    complaints(options.data / "cfpb_complaints")
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def planted(mean: float, spread: float, times: float, topics: int) -> tuple[float, float, float]:
    """Share of surges found on their first or second day, false alarms a topic and quarter, seconds."""
    rng, settings = np.random.default_rng(0), SurgeSettings()
    found = false = quarters = 0.0
    start = time.monotonic()
    for _ in range(topics):
        usual = mean * WEEKDAYS[np.arange(DAYS) % 7]
        level = usual.copy()
        first = int(rng.integers(120, DAYS - 30))
        level[first : first + SURGE_DAYS] *= times
        counts = rng.poisson(level) if spread == 1 else rng.negative_binomial(level / (spread - 1), 1 / spread)
        raised = [s.raised for s in surges(counts, np.full(DAYS, 1000), settings)]
        found += any(first <= day <= first + 1 for day in raised)
        # Until its windows have passed a surge is no false alarm.
        false += sum(not first <= day < first + SURGE_DAYS + max(settings.windows) for day in raised)
        quarters += (DAYS - settings.min_days) / QUARTER
    return found / topics, false / quarters, time.monotonic() - start


def complaints(folder: Path) -> None:
    """Print the alerts of real daily complaints, all of them negative."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"{folder}: expected a CSV of complaints, found none")
    rows = pd.concat([pd.read_csv(f, dtype=str) for f in files])
    day = pd.to_datetime(rows["Date received"])
    first, days = day.min(), (day.max() - day.min()).days + 1
    rows = rows.assign(day=(day - first).dt.days)
    print(f"\ncfpb_complaints, {first:%Y-%m-%d} to {day.max():%Y-%m-%d}, {len(rows):,} complaints\n")
    print(
        "| by | of | noticed | began | lasted to | complaints | expected | chance |\n|---|---|---|---|---|---|---|---|"
    )
    watched = alerts = 0
    for kind in ("Product", "Company", "Issue"):
        for name, part in rows.groupby(kind):
            counts = np.bincount(part["day"], minlength=days)
            watched += 1
            for s in surges(counts, counts, SurgeSettings()):
                alerts += 1
                at = [f"{first + pd.Timedelta(days=d):%Y-%m-%d}" for d in (s.raised, s.began, s.last)]
                print(f"| {kind} | {name} | {' | '.join(at)} | {s.negatives} | {s.expected:.1f} | {s.chance:.1e} |")
    print(f"\n{alerts} alerts in {watched} series over {days / QUARTER:.1f} quarters.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
