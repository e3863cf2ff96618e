"""Shards of a night on Online Retail, every tenth item known by its text alone, and what is judged beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from pyspark.sql import functions as F

from recsynth.nightly import run_night
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.gold import (
    HISTORIES,
    INTERACTIONS,
    ITEM_TEXT,
    WINDOW_HISTORIES,
    WINDOW_INTERACTIONS,
    WINDOW_LABELS,
)
from recsynth.tables.synthesis import AUGMENTED_TEXTS
from recsynth.training.train import places_of, write_shards
from tests.benchmarks.model import CATALOGUE, cold_landing, needed
from tests.references import online_retail as judge

NEEDED = {t.name for t in (HISTORIES, INTERACTIONS, ITEM_TEXT, WINDOW_HISTORIES, WINDOW_LABELS, AUGMENTED_TEXTS)}


def write(data: Path, as_of: str, folder: Path, changes: Sequence[str] = ()) -> None:
    """Run a night as far as training reads it, and write `texts`, `users`, `labels`, and what is judged."""
    cold_landing(data, as_of, folder / "landing")
    config = folder / "cold.toml"
    config.write_text(Path("conf/online_retail.toml").read_text() + CATALOGUE)
    places = [f"paths.{k}={folder / v}" for k, v in (("landing", "landing"), ("lake", "lake"), ("report", "report"))]
    settings, day = Settings.load(str(config), [*places, *changes]), date.fromisoformat(as_of)
    spark = session("shards", settings.spark)
    run_night(spark, settings, day, stages=needed(NEEDED))
    store = Store(spark, settings.paths.lake)
    windows = [store.read_night(t, day) for t in (WINDOW_HISTORIES, WINDOW_INTERACTIONS, WINDOW_LABELS)]
    text = store.read_night(ITEM_TEXT, day)
    write_shards(folder, *windows, text, store.read_night(AUGMENTED_TEXTS, day))
    known = judge.truth(judge.purchases(data), as_of)
    before = {item for items in known.bought.values() for item in items}
    items = text.select("item_id", "text").orderBy("item_id").toPandas()
    items["is_cold"] = items["item_id"].map(judge.is_cold)
    items["is_known"] = items["item_id"].isin(before) & ~items["is_cold"]
    items.to_parquet(folder / "items.parquet")
    row_of = {item: row for row, item in enumerate(items["item_id"])}
    start = F.to_utc_timestamp(F.lit(as_of).cast("timestamp"), settings.shop_time_zone)
    users = _users(places_of(store.read_night(HISTORIES, day), start).toPandas(), row_of, known)
    users.to_parquet(folder / "judged.parquet")
    weights = store.read_night(INTERACTIONS, day).select("user_id", "item_id", "weight").toPandas()
    number = {user: row for row, user in enumerate(users["user_id"])}
    others = sorted(set(weights["user_id"]) - set(number))
    number |= {user: len(number) + i for i, user in enumerate(others)}
    weights["row"], weights["item"] = weights["user_id"].map(number), weights["item_id"].map(row_of)
    weights[["row", "item", "weight"]].to_parquet(folder / "interactions.parquet")


def _users(places: pd.DataFrame, row_of: dict[str, int], known: judge.Truth) -> pd.DataFrame:
    """A row a user who bought after the date: the last 50 events, and what was bought, warm and cold."""
    places = places[(places["kind"] == "item") & places["key"].isin(row_of)].sort_values(["user_id", "place"])
    found = []
    for user, events in places.groupby("user_id"):
        wanted = known.wanted.get(str(user), set())
        events = events.tail(50)
        found.append({
            "user_id": user, "texts": events["key"].map(row_of).tolist(), "types": events["type"].tolist(),
            "ages": events["age"].tolist(),
            "warm": [row_of[i] for i in sorted(wanted) if i in row_of and not judge.is_cold(i)],
            "cold": [row_of[i] for i in sorted(wanted) if i in row_of and judge.is_cold(i)],
        })  # fmt: skip
    users = pd.DataFrame(found)
    return users[(users["warm"].str.len() > 0) | (users["cold"].str.len() > 0)].reset_index(drop=True)
