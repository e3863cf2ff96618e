"""Dirt of events: bots, repeats, late arrivals and broken rows, drawn user by user."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

import numpy as np

from recsynth.seeds import sub_seed
from recsynth.shop.catalogue import catalogue
from recsynth.shop.funnel import Event
from recsynth.shop.settings import DirtSettings, ShopSettings
from recsynth.shop.shelves import Stock

_ABOUT_ITEMS = ("view", "click", "cart", "purchase", "return", "rating", "comment", "share")
_ALL = ("search", *_ABOUT_ITEMS)
TRUNCATED = "malformed row"
# The reason for which a row is to be set aside: what breaks it so, and in which events that can be.
BREAKS: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    TRUNCATED: ({}, _ALL),
    "missing user_id": ({"user_id": None}, _ALL),
    "missing item_id": ({"item_id": " "}, _ABOUT_ITEMS),
    "missing ts": ({"ts": None}, _ALL),
    "unparsable ts": ({"ts": "soon"}, _ALL),
    "ts out of range": ({"ts": "1970-01-01T00:00:00"}, _ALL),
    "missing event_type": ({"event_type": ""}, _ABOUT_ITEMS),
    "unknown event_type": ({"event_type": "teleport"}, _ABOUT_ITEMS),
    "negative price": ({"price": -1.5}, ("cart", "purchase")),
    "unparsable price": ({"price": "cheap"}, ("cart", "purchase")),
    "quantity not positive": ({"quantity": 0}, ("cart", "purchase", "return")),
    "unparsable quantity": ({"quantity": "many"}, ("cart", "purchase")),
    "rating out of range": ({"rating": 9}, ("rating", "comment")),
    "unparsable rating": ({"rating": "good"}, ("rating", "comment")),
    "missing query": ({"query": ""}, ("search",)),
}
WAYS = {kind: [reason for reason, (_, kinds) in BREAKS.items() if kind in kinds] for kind in _ALL}
DEVICES = ("phone", "tablet", "desktop")
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class Line(NamedTuple):
    """A line that lands in the file of a day (days since the start), and what was planted in it.

    defect: empty for a good event, `late`, `duplicate`, `near_duplicate`, or the reason of a broken row.
    target, has_typo: of a search, the item that is sought and whether it was mistyped.
    """

    event_id: str
    user_id: str
    file_day: int
    line: str
    defect: str
    session: str
    target: str | None
    has_typo: bool


def landed(events: list[Event], stock: Stock) -> Iterator[Line]:
    """What lands of one user's events: each once, late or not, and the repeats and broken rows made from it."""
    if not events:
        return
    settings, user_id = stock.settings, str(events[0].sent["user_id"])
    rng = np.random.default_rng(sub_seed(stock.seed, "dirt", user_id))
    writer = _Writer(settings, user_id)
    drawn = zip(events, *_draws(rng, len(events), settings.dirt), strict=True)
    for event, is_late, is_double, is_again, is_broken, delay, where in drawn:
        late_day = min(event.day + delay, settings.days - 1) if is_late else event.day
        line = writer.line(event, late_day, "late" if late_day > event.day else "")
        yield line
        if is_double:
            yield line._replace(defect="duplicate")
        if is_again and event.sent["event_type"] in ("view", "click"):
            yield writer.line(_a_second_later(event), event.day, "near_duplicate")
        if is_broken:
            yield _broken(event, where, writer)


def _draws(rng: np.random.Generator, n: int, dirt: DirtSettings) -> list[list[Any]]:
    """Per event: is late, is doubled, is sent again, is broken, days of delay, a number for the way of breaking."""
    rates = np.array([dirt.late, dirt.duplicates, dirt.near_duplicates, dirt.broken])
    hits = rng.random((4, n)) < rates[:, None]
    return [*hits.tolist(), rng.integers(1, 4, n).tolist(), rng.random(n).tolist()]


def bot_events(number: int, stock: Stock) -> list[Event]:
    """One bot's views: two a second on one day, through the catalogue of that day in an order of its own."""
    settings = stock.settings
    rng = np.random.default_rng(sub_seed(stock.seed, "bot", number))
    day, user_id = int(rng.integers(settings.days)), f"B{number:05d}"
    items = catalogue(settings, stock.seed)
    known = items[(items["launch_day"] <= day) & (items["retired_day"] > day)]["item_id"].to_numpy()
    start = datetime.combine(settings.date_of(day), time(13))
    # In turns: by chance it would come back to an item within a second, as if a view had been sent twice.
    order = np.resize(rng.permutation(known), settings.dirt.bot_events)
    return [
        Event(
            {"event_id": f"{user_id}-{i}", "user_id": user_id, "event_type": "view",
             "ts": (start + timedelta(milliseconds=500 * i)).isoformat(), "item_id": item_id},
            day, f"{user_id}/0",
        )
        for i, item_id in enumerate(order.tolist())
    ]  # fmt: skip


class _Writer:
    """Writes one user's rows as the shop's software does in the file of a day: a field comes, another is renamed."""

    def __init__(self, settings: ShopSettings, user_id: str) -> None:
        self.dirt, self.user_id = settings.dirt, user_id
        self.device = DEVICES[sub_seed(0, user_id) % len(DEVICES)]

    def line(self, event: Event, file_day: int, defect: str) -> Line:
        sent = event.sent
        if file_day >= self.dirt.sku_from_day:
            sent = {"sku" if name == "item_id" else name: value for name, value in sent.items()}
        if file_day >= self.dirt.device_from_day:
            sent = sent | {"device": self.device}
        text = _encoded(sent)
        return Line(
            event.sent["event_id"], self.user_id, file_day, text, defect, event.session, event.target, event.has_typo
        )


def _a_second_later(event: Event) -> Event:
    ts = datetime.fromisoformat(event.sent["ts"]) + timedelta(seconds=1)
    return event._replace(sent=event.sent | {"event_id": event.sent["event_id"] + "-again", "ts": ts.isoformat()})


def _broken(event: Event, where: float, writer: _Writer) -> Line:
    """A further row made from an event, broken in one of the ways that its type allows; where: from 0 to 1."""
    ways = WAYS[event.sent["event_type"]]
    place, rest = divmod(where * len(ways), 1)
    reason = ways[int(place)]
    changed = event.sent | {"event_id": event.sent["event_id"] + "-bad"} | BREAKS[reason][0]
    sent = {name: value for name, value in changed.items() if value is not None}
    line = writer.line(event._replace(sent=sent), event.day, reason)
    return line._replace(line=line.line[: 1 + int(rest * (len(line.line) - 1))]) if reason == TRUNCATED else line
