"""The stage that fine-tunes the language model and keeps it only if it beats the champion."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.folder import ENCODER, read_card, sha256, write_model
from recsynth.model.towers import EVENT_TYPES
from recsynth.stage import Frames, Night
from recsynth.tables.model import MODELS
from recsynth.tables.ops import METRICS
from recsynth.training.distributed import launch
from recsynth.training.loop import NDCG
from recsynth.training.process import starting_model

log = logging.getLogger(__name__)

SECONDS_PER_DAY = 86_400.0


def train(
    window_histories: DataFrame, window_interactions: DataFrame, window_labels: DataFrame, item_text: DataFrame,
    query_items: DataFrame, augmented_texts: DataFrame, models: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Fine-tune on what came before the earliest cut-off of the ranker, validate on the window after it.

    Reads gold.window_histories, gold.window_interactions, gold.window_labels, gold.item_text, gold.query_items,
    synthesis.augmented_texts and model.models of earlier nights; writes model.models and ops.metrics. Because training
    ends before the ranker's first window, the match score is as honest a feature there as tonight.
    """
    settings, started = night.settings.training, time.monotonic()
    shards = night.work / "shards"
    users = write_shards(shards, window_histories, window_interactions, window_labels, item_text, augmented_texts)
    before = champion(models)
    out = night.models / f"{night.as_of}.part"
    if settings.enabled and users >= settings.min_users:
        start = str(night.models.parent / before.path) if before else ""
        figures = launch(shards, out, start, settings, night.seed("train"))
        method: str = settings.loss
    elif before:
        log.info(
            "%d users with a history, fewer than %d or training is off: the champion stays", users, settings.min_users
        )
        return {"metrics": _metrics(item_text, {"curve": [], "step": 0}, time.monotonic() - started)}
    else:
        write_model(starting_model("", shards, settings), out, {"metrics": {}})
        figures, method = {"before": 0.0, "best": 0.0, "step": 0, "curve": []}, "frozen"
    row = _model_row(night, out, method, figures, before)
    models_row = item_text.sparkSession.createDataFrame([row], MODELS.schema)
    return {"models": models_row, "metrics": _metrics(item_text, figures, time.monotonic() - started)}


def write_shards(
    folder: Path,
    window_histories: DataFrame,
    window_interactions: DataFrame,
    window_labels: DataFrame,
    item_text: DataFrame,
    augmented_texts: DataFrame,
) -> int:
    """Write texts, users and labels as of the earliest cut-off; returns the users with something to learn from."""
    cutoff = window_histories.agg(F.min("cutoff")).first()[0]  # type: ignore[index]
    at = F.col("cutoff") == F.lit(cutoff)
    popularity = window_interactions.where(at).groupBy("item_id").agg(F.count("*").cast("float").alias("popularity"))
    places = places_of(window_histories.where(at).select("user_id", "events"), F.lit(cutoff))
    anew = (
        augmented_texts.where("training_weight > 0")
        .groupBy("item_id")
        .agg(
            F.sort_array(F.collect_set("text")).alias("variants"), F.max("training_weight").cast("float").alias("share")
        )
    )
    known = item_text.where(F.col("first_seen") < F.lit(cutoff)).join(anew, on="item_id", how="left")
    texts = _texts(known, popularity, places)
    texts.write.mode("overwrite").parquet(str(folder / "texts"))
    texts = item_text.sparkSession.read.parquet(str(folder / "texts"))
    known = places.join(texts.select("kind", "key", "index"), on=["kind", "key"], how="inner")
    place = F.struct("place", F.col("index").cast("int").alias("text"), "type", "age")
    histories = known.groupBy("user_id").agg(F.sort_array(F.collect_list(place)).alias("p")).select(
        "user_id", F.col("p.text").alias("texts"), F.col("p.type").alias("types"), F.col("p.age").alias("ages")
    )  # fmt: skip
    histories.orderBy("user_id").write.mode("overwrite").parquet(str(folder / "users"))
    items = texts.where("kind = 'item'").select(F.col("key").alias("item_id"), "index")
    wanted = window_labels.where(at).join(items, on="item_id", how="inner").groupBy("user_id")
    labels = histories.join(
        wanted.agg(F.sort_array(F.collect_list("index")).alias("wanted")), on="user_id", how="inner"
    )
    # By hash: the loop reads the first few thousand, which must be a sample and not an alphabet's beginning.
    labels.orderBy(F.xxhash64("user_id"), "user_id").write.mode("overwrite").parquet(str(folder / "labels"))
    return item_text.sparkSession.read.parquet(str(folder / "users")).count()


def places_of(histories: DataFrame, cutoff: Any) -> DataFrame:
    """One row (user_id, place, kind, key, type, age) per history event; key is the item or the normalised query."""
    event = F.posexplode("events").alias("place", "e")
    types = F.create_map(*(F.lit(x) for i, t in enumerate(EVENT_TYPES) for x in (t, i)))
    is_search = F.col("e.event_type") == "search"
    query = F.trim(F.regexp_replace(F.lower("e.query"), r"\s+", " "))
    age = (cutoff.cast("double") - F.col("e.ts").cast("double")) / SECONDS_PER_DAY
    return histories.select("user_id", event).select(
        "user_id", "place", F.when(is_search, "query").otherwise("item").alias("kind"),
        F.when(is_search, query).otherwise(F.col("e.item_id")).alias("key"),
        types[F.col("e.event_type")].cast("int").alias("type"), age.cast("float").alias("age"),
    )  # fmt: skip


def _texts(items: DataFrame, popularity: DataFrame, places: DataFrame) -> DataFrame:
    """The catalogue and the queries of the histories, numbered: items first, each kind by its key."""
    named = items.withColumnRenamed("item_id", "key").withColumn("kind", F.lit("item"))
    known = named.join(popularity.withColumnRenamed("item_id", "key"), on="key", how="left")
    queries = places.where("kind = 'query'").select("kind", "key").distinct()
    nothing, unseen = F.array().cast("array<string>"), F.array().cast("array<float>")
    both = known.select(
        "kind", "key", "text", "popularity", F.coalesce("variants", nothing).alias("variants"), "share",
        F.coalesce("image_vector", unseen).alias("image"),
    ).union(
        queries.select(
            "kind", "key", F.col("key").alias("text"), F.lit(0.0).cast("float"), nothing, F.lit(0.0).cast("float"),
            unseen,
        )
    )  # fmt: skip
    number = F.row_number().over(Window.orderBy("kind", "key")) - 1  # 'item' sorts before 'query'
    return both.na.fill(0.0, ["popularity", "share"]).withColumn("index", number.cast("int")).coalesce(1)


def _model_row(night: Night, out: Path, method: str, figures: dict[str, Any], before: Row | None) -> tuple[object, ...]:
    version = sha256(out / "manifest.json")[:16]
    folder = night.models / version
    if not folder.exists():
        out.rename(folder)
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(out.with_name(out.name + "_checkpoints"), ignore_errors=True)
    weights = sha256(folder / ENCODER / "model.safetensors")
    metrics = {"ndcg_before": figures["before"], "ndcg_after": figures["best"], "steps": float(figures["step"])}
    is_champion = before is None or figures["best"] > figures["before"]
    log.info(
        "model %s: NDCG@10 %.4f before, %.4f after; champion: %s",
        version,
        figures["before"],
        figures["best"],
        is_champion,
    )
    base = read_card(folder).get("training", {}).get("encoder", night.settings.training.encoder)
    return (version, f"{night.models.name}/{version}", base, before.model_version if before else None, method,
            dict(night.data_versions), metrics, weights, is_champion)  # fmt: skip


def _metrics(any_frame: DataFrame, figures: dict[str, Any], seconds: float) -> DataFrame:
    steps = int(figures["step"])
    rows: list[tuple[object, ...]] = [("train", "seconds", "", "", seconds, None, None, None)]
    if steps:
        rows += [
            ("train", NDCG, m, "validation", figures[k], None, None, steps)
            for m, k in (("before", "before"), ("after", "best"))
        ]
    for point in figures["curve"]:
        step = f"step {int(point['step']):06d}"
        rows += [
            ("train", name, "curve", step, point[name], None, None, None) for name in ("loss", NDCG) if name in point
        ]
    return any_frame.sparkSession.createDataFrame(rows, METRICS.schema)
