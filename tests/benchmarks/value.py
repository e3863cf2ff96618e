"""What customers will spend, on Online Retail: values from raw files, judged on the days after three dates.

    make bench-value
    make bench-value ARGS="--dates 2011-10-15 --days 28"

Land and clean alone are run as stages; values come from the events before each date and are judged on those after.
Exit code 0 only where the mean absolute error is below that of going on as before and the interval of 80 % holds for
72 to 88 % of the customers on each date.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.customer_value import customer_value
from recsynth.apps.judge_value import GOING_ON, OURS, value_figures
from recsynth.apps.user_days import user_days
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables.output import USER_PROFILES
from recsynth.tables.silver import EVENTS
from tests.rows import night

DATES = ("2011-08-20", "2011-09-17", "2011-10-15")
LEAST_COVERED, MOST_COVERED = 0.72, 0.88


def main() -> int:
    """Print a table a date and return 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--dates", nargs="+", default=DATES, help="as-of dates")
    parser.add_argument("--days", type=int, default=28, help="days whose spend is foretold")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        places = {"landing": options.data, "lake": Path(folder) / "lake", "report": Path(folder) / "report"}
        changes = [*(f"paths.{k}={v}" for k, v in places.items()), f"apps.value.days={options.days}"]
        settings = Settings.load("conf/online_retail.toml", changes)
        spark = session("value", settings.spark)
        last = date.fromisoformat(max(options.dates))
        run_night(spark, settings, last, stages=[s for s in STAGES if s.name in ("land", "clean")])
        events = Store(spark, settings.paths.lake).read(EVENTS).persist()
        print(f"{options.days} days, seed {settings.seed}, {platform.machine()}, Spark {spark.version}\n")
        print("| as of | customers | measure | model | value | 95 % |\n|---|---|---|---|---|---|")
        faults = [f for d in options.dates for f in _judged(events, night(date.fromisoformat(d), settings))]
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def _judged(events: DataFrame, at: Night) -> list[str]:
    started = time.monotonic()
    said = customer_value(user_days(events.where(F.col("ts") < F.lit(at.cutoff))), at).persist()
    said.count()
    seconds = time.monotonic() - started
    rest = [c for c in USER_PROFILES.column_names if c not in (*said.columns, "is_default")]
    types = {f.name: f.dataType for f in USER_PROFILES.schema}
    profiles = said.select("*", F.lit(False).alias("is_default"), *(F.lit(None).cast(types[c]).alias(c) for c in rest))
    rows = value_figures(events, profiles, at).collect()
    for r in sorted(rows, key=lambda r: (r.metric, r.model)):
        interval = "" if r.low is None else f"{r.low:.3f} to {r.high:.3f}"
        print(f"| {at.as_of} | {r['count']:,} | {r.metric} | {r.model} | {r.value:.3f} | {interval} |", flush=True)
    print(f"\n{seconds:.0f} s\n", flush=True)
    found = {(r.metric, r.model): r.value for r in rows}
    faults = []
    ours, going_on = (found["mean_absolute_error", model] for model in (OURS, GOING_ON))
    if ours >= going_on:
        faults.append(f"{at.as_of} mean absolute error: expected below {going_on:.2f}, found {ours:.2f}")
    covered = found["coverage_80", OURS]
    if not LEAST_COVERED <= covered <= MOST_COVERED:
        faults.append(f"{at.as_of} coverage: expected {LEAST_COVERED} to {MOST_COVERED}, found {covered:.3f}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
