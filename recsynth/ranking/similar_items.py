"""The stage that lists, for each item, the items like it."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.top_k import blocked_top_k
from recsynth.stage import Night
from recsynth.tables.output import SIMILAR_ITEMS


def similar_items(
    item_text: DataFrame, item_embeddings: DataFrame, item_neighbours: DataFrame, models: DataFrame, night: Night
) -> DataFrame:
    """Blend nearness in text with what the same users have; a new item is like others by its text alone.

    Reads gold.item_text, model.item_embeddings, rank.item_neighbours and model.models; writes
    output.similar_items. score = w * (1 + cosine of texts) / 2 + (1 - w) * cosine of columns of R.
    """
    settings, best = night.settings.ranking, champion(models)
    version = best.model_version if best else ""
    vectors = item_embeddings.where((F.col("model_version") == version) & (F.col("kind") == "item"))
    known = item_text.join(vectors, on="content_hash", how="inner").select("item_id", "vector", "available")
    sellable = item_text.where(F.expr(settings.item_filter)).select(F.col("item_id").alias("similar_item_id"))
    asked = known.select(F.col("item_id").alias("asked"), "vector")
    near = blocked_top_k(asked, known, 2 * settings.similar_items + 1, night.work / "similar_vectors")
    text = near.select(
        F.col("asked").alias("item_id"), F.col("item_id").alias("similar_item_id"), F.col("score").alias("text")
    )
    shared = item_neighbours.select(
        "item_id", F.col("neighbour_id").alias("similar_item_id"), F.col("score").alias("shared")
    )
    both = text.join(shared, on=["item_id", "similar_item_id"], how="full").where("item_id <> similar_item_id")
    weight = settings.similar_text_weight
    # A pair beyond the text's own nearest has no cosine here: it counts as unrelated, which is 1/2.
    text_part = (1 + F.coalesce("text", F.lit(0.0))) / 2
    blended = weight * text_part + (1 - weight) * F.coalesce("shared", F.lit(0.0))
    scored = both.join(sellable, on="similar_item_id", how="left_semi").withColumn("score", blended.cast("double"))
    order = Window.partitionBy("item_id").orderBy(F.desc("score"), "similar_item_id")
    placed = scored.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= settings.similar_items)
    return placed.withColumn("model_version", F.lit(version)).select(*SIMILAR_ITEMS.column_names)
