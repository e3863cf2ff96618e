"""What would be asked for if an item cost more, less or were on promotion: demand_forecast at other prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.stats import norm

from recsynth.apps.catalogue import latest_items
from recsynth.apps.demand_series import ITEM, with_category
from recsynth.apps.price_beliefs import Beliefs, cells_of, changed
from recsynth.apps.price_response import (
    COLUMNS,
    ELASTICITY,
    PROMOTION,
    Days,
    by_price,
    cells,
    chance_above,
    design,
    log_change,
    offered,
    quantile,
    usual,
)
from recsynth.apps.promotions import promoted_days
from recsynth.apps.settings import WhatIfSettings
from recsynth.stage import Night
from recsynth.tables.output import DEMAND_WHAT_IF

CENTS = 100
MOST_PRICES = 100
"""Prices of an item that are looked at, those seen most: where each customer has one of his own, none is the shop's."""
_LOW, _HIGH = 0.1, 0.9
_PRICED = ", ".join(
    ["item_id string, currency string, price double, usual_price double, price_days int, promotion_tonight boolean"]
    + [f"{part} array<double>" for part in COLUMNS]
)


def demand_what_if(
    events: DataFrame, items: DataFrame, promotions: DataFrame, demand_forecast: DataFrame, night: Night
) -> DataFrame:
    """Units of each item over the horizon at other prices, and whether more is earned; writes output.demand_what_if.

    Reads silver.events, silver.items, silver.promotions and output.demand_forecast. How orders respond is learned from
    items whose price changed or that were promoted (see price_response): first for the shop, then for each category and
    each item, as far as its own days say otherwise. Where the shop names its promotions, each price is told on
    promotion and not; where it names none, a price tells whether it is one. Empty where no price ever changed: nothing
    is known then. Bounds: on the driver the cells of max_items items, drawn by hash, and a row a day; in one task an
    item's days and prices.
    """
    settings, spark = night.settings.apps.what_if, events.sparkSession
    if not (settings.enabled and night.settings.apps.demand.enabled):
        return DEMAND_WHAT_IF.empty(spark)
    first = night.as_of - timedelta(days=settings.history_days)
    prices = priced(events, promotions, first, night.as_of, settings)
    found = with_category(prices, latest_items(items, "category")).persist()
    learned = changed(found, settings, night)
    if not len(learned):
        return DEMAND_WHAT_IF.empty(spark)
    weeks = demand_forecast.where(f"level = '{ITEM}' and grain = 'week'").groupBy(F.col("series_id").alias("item_id"))
    # Rounded: a sum of doubles hangs on the order of its rows.
    asked = weeks.agg(
        F.round(F.sum("expected_off_promotion"), 6).alias("asked"), F.sum("days").cast("int").alias("days")
    )
    known = found.join(asked, on="item_id", how="inner")
    tell = _at_other_prices(Beliefs.learned_from(learned), settings, is_named=not promotions.isEmpty())
    return known.mapInPandas(tell, DEMAND_WHAT_IF.schema)


def priced(events: DataFrame, promotions: DataFrame, first: date, until: date, settings: WhatIfSettings) -> DataFrame:
    """Rows (item_id, currency, price, usual_price, price_days and the item's cells) of the days from first to until.

    The price of a day is the one that most of its events showed, of any event type but returns, in the currency of
    most; orders are purchase lines. On promotion are the days that the shop names, if it names any of any item. Bound:
    on the driver a row a day.
    """
    in_days = (F.col("event_date") >= F.lit(first)) & (F.col("event_date") < F.lit(until))
    people = events.where(in_days).where("item_id is not null and not is_bot and not is_near_duplicate")
    day = F.date_diff("event_date", F.lit(first)).alias("day")
    is_bought = (F.col("event_type") == "purchase").alias("is_bought")
    cents = F.round(F.col("price") * CENTS).cast("long")
    cents = F.when((cents > 0) & (F.col("event_type") != "return"), cents)
    shown = people.select(
        "item_id", day, F.coalesce("currency", F.lit("")).alias("currency"), cents.alias("cents"), is_bought
    )
    counted = shown.groupBy("item_id", "day", "currency", "cents")
    rows = counted.agg(F.count("cents").alias("seen"), F.count_if("is_bought").alias("lines"))
    exposure = np.zeros((until - first).days)
    for row in people.where(is_bought).groupBy(day).count().collect():  # bound: a row a day
        exposure[row["day"]] = row["count"]
    listed = rows.where("seen > 0 or lines > 0").groupBy("item_id")
    of_items = listed.agg(F.collect_list(F.struct("day", "currency", "cents", "seen", "lines")).alias("days"))
    # The day after them too: tonight.
    named = promoted_days(promotions, first, until + timedelta(days=1))
    with_days = of_items.join(named, on="item_id", how="left")
    return with_days.mapInPandas(_cells(exposure, settings, not promotions.isEmpty()), _PRICED)


def _cells(
    exposure: np.ndarray, settings: WhatIfSettings, is_named: bool
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from the days of an item to its price tonight and its cells."""

    def of(item_id: str, days: list[dict[str, Any]], promoted: list[dict[str, int]] | None) -> tuple[Any, ...] | None:
        rows = np.array([(r["day"], r["cents"] or 0, r["seen"], r["lines"]) for r in days])
        lines = np.bincount(rows[:, 0], rows[:, 3], len(exposure))
        every = np.isin(np.arange(len(exposure) + 1), [] if promoted is None else [named["day"] for named in promoted])
        on, on_tonight = every[:-1], bool(every[-1])
        names, place = np.unique([r["currency"] for r in days], return_inverse=True)
        own = int(np.bincount(place, rows[:, 2]).argmax())
        day, cents, seen, _ = rows[(place == own) & (rows[:, 2] > 0)].T
        if not len(day):
            return None
        found, price_of = np.unique(cents, return_inverse=True)
        most = np.argsort(-np.bincount(price_of, seen), kind="stable")[:MOST_PRICES]
        of_price = np.full(len(found), -1)
        of_price[most] = np.arange(len(most))
        row, is_looked_at = of_price[price_of], of_price[price_of] >= 0
        counts = np.zeros((len(most), len(exposure)))
        np.add.at(counts, (row[is_looked_at], day[is_looked_at]), seen[is_looked_at])
        # A day borrows its price of days near it. Where promotions are named, not across the beginning or the end of
        # one, but from further: days that nobody looked at are mostly not on promotion, and must not all be left out.
        alike, reach = (
            ((on, ~on), settings.period_days) if is_named else ((np.ones(len(on), bool),), settings.reach_days)
        )
        prices = np.sum([offered(counts, found[most], days, reach, settings.least_seen) for days in alike], axis=0)
        # Tonight's price is that of days like tonight: a promotion's own ends with it.
        alike_tonight = prices[(prices > 0) & (on == on_tonight)]
        known = alike_tonight if len(alike_tonight) else prices[prices > 0]
        # An item that is seldom seen has a price all the same: the last one.
        price = known[-1] if len(known) else cents[day == day.max()].max()
        seen = Days(prices, lines, exposure, on if is_named else None)
        made, unusual = cells(seen, settings.period_days, settings.least_known, settings.promotion_from)
        parts = [getattr(made, part).astype(float).tolist() for part in COLUMNS]
        lately = slice(-settings.period_days, None)
        tonight = (price / CENTS, usual(prices[lately], on[lately], price) / CENTS)
        return (item_id, str(names[own]) or None, *tonight, unusual, on_tonight, *parts)

    names = [part.split()[0] for part in _PRICED.split(", ")]

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            rows = [of(*pair) for pair in zip(frame["item_id"], frame["days"], frame["promoted"], strict=True)]
            yield pd.DataFrame([row for row in rows if row is not None], columns=names)

    return function


def _at_other_prices(
    beliefs: Beliefs, settings: WhatIfSettings, is_named: bool
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from items with what is asked for tonight to a row for each price.

    is_named: the shop names its promotions; then each price has a row on promotion and one that is not.
    """
    changes, named = np.array(sorted({0.0, *settings.price_changes})), np.zeros(0)
    if is_named:
        changes, named = np.repeat(changes, 2), np.tile([0.0, 1.0], len(changes))
    least = settings.promotion_from

    def told(frame: pd.DataFrame) -> pd.DataFrame:
        pairs = zip(frame["category"], cells_of(frame), strict=True)
        responses, taught = zip(*(beliefs.of(category, own) for category, own in pairs), strict=True)
        price, usual_price, asked = (frame[name].to_numpy(float)[:, None] for name in ("price", "usual_price", "asked"))
        prices = price * (1 + changes)
        ratio, ratio_tonight = np.log(prices / usual_price), np.log(price / usual_price)
        on = np.broadcast_to(named, ratio.shape) if is_named else by_price(ratio, least)
        on_tonight = frame[["promotion_tonight"]].to_numpy(float) if is_named else by_price(ratio_tonight, least)
        x, tonight = design(ratio, on), design(ratio_tonight, on_tonight)
        # What is asked for off promotion is so at tonight's price; at the usual one where tonight's is a promotion's.
        presumed = tonight * (1.0 - on_tonight[..., None]) if is_named else tonight
        mean, variance = log_change(responses, x - presumed)
        against, apart = log_change(responses, x - tonight)
        elasticity = np.array([[r.mean[ELASTICITY]] for r in responses])
        reach = norm.ppf(_HIGH) * np.array([[r.covariance[ELASTICITY, ELASTICITY] ** 0.5] for r in responses])
        columns = {
            "price_change": changes, "is_promotion": on > 0, "promotion_tonight": on_tonight > 0,
            "price": prices.round(4),
            "usual_price": usual_price, "expected": asked * np.exp(mean),
            "low_80": asked * quantile(mean, variance, _LOW), "high_80": asked * quantile(mean, variance, _HIGH),
            "revenue": asked * np.exp(mean) * prices,
            "revenue_change": np.exp(against) * (1 + changes) - 1,
            "chance_of_more_revenue": chance_above(against + np.log1p(changes), apart),
            "elasticity": elasticity, "elasticity_low_80": elasticity - reach, "elasticity_high_80": elasticity + reach,
            "promotion_lift": np.exp([[r.mean[PROMOTION]] for r in responses]),
        }  # fmt: skip
        every = frame[["item_id", "currency", "days", "price_days"]].assign(learned_from=taught)
        made = every.loc[every.index.repeat(len(changes))]
        made = made.assign(**{name: np.broadcast_to(v, mean.shape).ravel() for name, v in columns.items()})
        return made.loc[:, DEMAND_WHAT_IF.column_names]

    def function(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in batches:
            if len(frame):
                yield told(frame.reset_index(drop=True))

    return function
