"""What poison moves: python -m tests.benchmarks.poison.

Nights of the simulated shop, on the stages that lead to its lists: as it is, and poisoned, with the guard and without.

clicks: a farm of new accounts views and carts an item that few touch, on the last three days before the night.
reviews: as many new accounts give the item that stands in most lists one star and the same words.
titles: one item in a hundred is new and has, beside its own name, the word that is searched most in its title; they
lie in all categories. What is compared with is the same items under their own names.

Printed: in how many of all lists the targets stand, among recommendations and among new items, and how far all
exposure moved (half the sum of absolute differences of items' shares of places, both kinds of lists together). Exit
code 0 only where the attack is noticed, nothing is noticed in the shop as it is, and with the guard the share of lists
is within BOUND of what it is without the attack.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
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
from recsynth.tables import TABLES, Table
from recsynth.tables.gold import CLICK_FARMS, INTERACTIONS, TITLE_TRIGGERS
from recsynth.tables.output import NEW_ITEM_RECOMMENDATIONS, RECOMMENDATIONS
from tests.pages import blank_pages

AS_OF, DAYS, BOUND = date(2025, 2, 18), 3, 0.02
ATTACKS = ["clicks", "reviews", "titles"]
# What an account does.
DONE = {
    "clicks": [{"event_type": "view"}, {"event_type": "cart"}],
    "reviews": [{"event_type": "rating", "rating": "1", "text": "Broke at once. Do not buy this."}],
}
CONFIG = Path(__file__).parents[2] / "conf/tiny.toml"


@dataclass(frozen=True)
class Attack:
    """An attack's name in the table, its section of [gold], the table that tells of it, and the shop's settings."""

    name: str
    section: str
    table: Table
    changes: list[str]


def leading_to(name: str) -> list[Stage]:
    """A stage and all that it needs, in order."""
    wanted, kept = {name}, []
    for stage in reversed(STAGES):
        if stage.name in wanted:
            kept.append(stage)
            wanted |= {TABLES[table].writer for table in stage.reads}
    return kept[::-1]


def plant_accounts(landing: Path, item: str, accounts: int, zone: str, done: list[dict[str, str]]) -> None:
    """What each new account does with the item, minutes apart, in a file a day beside the shop's own."""
    for n in range(DAYS):
        day = AS_OF - timedelta(days=DAYS - n)
        lines = []
        for account in range(n, accounts, DAYS):
            ts = datetime(day.year, day.month, day.day, 9 + account % 12, account % 60, tzinfo=ZoneInfo(zone))
            for k, event in enumerate(done):
                lines.append({
                    "event_id": f"farm-{account}-{k}", "user_id": f"Z{account:06d}", "item_id": item,
                    "ts": (ts + timedelta(minutes=k)).isoformat(), "country": "DE", **event,
                })  # fmt: skip
        folder = landing / "events" / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "farm.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def searched_word(landing: Path) -> str:
    """The word of three letters or more that most searches before the night have."""
    words: Counter[str] = Counter()
    for path in landing.glob("events/*/*.jsonl"):
        if path.parent.name < str(AS_OF):
            for query in re.findall(r'"query": ?"([^"]+)"', path.read_text()):
                words.update({w for w in query.lower().split() if len(w) > 2})
    return words.most_common(1)[0][0]


def plant_titles(landing: Path, items: int, word: str, is_planted: bool) -> list[str]:
    """New items in a catalogue file of the day before the night, with the word in their titles or not; their ids."""
    files = [path for path in (landing / "items").glob("*.csv") if path.stem < str(AS_OF - timedelta(days=1))]
    last = pd.read_csv(max(files), dtype=str).dropna(subset=["title", "category"])
    plain = last[~last["title"].str.lower().str.contains(word, regex=False)].drop_duplicates("title")
    chosen = plain.assign(turn=plain.groupby("category").cumcount()).sort_values(["turn", "category"]).head(items)
    chosen = chosen.drop(columns="turn").assign(item_id=[f"N{n:05d}" for n in range(len(chosen))], available="true")
    if is_planted:
        chosen["title"] += " " + word
    chosen.to_csv(landing / "items" / f"{AS_OF - timedelta(days=1)}.csv", index=False)
    return list(chosen["item_id"])


def exposure(
    spark: SparkSession, lake: Path, landing: Path, changes: list[str], guard: str
) -> tuple[pd.DataFrame, Store]:
    """A night's lines of real users (user_id, item_id, list), and its lake."""
    paths = [f"paths.landing={landing}", f"paths.lake={lake}", f"paths.report={lake}_report"]
    settings = Settings.load(CONFIG, [*changes, *paths, "simulate=false", *([guard] if guard else [])])
    with blank_pages():
        run_night(spark, settings, AS_OF, stages=leading_to("recommend"))
    store = Store(spark, str(lake))
    tables = {"all": RECOMMENDATIONS, "new": NEW_ITEM_RECOMMENDATIONS}
    lines = pd.concat(
        store.read_night(table, AS_OF).select("user_id", "item_id").toPandas().assign(list=name)
        for name, table in tables.items()
    )
    return lines[~lines["user_id"].str.startswith("Z")], store


def share_of_lists(lines: pd.DataFrame, targets: list[str], name: str) -> float:
    """Share of the users with a list of this kind who see any of the targets in it."""
    of = lines[lines["list"] == name]
    return float(of[of["item_id"].isin(targets)]["user_id"].nunique() / of["user_id"].nunique())


def moved(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Total variation distance of items' shares of all places."""
    shares = [lines["item_id"].value_counts(normalize=True) for lines in (before, after)]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def compared(
    spark: SparkSession, folder: Path, landing: Path, usual: pd.DataFrame, targets: list[str], attack: Attack
) -> bool:
    """Print a line with the guard off and one with it on; returns whether the attack was noticed and bounded."""
    before, is_good = [share_of_lists(usual, targets, name) for name in ("all", "new")], True
    for guard in ("off", "on"):
        changes = f"gold.{attack.section}.leave_out={str(guard == 'on').lower()}"
        lines, store = exposure(spark, folder / f"lake_{attack.name}_{guard}", landing, attack.changes, changes)
        noticed = store.read_night(attack.table, AS_OF).count()
        shown = [share_of_lists(lines, targets, name) for name in ("all", "new")]
        print_line(attack.name, guard, noticed, shown, moved(usual, lines))
        is_bounded = all(abs(now - then) <= BOUND for now, then in zip(shown, before, strict=True))
        is_good &= noticed > 0 and (guard == "off" or is_bounded)
    return is_good


def print_line(name: str, guard: str, noticed: int, shown: list[float], how_far: float) -> None:
    """A line of the table."""
    print(f"{name:>12} {guard:>5} {noticed:7d} {shown[0]:8.4f} {shown[1]:9.4f} {how_far:7.4f}", flush=True)


def with_accounts(spark: SparkSession, folder: Path, accounts: int, attacks: list[str]) -> list[bool]:
    """The click farm and the review bomb, each beside the same shop without."""
    settings = Settings.load(CONFIG, [])
    simulate(spark, settings.shop, settings.seed, folder / "plain")
    usual, store = exposure(spark, folder / "lake_plain", folder / "plain", [], "")
    false_alarms = store.read_night(CLICK_FARMS, AS_OF).count() + store.read_night(TITLE_TRIGGERS, AS_OF).count()
    users = store.read_night(INTERACTIONS, AS_OF).groupBy("item_id").count().orderBy("count", "item_id").collect()
    # Few touch the one, but it can be sold: it stands in somebody's list, or it would be no target. The bomb is meant
    # for what stands in most.
    shown = usual.loc[usual["list"] == "all", "item_id"].value_counts()
    targets = {"clicks": next(r.item_id for r in users if r.item_id in shown.index), "reviews": str(shown.idxmax())}
    done = []
    for name in attacks:
        target = targets[name]
        seen = [share_of_lists(usual, [target], of) for of in ("all", "new")]
        print_line("nobody", "on", false_alarms, seen, 0.0)
        landing = folder / name
        shutil.copytree(folder / "plain", landing)
        plant_accounts(landing, target, accounts, settings.shop_time_zone, DONE[name])
        attack = Attack(f"{accounts} {name}", "farms", CLICK_FARMS, [])
        done.append(compared(spark, folder, landing, usual, [target], attack) and false_alarms == 0)
    return done


def with_words(spark: SparkSession, folder: Path, items: int) -> bool:
    """Words planted in titles."""
    attack = Attack("words", "triggers", TITLE_TRIGGERS, [f"shop.items={items}"])
    settings = Settings.load(CONFIG, attack.changes)
    simulate(spark, settings.shop, settings.seed, folder / "words")
    shutil.copytree(folder / "words", folder / "named")
    word = searched_word(folder / "words")
    targets = plant_titles(folder / "named", items // 100, word, is_planted=False)
    usual, store = exposure(spark, folder / "lake_named", folder / "named", attack.changes, "")
    false_alarms = store.read_night(CLICK_FARMS, AS_OF).count() + store.read_night(TITLE_TRIGGERS, AS_OF).count()
    print(f"{items} items, {len(targets)} of them new; the word: {word}")
    print_line("own names", "on", false_alarms, [share_of_lists(usual, targets, name) for name in ("all", "new")], 0.0)
    plant_titles(folder / "words", items // 100, word, is_planted=True)
    return compared(spark, folder, folder / "words", usual, targets, attack) and false_alarms == 0


def main() -> int:
    """Print the table; see above for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--accounts", type=int, default=60, help="accounts of the farm and the bomb")
    parser.add_argument("--items", type=int, default=800, help="catalogue of the shop whose titles are poisoned")
    parser.add_argument("--folder", type=Path, help="where to work; else a temporary folder")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp())
    spark = session("poison", SparkSettings(master="local[2]", driver_memory="4g", shuffle_partitions=4))
    print(f"{'attack':>12} {'guard':>5} {'noticed':>7} {'in lists':>8} {'new lists':>9} {'moved':>7}")
    accounts = [name for name in chosen.attacks if name in DONE]
    done = with_accounts(spark, folder / "accounts", chosen.accounts, accounts) if accounts else []
    if "titles" in chosen.attacks:
        done.append(with_words(spark, folder / "titles", chosen.items))
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
