"""Sessions: when each user comes, and what the visit is about."""

from __future__ import annotations

from collections import Counter
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
        self._free = 0
        self._wants: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def events(self) -> list[Event]:
        """All events of the simulated days, visit by visit."""
        self.live(self.visits())
        return self.funnel.events

    def visits(self) -> Iterable[tuple[int, int, int]]:
        """Draw day, kind of item and second of the day of each visit of the simulated days, in order of time."""
        seasons, rng = self.stock.seasons, self.rng
        rate = self.settings.sessions_per_day * self.taste.activity * seasons.visits
        days = np.repeat(np.arange(self.settings.days), np.minimum(rng.poisson(rate), MOST_VISITS))
        chances = np.cumsum(self.taste.kinds * seasons.kinds[days], axis=1)
        kinds = (chances < rng.random((len(days), 1)) * chances[:, -1:]).sum(axis=1)
        seconds = (7 * HOUR + 14 * HOUR * rng.beta(3, 2, len(days))).astype(int)
        order = np.lexsort((seconds, days))
        return zip(days[order].tolist(), kinds.tolist(), seconds[order].tolist(), strict=True)

    def live(self, visits: Iterable[tuple[int, int, int]]) -> None:
        """Let visits happen, later ones than any before."""
        for day, kind, second in visits:
            shown = self._shown(kind, day)
            if shown:
                # A visit begins an hour after the last one ended, or later: no rule could tell them apart otherwise.
                self._free = HOUR + self.funnel.visit(shown, max(self._free, day * DAY + second))

    def chances(self, first_day: int, days: int, draws: int) -> dict[str, float]:
        """Item to the chance that the user buys it within some days, given all that he did before them.

        What the tastes and the shop's plans allow to be known, and no more: the days are drawn `draws` times with dice
        of their own. Whoever ranks by it is as good as anybody can be. Ask a user who has not lived yet, and once.
        """
        self.live([visit for visit in self.visits() if visit[0] < first_day])
        before, free, counts = list(self.funnel.bought), self._free, Counter[str]()
        name = (self.stock.seed, "chances", self.taste.user_id)
        for draw in range(draws):
            self.rng = np.random.default_rng(sub_seed(*name, draw))
            self.dice = self.funnel.dice = Random(sub_seed(*name, draw))
            self.funnel.bought, self._free = list(before), free
            self.live([visit for visit in self.visits() if first_day <= visit[0] < first_day + days])
            counts.update({offer.item_id for offer in self.funnel.bought[len(before) :]})
        return {item: count / draws for item, count in counts.items()}

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
