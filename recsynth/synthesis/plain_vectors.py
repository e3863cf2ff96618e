"""Texts through the pretrained language model as it comes: what synthesis looks texts up by, before any training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import ArrayType, FloatType

from recsynth.model.folder import use_threads
from recsynth.model.towers import TextTower
from recsynth.stage import Night
from recsynth.synthesis.writer import tower_of


def plain_encoder(night: Night) -> tuple[str, int]:
    """Name and tokens read of the pretrained language model that the night fine-tunes."""
    training = night.settings.training
    return training.encoder, training.max_tokens


def with_vectors(texts: DataFrame, night: Night) -> DataFrame:
    """Add `vector`, as `TextTower.encode_plain` gives it, to rows with `text`."""
    encoder, (batch_size, threads) = plain_encoder(night), (
        night.settings.inference.batch_size, night.settings.inference.threads
    )  # fmt: skip

    @pandas_udf(ArrayType(FloatType()))  # type: ignore[call-overload,untyped-decorator]
    def encode(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        tower = worker_tower(*encoder, threads)
        for batch in batches:
            yield pd.Series(list(tower.encode_plain(batch.tolist(), batch_size)), index=batch.index)

    spread = texts.repartition(texts.sparkSession.sparkContext.defaultParallelism, "text")
    vector: Column = encode(F.col("text"))
    return spread.withColumn("vector", vector)


@lru_cache(maxsize=1)
def worker_tower(encoder: str, max_tokens: int, threads: int) -> TextTower:
    """The encoder, read once for the life of a worker."""
    use_threads(threads)
    return tower_of(encoder, max_tokens)
