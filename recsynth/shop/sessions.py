"""Sessions: search, view, click, cart, purchase, and what follows, user by user."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.catalogue import words
from recsynth.shop.settings import ShopSettings
from recsynth.shop.tastes import Taste, taste, utility
from recsynth.shop.words import QUERIES, REVIEWS

WEEKDAYS = (0.9, 0.85, 0.9, 0.95, 1.1, 1.3, 1.2)
FIELDS = ("event_id", "user_id", "item_id", "event_type", "ts", "query", "quantity", "price", "currency", "rating",
          "text", "order_id", "country", "session")  # fmt: skip


class User:
    """Draws one user's events from the seed and the user's number alone, whatever worker does it."""

    def __init__(self, number: int, items: pd.DataFrame, settings: ShopSettings, seed: int) -> None:
        self.rng = np.random.default_rng(sub_seed(seed, "events", number))
        self.items, self.settings, self.seed = items, settings, seed
        self.taste: Taste = taste(number, settings, seed)
        self.utility = utility(self.taste, items, settings)
        self.bought: list[int] = []
        self.rows: list[dict[str, Any]] = []
        self.kinds = items["kind_index"].to_numpy()
        self.prices = items["price"].to_numpy()
        self.launch, self.retired = items["launch_day"].to_numpy(), items["retired_day"].to_numpy()

    def events(self) -> list[dict[str, Any]]:
        """All events of the simulated days, in order of their sessions."""
        for day in range(self.settings.days):
            date = self.settings.start + timedelta(days=day)
            season = 1 + 0.2 * np.sin(2 * np.pi * (date.timetuple().tm_yday - 80) / 365)
            rate = self.settings.sessions_per_day * self.taste.activity * WEEKDAYS[date.weekday()] * season
            for _ in range(min(4, self.rng.poisson(rate))):
                self._session(day)
        return self.rows

    def _session(self, day: int) -> None:
        target = self._target(day)
        if target is None:
            return
        clock = datetime.combine(self.settings.start + timedelta(days=day), time(7)) + timedelta(
            seconds=int(self.rng.beta(3, 2) * 14 * 3600)
        )
        session = f"{self.taste.user_id}/{len(self.rows)}"
        if self.rng.random() < self.settings.search_share:
            clock = self._event(session, clock, "search", None, query=self._query(target))
        order = f"O{self.taste.user_id}-{len(self.rows)}"
        for item in self._shown(target, day):
            clock = self._funnel(session, clock, item, order, is_target=item == target)

    def _target(self, day: int) -> int | None:
        """What the session is about: something bought before, or an item of a kind that the user likes."""
        again = [i for i in self.bought if self.items["is_consumable"].iat[i] and self.retired[i] > day]
        if again and self.rng.random() < self.settings.repeat_share:
            return int(self.rng.choice(again))
        on_sale = np.flatnonzero((self.launch <= day) & (self.retired > day))
        kind = self.rng.choice(len(self.taste.kinds), p=self.taste.kinds)
        of_kind = on_sale[self.kinds[on_sale] == kind]
        return self._choose(of_kind, day, 1)[0] if len(of_kind) else None

    def _shown(self, target: int, day: int) -> list[int]:
        alike = np.flatnonzero((self.kinds == self.kinds[target]) & (self.launch <= day) & (self.retired > day))
        others = self._choose(alike[alike != target], day, int(self.rng.integers(0, 4)))
        shown = [target, *others]
        self.rng.shuffle(shown)
        return shown

    def _choose(self, among: np.ndarray, day: int, count: int) -> list[int]:
        """Draw without replacement in proportion to exp(utility), promoted items with more (Gumbel top-k)."""
        if not len(among) or not count:
            return []
        noise = self.rng.gumbel(size=len(among))
        boost = 1.0 * promoted(among, day // 7, self.settings, self.seed)
        best = np.argsort(-(self.utility[among] + boost + noise), kind="stable")[:count]
        return [int(i) for i in among[best]]

    def _funnel(self, session: str, clock: datetime, item: int, order: str, is_target: bool) -> datetime:
        appeal = 1 / (1 + np.exp(-self.utility[item]))
        clock = self._event(session, clock, "view", item)
        if self.rng.random() > (0.8 if is_target else 0.35):
            return clock
        clock = self._event(session, clock, "click", item)
        if self.rng.random() > (0.3 + 0.5 * appeal) * (1.0 if is_target else 0.4):
            return clock
        clock = self._event(session, clock, "cart", item)
        if self.rng.random() > 0.7:
            return clock
        clock = self._event(session, clock, "purchase", item, quantity=1 + self.rng.poisson(0.3), order_id=order)
        self.bought.append(item)
        self._afterwards(session, clock, item, order, appeal)
        return clock

    def _afterwards(self, session: str, clock: datetime, item: int, order: str, appeal: float) -> None:
        """Some days later: a return, stars, a review, a share."""
        later = clock + timedelta(days=int(self.rng.integers(2, 10)))
        if self.rng.random() < 0.03:
            self._event(session, later, "return", item, quantity=1, order_id=order)
        elif self.rng.random() < 0.2:
            stars = int(np.clip(round(2.5 + 2.5 * appeal + self.rng.normal(0, 0.8)), 1, 5))
            self._event(session, later, "rating", item, rating=stars)
            if self.rng.random() < 0.5:
                said = REVIEWS[self.settings.language][stars].format(
                    **words(self.items.iloc[item], self.settings.language)
                )
                self._event(session, later + timedelta(seconds=60), "comment", item, rating=stars, text=said)
        elif self.rng.random() < 0.03:
            self._event(session, later, "share", item)

    def _query(self, target: int) -> str:
        forms = QUERIES[self.settings.language]
        query = forms[int(self.rng.integers(len(forms)))].format(
            **words(self.items.iloc[target], self.settings.language)
        )
        if self.rng.random() < self.settings.typo_share and len(query) > 3:
            at = int(self.rng.integers(1, len(query) - 1))
            query = query[:at] + query[at + 1 :]
        return query.lower()

    def _event(self, session: str, clock: datetime, event_type: str, item: int | None, **fields: Any) -> datetime:
        if clock.date() < self.settings.start + timedelta(days=self.settings.days):
            row: dict[str, Any] = dict.fromkeys(FIELDS)
            trade = event_type in ("purchase", "return", "cart")
            row |= {
                "event_id": f"{self.taste.user_id}-{len(self.rows)}", "user_id": self.taste.user_id,
                "event_type": event_type, "ts": clock.isoformat(), "country": self.taste.country, "session": session,
                "item_id": None if item is None else self.items["item_id"].iat[item],
                "price": float(self.prices[item]) if trade and item is not None else None,
                "currency": self.items["currency"].iat[item] if trade and item is not None else None,
            }  # fmt: skip
            self.rows.append(row | {k: (int(v) if isinstance(v, np.integer) else v) for k, v in fields.items()})
        return clock + timedelta(seconds=5 + int(self.rng.exponential(25)))


def promoted(items: np.ndarray, week: int, settings: ShopSettings, seed: int) -> np.ndarray:
    """Whether each item is on promotion in a week: the same for every user."""
    draw = np.random.default_rng(sub_seed(seed, "promotion", week)).random(settings.items)
    return np.asarray(draw[items] < settings.promotion_share)
