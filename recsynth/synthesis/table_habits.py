"""What people do beside the counts of their visits: how long they pause, how units vary, how they rate and search."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.mapping import normalised
from recsynth.synthesis.halves import LEARN
from recsynth.synthesis.table_generator import Tables
from recsynth.synthesis.table_paths import BUY, RATE, Habits
from recsynth.synthesis.table_rows import HALF, ON_ITEMS, SEARCH, latest

QUERIES = 5
"""Searches kept of each item."""
_PLACES = [float(q) for q in np.linspace(0.01, 0.99, 33)]
_PAUSE, _SHARE, _RATINGS = "pause", "share", "ratings"


def told_habits(events: DataFrame, queries: dict[int, list[str]]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of the habits of the learning half; see `habits`. events: rows of table_rows.told.

    Quantiles are exact and leave out the first and the last hundredth: nobody's longest pause is told.
    """
    ours = events.where(F.col(HALF) == LEARN)
    in_visit = Window.partitionBy("user_id", "session_id").orderBy("ts", "event_id")
    before, item_before = (F.lag(name).over(in_visit) for name in ("ts", "item_id"))
    paused = ours.withColumns({
        "pause": F.unix_timestamp("ts") - F.unix_timestamp(before), "follows": item_before.eqNullSafe(F.col("item_id")),
        "opens": before.isNull(),
    })  # fmt: skip
    places = F.array(*map(F.lit, _PLACES))
    by_type = paused.groupBy("event_type").agg(
        F.percentile("pause", places).alias("pauses"), F.count("*").alias("events"),
        F.avg(F.col("follows").cast("int")).alias("follows"), F.avg(F.col("opens").cast("int")).alias("opens"),
    )  # fmt: skip
    found = {r.event_type: r for r in by_type.collect()}  # bound: a row a type of event
    mean = F.avg("quantity").over(Window.partitionBy("user_id", "session_id"))
    shared = ours.where(F.col("event_type") == BUY).withColumn("share", F.round(F.col("quantity") / mean, 2))
    shares = shared.agg(F.percentile("share", places).alias("shares")).first()
    stars = ours.where("rating is not null").groupBy(F.round("rating").cast("int").alias("stars")).count()
    given = {r.stars: r["count"] for r in stars.collect()}  # bound: five
    pauses = {t: r.pauses for t, r in found.items() if r.pauses is not None}
    arrays = {f"{_PAUSE}/{t}": np.array(p, np.float64) for t, p in pauses.items()}
    arrays[_SHARE] = np.array((shares.shares if shares and shares.shares else None) or [1.0, 1.0])
    arrays[_RATINGS] = np.array([given.get(n, 0) for n in range(1, 6)], np.float64)
    usual = max((t for t in ON_ITEMS if t != RATE), key=lambda t: found[t].events if t in found else 0)
    facts = {
        "usual": usual, "queries": {str(item): list(q) for item, q in sorted(queries.items())},
        "at_once": float(found[BUY].follows) if BUY in found else 0.0,
        "opening": float(found[SEARCH].opens) if SEARCH in found else 0.0,
    }  # fmt: skip
    return arrays, facts


def habits(tables: Tables) -> Habits:
    """What `told_habits` left; a pause or a rating that nobody had is none, and three stars."""
    pauses = {n.partition("/")[2]: a for n, a in tables.arrays.items() if n.startswith(f"{_PAUSE}/")}
    ratings = tables.arrays[_RATINGS]
    given = ratings / ratings.sum() if ratings.sum() else np.eye(5)[2]
    facts = tables.facts
    return Habits(pauses, tables.arrays[_SHARE], given, facts["usual"], facts["at_once"], facts["opening"])


def known_queries(events: DataFrame, query_items: DataFrame, numbers: DataFrame, least: int) -> dict[int, list[str]]:
    """Searches by item number, the most led-by first: those that at least `least` of the learning half typed.

    Bound on the driver: QUERIES a modelled item.
    """
    typed = events.where((F.col(HALF) == LEARN) & F.col("query").isNotNull())
    typed = typed.select("user_id", normalised(F.col("query")).alias("query"))
    known = typed.groupBy("query").agg(F.count_distinct("user_id").alias("people")).where(F.col("people") >= least)
    led = query_items.join(known, on="query", how="left_semi").join(F.broadcast(numbers), on="item_id", how="inner")
    most = Window.partitionBy("item").orderBy(F.desc("weight"), "query")
    best = led.withColumn("at", F.row_number().over(most)).where(F.col("at") <= QUERIES)
    found: dict[int, list[str]] = {}
    for row in best.orderBy("item", "at").select("item", "query").collect():
        found.setdefault(row.item, []).append(row.query)
    return found


def with_prices(drawn: DataFrame, items: DataFrame, events: DataFrame, least: int) -> DataFrame:
    """Drawn events, purchases with the item's own price: its record's, else the last that it was bought for.

    The latter only of items that at least `least` people bought: else it is one person's.
    """
    bought = events.where((F.col("event_type") == BUY) & F.col("price").isNotNull())
    last = bought.groupBy("item_id").agg(
        F.max(F.struct("ts", "event_id", "price", "currency")).alias("last"),
        F.count_distinct("user_id").alias("people"),
    )
    paid = last.where(F.col("people") >= least).select(
        "item_id", F.struct(F.col("last.price"), F.col("last.currency")).alias("paid")
    )
    listed = latest(items).where("price is not null").select("item_id", F.struct("price", "currency").alias("listed"))
    both = paid.join(listed, on="item_id", how="full").select("item_id", F.coalesce("listed", "paid").alias("own"))
    is_bought = F.col("event_type") == BUY
    return drawn.join(both, on="item_id", how="left").withColumns({
        name: F.when(is_bought, F.col(f"own.{name}")) for name in ("price", "currency")
    })  # fmt: skip
