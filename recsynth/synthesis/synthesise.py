"""The stage that learns from half of the users and draws people who do not exist, by the GAN and by two baselines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.model.folder import register
from recsynth.stage import Night
from recsynth.synthesis.fitting import fit
from recsynth.synthesis.generator import BLOCK, KINDS, read_generator, write_generator
from recsynth.synthesis.halves import LEARN, halves, read_rows
from recsynth.tables.synthesis import SYNTHETIC_HISTORIES

log = logging.getLogger(__name__)

_DRAWN = "generator string, user_id string, segment string, items array<string>"


def synthesise(interactions: DataFrame, night: Night) -> DataFrame:
    """Fit the generator to the learning half of R and draw from it in Arrow UDFs.

    Reads gold.interactions; writes synthesis.synthetic_histories, and the generator below _models. A row depends on
    the seed, the as-of date and its user_id alone. Empty where R has fewer than min_users users or two items.
    Bound on the driver: the learning half, max_users rows, and the square of max_items.
    """
    spark, settings = interactions.sparkSession, night.settings.synthesis
    nothing = SYNTHETIC_HISTORIES.empty(spark)
    if not settings.enabled:
        return nothing
    both, folder = halves(interactions, settings, night.seed("halves")), night.work / "synthesis"
    items = [r.item_id for r in both.items.orderBy("item").collect()]  # bound: max_items
    both.users.where(F.col("half") == LEARN).write.mode("overwrite").parquet(str(folder / "learn"))
    _, rows_UM = read_rows(folder / "learn", len(items))
    if 2 * rows_UM.shape[0] < settings.min_users or len(items) < 2:
        log.info("nothing synthesised from %d users and %d items", rows_UM.shape[0], len(items))
        return nothing
    seed, source = night.seed("synthesise"), night.data_versions.get("gold.interactions", 0)
    # No Delta version: the same night on a lake that was put back once has another, and is the same generator.
    card = {"settings": settings.model_dump(mode="json"), "seed": seed, "users": rows_UM.shape[0]}
    generator = fit(rows_UM, items, settings, seed)
    made = night.work / "generator"
    version = register("synthesis", lambda folder: write_generator(generator, folder, card), made, night.models)
    users = settings.users or rows_UM.shape[0]
    function = _draws(str(night.models / version), users, seed)
    numbers = spark.range(0, len(KINDS) * -(-users // BLOCK), 1, 2 * spark.sparkContext.defaultParallelism)
    return numbers.mapInPandas(function, _DRAWN).select(
        "*", F.lit(version).alias("model_version"), F.lit(seed).cast("bigint").alias("seed"),
        F.lit(source).cast("bigint").alias("source_version"),
    ).select(*SYNTHETIC_HISTORIES.column_names)  # fmt: skip


def _draws(folder: str, users: int, seed: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from numbers, each a kind and a block of it, to drawn users."""

    def drawn(numbers: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        generator = read_generator(folder)
        ids_M = np.array(generator.items, object)
        for number in (n for block in numbers for n in block["id"]):
            block, kind = divmod(int(number), len(KINDS))
            segments_B, rows_BM = generator.users(KINDS[kind], block, seed)
            count = min(BLOCK, users - block * BLOCK)
            yield pd.DataFrame({
                "generator": KINDS[kind],
                "user_id": [f"synthetic-{block * BLOCK + n:08d}" for n in range(count)],
                "segment": segments_B[:count],
                "items": [np.sort(ids_M[rows_BM[n].indices]).tolist() for n in range(count)],
            })  # fmt: skip

    return drawn
