"""What a click farm moves: python -m tests.benchmarks.poison.

Nights of the simulated shop, on the stages that lead to its lists: as it is, and with a farm of new accounts that view
and cart an item that few touch, on the last three days before the night; with the guard and without it. Printed: in
how many of all lists the item stands, and how far all exposure moved (half the sum of absolute differences of items'
shares of places). Exit code 0 only where the farm is noticed, nobody is left out of the shop as it is, and the guard
leaves at most BOUND more lists than the farm would not have reached.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from pyspark.sql import SparkSession

from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings, SparkSettings
from recsynth.shop.landing import simulate
from recsynth.stage import Stage
from recsynth.store import Store
from recsynth.tables import TABLES
from recsynth.tables.gold import CLICK_FARMS, INTERACTIONS
from recsynth.tables.output import RECOMMENDATIONS
from tests.pages import blank_pages

AS_OF, DAYS, BOUND = date(2025, 2, 18), 3, 0.02
CONFIG = Path(__file__).parents[2] / "conf/tiny.toml"


def leading_to(name: str) -> list[Stage]:
    """A stage and all that it needs, in order."""
    wanted, kept = {name}, []
    for stage in reversed(STAGES):
        if stage.name in wanted:
            kept.append(stage)
            wanted |= {TABLES[table].writer for table in stage.reads}
    return kept[::-1]


def plant(landing: Path, item: str, accounts: int, zone: str) -> None:
    """The farm's lines, a file a day beside the shop's own."""
    for n in range(DAYS):
        day = AS_OF - timedelta(days=DAYS - n)
        lines = []
        for account in range(n, accounts, DAYS):
            ts = datetime(day.year, day.month, day.day, 9 + account % 12, account % 60, tzinfo=ZoneInfo(zone))
            for k, event_type in enumerate(("view", "cart")):
                lines.append({
                    "event_id": f"farm-{account}-{k}", "user_id": f"Z{account:06d}", "item_id": item,
                    "event_type": event_type, "ts": (ts + timedelta(minutes=k)).isoformat(), "country": "DE",
                })  # fmt: skip
        folder = landing / "events" / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "farm.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def exposure(spark: SparkSession, lake: Path, landing: Path, guard: bool) -> tuple[pd.DataFrame, Store]:
    """A night's lines of real users (user_id, item_id), and its lake."""
    paths = [f"paths.landing={landing}", f"paths.lake={lake}", f"paths.report={lake}_report"]
    settings = Settings.load(CONFIG, [*paths, "simulate=false", f"gold.farms.leave_out={str(guard).lower()}"])
    with blank_pages():
        run_night(spark, settings, AS_OF, stages=leading_to("recommend"))
    store = Store(spark, str(lake))
    lines = store.read_night(RECOMMENDATIONS, AS_OF).select("user_id", "item_id").toPandas()
    return lines[~lines["user_id"].str.startswith("Z")], store


def moved(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Total variation distance of items' shares of all places."""
    shares = [lines["item_id"].value_counts(normalize=True) for lines in (before, after)]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def main() -> int:
    """Print the table; see above for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, nargs="+", default=[60], help="accounts of the farms")
    parser.add_argument("--folder", type=Path, help="where to work; else a temporary folder")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp())
    spark = session("poison", SparkSettings(master="local[2]", driver_memory="4g", shuffle_partitions=4))
    settings = Settings.load(CONFIG, [])
    simulate(spark, settings.shop, settings.seed, folder / "plain")
    usual, store = exposure(spark, folder / "lake_plain", folder / "plain", True)
    false_alarms = store.read_night(CLICK_FARMS, AS_OF).count()
    users = store.read_night(INTERACTIONS, AS_OF).groupBy("item_id").count().orderBy("count", "item_id").collect()
    # Few touch it, but it can be sold: it stands in somebody's list, or it would be no target.
    target = next(r.item_id for r in users if r.item_id in set(usual["item_id"]))
    lists = usual["user_id"].nunique()
    shown = float((usual["item_id"] == target).sum() / lists)
    print(f"simulated shop of {lists} lists, seed {settings.seed}; false alarms without a farm: {false_alarms} pairs")
    print(f"{'accounts':>8} {'guard':>5} {'noticed':>7} {'in lists':>8} {'moved':>7}")
    print(f"{0:8d} {'on':>5} {false_alarms:7d} {shown:8.4f} {0.0:7.4f}")
    is_good = false_alarms == 0
    for accounts in chosen.accounts:
        landing = folder / f"farm{accounts}"
        shutil.copytree(folder / "plain", landing)
        plant(landing, target, accounts, settings.shop_time_zone)
        for guard in (False, True):
            lines, store = exposure(spark, folder / f"lake{accounts}{guard}", landing, guard)
            noticed = store.read_night(CLICK_FARMS, AS_OF).count()
            now = float((lines["item_id"] == target).sum() / lists)
            print(f"{accounts:8d} {'on' if guard else 'off':>5} {noticed:7d} {now:8.4f} {moved(usual, lines):7.4f}")
            is_good &= noticed > 0 and (not guard or now <= shown + BOUND)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
