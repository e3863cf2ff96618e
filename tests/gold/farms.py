"""A shop in which a click farm may be planted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

DAY0 = datetime(2024, 3, 1, 12, tzinfo=UTC)
FARM, BOUGHT = [f"f{n:02d}" for n in range(30)], "f00"


def shop() -> list[tuple[Any, ...]]:
    """40 accounts that view four of eight items each and buy one, over three weeks, another every day."""
    return [
        (f"u{n:02d}", f"i{(n + k) % 8}", "purchase" if k == 3 else "view", DAY0 + timedelta(days=n % 20, hours=k))
        for n in range(40) for k in range(4)
    ]  # fmt: skip


def farm(day: int = 20, item: str = "i7") -> list[tuple[Any, ...]]:
    """30 new accounts that view one item alone within three days; one of them buys it."""
    clicks = [(u, item, "view", DAY0 + timedelta(days=day + n % 3)) for n, u in enumerate(FARM)]
    return [*clicks, (BOUGHT, item, "purchase", DAY0 + timedelta(days=day + 3))]
