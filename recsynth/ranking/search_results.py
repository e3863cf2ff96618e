"""The stage that answers the frequent queries."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.top_k import blocked_top_k
from recsynth.stage import Night
from recsynth.tables.output import SEARCH_RESULTS


def search_results(
    query_items: DataFrame, item_text: DataFrame, synthetic_queries: DataFrame, item_embeddings: DataFrame,
    models: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Blend what searchers chose with the match of query and item text.

    Reads gold.query_items, gold.item_text, synthesis.synthetic_queries, model.item_embeddings and model.models; writes
    output.search_results. score = w * (1 + cosine) / 2 + (1 - w) * share of the query's weight. Where the gate gave
    written searches a weight, an item is matched by its own text and by all that is searched for it.
    """
    settings, best = night.settings.ranking, champion(models)
    version = best.model_version if best else ""
    asked = query_items.groupBy("query").agg(F.max("query_sessions").alias("sessions"))
    frequent = asked.where(F.col("sessions") >= settings.min_query_sessions).orderBy(F.desc("sessions"), "query")
    frequent = frequent.limit(settings.max_queries).select("query")
    vectors = item_embeddings.where(F.col("model_version") == version)
    sellable = item_text.where(F.expr(settings.item_filter)).select("item_id", "content_hash")
    items = sellable.join(vectors.where("kind = 'item'"), on="content_hash", how="inner")
    queries = frequent.withColumn("content_hash", F.sha2("query", 256)).join(
        vectors.where("kind = 'query'"), on="content_hash", how="inner"
    )
    described = _described(items, query_items, synthetic_queries, vectors)
    text = blocked_top_k(
        queries.select("query", "vector"), described, 2 * settings.search_results, night.work / "searched_vectors"
    )
    total = F.sum("weight").over(Window.partitionBy("query"))
    chosen = query_items.join(frequent, on="query", how="left_semi").select(
        "query", "item_id", (F.col("weight") / total).alias("share")
    )
    both = text.select("query", "item_id", F.col("score").alias("text")).join(
        chosen, on=["query", "item_id"], how="full"
    )
    weight = settings.search_text_weight
    text_part = (1 + F.coalesce("text", F.lit(0.0))) / 2
    blended = (weight * text_part + (1 - weight) * F.coalesce("share", F.lit(0.0))).cast("double")
    scored = both.join(sellable, on="item_id", how="left_semi").withColumn("score", blended)
    order = Window.partitionBy("query").orderBy(F.desc("score"), "item_id")
    placed = scored.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= settings.search_results)
    return placed.withColumn("model_version", F.lit(version)).select(*SEARCH_RESULTS.column_names)


def _described(items: DataFrame, query_items: DataFrame, synthetic_queries: DataFrame, vectors: DataFrame) -> DataFrame:
    """Rows (item_id, vector): (1 - w) own text + w unit mean of what is searched for, as the gate judged it.

    w is the written searches' training_weight, one for the whole night; 0: the own text alone.
    """
    weighed = synthetic_queries.where("training_weight > 0")
    weight = weighed.agg(F.max("training_weight")).first()[0]  # type: ignore[index]
    if not weight:
        return items.select("item_id", "vector")
    pairs = query_items.select("query", "item_id").union(weighed.select("query", "item_id"))
    asked = pairs.distinct().withColumn("content_hash", F.sha2("query", 256)).join(
        vectors.where("kind = 'query'").select("content_hash", F.col("vector").alias("asked")), on="content_hash"
    )  # fmt: skip
    place = F.posexplode("asked").alias("place", "value")
    sums = asked.select("item_id", place).groupBy("item_id", "place").agg(F.sum(F.round("value", 6)).alias("value"))
    lengths = sums.groupBy("item_id").agg(
        F.sqrt(F.sum(F.col("value") * F.col("value"))).alias("length"),
        F.transform(F.sort_array(F.collect_list(F.struct("place", "value"))), lambda p: p["value"]).alias("sum"),
    )
    found = items.join(lengths.where(F.col("length") > 0), on="item_id", how="left")
    both = F.zip_with("vector", "sum", lambda v, s: ((1 - weight) * v + weight * s / F.col("length")).cast("float"))
    return found.select("item_id", F.when(F.col("sum").isNull(), F.col("vector")).otherwise(both).alias("vector"))
