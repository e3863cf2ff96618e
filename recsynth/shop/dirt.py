"""Dirt: bots, repeats, late arrivals and broken rows, each drawn by a hash of the event it is made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.sessions import FIELDS
from recsynth.shop.settings import ShopSettings

REASONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "malformed row": lambda row: True,
    "missing user_id": lambda row: True,
    "missing item_id": lambda row: row["event_type"] != "search",
    "missing ts": lambda row: True,
    "unparsable ts": lambda row: True,
    "ts out of range": lambda row: True,
    "missing event_type": lambda row: True,
    "unknown event_type": lambda row: row["event_type"] != "search",
    "negative price": lambda row: row["event_type"] == "purchase",
    "quantity not positive": lambda row: row["event_type"] == "purchase",
    "rating out of range": lambda row: row["event_type"] == "rating",
    "missing query": lambda row: row["event_type"] == "search",
}
_BREAKS: dict[str, dict[str, Any]] = {
    "missing user_id": {"user_id": None}, "missing item_id": {"item_id": " "}, "missing ts": {"ts": None},
    "unparsable ts": {"ts": "yesterday"}, "ts out of range": {"ts": "1970-01-01T00:00:00"},
    "missing event_type": {"event_type": ""}, "unknown event_type": {"event_type": "teleport"},
    "negative price": {"price": -1.5}, "quantity not positive": {"quantity": 0}, "rating out of range": {"rating": 9},
    "missing query": {"query": ""},
}  # fmt: skip
NOT_SENT = ("session",)


def landed(rows: list[dict[str, Any]], settings: ShopSettings, seed: int) -> Iterator[dict[str, Any]]:
    """What lands of one user's events: lines with the day of their file and what was planted.

    Yields event_id, file_day (days since the start), line, defect (`` for a good first landing) and session.
    """
    for row in rows:
        rng = np.random.default_rng(sub_seed(seed, "dirt", row["event_id"]))
        day = (datetime.fromisoformat(row["ts"]).date() - settings.start).days
        dirt = settings.dirt
        is_late = rng.random() < dirt.late
        file_day = min(day + int(rng.integers(1, 4)), settings.days - 1) if is_late else day
        yield _line(row, file_day, "late" if is_late and file_day > day else "", settings)
        if rng.random() < dirt.duplicates:
            yield _line(row, file_day, "duplicate", settings)
        if row["event_type"] in ("view", "click") and rng.random() < dirt.near_duplicates:
            again = datetime.fromisoformat(row["ts"]) + timedelta(seconds=1)
            yield _line(
                row | {"event_id": row["event_id"] + "-again", "ts": again.isoformat()}, day, "near_duplicate", settings
            )
        if rng.random() < dirt.broken:
            yield _broken(row, day, rng, settings)


def bot_rows(number: int, items: pd.DataFrame, settings: ShopSettings, seed: int) -> list[dict[str, Any]]:
    """One bot's views: two a second on one day, all over the catalogue of that day."""
    rng = np.random.default_rng(sub_seed(seed, "bot", number))
    day = int(rng.integers(0, settings.days))
    known = items[(items["launch_day"] <= day) & (items["retired_day"] > day)]["item_id"].to_numpy()
    start = datetime.combine(settings.start + timedelta(days=day), datetime.min.time()) + timedelta(hours=13)
    user = f"B{number:05d}"
    picks = rng.integers(0, len(known), settings.dirt.bot_events)
    return [
        {
            **dict.fromkeys(FIELDS), "event_id": f"{user}-{i}", "user_id": user, "item_id": str(known[pick]),
            "event_type": "view", "ts": (start + timedelta(milliseconds=500 * i)).isoformat(), "country": "DE",
            "session": f"{user}/0",
        }
        for i, pick in enumerate(picks)
    ]  # fmt: skip


def _broken(row: dict[str, Any], day: int, rng: np.random.Generator, settings: ShopSettings) -> dict[str, Any]:
    possible = [reason for reason, fits in REASONS.items() if fits(row)]
    reason = possible[int(rng.integers(len(possible)))]
    bad = row | {"event_id": row["event_id"] + "-bad"}
    if reason == "malformed row":
        line = _line(bad, day, reason, settings)
        return line | {"line": line["line"][: len(line["line"]) // 2]}
    return _line(bad | _BREAKS[reason], day, reason, settings)


def _line(row: dict[str, Any], file_day: int, defect: str, settings: ShopSettings) -> dict[str, Any]:
    """A row as the file of its day writes it: fields come and change names as the shop's software does."""
    sent = {k: v for k, v in row.items() if k not in NOT_SENT and v is not None}
    if file_day >= settings.dirt.sku_from_day and "item_id" in sent:
        sent["sku"] = sent.pop("item_id")
    if file_day >= settings.dirt.device_from_day:
        sent["device"] = ("phone", "tablet", "desktop")[sub_seed(0, row["user_id"] or "") % 3]
    return {
        "event_id": row["event_id"], "file_day": file_day, "line": json.dumps(sent, ensure_ascii=False),
        "defect": defect, "session": row["session"], "user_id": row["user_id"],
    }  # fmt: skip
