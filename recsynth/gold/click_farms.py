"""Click farms: accounts without a past that crowd on an item as on no other."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.gold.crowds import log_chance
from recsynth.gold.settings import FarmSettings
from recsynth.stage import Night
from recsynth.tables.gold import CLICK_FARMS
from recsynth.tables.silver import TRADES


def click_farms(events: DataFrame, night: Night) -> DataFrame:
    """Find the accounts, and the items that they crowd on.

    Reads silver.events; writes gold.click_farms. An account is shallow on the day on which it first touches an item if
    it is young, has bought nothing so far and touched few items. Of the accounts that are new to an item within the
    last days, the shallow ones are a crowd where their share is beyond the shop's (of all other items in those days) by
    more than `odds`, and chance explains it with at most `max_chance`. A day is judged by it and days before alone.
    What is held in one place: a row a day of the shop.
    """
    farms = night.settings.gold.farms
    if not farms.enabled:
        return CLICK_FARMS.empty(events.sparkSession)
    touched = _touched(events.where("not is_bot"), farms).persist()
    # A row a day on which accounts of a crowd came: an item that is crowded for a year meets each account once.
    looked_at = F.sequence(F.date_sub("noticed_day", farms.days - 1), "noticed_day")
    crowded = _crowded(touched, farms).withColumn("day", F.explode(looked_at))
    first = F.min(F.struct("noticed", "accounts", "shallow_accounts", "usual_share", "chance"))
    crowds = crowded.groupBy("item_id", "day").agg(first.alias("f"))
    found = touched.where("is_shallow").join(crowds, on=["item_id", "day"], how="inner")
    return found.select("user_id", "item_id", "f.*").select(*CLICK_FARMS.column_names)


def without_farms(seen: DataFrame, click_farms: DataFrame, farms: FarmSettings) -> DataFrame:
    """Events at cut-offs (`cutoff`) but those of a click farm that was noticed by then; what was paid for stays."""
    if not farms.leave_out:
        return seen
    left_out = click_farms.select("user_id", "item_id", "noticed")
    same = [seen[name] == left_out[name] for name in ("user_id", "item_id")]
    is_known = (left_out["noticed"] < seen["cutoff"]) & ~seen["event_type"].isin(*TRADES)
    return seen.join(left_out, on=[*same, is_known], how="left_anti")


def _touched(events: DataFrame, farms: FarmSettings) -> DataFrame:
    """(user_id, item_id, at, day, is_shallow): when an account first touched an item, and what it was by then."""
    is_purchase = F.col("event_type") == "purchase"
    accounts = events.groupBy("user_id").agg(
        F.min("event_date").alias("first_day"), F.min(F.when(is_purchase, F.col("event_date"))).alias("bought_day")
    )
    about = events.where("item_id is not null and not is_near_duplicate and event_type <> 'return'")
    pairs = about.groupBy("user_id", "item_id").agg(F.min("ts").alias("at"), F.min("event_date").alias("day"))
    # The whole of the day counts: the order within a day makes no difference.
    until = Window.partitionBy("user_id").orderBy("day").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    is_young = F.date_diff("day", "first_day") < farms.young_days
    has_bought = F.coalesce(F.col("bought_day") <= F.col("day"), F.lit(False))
    is_shallow = is_young & ~has_bought & (F.count("*").over(until) <= farms.few_items)
    known = pairs.join(accounts, on="user_id", how="inner")
    return known.select("user_id", "item_id", "at", "day", is_shallow.alias("is_shallow"))


def _crowded(touched: DataFrame, farms: FarmSettings) -> DataFrame:
    """(item_id, noticed_day, noticed, accounts, shallow_accounts, usual_share, chance): the days of crowds."""
    daily = touched.groupBy("item_id", "day").agg(
        F.count("*").alias("n"), F.count_if("is_shallow").alias("y"), F.max("at").alias("noticed")
    )
    number = F.date_diff(F.col("day"), F.lit("1970-01-01").cast("date"))
    span = Window.orderBy(number).rangeBetween(1 - farms.days, Window.currentRow)
    of_item = Window.partitionBy("item_id").orderBy(number).rangeBetween(1 - farms.days, Window.currentRow)
    # One window over all rows: one a day.
    shop = daily.groupBy("day").agg(F.sum("n").alias("n"), F.sum("y").alias("y"))
    shop = shop.select("day", F.sum("n").over(span).alias("shop_n"), F.sum("y").over(span).alias("shop_y"))
    sums = daily.select(
        "item_id", "day", "noticed", F.sum("n").over(of_item).alias("n"), F.sum("y").over(of_item).alias("y")
    )
    both = sums.where(F.col("y") >= farms.least_accounts).join(F.broadcast(shop), on="day", how="inner")
    usual = (F.col("shop_y") - F.col("y") + 1) / (F.col("shop_n") - F.col("n") + 2)
    judged = both.withColumn("usual_share", usual).withColumn(
        "tolerated", farms.odds * usual / (1 - usual + farms.odds * usual)
    )
    judged = judged.withColumn("log_chance", log_chance(F.col("y"), F.col("n"), F.col("tolerated")))
    crowded = judged.where(
        (F.col("shop_n") - F.col("n") >= farms.least_accounts) & (F.col("y") / F.col("n") > F.col("tolerated"))
    )
    return crowded.where(F.col("log_chance") <= math.log(farms.max_chance)).select(
        "item_id", F.col("day").alias("noticed_day"), "noticed", F.col("n").alias("accounts"),
        F.col("y").alias("shallow_accounts"), "usual_share", F.exp("log_chance").alias("chance"),
    )  # fmt: skip
