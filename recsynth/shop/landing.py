"""Landing: the files that the simulated shop delivers, and the truth of what was planted beside them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.errors import InputError
from recsynth.shop.catalogue import catalogue, described, snapshot
from recsynth.shop.catalogue_dirt import soiled
from recsynth.shop.conversations import ticket_lines
from recsynth.shop.dirt import bot_events, landed
from recsynth.shop.posts import post_lines
from recsynth.shop.questions import POLICIES
from recsynth.shop.sessions import User
from recsynth.shop.settings import ShopSettings
from recsynth.shop.shelves import stock
from recsynth.shop.truth import promotions, write_truth

USERS_PER_TASK = 250
LINES_PER_BATCH = 10_000
LINES = """event_id string, user_id string, file_day int, line string, defect string, session string, target string,
has_typo boolean"""
_COLUMNS = [("event_id", pa.string()), ("user_id", pa.string()), ("file_day", pa.int32()), ("line", pa.string()),
            ("defect", pa.string()), ("session", pa.string()), ("target", pa.string()),
            ("has_typo", pa.bool_())]  # fmt: skip


def simulate(spark: SparkSession, settings: ShopSettings, seed: int, landing: Path) -> None:
    """Write the files of a shop below `<landing>` and what was planted in them to `<landing>_truth/`.

    `events/<day>/*.jsonl`, `tickets/<day>/*.jsonl`, `posts/<day>/*.jsonl`, `items/<day>.csv` and `promotions/<day>.csv`
    (weekly) and `policies/<day>.csv` (once).

    The files are the same for the same seed whatever the number of partitions. They appear under their
    name once all are written. Raises InputError if the landing folder exists and is not empty.
    """
    if landing.exists() and any(landing.iterdir()):
        raise InputError(str(landing), "no landing folder, or an empty one, to simulate into", "files")
    part, truth = landing.with_name(landing.name + ".part"), truth_folder(landing)
    for folder in (part, truth):
        shutil.rmtree(folder, ignore_errors=True)
    lines = event_lines(spark, settings, seed).persist()
    asked = ticket_lines(lines, settings, seed).persist()
    posted = post_lines(spark, settings, seed).persist()
    try:
        _write_lines(lines.withColumn("id", F.col("event_id")), settings, part / "events")
        _write_lines(asked.withColumn("id", F.col("ticket_id")), settings, part / "tickets")
        _write_lines(posted.withColumn("id", F.col("post_id")), settings, part / "posts")
        soiled_rows = _write_items(settings, seed, part / "items")
        _write_policies(settings, part / "policies")
        _write_promotions(settings, seed, part / "promotions")
        write_truth(lines, asked, posted, soiled_rows, settings, seed, truth)
    finally:
        lines.unpersist()
        asked.unpersist()
        posted.unpersist()
    if landing.exists():
        landing.rmdir()
    part.rename(landing)


def truth_folder(landing: Path) -> Path:
    """Where the truth of a landing folder lies."""
    return landing.with_name(landing.name + "_truth")


def event_lines(spark: SparkSession, settings: ShopSettings, seed: int) -> DataFrame:
    """Every line that lands, with what was planted in it: the columns of dirt.Line. One row a line.

    A task makes its users' events one after the other and hands them on in batches: what it holds does
    not grow with the number of users.
    """

    def draw(blocks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        shop = stock(settings, seed)
        for block in blocks:
            numbers = block.column("id").to_pylist()
            makers = (
                User(n, shop).events() if n < settings.users else bot_events(n - settings.users, shop) for n in numbers
            )
            lines = chain.from_iterable(landed(events, shop) for events in makers)
            while batch := list(islice(lines, LINES_PER_BATCH)):
                columns = zip(zip(*batch, strict=True), _COLUMNS, strict=True)
                yield pa.record_batch([pa.array(c, type_) for c, (_, type_) in columns], schema=pa.schema(_COLUMNS))

    total = settings.users + settings.dirt.bots
    tasks = max(spark.sparkContext.defaultParallelism, total // USERS_PER_TASK)
    return spark.range(0, total, 1, tasks).mapInArrow(draw, LINES)


def _write_lines(lines: DataFrame, settings: ShopSettings, folder: Path) -> None:
    """One folder a day, `files_per_day` files in it; lines lie in the order of a hash, as of many servers."""
    piece = F.pmod(F.xxhash64("id", "line"), F.lit(settings.files_per_day)).cast("int").alias("piece")
    spread = lines.select("line", F.col("file_day").alias("day"), F.xxhash64("line").alias("order"), piece)
    tasks = 2 * lines.sparkSession.sparkContext.defaultParallelism
    ordered = spread.repartition(tasks, "day", "piece").sortWithinPartitions("day", "piece", "order", "line")
    ordered.select("line", "day", "piece").write.partitionBy("day", "piece").text(str(folder / "_written"))
    for written in sorted((folder / "_written").glob("day=*/piece=*/part-*")):
        number, file = (int(path.name.partition("=")[2]) for path in (written.parent.parent, written.parent))
        named = folder / str(settings.date_of(number))
        named.mkdir(exist_ok=True)
        written.rename(named / f"{file:05d}.jsonl")
    shutil.rmtree(folder / "_written")


def _write_policies(settings: ShopSettings, folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [(name, title, text) for name, (title, text) in POLICIES[settings.language].items()]
    pd.DataFrame(rows, columns=["policy_id", "title", "text"]).to_csv(
        folder / f"{settings.date_of(0)}.csv", index=False
    )


def _write_promotions(settings: ShopSettings, seed: int, folder: Path) -> None:
    """A calendar each week: what is on promotion in it and in the next."""
    folder.mkdir(parents=True)
    planned = promotions(stock(settings, seed))
    planned.insert(0, "promotion_id", "week of " + planned["first_day"].astype(str))
    for day in range(0, settings.days, 7):
        begins = planned["first_day"].isin([settings.date_of(day), settings.date_of(day + 7)])
        planned[begins].to_csv(folder / f"{settings.date_of(day)}.csv", index=False)


def _write_items(settings: ShopSettings, seed: int, folder: Path) -> pd.DataFrame:
    """A catalogue file each week; returns the rows that are not good ones: file_day, item_id, defect."""
    folder.mkdir(parents=True)
    items = described(catalogue(settings, seed), settings.language)
    planted = []
    for day in range(0, settings.days, 7):
        known = snapshot(items, day)
        rows = soiled(known, day, settings, seed)
        rows.drop(columns="defect").to_csv(folder / f"{settings.date_of(day)}.csv", index=False)
        bad = rows[rows["defect"] != ""]
        planted.append(bad.assign(file_day=day, item_id=known["item_id"].reindex(bad.index)))
    return pd.concat(planted)[["file_day", "item_id", "defect"]]
