"""Shelves: the catalogue as visitors' draws need it, by kind and week, with the promotions of each week."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from recsynth.seeds import sub_seed
from recsynth.shop.batches import bad_batches
from recsynth.shop.catalogue import catalogue, words
from recsynth.shop.seasons import Seasons, seasons
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import CURRENCY, KINDS

# Log of how much more a promoted item is wanted.
PROMOTION_LIFT = 1.0


@dataclass(frozen=True)
class Shelf:
    """The items of one kind, one array a column; `rows` are their places in the catalogue."""

    kind: int
    is_consumable: bool
    rows: np.ndarray
    item_id: list[str]
    price: np.ndarray
    brand: np.ndarray
    colour: np.ndarray
    material: np.ndarray
    size: np.ndarray
    use: np.ndarray
    relative_price: np.ndarray
    popularity: np.ndarray
    launch_day: np.ndarray
    retired_day: np.ndarray

    def words(self, place: int, language: str) -> dict[str, str]:
        """The words of the item at a place."""
        columns = (self.brand, self.colour, self.material, self.size, self.use)
        return words((self.kind, *(int(column[place]) for column in columns)), language)


class Stock:
    """What the shop has: its shelves, seasons, promotions and bad batches. One a worker, bounded by items * weeks."""

    def __init__(self, settings: ShopSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.currency = CURRENCY[settings.language]
        self.seasons: Seasons = seasons(settings)
        self.shelves = _shelves(settings, seed)
        self.batches = bad_batches(settings, seed)
        self._promoted: dict[int, np.ndarray] = {}
        self._delays: dict[tuple[int, int], np.ndarray] = {}
        self._prices: dict[tuple[int, int], list[float]] = {}

    def promoted(self, week: int) -> np.ndarray:
        """Whether each item of the catalogue is on promotion in a week: the same for every user."""
        if week not in self._promoted:
            draw = np.random.default_rng(sub_seed(self.seed, "promotion", week)).random(self.settings.items)
            self._promoted[week] = draw < self.settings.promotion_share
        return self._promoted[week]

    def delays(self, kind: int, week: int) -> np.ndarray:
        """What a week does to the items of a kind in the race for attention.

        Infinite for what is not on sale, exp(-lift) for what is promoted, else 1.
        """
        if (kind, week) not in self._delays:
            shelf, day = self.shelves[kind], 7 * week
            lifted = np.where(self.promoted(week)[shelf.rows], np.exp(-PROMOTION_LIFT), 1.0)
            is_on_sale = (shelf.launch_day <= day) & (shelf.retired_day > day)
            self._delays[kind, week] = np.where(is_on_sale, lifted, np.inf)
        return self._delays[kind, week]

    def prices(self, kind: int, week: int) -> list[float]:
        """What the items of a kind cost in a week."""
        if (kind, week) not in self._prices:
            shelf = self.shelves[kind]
            off = self.settings.promotion_discount * self.promoted(week)[shelf.rows]
            self._prices[kind, week] = np.round(shelf.price * (1 - off), 2).tolist()
        return self._prices[kind, week]


@lru_cache(maxsize=2)
def stock(settings: ShopSettings, seed: int) -> Stock:
    """The stock, built once in each worker."""
    return Stock(settings, seed)


def _shelves(settings: ShopSettings, seed: int) -> tuple[Shelf, ...]:
    items, kinds = catalogue(settings, seed), KINDS[settings.language]
    columns = {name.removesuffix("_index"): items[name].to_numpy() for name in items.columns}
    arrays = ("price", "relative_price", "popularity", "brand", "colour", "material", "size", "use", "launch_day",
              "retired_day")  # fmt: skip
    shelves = []
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero(columns["kind"] == number)
        of_kind = {name: columns[name][rows] for name in arrays}
        shelves.append(Shelf(number, kind.is_consumable, rows, columns["item_id"][rows].tolist(), **of_kind))
    return tuple(shelves)
