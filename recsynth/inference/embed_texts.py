"""The stage that encodes item texts, with their pictures if any, and queries that the champion has not seen yet."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.inference.encoder import encoded
from recsynth.model.champion import champion
from recsynth.stage import Frames, Night
from recsynth.tables.model import ITEM_EMBEDDINGS


def embed_texts(
    item_text: DataFrame, query_items: DataFrame, synthetic_queries: DataFrame, models: DataFrame,
    item_embeddings: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Encode what has no vector under tonight's model; nothing where all has.

    Reads gold.item_text, gold.query_items, synthesis.synthetic_queries (those with a weight), model.models and
    model.item_embeddings; writes the new rows of model.item_embeddings.
    """
    best = champion(models)
    if best is None:
        return {}
    settings = night.settings.inference
    items = item_text.select(F.lit("item").alias("kind"), "content_hash", "text", "image_vector")
    frequent = query_items.groupBy("query").agg(F.max("query_sessions").alias("n")).orderBy(F.desc("n"), "query")
    written = synthetic_queries.where("training_weight > 0").select("query").distinct()
    queries = frequent.limit(settings.max_queries).select("query").union(written).select(
        F.lit("query").alias("kind"), F.sha2("query", 256).alias("content_hash"), F.col("query").alias("text"),
        F.lit(None).cast("array<float>").alias("image_vector"),
    )  # fmt: skip
    version = F.lit(best.model_version).alias("model_version")
    wanted = items.union(queries).dropDuplicates(["kind", "content_hash"]).select(version, *items.columns)
    new = wanted.join(item_embeddings, on=["model_version", "kind", "content_hash"], how="left_anti")
    if new.isEmpty():
        return {}
    spread = new.repartition(new.sparkSession.sparkContext.defaultParallelism, "content_hash")
    folder = night.models.parent / best.path
    vectors = encoded(spread, folder, settings)
    return {"item_embeddings": vectors.select(*ITEM_EMBEDDINGS.column_names)}
