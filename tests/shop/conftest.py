"""One simulated shop that the tests of its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pytest

from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.funnel import Event
from recsynth.shop.sessions import User
from recsynth.shop.settings import DirtSettings, ShopSettings
from recsynth.shop.shelves import Stock
from recsynth.shop.tastes import Taste, taste

SEED = 7


@dataclass(frozen=True)
class Shop:
    """A shop's stock and, user by user, what was planted and what happened."""

    stock: Stock
    by_user: list[list[Event]]

    @cached_property
    def events(self) -> pd.DataFrame:
        """All good events: what is sent, with day, session, target and has_typo, and the words of the item."""
        known: list[dict[str, Any]] = [
            e.sent | {"day": e.day, "session": e.session, "target": e.target, "has_typo": e.has_typo}
            for events in self.by_user
            for e in events
        ]
        return pd.DataFrame(known).merge(self.items, on="item_id", how="left", suffixes=("", "_listed"))

    @cached_property
    def items(self) -> pd.DataFrame:
        """The catalogue with its words."""
        return described(catalogue(self.stock.settings, self.stock.seed), self.stock.settings.language)

    @cached_property
    def tastes(self) -> dict[str, Taste]:
        """The planted taste of each user."""
        found = [taste(n, self.stock.settings, self.stock.seed) for n in range(self.stock.settings.users)]
        return {t.user_id: t for t in found}


def simulated(seed: int = SEED, **changes: Any) -> Shop:
    """A shop of 300 users, 400 items and 12 weeks, or as the changes say."""
    sizes: dict[str, Any] = {"users": 300, "items": 400, "days": 84, "sessions_per_day": 0.3}
    stock = Stock(ShopSettings(**sizes | changes), seed)
    return Shop(stock, [User(n, stock).events() for n in range(stock.settings.users)])


@pytest.fixture(scope="session")
def shop() -> Shop:
    """An English shop."""
    return simulated()


@pytest.fixture(scope="session")
def chinese_shop() -> Shop:
    """A small Chinese shop."""
    return simulated(users=60, language="zh")


@pytest.fixture(scope="session")
def dirty() -> DirtSettings:
    """More dirt than is usual, so that a small shop has all of it."""
    return DirtSettings(broken=0.1, duplicates=0.03, near_duplicates=0.03, late=0.05, bots=4, bot_events=300)
