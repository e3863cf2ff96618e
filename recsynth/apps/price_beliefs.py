"""What a night believes of answers to prices or promotions: of the shop, of each category, and of an item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.demand_series import ITEM, UNKNOWN
from recsynth.apps.price_response import (
    COLUMNS,
    ELASTICITY,
    NEUTRAL,
    Cells,
    Response,
    dispersion,
    fit,
    joined,
    spread,
)
from recsynth.apps.settings import WhatIfSettings
from recsynth.stage import Night


def changed(found: DataFrame, settings: WhatIfSettings, night: Night) -> pd.DataFrame:
    """Rows of items that have cells: whose price changed, or that were promoted; bound: max_items, drawn by hash."""
    draw = F.xxhash64(F.lit(night.seed("what_if", "items")), "item_id")
    return found.where("size(lines) > 0").orderBy(draw, "item_id").limit(settings.max_items).toPandas()


def cells_of(frame: pd.DataFrame) -> list[Cells]:
    """The cells of each row of a frame with COLUMNS, each a list."""
    return [
        Cells(np.asarray(row[0], int), *(np.asarray(part, float) for part in row[1:]))
        for row in zip(*(frame[part] for part in COLUMNS), strict=True)
    ]


@dataclass(frozen=True)
class Beliefs:
    """How orders respond in the shop and its categories, and how far items stray from them (a variance).

    part: what strays from category to category and from item to item, the elasticity or the lift of a promotion.
    """

    shop: Response
    categories: dict[str, Response]
    apart: float
    dispersion: float
    part: int

    @classmethod
    def learned_from(cls, frame: pd.DataFrame, part: int = ELASTICITY) -> Beliefs:
        """Beliefs of rows (item_id, category, COLUMNS), the cells of each item as lists."""
        ordered = frame.sort_values("item_id")
        parts = cells_of(ordered)
        every = joined(parts)
        sizes = [len(p) for p in parts]
        names, place = np.unique(ordered["category"].to_numpy(str), return_inverse=True)
        category, item = np.repeat(place, sizes), np.repeat(np.arange(len(parts)), sizes)
        crowded = dispersion(every, fit(every, NEUTRAL))
        shop = fit(every, NEUTRAL, crowded)
        between = shop.spread_by(spread(every, category, shop, crowded, part), part)
        of = {n: fit(every.taken(category == k), between, crowded) for k, n in enumerate(names) if n != UNKNOWN}
        return cls(shop, of, spread(every, item, shop, crowded, part), crowded, part)

    def of(self, category: str, own: Cells) -> tuple[Response, str]:
        """What is believed of an item, and whose days taught it."""
        kind, taught = self.categories.get(category, self.shop), "category" if category in self.categories else "shop"
        if not len(own):
            return kind.spread_by(self.apart, self.part), taught
        return fit(own, kind.spread_by(self.apart, self.part), self.dispersion), ITEM
