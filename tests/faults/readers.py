"""A reader that polls while nights are published, taken back and published again: it sees whole nights alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from deltalake import DeltaTable

from recsynth.ledger import Ledger
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import TABLES
from recsynth.tables.ops import PUBLISHED
from tests.rows import table

FIRST = date(2024, 3, 1)
# A night is told by the same number in each of these; the second is written a while after the first.
READ = ("output.recommendations", "output.new_item_recommendations", "gold.interactions")
ROWS: dict[str, dict[str, Any]] = {
    READ[0]: {"user_id": "u", "rank": 1, "score": 1.0, "is_explored": False, "propensity": 1.0, "sources": [],
              "reason": "r", "reason_items": [], "model_version": "m"},
    READ[1]: {"user_id": "u", "rank": 1, "score": 0.5, "source": "towers", "reason": "r", "reason_items": [],
              "model_version": "m"},
    READ[2]: {"user_id": "u", "weight": 1.0, "views": 0, "carts": 0, "purchases": 1, "quantity": 1, "opinions": 0,
              "first_ts": datetime(2024, 1, 1, tzinfo=UTC), "last_ts": datetime(2024, 1, 1, tzinfo=UTC)},
}  # fmt: skip


@dataclass
class Polled:
    """What a reader saw: how often it looked, which nights, and where it saw what no night had."""

    polls: int = 0
    nights: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def poll_through(store: Store, publishes: int) -> Polled:
    """Publish so many nights, every third one the date before once more, beside a reader without Spark."""
    polled, is_over = Polled(), threading.Event()
    ledger, number = Ledger(store), 0
    _publish(store, ledger, FIRST, number)
    reader = threading.Thread(target=_poll, args=(store, polled, is_over))
    reader.start()
    try:
        day = FIRST
        for number in range(1, publishes):
            day = day if number % 3 == 0 else day + timedelta(days=1)
            _publish(store, ledger, day, number)
    finally:
        is_over.set()
        reader.join()
    return polled


def _publish(store: Store, ledger: Ledger, day: date, number: int) -> None:
    """As a run does: take the date back, write its tables one after the other, declare it complete."""
    ledger.unpublish(day)
    for name in READ:
        rows = table(store.spark, TABLES[name], [ROWS[name] | {"item_id": f"n{number}"}])
        store.write(TABLES[name], rows, day)
    ledger.publish(Night(f"r{number}", day, datetime.now(UTC), Settings()))


def _poll(store: Store, polled: Polled, is_over: threading.Event) -> None:
    while not is_over.is_set():
        published = DeltaTable(store.path(PUBLISHED)).to_pyarrow_table().to_pylist()
        last = max(published, key=lambda row: row["run_date"])
        versions = dict(last["versions"])
        seen = {name: _items(store, name, versions[name], last["run_date"]) for name in READ}
        polled.polls += 1
        if len(set(map(str, seen.values()))) == 1 and len(seen[READ[0]]) == 1:
            polled.nights.add(seen[READ[0]][0])
        else:
            polled.wrong.append(f"{last['run_date']}: {seen}")


def _items(store: Store, name: str, version: int, day: date) -> list[str]:
    read = DeltaTable(store.path(TABLES[name]), version=version)
    rows = read.to_pyarrow_table(filters=[("run_date", "=", day)], columns=["item_id"])
    return [str(item) for item in rows.column("item_id").to_pylist()]
