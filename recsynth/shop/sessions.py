"""Sessions: when each user comes, and what the visit is about."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np

from recsynth.seeds import sub_seed
from recsynth.shop.funnel import DAY, Event, Funnel, Offer
from recsynth.shop.shelves import Stock
from recsynth.shop.tastes import taste, utility

HOUR = 3_600
MOST_VISITS = 4
MOST_SHOWN = 6


class User:
    """Draws one user's events from the seed and the user's number alone, whatever worker does it."""

    def __init__(self, number: int, stock: Stock) -> None:
        self.stock, self.settings = stock, stock.settings
        self.taste = taste(number, stock.settings, stock.seed)
        self.rng = np.random.default_rng(sub_seed(stock.seed, "visits", number))
        # One number at a time: many times faster than numpy.
        self.dice = Random(sub_seed(stock.seed, "events", number))
        self.funnel = Funnel(self.taste, stock, self.dice)
        self._wants: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def events(self) -> list[Event]:
        """All events of the simulated days, visit by visit."""
        free = 0
        for day, kind, second in self._visits():
            shown = self._shown(kind, day)
            if shown:
                # A visit begins an hour after the last one ended, or later: no rule could tell them apart otherwise.
                free = HOUR + self.funnel.visit(shown, max(free, day * DAY + second))
        return self.funnel.events

    def _visits(self) -> Iterable[tuple[int, int, int]]:
        """Day, kind of item and second of the day of each visit, in order of time."""
        seasons, rng = self.stock.seasons, self.rng
        rate = self.settings.sessions_per_day * self.taste.activity * seasons.visits
        days = np.repeat(np.arange(self.settings.days), np.minimum(rng.poisson(rate), MOST_VISITS))
        chances = np.cumsum(self.taste.kinds * seasons.kinds[days], axis=1)
        kinds = (chances < rng.random((len(days), 1)) * chances[:, -1:]).sum(axis=1)
        seconds = (7 * HOUR + 14 * HOUR * rng.beta(3, 2, len(days))).astype(int)
        order = np.lexsort((seconds, days))
        return zip(days[order].tolist(), kinds.tolist(), seconds[order].tolist(), strict=True)

    def _shown(self, kind: int, day: int) -> list[Offer]:
        """What a visit is about, first: something used up, or what is wanted most; then others of its kind."""
        week, count = day // 7, self.dice.randint(1, MOST_SHOWN)
        again = [o for o in self.funnel.bought if o.shelf.is_consumable and o.shelf.retired_day[o.place] > day]
        if again and self.dice.random() < self.settings.repeat_share:
            known = self.dice.choice(again)
            target = known._replace(price=self.stock.prices(known.shelf.kind, week)[known.place])
            others = self._race(known.shelf.kind, week, count)
            return [target, *(o for o in others if o.place != known.place)]
        return self._race(kind, week, count)

    def _race(self, kind: int, week: int, count: int) -> list[Offer]:
        """Draw items of a kind without replacement in proportion to exp(utility).

        Each arrives after an exponential time with that rate; the first `count` to arrive are drawn.
        """
        shelf = self.stock.shelves[kind]
        if kind not in self._wants:
            wants = utility(self.taste, shelf, self.settings)
            self._wants[kind] = wants, np.exp(-wants)
        wants, mean_time = self._wants[kind]
        arrival = self.rng.standard_exponential(len(wants)) * mean_time * self.stock.delays(kind, week)
        first = np.argpartition(arrival, count)[:count] if count < len(arrival) else np.arange(len(arrival))
        ordered = first[np.argsort(arrival[first])]
        prices = self.stock.prices(kind, week)
        return [
            Offer(shelf, place, float(wants[place]), prices[place])
            for place in ordered[np.isfinite(arrival[ordered])].tolist()
        ]
