"""The stage: fit every source at every cut-off, then score and blend all users in one pass."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.candidates import als, item_neighbours, text_transfer
from recsynth.candidates.blend import block_function, new_item_function
from recsynth.candidates.models import SourceModels
from recsynth.candidates.user_neighbours import unit_rows
from recsynth.cutoffs import computed, learned_of
from recsynth.model.champion import champion
from recsynth.model.vectors import load_vectors, write_vectors
from recsynth.stage import Frames, Night
from recsynth.tables.rank import CANDIDATES, ITEM_NEIGHBOURS

log = logging.getLogger(__name__)

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Catalogue:
    """M items with an interaction and N that nobody has touched: ids and vectors under the champion."""

    ids_M: np.ndarray
    vectors_MD: np.ndarray
    new_ids_N: np.ndarray
    new_vectors_ND: np.ndarray

    def without_new(self) -> Catalogue:
        """For an earlier cut-off: what is new tonight is no matter there."""
        return Catalogue(self.ids_M, self.vectors_MD, self.new_ids_N[:0], self.new_vectors_ND[:0])


def candidates(
    interactions: DataFrame, window_interactions: DataFrame, window_labels: DataFrame, histories: DataFrame,
    item_text: DataFrame, item_demand: DataFrame, synthetic_interactions: DataFrame, item_embeddings: DataFrame,
    user_embeddings: DataFrame, models: DataFrame, windows: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Propose items for every user tonight, and for the labelled users of each window that is computed tonight.

    Reads gold.interactions, gold.window_interactions, gold.window_labels, gold.histories, gold.item_text,
    gold.item_demand, synthesis.synthetic_interactions, model.* and rank.windows; writes rank.candidates,
    rank.item_neighbours and rank.new_item_candidates.
    A source at a cut-off has seen nothing after it. What reaches the driver is bounded by the catalogue: item
    pairs of the Gram matrix up to max_items, item factors, vectors, popularity, trends, pairs of
    text_transfer.max_anchors items; and by user_neighbours.pool users' rows of R.
    """
    items = _numbered(item_text.where("available and not is_cold")).persist()
    new = _numbered(_newest(item_text, night), items.count()).persist()
    cutoffs = computed(windows, night)
    asked = window_interactions.where(F.col("cutoff").isin(*map(F.lit, cutoffs)))
    every = asked.unionByName(interactions.withColumn("cutoff", F.lit(night.cutoff)))
    cells = _bounded(every.join(F.broadcast(items), on="item_id", how="inner"), night).persist()
    trends = item_demand.join(F.broadcast(items), on="item_id", how="inner").select("cutoff", "item", "trend")
    catalogue = _catalogue(items, new, item_text, item_embeddings, models, night)
    folders: dict[pd.Timestamp, str] = {}
    factors: list[DataFrame] = []
    for cutoff in cutoffs:
        at = cells.where(F.col("cutoff") == F.lit(cutoff))
        is_tonight = cutoff == night.cutoff
        trend = trends.where(F.col("cutoff") == F.lit(cutoff))
        # Synthetic users were learned from all of tonight's R: to an earlier cut-off they would tell the future.
        synthetic = _synthetic(synthetic_interactions, items, len(catalogue.ids_M), night) if is_tonight else None
        known = catalogue if is_tonight else catalogue.without_new()
        folder, users, near = _fit(at, trend, cutoff, known, synthetic, night)
        folders[pd.Timestamp(cutoff).tz_convert(None)] = folder
        factors += [users.withColumn("cutoff", F.lit(cutoff))] if users is not None else []
        if is_tonight:
            nearest, tonight = _nearest(near, items), folder
    rows = _users(cells, window_labels, histories, user_embeddings, factors, night)
    schema = ", ".join(f"{c.name} {c.type}" for c in CANDIDATES.columns)
    blended = rows.mapInPandas(block_function(folders, night.settings.candidates), schema)
    holders = rows.where((F.col("cutoff") == F.lit(night.cutoff)) & (F.size("items") > 0))
    found = holders.select("user_id", "items", "weights").mapInPandas(
        new_item_function(tonight, night.settings.ranking.new_items, night.settings.candidates),
        "user_id string, item_id string, score float, rank int",
    )
    return {"candidates": blended, "item_neighbours": nearest, "new_item_candidates": found}


def _numbered(items: DataFrame, first: int = 0) -> DataFrame:
    """(item_id, item): numbered from `first` on by their ids."""
    # One window over all rows: an item has one, so it is a catalogue and no clickstream.
    number = F.row_number().over(Window.orderBy("item_id")) - 1 + first
    return items.select("item_id", number.cast("int").alias("item"))


def _newest(item_text: DataFrame, night: Night) -> DataFrame:
    """What can be sold and nobody has touched, at most max_new items, those seen last."""
    sellable = item_text.where(F.expr(night.settings.ranking.item_filter) & F.col("is_cold"))
    return sellable.orderBy(F.desc("first_seen"), "item_id").limit(night.settings.candidates.text_transfer.max_new)


def _bounded(cells: DataFrame, night: Night) -> DataFrame:
    """A user's greatest weights alone: one with 100,000 items would cost their square."""
    greatest = Window.partitionBy("cutoff", "user_id").orderBy(F.desc("weight"), "item")
    ranked = cells.withColumn("place", F.row_number().over(greatest))
    return ranked.where(F.col("place") <= night.settings.candidates.max_user_items).select(
        "cutoff", "user_id", "item", "weight", "last_ts"
    )


def _synthetic(synthetic_interactions: DataFrame, items: DataFrame, count: int, night: Night) -> str | None:
    """The folder of the weighed Gram matrix of the synthetic users that may be trained on; None where none may.

    Nor is there one where the catalogue is beyond EASE: what is shown beside an item is of real people alone.
    """
    weighed = synthetic_interactions.where("training_weight > 0").join(F.broadcast(items), on="item_id", how="inner")
    # A row counts with its weight in the Gram matrix, so with the root of it in the matrix itself.
    rows = weighed.groupBy("user_id").agg(
        F.collect_list("item").alias("items"), F.collect_list(F.sqrt("training_weight")).alias("weights")
    )
    if count > night.settings.candidates.item_neighbours.max_items or rows.isEmpty():
        return None
    folder = str(night.work / "candidates" / "synthetic")
    item_neighbours.gram(rows, count).write.mode("overwrite").parquet(folder)
    return folder


def _fit(
    at: DataFrame, trend: DataFrame, cutoff: datetime, catalogue: Catalogue, synthetic: str | None, night: Night
) -> tuple[str, DataFrame | None, DataFrame]:
    """Fit the sources at one cut-off: the folder of their files, the users' factors, the nearest items."""
    settings, items = night.settings.candidates, len(catalogue.ids_M)
    rows = at.groupBy("user_id").agg(
        F.collect_list("item").alias("items"), F.collect_list(F.sqrt(F.least("weight", F.lit(3.0)))).alias("weights")
    )
    folder = night.work / "candidates" / f"{cutoff:%Y%m%d%H}"
    item_neighbours.gram(rows, items).write.mode("overwrite").parquet(str(folder / "gram"))
    cells = at.sparkSession.read.parquet(str(folder / "gram"))
    near = item_neighbours.cosine_neighbours(cells, settings.item_neighbours.neighbours)
    popular_M = _popularity(at, cutoff, items, night)
    users, factors_MF = (None, np.zeros((items, 0), np.float32)) if not popular_M.any() else als.fit(
        at.select("user_id", "item", "weight"), items, settings.als, night.seed("als", cutoff)
    )  # fmt: skip
    pool = rows.orderBy(F.xxhash64("user_id"), "user_id").limit(settings.user_neighbours.pool).toPandas()
    pool_PM = unit_rows(item_neighbours.to_csr(pool["items"], pool["weights"], items)).tocsr()
    anchors_K, transfer_KM, transfer_KN = text_transfer.fit(
        popular_M, catalogue.vectors_MD, catalogue.new_vectors_ND, settings
    )
    fitted = SourceModels(
        catalogue.ids_M,
        popular_M > 0,
        popular_M,
        _of_items(trend.select("item", F.col("trend").alias("v")), items, 1.0),
        item_neighbours.fit(near, str(folder / "gram"), items, settings.item_neighbours, synthetic),
        factors_MF,
        catalogue.vectors_MD,
        pool_PM,
        anchors_K,
        transfer_KM,
        catalogue.new_ids_N,
        transfer_KN,
    )
    log.info("sources fitted at %s: %d of %d items", cutoff, int(fitted.is_known_M.sum()), items)
    return fitted.write(folder), users, near


def _popularity(at: DataFrame, cutoff: datetime, items: int, night: Night) -> np.ndarray:
    """Users of each item, each halved every half-life since the pair's last event."""
    half_life = night.settings.candidates.popular.half_life_days
    age = (F.lit(cutoff).cast("double") - F.col("last_ts").cast("double")) / SECONDS_PER_DAY
    return _of_items(at.groupBy("item").agg(F.sum(F.pow(F.lit(2.0), -age / half_life)).alias("v")), items, 0.0)


def _of_items(values: DataFrame, items: int, missing: float) -> np.ndarray:
    """(item, v) rows as an array (M,). Bound on the driver: the catalogue."""
    found = values.toPandas()
    values_M = np.full(items, missing, np.float32)
    values_M[found["item"]] = found["v"]
    return values_M


def _catalogue(
    items: DataFrame, new: DataFrame, item_text: DataFrame, item_embeddings: DataFrame, models: DataFrame, night: Night
) -> Catalogue:
    """Both kinds with their vectors. Bound on the driver: the catalogue, and text_transfer.max_new new items."""
    vectors = _item_vectors(items.unionByName(new), item_text, item_embeddings, models, night)
    ids, new_ids = (np.array([r.item_id for r in x.orderBy("item").collect()], dtype=object) for x in (items, new))
    return Catalogue(ids, vectors[: len(ids)], new_ids, vectors[len(ids) :])


def _item_vectors(
    items: DataFrame, item_text: DataFrame, item_embeddings: DataFrame, models: DataFrame, night: Night
) -> np.ndarray:
    """Vectors (M + N, D) of numbered items under the champion; zeros where an item has none."""
    best = champion(models)
    if best is None:
        return np.zeros((items.count(), 0), np.float32)
    ours = item_embeddings.where((F.col("model_version") == best.model_version) & (F.col("kind") == "item"))
    vectors = items.join(item_text, on="item_id", how="inner").join(ours, on="content_hash", how="inner")
    ids, matrix_MD = load_vectors(write_vectors(vectors, night.work / "item_vectors"))
    index = {r.item_id: r.item for r in items.collect()}  # bound: the catalogue
    placed = np.zeros((len(index), matrix_MD.shape[1]), np.float32)
    placed[[index[i] for i in ids]] = matrix_MD
    return placed


def _users(
    cells: DataFrame, window_labels: DataFrame, histories: DataFrame, user_embeddings: DataFrame,
    factors: list[DataFrame], night: Night,
) -> DataFrame:  # fmt: skip
    """One row per (cutoff, user) that gets candidates, with all that the sources read of it."""
    settings = night.settings.candidates
    labelled = learned_of(window_labels, settings.window_users)
    known = cells.select("cutoff", "user_id").distinct()
    wanted = labelled.join(known, on=["cutoff", "user_id"], how="left_semi").unionByName(
        histories.select(F.lit(night.cutoff).alias("cutoff"), "user_id")
    )
    latest = F.max("last_ts").over(Window.partitionBy("cutoff", "user_id"))
    is_last = F.col("last_ts").cast("double") >= F.col("latest").cast("double") - 3600 * settings.last_basket.hours
    by_item = F.sort_array(F.collect_list(F.struct("item", F.col("weight").cast("float").alias("weight"), "is_last")))
    rows = (
        cells.withColumn("latest", latest)
        .withColumn("is_last", is_last)
        .groupBy("cutoff", "user_id")
        .agg(by_item.alias("c"))
    )
    rows = rows.select(
        "cutoff", "user_id", F.col("c.item").alias("items"), F.col("c.weight").alias("weights"),
        F.filter("c", lambda x: x["is_last"])["item"].alias("last"),
    )  # fmt: skip
    vectors = user_embeddings.select("cutoff", "user_id", F.col("vector").alias("text_vector"))
    key = ["cutoff", "user_id"]
    joined = wanted.join(rows, on=key, how="left").join(vectors, on=key, how="left")
    if factors:
        joined = joined.join(reduce(DataFrame.unionByName, factors), on=key, how="left")
    else:
        joined = joined.withColumn("als_vector", F.lit(None).cast("array<float>"))
    filled = {
        c: F.coalesce(c, F.array().cast(t))
        for c, t in (("items", "array<int>"), ("weights", "array<float>"), ("last", "array<int>"))
    }
    parts = 2 * joined.sparkSession.sparkContext.defaultParallelism
    return joined.withColumns(filled).repartitionByRange(parts, "cutoff", F.xxhash64("user_id"))


def _nearest(near: DataFrame, items: DataFrame) -> DataFrame:
    """The nearest items by their ids."""
    of_i, of_j = (items.select(F.col("item").alias(k), F.col("item_id").alias(f"{k}_id")) for k in ("i", "j"))
    named = near.join(F.broadcast(of_i), on="i", how="inner").join(F.broadcast(of_j), on="j", how="inner")
    return named.select(
        F.col("i_id").alias("item_id"),
        F.col("j_id").alias("neighbour_id"),
        F.col("cosine").cast("float").alias("score"),
    ).select(*ITEM_NEIGHBOURS.column_names)
