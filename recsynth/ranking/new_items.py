"""The stage that recommends items which nobody has touched yet: their text and what users do with others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.folder import link
from recsynth.model.top_k import blocked_top_k
from recsynth.model.vectors import load_vectors, write_vectors
from recsynth.ranking.reasons import said
from recsynth.stage import Night
from recsynth.tables.output import NEW_ITEM_RECOMMENDATIONS

LAST_ITEMS = 50


def new_items(
    new_item_candidates: DataFrame, user_embeddings: DataFrame, histories: DataFrame, item_text: DataFrame,
    item_embeddings: DataFrame, models: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Rank items without an interaction before the as-of date.

    A user with a row in R gets what text transfer found, the measured best; one of whom only searches are
    known gets the towers' p_ij. Reads rank.new_item_candidates, model.user_embeddings, gold.histories,
    gold.item_text, model.item_embeddings and model.models; writes output.new_item_recommendations. The
    reason names the item of the history nearest in text.
    """
    settings, best = night.settings.ranking, champion(models)
    if best is None:
        return NEW_ITEM_RECOMMENDATIONS.empty(item_text.sparkSession)
    vectors = item_embeddings.where((F.col("model_version") == best.model_version) & (F.col("kind") == "item"))
    known = item_text.join(vectors, on="content_hash", how="inner")
    new = known.where(F.expr(settings.item_filter) & F.col("is_cold"))
    carried = new_item_candidates.withColumn("source", F.lit("text_transfer"))
    users = user_embeddings.where(F.col("cutoff") == F.lit(night.cutoff)).select("user_id", "vector")
    others = users.join(carried.select("user_id").distinct(), on="user_id", how="left_anti")
    scale, bias = link(night.models.parent / best.path)
    matched = blocked_top_k(others, new, settings.new_items, night.work / "new_item_vectors")
    probability = (1 / (1 + F.exp(-(scale * F.col("score") + bias)))).cast("float")
    matched = matched.withColumns({"score": probability, "source": F.lit("towers")})
    lines = carried.select(matched.columns).unionByName(matched)
    nearest = _nearest(lines, histories, write_vectors(known, night.work / "known_item_vectors"))
    titles = item_text.select(F.col("item_id").alias("nearest"), F.col("title").alias("nearest_title"))
    reason = said(settings.reasons.new_near, title=F.col("nearest_title"))
    return (
        nearest.join(titles, on="nearest", how="left")
        .withColumn("score", F.col("score").cast("double"))
        .withColumn("reason", F.coalesce(reason, said(settings.reasons.new)))
        .withColumn("reason_items", F.filter(F.array("nearest"), lambda x: x.isNotNull()))
        .withColumn("model_version", F.lit(best.model_version))
        .select(*NEW_ITEM_RECOMMENDATIONS.column_names)
    )


def _nearest(lines: DataFrame, histories: DataFrame, path: str) -> DataFrame:
    """Add `nearest`: the one of the user's last items whose vector is nearest; null where none has a vector."""
    items = F.filter(F.transform("events", lambda e: e["item_id"]), lambda i: i.isNotNull())
    last = histories.select("user_id", F.array_distinct(F.slice(F.reverse(items), 1, LAST_ITEMS)).alias("last"))

    def find(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ids, matrix_MD = load_vectors(path)
        index = {item: i for i, item in enumerate(ids)}
        for rows in blocks:
            rows["nearest"] = [
                _argmax(i, h, index, matrix_MD) for i, h in zip(rows["item_id"], rows["last"], strict=True)
            ]
            yield rows.drop(columns="last")

    schema = "user_id string, item_id string, score float, rank int, source string, nearest string"
    return (
        lines.join(last, on="user_id", how="left")
        .select("user_id", "item_id", "score", "rank", "source", "last")
        .mapInPandas(find, schema)
    )


def _argmax(item: str, history: np.ndarray | None, index: dict[str, int], matrix_MD: np.ndarray) -> str | None:
    known = [i for i in (history if history is not None else []) if i in index]
    if not known:
        return None
    return str(known[int((matrix_MD[[index[i] for i in known]] @ matrix_MD[index[item]]).argmax())])
