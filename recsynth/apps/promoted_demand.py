"""Promotions that a shop names, in forecasts of demand: taken out of what was sold, put back on days to come.

What an item sells off promotion is forecast from days that are divided by its lift where it was on promotion (the
baseline and uplift of practice; Fildes, Ma and Kolassa, 2022), and a day to come that the calendar names is multiplied
by it. The lift is of a promotion with all that comes with it, its lower price too, and is learned from orders: see
price_response, with the calendar in the place of prices. It is that of all days before the as-of date, at the earlier
origins too from which a forecast is tried. A calendar is told some days ahead and no further: a day
beyond it that it does not name may be named yet, as likely as days have been so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.demand_series import matrix
from recsynth.apps.price_beliefs import Beliefs, changed
from recsynth.apps.price_response import COLUMNS, PROMOTION, Cells, Days, cells, joined
from recsynth.apps.promotions import promoted_days
from recsynth.stage import Night

_CELLS = ", ".join(["item_id string, category string", *(f"{part} array<double>" for part in COLUMNS)])


@dataclass(frozen=True)
class Calendar:
    """What a shop's calendar of promotions does to demand, and how far ahead it is told; days from the first sold."""

    beliefs: Beliefs
    exposure: np.ndarray
    """Orders of the whole shop (days,), up to tonight."""
    told_ahead: np.ndarray
    """Of the day k days from tonight (horizon,): the share of days on promotion that are named before tonight."""
    usual_share: float
    """Share of an item's days on promotion, of all items."""
    since: int
    """The first day that it names."""
    period_days: int
    """Days within which days on promotion and others are compared; an item begins with as many of `usual_share`."""

    def named(self, frame: pd.DataFrame) -> np.ndarray:
        """See named_days; shape (items, days + horizon)."""
        return named_days(frame, len(self.exposure) + len(self.told_ahead))

    def lifts(self, frame: pd.DataFrame, named: np.ndarray) -> np.ndarray:
        """Times as many orders on promotion as off it, shape (items,)."""
        own = item_cells(frame, np.isfinite(named), self.exposure, self.period_days)
        told = [self.beliefs.of(category, part)[0].mean for category, part in zip(frame["category"], own, strict=True)]
        return np.asarray(np.exp([mean[PROMOTION] for mean in told]))

    def to_come(self, named: np.ndarray, lifts: np.ndarray, began: np.ndarray, today: int) -> np.ndarray:
        """Times the demand off promotion of each day from `today` on, as told before it, shape (items, horizon).

        began: the day of each item's first sale (items,).
        """
        day = np.arange(named.shape[1])
        is_past = (day >= np.maximum(began, self.since)[:, None]) & (day < today)
        promoted = (np.isfinite(named) & is_past).sum(1) + self.period_days * self.usual_share
        share = (promoted / (is_past.sum(1) + self.period_days))[:, None]
        # Bayes' rule: on promotion though it is not named yet.
        later = share * (1 - self.told_ahead) / np.maximum(1 - share * self.told_ahead, 1e-9)
        is_named = named[:, today : today + len(self.told_ahead)] < today
        return np.asarray(np.where(is_named, lifts[:, None], 1 + (lifts[:, None] - 1) * later))


def calendar_of(of_items: DataFrame, night: Night) -> Calendar:
    """What the calendar does, of rows (item_id, category, sold, promoted) as demand_forecast has them.

    Bounds: on the driver a row a day, and the cells of apps.what_if.max_items items, drawn by hash.
    """
    demand, what_if = night.settings.apps.demand, night.settings.apps.what_if
    days, horizon = 7 * demand.history_weeks, 7 * demand.horizon_weeks
    exposure = np.zeros(days)
    of_day = (
        of_items.select(F.explode("sold").alias("sold")).groupBy("sold.day").agg(F.sum("sold.lines").alias("lines"))
    )
    for row in of_day.collect():  # bound: a row a day
        exposure[row["day"]] = row["lines"]
    began = F.array_min(F.transform("sold", lambda pair: pair["day"])).alias("began")
    named = of_items.select(began, F.explode("promoted").alias("p")).select("began", "p.*").where(F.col("day") < days)
    ahead = F.greatest(F.least(F.col("day") - F.col("told"), F.lit(horizon)), F.lit(0)).alias("ahead")
    by_ahead = named.groupBy(ahead).agg(
        F.count("*").alias("days"),
        F.count_if(F.col("day") >= F.col("began")).alias("on_sale"),
        F.min("day").alias("first"),
    )
    told, promoted, since = np.zeros(horizon + 1), 0, days
    for row in by_ahead.collect():  # bound: a row a day of the horizon
        told[row["ahead"]], promoted, since = row["days"], promoted + row["on_sale"], min(since, row["first"])
    on_sale = F.greatest(F.lit(days) - F.greatest(began, F.lit(since)), F.lit(0))
    known = of_items.agg(F.sum(on_sale)).first()
    # Told on the day itself or afterwards, it tells nothing of how far ahead the next will be told.
    in_time = told[1:][::-1].cumsum()[::-1]
    return Calendar(
        beliefs=Beliefs.learned_from(changed(_with_cells(of_items, exposure, night), what_if, night), PROMOTION),
        exposure=exposure,
        told_ahead=in_time / max(in_time[0], 1.0),
        usual_share=promoted / max(known[0] or 0, 1) if known is not None else 0.0,
        since=since,
        period_days=what_if.period_days,
    )


def named_days(frame: pd.DataFrame, days: int) -> np.ndarray:
    """When each day of each item was named a promotion's, as a day, infinite where it was not, shape (items, days)."""
    made = np.full((len(frame), days), np.inf)
    for row, promoted in enumerate(frame["promoted"]):
        for named in () if promoted is None else promoted:
            made[row, named["day"]] = named["told"]
    return made


def item_cells(frame: pd.DataFrame, is_promoted: np.ndarray, exposure: np.ndarray, period_days: int) -> list[Cells]:
    """Orders of each item on promotion and off it, by periods; is_promoted: (items, at least the days of exposure)."""
    lines = matrix(frame["sold"], len(exposure), "lines")
    made = []
    for own, on in zip(lines, is_promoted[:, : len(exposure)], strict=True):
        # One price from the first sale on: the calendar alone tells days apart.
        is_sold = np.cumsum(own) > 0
        seen = Days(is_sold.astype(int), own, exposure, on)
        made.append(cells(seen, period_days, 0.0, 0.0)[0] if on.any() else joined(()))
    return made


def with_promotions(of_items: DataFrame, promotions: DataFrame, night: Night) -> DataFrame:
    """Add `promoted` to items, see promoted_days: of the weeks that are looked at and of the horizon."""
    demand = night.settings.apps.demand
    first = night.as_of - timedelta(weeks=demand.history_weeks)
    until = night.as_of + timedelta(weeks=demand.horizon_weeks)
    return of_items.join(promoted_days(promotions, first, until), on="item_id", how="left")


def _with_cells(of_items: DataFrame, exposure: np.ndarray, night: Night) -> DataFrame:
    demand, period_days = night.settings.apps.demand, night.settings.apps.what_if.period_days
    days = 7 * (demand.history_weeks + demand.horizon_weeks)

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            own = item_cells(frame, np.isfinite(named_days(frame, days)), exposure, period_days)
            made = frame[["item_id", "category"]]
            yield made.assign(**{part: [getattr(c, part).astype(float).tolist() for c in own] for part in COLUMNS})

    return of_items.where("promoted is not null").mapInPandas(function, _CELLS)
