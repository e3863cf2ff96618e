"""Funnel: what happens on a visit, from search, view, click, cart and purchase to what follows days later."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple

from recsynth.shop.sentences import REVIEWS, SEARCHES, mistyped
from recsynth.shop.shelves import Shelf, Stock
from recsynth.shop.tastes import Taste

DAY = 86_400
DISAPPOINTED = 0.12
"""Share of purchases that go wrong whatever the item's appeal: real shops' stars have a second, smaller peak at one."""
PRICED = ("view", "cart", "purchase", "return")
"""Events that tell the price of their day: the page of an item shows it."""


class Event(NamedTuple):
    """What the shop's software sends of an event, its day, and what is known of it: session, a search's target."""

    sent: dict[str, Any]
    day: int
    session: str
    target: str | None = None
    has_typo: bool = False


class Offer(NamedTuple):
    """An item as a visitor sees it: its place on its shelf, how much it is wanted, its price that day."""

    shelf: Shelf
    place: int
    utility: float
    price: float

    @property
    def item_id(self) -> str:
        """The item."""
        return self.shelf.item_id[self.place]


class Funnel:
    """One user's visits, with the events and the purchases so far."""

    def __init__(self, taste: Taste, stock: Stock, dice: Random) -> None:
        self.taste, self.stock, self.dice, self.settings = taste, stock, dice, stock.settings
        self.midnight = datetime.combine(self.settings.start, time())
        self.events: list[Event] = []
        self.bought: list[Offer] = []

    def visit(self, shown: list[Offer], clock: int) -> int:
        """The events of one visit; returns when it ended."""
        target, session = shown[0], f"{self.taste.user_id}/{len(self.events)}"
        if self.dice.random() < self.settings.search_share:
            clock = self._search(session, clock, target)
        self.dice.shuffle(shown)
        for offer in shown:
            clock = self._consider(session, clock, offer, is_target=offer is target)
        return clock

    def _search(self, session: str, clock: int, target: Offer) -> int:
        language = self.settings.language
        query = self.dice.choice(SEARCHES[language]).format(**target.shelf.words(target.place, language)).lower()
        typed = mistyped(query, self.dice) if self.dice.random() < self.settings.typo_share else query
        return self._event(session, clock, "search", None, target.item_id, typed != query, query=typed)

    def _consider(self, session: str, clock: int, offer: Offer, is_target: bool) -> int:
        """View, then perhaps click, share, cart, purchase: each with its rate, the target's above the others'."""
        roll, appeal = self.dice.random, 1 / (1 + math.exp(-offer.utility))
        clock = self._event(session, clock, "view", offer)
        if roll() > (0.8 if is_target else 0.25):
            return clock
        clock = self._event(session, clock, "click", offer)
        if roll() < 0.02:
            clock = self._event(session, clock, "share", offer)
        if roll() > (0.25 + 0.5 * appeal) * (1.0 if is_target else 0.4):
            return clock
        clock = self._event(session, clock, "cart", offer, quantity=1)
        if roll() > 0.65:
            return clock
        # One order a session.
        order, quantity = f"O{session}", 1 + (roll() < 0.2) + (roll() < 0.05)
        bought_at = self._event(session, clock, "purchase", offer, quantity=quantity, order_id=order)
        self.bought.append(offer)
        self._afterwards(session, clock, offer, order, appeal)
        return bought_at

    def _afterwards(self, session: str, clock: int, offer: Offer, order: str, appeal: float) -> None:
        """Some days later, on a visit of its own: a return, or stars and a review."""
        roll, days = self.dice.random, self.dice.randint(2, 9)
        session, clock = f"{session}+{days}", clock + days * DAY
        if any(b.kind == offer.shelf.kind and b.first_day <= clock // DAY <= b.last_day for b in self.stock.batches):
            clock = self._event(session, clock, "rating", offer, rating=1)
            self._event(session, clock, "comment", offer, rating=1, text=self._said(offer, 1))
        elif roll() < 0.03:
            self._event(session, clock, "return", offer, quantity=1, order_id=order)
        elif roll() < 0.2:
            stars = min(5, max(1, round(2.5 + 2.5 * appeal + self.dice.gauss(0, 0.8))))
            # Dice of its own: how a parcel turned out changes nothing of what the user does next.
            parcel = Random(f"{self.stock.seed}/{self.taste.user_id}/{len(self.events)}")
            if parcel.random() < DISAPPOINTED:
                stars = min(stars, parcel.choice((1, 1, 2)))
            clock = self._event(session, clock, "rating", offer, rating=stars)
            if roll() < 0.5:
                self._event(session, clock, "comment", offer, rating=stars, text=self._said(offer, stars))

    def _said(self, offer: Offer, stars: int) -> str:
        """A review with so many stars, in the shop's language and the item's words."""
        language = self.settings.language
        return self.dice.choice(REVIEWS[language][stars]).format(**offer.shelf.words(offer.place, language))

    def _event(
        self, session: str, clock: int, event_type: str, offer: Offer | None, target: str | None = None,
        has_typo: bool = False, **fields: Any,
    ) -> int:  # fmt: skip
        """Note an event, unless the simulated days are over by then; returns the time of the next."""
        if clock < self.settings.days * DAY:
            user = self.taste
            sent: dict[str, Any] = {
                "event_id": f"{user.user_id}-{len(self.events)}", "user_id": user.user_id, "event_type": event_type,
                "ts": (self.midnight + timedelta(seconds=clock)).isoformat(), "country": user.country,
            }  # fmt: skip
            if offer is not None:
                sent["item_id"] = offer.item_id
                if event_type in PRICED:
                    sent |= {"price": offer.price, "currency": self.stock.currency}
            self.events.append(Event(sent | fields, clock // DAY, session, target, has_typo))
        return clock + 5 + int(self.dice.expovariate(1 / 25))
