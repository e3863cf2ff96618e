"""Landing: the files that the simulated shop delivers, and the truth of what was planted beside them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.errors import InputError
from recsynth.shop.catalogue import catalogue, snapshot
from recsynth.shop.dirt import bot_rows, landed
from recsynth.shop.sessions import User
from recsynth.shop.settings import ShopSettings
from recsynth.shop.tastes import taste

log = logging.getLogger(__name__)

USERS_PER_TASK = 250
LINES = "event_id string, file_day int, line string, defect string, session string, user_id string"


def simulate(spark: SparkSession, settings: ShopSettings, seed: int, landing: Path) -> None:
    """Write `<landing>/events/<day>/*.jsonl`, `<landing>/items/<day>.csv` (weekly) and `<landing>_truth/`.

    The files are the same for the same seed whatever the number of partitions. They appear under their
    name once all are written. Raises InputError if the landing folder exists and is not empty.
    """
    if landing.exists() and any(landing.iterdir()):
        raise InputError(str(landing), "no landing folder, or an empty one, to simulate into", "files")
    part, truth = landing.with_name(landing.name + ".part"), truth_folder(landing)
    for folder in (part, truth):
        shutil.rmtree(folder, ignore_errors=True)
    lines = event_lines(spark, settings, seed).persist()
    _write_events(lines, settings, part / "events")
    _write_items(settings, seed, part / "items")
    _write_truth(lines, spark, settings, seed, truth)
    lines.unpersist()
    landing.parent.mkdir(parents=True, exist_ok=True)
    if landing.exists():
        landing.rmdir()
    part.rename(landing)


def truth_folder(landing: Path) -> Path:
    """Where the truth of a landing folder lies."""
    return landing.with_name(landing.name + "_truth")


def event_lines(spark: SparkSession, settings: ShopSettings, seed: int) -> DataFrame:
    """Every line that lands: event_id, file_day, line, defect, session, user_id. One row a line."""
    bots = settings.dirt.bots

    def draw(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        items = catalogue(settings, seed)
        for block in blocks:
            for number in block["id"]:
                user = int(number)
                rows = User(user, items, settings, seed).events() if user < settings.users else None
                rows = bot_rows(user - settings.users, items, settings, seed) if rows is None else rows
                lines = pd.DataFrame(landed(rows, settings, seed))
                if len(lines):
                    yield lines

    total = settings.users + bots
    numbers = spark.range(0, total, 1, max(2, total // USERS_PER_TASK))
    return numbers.mapInPandas(draw, LINES)


def _write_events(lines: DataFrame, settings: ShopSettings, folder: Path) -> None:
    """One folder a day; lines lie in the order of a hash, as events of many servers would."""
    piece = F.pmod(F.xxhash64("event_id", "line"), F.lit(settings.files_per_day))
    day = F.date_add(F.lit(settings.start), F.col("file_day")).cast("string").alias("day")
    spread = lines.select("line", day, F.xxhash64("line").alias("order"), piece.alias("piece"))
    tasks = 2 * lines.sparkSession.sparkContext.defaultParallelism
    ordered = spread.repartition(tasks, "day", "piece").sortWithinPartitions("day", "order")
    ordered.select("line", "day").write.partitionBy("day").text(str(folder))
    for written in sorted(folder.glob("day=*")):
        named = written.with_name(written.name.removeprefix("day="))
        written.rename(named)
        for number, file in enumerate(sorted(named.glob("part-*"))):
            file.rename(named / f"{number:05d}.jsonl")
    for rest in (*folder.rglob(".*.crc"), folder / "_SUCCESS"):
        rest.unlink(missing_ok=True)


def _write_items(settings: ShopSettings, seed: int, folder: Path) -> None:
    """A catalogue file each week; one of its rows has lost its id, and one comes twice."""
    folder.mkdir(parents=True)
    items = catalogue(settings, seed)
    for day in range(0, settings.days, 7):
        known = snapshot(items, day)
        dirty = pd.concat([known, known.iloc[[0]], known.iloc[[1]].assign(item_id="")])
        dirty.to_csv(folder / f"{settings.start + timedelta(days=day)}.csv", index=False)


def _write_truth(lines: DataFrame, spark: SparkSession, settings: ShopSettings, seed: int, folder: Path) -> None:
    """Tables users, items, sessions and defects."""
    items = catalogue(settings, seed)
    spark.createDataFrame(items).write.parquet(str(folder / "items"))
    lines.where("defect in ('', 'late')").select("event_id", "user_id", "session").write.parquet(
        str(folder / "sessions")
    )
    planted = lines.where("defect <> ''").select("event_id", "user_id", "file_day", "defect")
    planted.write.parquet(str(folder / "defects"))

    def tastes(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            yield pd.DataFrame([_taste_row(int(n), settings, seed) for n in block["id"]])

    schema = "user_id string, country string, activity double, kinds array<double>, price_level double"
    spark.range(settings.users).mapInPandas(tastes, schema).write.parquet(str(folder / "users"))


def _taste_row(number: int, settings: ShopSettings, seed: int) -> dict[str, object]:
    user = taste(number, settings, seed)
    return {
        "user_id": user.user_id, "country": user.country, "activity": user.activity,
        "kinds": np.asarray(user.kinds).tolist(), "price_level": user.price_level,
    }  # fmt: skip
