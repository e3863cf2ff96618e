"""Truth: what was planted in the simulated shop, as Parquet tables beside its landing folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from recsynth.shop.batches import bad_batches
from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.catalogue_dirt import gaps
from recsynth.shop.posts import post_surge
from recsynth.shop.settings import ShopSettings
from recsynth.shop.shelves import Stock, stock
from recsynth.shop.tastes import taste
from recsynth.shop.words import BRANDS, COLOURS, KINDS

USERS = """user_id string, country string, activity double, kinds map<string,double>, brands array<string>,
colours array<string>, materials map<string,string>, price_level double"""
PROMOTIONS = "item_id string, first_day date, last_day date"
POST_SURGES = "topic string, first_day date, last_day date"
BAD_BATCHES = "category string, first_day date, last_day date"
ITEM_GAPS = "item_id string, field string, value string"
ITEM_DEFECTS = "file_day int, item_id string, defect string"


def write_truth(
    lines: DataFrame, asked: DataFrame, posted: DataFrame, soiled_rows: pd.DataFrame, settings: ShopSettings, seed: int,
    folder: Path,
) -> None:  # fmt: skip
    """Write one table for each thing that was planted.

    users: a user's tastes, kinds and materials by category. items: an item with its words, popularity,
    launch and retirement. promotions: an item in a week, [first_day, last_day]. bad_batches: a category whose
    goods were faulty, with the days on which people complained. sessions: an event and the
    session that it belongs to. searches: a search, the item that it sought and whether it was mistyped.
    defects: a line of the event files that is late, repeated or broken, with the reason.
    item_defects: the same of the catalogue files. item_gaps: a field that an item's record lacks. tickets: a ticket,
    what it is about, the policy that tells of it and the customer's order. ticket_defects: a broken line of the
    ticket files. posts: a post, what it is about, how it is meant, and whether it passes on another. post_surges: a
    topic that many complained about, with the days. post_defects: a broken line of the post files. bots: a user
    who is none.
    """
    spark = lines.sparkSession
    events = lines.where("defect in ('', 'late')")
    tables = {
        "users": _users(spark, settings, seed),
        "items": spark.createDataFrame(described(catalogue(settings, seed), settings.language)),
        "promotions": spark.createDataFrame(promotions(stock(settings, seed)), PROMOTIONS),
        "bad_batches": spark.createDataFrame(_batches(settings, seed), BAD_BATCHES),
        "sessions": events.select("event_id", "user_id", "session"),
        "searches": events.where("target is not null").select("event_id", "user_id", "target", "has_typo"),
        "defects": lines.where("defect <> ''").select("event_id", "user_id", "file_day", "defect"),
        "item_gaps": spark.createDataFrame(gaps(settings, seed), ITEM_GAPS),
        "item_defects": spark.createDataFrame(soiled_rows, ITEM_DEFECTS),
        "tickets": asked.where("defect = ''").select(
            "ticket_id", "user_id", "intent", "policy", "is_out_of_scope", "order_id"
        ),
        "ticket_defects": asked.where("defect not in ('', 'answered')").select("ticket_id", "file_day", "defect"),
        "posts": posted.where("defect = ''").select("post_id", "topic", "sentiment", "is_repost"),
        "post_surges": spark.createDataFrame([_surge(settings, seed)], POST_SURGES),
        "post_defects": posted.where("defect not in ('', 'labelled')").select("post_id", "file_day", "defect"),
        "bots": events.where("user_id like 'B%'").groupBy("user_id").count().withColumnRenamed("count", "events"),
    }
    for name, table in tables.items():
        table.write.parquet(str(folder / name))


def _batches(settings: ShopSettings, seed: int) -> list[tuple[str, date, date]]:
    kinds = KINDS[settings.language]
    planted = bad_batches(settings, seed)
    return [(kinds[b.kind].category, settings.date_of(b.first_day), settings.date_of(b.last_day)) for b in planted]


def _surge(settings: ShopSettings, seed: int) -> tuple[str, date, date]:
    planted = post_surge(settings, seed)
    return planted.topic, settings.date_of(planted.first_day), settings.date_of(planted.last_day)


def promotions(shop: Stock) -> pd.DataFrame:
    """Each item on promotion in each week: item_id, first_day, last_day; bounded by items * weeks."""
    items, settings = catalogue(shop.settings, shop.seed), shop.settings
    weeks = []
    for week in range((settings.days + 6) // 7):
        day = 7 * week
        is_on_sale = (items["launch_day"] <= day) & (items["retired_day"] > day)
        chosen = items.loc[is_on_sale & shop.promoted(week), ["item_id"]]
        weeks.append(chosen.assign(first_day=settings.date_of(day), last_day=settings.date_of(day + 6)))
    return pd.concat(weeks)


def _users(spark: SparkSession, settings: ShopSettings, seed: int) -> DataFrame:
    def tastes(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            yield pd.DataFrame([_user(n, settings, seed) for n in block["id"].tolist()])

    return spark.range(settings.users).mapInPandas(tastes, USERS)


def _user(number: int, settings: ShopSettings, seed: int) -> dict[str, object]:
    user, language = taste(number, settings, seed), settings.language
    kinds = KINDS[language]
    materials = zip(kinds, user.materials.tolist(), strict=True)
    return {
        "user_id": user.user_id, "country": user.country, "activity": user.activity,
        "kinds": {k.category: weight for k, weight in zip(kinds, user.kinds.tolist(), strict=True)},
        "brands": [BRANDS[language][i] for i in np.flatnonzero(user.brands)],
        "colours": [COLOURS[language][i] for i in np.flatnonzero(user.colours)],
        "materials": {k.category: k.materials[m] for k, m in materials}, "price_level": user.price_level,
    }  # fmt: skip
