"""Real rows that synthetic tables are learned from and judged by: users, their visits, items.

A visit is a session. Of a user and a visit are told: USER_COLUMNS and VISIT_COLUMNS; of an item: see `item_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.synthesis.halves import HOLD_OUT, LEARN
from recsynth.synthesis.table_settings import TableSettings

ON_ITEMS = ("view", "click", "cart", "purchase", "rating")
"""Events that are drawn beside searches. Returns, comments and shares are not: a return needs the purchase that it
undoes, a comment its text."""
SEARCH = "search"
PERSON, HALF, USER, VISIT, ITEM = "person", "half", "users", "visits", "items"
USER_GIVEN, USER_DRAWN = ("items",), ("country", "visits", "span", "idle")
VISIT_GIVEN = ("items", "country", "visits", "span", "ahead", "left")
VISIT_DRAWN = ("gap", "weekday", "hour", "searches", *(f"{t}s" for t in ON_ITEMS), "units")
USER_COLUMNS, VISIT_COLUMNS = USER_GIVEN + USER_DRAWN, VISIT_GIVEN + VISIT_DRAWN
WORDS = {"country", "weekday", "hour"}
ATTRIBUTE = "attribute "
ATTRIBUTE_SHARE = 0.05


def told(events: DataFrame, users: DataFrame, night: Night) -> DataFrame:
    """Events of people in either half that a visit is made of, with `half`, `items` and the shop's local time."""
    kept = events.where(
        (~F.col("is_bot")) & (~F.col("is_near_duplicate")) & F.col("event_type").isin(SEARCH, *ON_ITEMS)
        & (F.col("item_id").isNotNull() | (F.col("event_type") == SEARCH))
    )  # fmt: skip
    local = F.from_utc_timestamp("ts", night.settings.shop_time_zone)
    of = users.select("user_id", HALF, F.size("items").alias("items"))
    return kept.join(of, on="user_id", how="inner").withColumn("local", local)


def visit_rows(events: DataFrame, night: Night) -> DataFrame:
    """One row per visit of `told` events: person, half, USER_COLUMNS and VISIT_COLUMNS of it.

    items and visits are counts, span and idle days from the first visit to the last and from that to the as-of date;
    ahead counts the visits still to come, gap is days since the visit before and left from that to the last, both null
    at the first; searches count what was searched for, the others items; units are those of a purchase, on average.
    Weekday is 0 on Mondays.
    """
    counts = {
        f"{t}s": F.count_distinct(F.when(F.col("event_type") == t, F.col("item_id"))).cast("int") for t in ON_ITEMS
    }
    visits = events.groupBy(HALF, "user_id", "session_id").agg(
        F.first("items").alias("items"), F.min("local").alias("local"),
        F.min_by("country", F.struct("ts", "event_id")).alias("seen_in"), F.count("*").alias("events"),
        F.count_distinct(F.when(F.col("event_type") == SEARCH, F.col("query"))).cast("int").alias("searches"),
        *(count.alias(name) for name, count in counts.items()),
        F.round(F.avg(F.when(F.col("event_type") == "purchase", F.col("quantity")))).alias("units"),
    )  # fmt: skip
    day = F.to_date("local")
    by_user = Window.partitionBy(HALF, "user_id")
    in_order = by_user.orderBy("local", "session_id")
    number, count = F.row_number().over(in_order), F.count("*").over(by_user)
    first, last, before = F.min(day).over(by_user), F.max(day).over(by_user), F.lag(day).over(in_order)
    # Of visits that begin at one instant the later by name counts: the same in every layout of the rows.
    lived = F.when(F.col("seen_in").isNotNull(), F.struct("local", "session_id"))
    of_user = {
        "country": F.max_by("seen_in", lived).over(by_user),
        "visits": count.cast("int"),
        "span": F.date_diff(last, first),
        "idle": F.date_diff(F.lit(night.as_of), last),
    }
    of_visit = {
        "number": number,
        "ahead": count - number,
        "left": F.date_diff(last, before),
        "gap": F.date_diff(day, before),
        "weekday": F.weekday(day).cast("string"),
        "hour": F.hour("local").cast("string"),
    }
    told_of = [column.alias(name) for name, column in (of_user | of_visit).items()]
    return visits.select(
        HALF, F.col("user_id").alias(PERSON), "session_id", "items", *told_of, "searches", *counts, "units", "events"
    )


def user_rows(visits: DataFrame) -> DataFrame:
    """One row per user: person, half and USER_COLUMNS."""
    return visits.where("number = 1").select(PERSON, HALF, *USER_COLUMNS)


def item_rows(items: DataFrame, attributes: Sequence[str], seed: int) -> DataFrame:
    """One row per item: its id as person, a half by hash, category path, brand, price, availability, attributes."""
    columns = [F.col("attributes").getItem(name).alias(ATTRIBUTE + name) for name in attributes]
    half = F.when(F.pmod(F.xxhash64(F.lit(seed), "item_id"), F.lit(2)) == 0, LEARN).otherwise(HOLD_OUT)
    return latest(items).select(
        F.col("item_id").alias(PERSON), half.alias(HALF), F.array_join("category", " > ").alias("category"), "brand",
        F.col("price").cast("double").alias("price"), F.col("available").cast("string").alias("available"), *columns,
    )  # fmt: skip


def latest(items: DataFrame) -> DataFrame:
    """The version of each item that holds at the as-of date; `valid_to` may lie after it and says nothing."""
    fields = ("category", "brand", "price", "currency", "available", "attributes")
    return items.groupBy("item_id").agg(*(F.max_by(c, "valid_from").alias(c) for c in fields))


def attribute_names(items: DataFrame, settings: TableSettings) -> list[str]:
    """The attributes that become columns: the most frequent of those that a twentieth of the items have."""
    now = latest(items)
    by = now.select(F.explode(F.map_keys("attributes")).alias("name")).groupBy("name").count()
    counted = by.where(F.col("count") >= ATTRIBUTE_SHARE * now.count())
    rows = counted.orderBy(F.desc("count"), "name").limit(settings.max_attributes).collect()  # bound: max_attributes
    return [r.name for r in rows]


def sample(rows: DataFrame, half: str, most: int, seed: int, *key: str) -> pd.DataFrame:
    """Rows of a half on the driver, at most `most` of them, by hash, in their order; columns no longer than that."""
    by: list[Column] = [F.xxhash64(F.lit(seed), *key), *(F.col(k) for k in key)]
    return rows.where(F.col(HALF) == half).orderBy(*by).limit(most).toPandas()


def kept(frame: DataFrame, folder: Path) -> DataFrame:
    """Written once and read again: several passes follow, and a retry reads the same."""
    frame.write.mode("overwrite").parquet(str(folder))
    return frame.sparkSession.read.parquet(str(folder))
