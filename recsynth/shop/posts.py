"""Posts: what people write in public about the simulated shop, with a surge of complaints and a topic that is new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from recsynth.seeds import sub_seed
from recsynth.shop.conversations import NEW_DAYS
from recsynth.shop.remarks import CLOSERS, NEW_TOPIC, OPENERS, REMARKS
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import BRANDS

POST_LINES = """post_id string, file_day int, line string, defect string, topic string, sentiment string,
is_repost boolean"""
PASSED_ON, SURGE_DAYS, SURGE_TIMES = 0.1, 5, 8
_SENTIMENTS, _SHARES = ("positive", "neutral", "negative"), (0.35, 0.3, 0.35)
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class PostSurge(NamedTuple):
    """A topic that many complain about, and the simulated days, both included."""

    topic: str
    first_day: int
    last_day: int


def post_surge(settings: ShopSettings, seed: int) -> PostSurge:
    """The one that is planted, in the second half of the simulated time and before the new topic comes up."""
    rng = np.random.default_rng(sub_seed(seed, "post_surge"))
    topics = [t for t in REMARKS[settings.language] if t != NEW_TOPIC]
    earliest = settings.days // 2
    first = int(rng.integers(earliest, max(earliest + 1, settings.days - 2 * SURGE_DAYS)))
    return PostSurge(topics[int(rng.integers(len(topics)))], first, first + SURGE_DAYS - 1)


def post_lines(spark: SparkSession, settings: ShopSettings, seed: int) -> DataFrame:
    """Every line of the post files with what was planted in it: POST_LINES.

    A post lands on its day, and some again up to two days later with the topic and the sentiment that somebody noted.
    In the last three weeks a topic comes up that nobody has a name for; one in ten posts is passed on within three
    days; for five days a topic draws eight times its usual complaints. Each post has dice of its own: they are the same
    whatever the partitions, and change nothing of what customers do.
    """

    def write(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        columns = [name.split()[0] for name in POST_LINES.split(",")]
        for block in blocks:
            rows = [row for day in block["id"].tolist() for row in _day(int(day), settings, seed)]
            yield pd.DataFrame(rows, columns=columns)

    tasks = min(settings.days, spark.sparkContext.defaultParallelism)
    return spark.range(0, settings.days, 1, tasks).mapInPandas(write, POST_LINES)


def _day(day: int, settings: ShopSettings, seed: int) -> Iterator[tuple[Any, ...]]:
    dice = Random(f"{seed}/posts/{day}")
    surge = post_surge(settings, seed)
    topics = [t for t in REMARKS[settings.language] if t != NEW_TOPIC or day >= settings.days - NEW_DAYS]
    drawn = [(dice.choice(topics), dice.choices(_SENTIMENTS, _SHARES)[0])
             for _ in range(_poisson(dice, settings.posts_per_day))]  # fmt: skip
    if surge.first_day <= day <= surge.last_day:
        usual = settings.posts_per_day * _SHARES[2] / len(topics)
        drawn += [(surge.topic, "negative")] * round((SURGE_TIMES - 1) * usual)
    for number, (topic, sentiment) in enumerate(drawn):
        yield from _post(f"P{day:04d}{number:05d}", day, topic, sentiment, settings, seed)


def _post(
    post_id: str, day: int, topic: str, sentiment: str, settings: ShopSettings, seed: int
) -> Iterator[tuple[Any, ...]]:
    """The lines of a post: itself, its label, one that is broken, and who passes it on."""
    dice, language = Random(f"{seed}/post/{post_id}"), settings.language
    brand = dice.choice(BRANDS[language]) if dice.random() < 0.3 else None
    said = dice.choice(REMARKS[language][topic][sentiment])
    text = " ".join(filter(None, (dice.choice(OPENERS[language]), said, dice.choice(CLOSERS[language]), brand)))
    at = datetime.combine(settings.date_of(day), time(), UTC) + timedelta(seconds=dice.randrange(24 * 3600))
    sent: dict[str, Any] = {"post_id": post_id, "ts": at.isoformat(), "text": text}
    sent |= {"brand": brand} if brand else {}
    sent |= {"user_id": f"U{dice.randrange(settings.users):07d}"} if dice.random() < 0.2 else {}
    yield post_id, day, _encoded(sent), "", topic, sentiment, False
    if dice.random() < settings.dirt.broken:
        reason, change = dice.choice([("neither text nor sentiment", {"text": " "}), ("unparsable ts", {"ts": "now"})])
        yield post_id, day, _encoded(sent | change), reason, topic, sentiment, False
    noted = at + timedelta(minutes=dice.randint(10, 2 * 24 * 60))
    noted_day = (noted.date() - settings.start).days
    if dice.random() < settings.label_share / 2 and noted_day < settings.days:
        # Whoever labels knows no name for what is new.
        label = {"sentiment": sentiment} | ({"topic": topic} if topic != NEW_TOPIC else {})
        full = sent | label | {"labelled_at": noted.isoformat()}
        yield post_id, noted_day, _encoded(full), "labelled", topic, sentiment, False
    if dice.random() < PASSED_ON:
        later = at + timedelta(minutes=dice.randint(5, 3 * 24 * 60))
        later_day = (later.date() - settings.start).days
        if later_day < settings.days:
            words = f"RT @friend{dice.randrange(1000)}: {text} https://t.co/{dice.randrange(10**6)}"
            again = {"post_id": f"{post_id}R", "ts": later.isoformat(), "text": words}
            again |= {"brand": brand} if brand else {}
            yield f"{post_id}R", later_day, _encoded(again), "", topic, sentiment, True


def _poisson(dice: Random, mean: float) -> int:
    """Events in a day, by the times between them."""
    count, left = 0, mean - dice.expovariate(1)
    while left >= 0:
        count, left = count + 1, left - dice.expovariate(1)
    return count
