"""The champion inside a Python worker: loaded once, kept for the worker's life."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pandas as pd
import torch
from pyspark import TaskContext
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import ArrayType, FloatType

from recsynth.faults import fault_point
from recsynth.inference.settings import InferenceSettings
from recsynth.model.folder import read_model
from recsynth.model.towers import MatchModel
from recsynth.model.vectors import rounded


@lru_cache(maxsize=1)
def worker_model(folder: str, threads: int) -> MatchModel:
    """The model of a folder, on this task's GPU where there is one; read and verified once a worker."""
    torch.set_num_threads(threads)
    return read_model(Path(folder)).to(worker_device())


def worker_device() -> torch.device:
    """The task's share of the GPUs: the address that Spark gave it, else one by partition."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    context = TaskContext.get()
    resources = context.resources() if context else {}
    if "gpu" in resources:
        return torch.device(f"cuda:{resources['gpu'].addresses[0]}")
    partition = context.partitionId() if context else 0
    return torch.device(f"cuda:{partition % torch.cuda.device_count()}")


def encoded(texts: DataFrame, folder: Path, settings: InferenceSettings) -> DataFrame:
    """Add `vector` to rows with `text` and `image_vector`: an Arrow UDF over batches, each sorted by length inside."""
    path, size, threads, levels = str(folder), settings.batch_size, settings.threads, settings.vector_levels

    @pandas_udf(ArrayType(FloatType()))  # type: ignore[call-overload,untyped-decorator]
    def encode(batches: Iterator[tuple[pd.Series, pd.Series]]) -> Iterator[pd.Series]:
        model = worker_model(path, threads)
        for said, shown in batches:
            fault_point("udf.encode")
            vectors_MD = rounded(model.encode(said.tolist(), shown.tolist(), size), levels)
            yield pd.Series(list(vectors_MD), index=said.index)

    vector: Column = encode(F.col("text"), F.col("image_vector"))
    return texts.withColumn("vector", vector)
