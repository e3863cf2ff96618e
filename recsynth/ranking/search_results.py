"""The stage that answers the frequent queries."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.top_k import blocked_top_k
from recsynth.ranking.settings import RankingSettings
from recsynth.stage import Night
from recsynth.tables.output import SEARCH_RESULTS

LEAST_DEMAND = 0.1
"""What is added to an item's demand over the mean, so that what nobody wants yet is still found."""

NEAR = 5
"""So many times the length of a list the items near a query by text are looked at: demand may raise one of them."""


def search_results(
    query_items: DataFrame, item_text: DataFrame, item_demand: DataFrame, synthetic_queries: DataFrame,
    item_embeddings: DataFrame, models: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """How likely each item is what the searcher of a frequent query takes up: what earlier ones did, and a prior.

    Reads gold.query_items, gold.item_text, gold.item_demand, synthesis.synthetic_queries, model.item_embeddings and
    model.models; writes output.search_results. With w(q, i) of gold.query_items and W(q) their sum over items:

        score = (w(q, i) + m * prior(i | q)) / (W(q) + m)
        prior(i | q) ~ exp(cosine(q, i) / temperature) * (0.1 + demand_28(i) / mean of demand_28) ^ power

    which is a Dirichlet prior, as language models of retrieval have it (Zhai and Lafferty, TOIS 2004): the fewer
    searched for a query, the more text and demand decide. The prior is shared out among the items that stand nearest
    to the query and those chosen so far. Where the gate gave written searches a weight, an item is matched by its own
    text and by all that is searched for it.
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
    near = blocked_top_k(
        queries.select("query", "vector"), described, NEAR * settings.search_results, night.work / "searched_vectors"
    )
    found = _candidates(near, query_items.join(frequent, on="query", how="left_semi"), queries, described)
    known = found.join(sellable, on="item_id", how="left_semi").join(
        _wanted(item_demand, night), on="item_id", how="left"
    )
    placed = _ranked(known, settings).withColumn("model_version", F.lit(version))
    return placed.select(*SEARCH_RESULTS.column_names)


def _candidates(near: DataFrame, chosen: DataFrame, queries: DataFrame, described: DataFrame) -> DataFrame:
    """(query, item_id, weight, cosine): the nearest by text and all that was chosen; null where there is no vector."""
    of_query = queries.select("query", F.col("vector").alias("asked"))
    product = F.aggregate(
        F.zip_with("asked", "vector", lambda a, b: (a * b).cast("double")), F.lit(0.0), lambda s, x: s + x
    )
    weighed = (
        chosen.select("query", "item_id", "weight")
        .join(of_query, on="query", how="left")
        .join(described, on="item_id", how="left")
        .select("query", "item_id", "weight", product.alias("own"))
    )
    both = near.select("query", "item_id", F.col("score").alias("near")).join(
        weighed, on=["query", "item_id"], how="full"
    )
    cosine = F.coalesce("near", "own").cast("double")
    return both.select("query", "item_id", F.coalesce("weight", F.lit(0.0)).alias("weight"), cosine.alias("cosine"))


def _wanted(item_demand: DataFrame, night: Night) -> DataFrame:
    """(item_id, wanted): each item's demand tonight over the mean of all items: 1 is as usual, whatever the shop."""
    tonight = item_demand.where(F.col("cutoff") == F.lit(night.cutoff))
    mean = tonight.agg(F.avg("demand_28")).first()[0] or 1.0  # type: ignore[index]
    return tonight.select("item_id", F.round(F.col("demand_28") / F.lit(mean), 9).alias("wanted"))


def _ranked(found: DataFrame, settings: RankingSettings) -> DataFrame:
    """The first items of each query with `rank` and `score`."""
    of_query = Window.partitionBy("query")
    # What has no vector is as likely by text as what is at right angles to the query.
    text = F.exp(F.coalesce("cosine", F.lit(0.0)) / settings.search_temperature)
    wanted = F.pow(LEAST_DEMAND + F.coalesce("wanted", F.lit(0.0)), F.lit(settings.search_demand_power))
    raw = found.withColumn("raw", text * wanted)
    # Rounded: the sum of doubles depends on the order that a shuffle brings them in.
    prior = F.round(F.col("raw") / F.sum("raw").over(of_query), 9)
    total = F.sum("weight").over(of_query)
    score = (F.col("weight") + settings.search_prior * prior) / (total + settings.search_prior)
    scored = raw.withColumn("score", F.round(score, 9))
    order = of_query.orderBy(F.desc("score"), "item_id")
    return scored.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= settings.search_results)


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
