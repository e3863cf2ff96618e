"""The stage that pools each user's history into a vector, tonight and at each earlier cut-off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.cutoffs import computed
from recsynth.inference.encoder import worker_device, worker_model
from recsynth.model.champion import champion
from recsynth.model.towers import EVENT_TYPES
from recsynth.model.vectors import load_vectors, rounded, write_vectors
from recsynth.stage import Night
from recsynth.tables.model import USER_EMBEDDINGS

SECONDS_PER_DAY = 86_400.0
USERS_PER_BLOCK = 256


def embed_users(
    histories: DataFrame, window_histories: DataFrame, item_text: DataFrame, item_embeddings: DataFrame,
    models: DataFrame, windows: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Pool histories by the champion's user tower, at each cut-off whose candidates are computed tonight.

    Reads gold.histories, gold.window_histories, gold.item_text, model.item_embeddings, model.models and rank.windows;
    writes model.user_embeddings. A user of whose history no text has a vector has no row. Each worker reads
    the vectors of the catalogue and of the frequent queries once.
    """
    best = champion(models)
    asked = window_histories.where(F.col("cutoff").isin(*map(F.lit, computed(windows, night))))
    every = asked.unionByName(histories.withColumn("cutoff", F.lit(night.cutoff)))
    if best is None:
        return USER_EMBEDDINGS.empty(every.sparkSession)
    vectors = item_embeddings.where(F.col("model_version") == best.model_version)
    of_items = item_text.join(vectors.where("kind = 'item'"), on="content_hash", how="inner")
    of_queries = vectors.where("kind = 'query'").select(F.concat(F.lit("?"), "content_hash").alias("item_id"), "vector")
    keyed = of_items.select(F.concat(F.lit("="), "item_id").alias("item_id"), "vector").union(of_queries)
    path = write_vectors(keyed, night.work / "history_vectors")
    settings = night.settings.inference
    folder, threads, levels = str(night.models.parent / best.path), settings.threads, settings.vector_levels
    length = night.settings.training.history_length

    def pool(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        user, (keys, matrix_MD) = worker_model(folder, threads).user, load_vectors(path)
        index = {key: i for i, key in enumerate(keys)}
        for rows in blocks:
            for start in range(0, len(rows), USERS_PER_BLOCK):
                block = rows.iloc[start : start + USERS_PER_BLOCK]
                texts, types, ages = padded(block, index, length)
                is_known = (types > 0).any(1)
                places = [torch.from_numpy(x[is_known]).to(worker_device()) for x in (matrix_MD[texts], types, ages)]
                with torch.no_grad():
                    pooled_BD = user(*places).float().cpu().numpy()
                known = block[["cutoff", "user_id"]][is_known].reset_index(drop=True)
                yield known.assign(vector=list(rounded(pooled_BD, levels)))

    pooled = _keys(every, length).mapInPandas(pool, "cutoff timestamp, user_id string, vector array<float>")
    return pooled.withColumn("model_version", F.lit(best.model_version)).select(*USER_EMBEDDINGS.column_names)


def _keys(histories: DataFrame, length: int) -> DataFrame:
    """Rows (cutoff, user_id, keys, types, ages) with the last `length` events; a search's key is its text's hash."""
    types = F.create_map(*(F.lit(x) for i, t in enumerate(EVENT_TYPES) for x in (t, i)))
    last = F.slice("events", F.greatest(F.lit(1), F.size("events") - length + 1), length)
    histories = histories.withColumn("last", last)
    query = F.transform("last", lambda e: F.sha2(F.trim(F.regexp_replace(F.lower(e["query"]), r"\s+", " ")), 256))
    key = F.transform(
        F.arrays_zip("last", query.alias("hash")),
        lambda e: F.when(e["last"]["event_type"] == "search", F.concat(F.lit("?"), e["hash"])).otherwise(
            F.concat(F.lit("="), e["last"]["item_id"])
        ),
    )
    age = F.transform(
        "last", lambda e: ((F.col("cutoff").cast("double") - e["ts"].cast("double")) / SECONDS_PER_DAY).cast("float")
    )
    return histories.select(
        "cutoff", "user_id", key.alias("keys"), age.alias("ages"),
        F.transform("last", lambda e: types[e["event_type"]].cast("int")).alias("types"),
    )  # fmt: skip


def padded(block: pd.DataFrame, index: dict[str, int], length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers, types and ages (B, L) of the events whose text has a vector; type 0 is padding."""
    texts = np.zeros((len(block), length), int)
    types, ages = np.zeros((len(block), length), int), np.zeros((len(block), length), np.float32)
    for row, (keys, kinds, days) in enumerate(zip(block["keys"], block["types"], block["ages"], strict=True)):
        known = [(index[k], t, a) for k, t, a in zip(keys, kinds, days, strict=True) if k in index]
        for place, (text, kind, age) in enumerate(known):
            texts[row, place], types[row, place], ages[row, place] = text, kind, age
    return texts, types, ages
