"""The stage that ranks tonight's candidates and writes each user's list."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.model.champion import champion
from recsynth.model.vectors import write_vectors
from recsynth.ranking.diversity import varied
from recsynth.ranking.exploration import explored
from recsynth.ranking.new_item_places import with_new_items
from recsynth.ranking.ranker import Fitted, fit, gains, scored, with_probability
from recsynth.ranking.reasons import with_reason
from recsynth.ranking.settings import RankingSettings
from recsynth.ranking.strangers import for_strangers
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import RECOMMENDATIONS


def recommend(
    features: DataFrame, candidates: DataFrame, interactions: DataFrame, item_text: DataFrame,
    item_embeddings: DataFrame, models: DataFrame, new_item_recommendations: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Train the ranker on the earlier windows and order tonight's candidates, and one list for strangers.

    Reads rank.features, rank.candidates, gold.interactions, gold.item_text, model.item_embeddings, model.models and
    output.new_item_recommendations; writes output.recommendations and ops.metrics. With no window to learn from,
    candidates are ordered by popularity, and the metrics say so.
    """
    settings = night.settings.ranking
    fitted = fit(
        features.where("label is not null"), settings.ranker, night.settings.gold.windows.days, night.seed("ranker")
    )
    tonight = features.where(F.col("cutoff") == F.lit(night.cutoff)).drop("label")
    ranked = scored(tonight, fitted) if fitted else tonight.withColumn("score", F.coalesce("popular_score", F.lit(0.0)))
    version = champion(models)
    listed = _composer(item_text, item_embeddings, version.model_version if version else "", night)
    drawn = explored(listed(ranked), settings.exploration, night.seed("exploration"))
    lines = with_probability(drawn, fitted)
    why = candidates.where(F.col("cutoff") == F.lit(night.cutoff)).select(
        "user_id", "item_id", "sources", "because_item"
    )
    explained = with_reason(lines.join(why, on=["user_id", "item_id"], how="inner"), item_text, settings.reasons)
    common = listed(for_strangers(interactions, settings, night.cutoff))
    shown = with_new_items(explained, new_item_recommendations, settings.new_item_places, settings.new_item_rank)
    both = shown.unionByName(common, allowMissingColumns=True)
    named = both.withColumn("model_version", F.lit(version.model_version if version else ""))
    rows = named.withColumn("score", F.col("score").cast("double")).select(*RECOMMENDATIONS.column_names)
    return {"recommendations": rows, "metrics": _metrics(features, fitted)}


def _composer(
    item_text: DataFrame, item_embeddings: DataFrame, model_version: str, night: Night
) -> Callable[[DataFrame], DataFrame]:
    """The function from scored lines to lists: what may be shown, in order, within the caps, varied."""
    settings = night.settings.ranking
    allowed = item_text.where(F.expr(settings.item_filter)).select("item_id", "category", "brand")
    folder = None
    if settings.diversity:
        of_champion = (F.col("model_version") == model_version) & (F.col("kind") == "item")
        vectors = item_text.join(item_embeddings.where(of_champion), on="content_hash", how="inner")
        folder = write_vectors(vectors, night.work / "varied_vectors")

    def listed(scored_lines: DataFrame) -> DataFrame:
        lists = composed(scored_lines.join(allowed, on="item_id", how="inner"), settings)
        return varied(lists, folder, settings.diversity, settings.list_length) if folder else lists

    return listed


def composed(ranked: DataFrame, settings: RankingSettings) -> DataFrame:
    """The best lines of each user with `rank` and `is_beyond`, and behind them enough never-bought items.

    They are as many as are missing to `discoveries`: without those, the list of a customer of many years would hold
    nothing but repeats. What of a category is beyond `category_cap`, or of a brand beyond `brand_cap`, stands behind
    all that is not; an item without one is never beyond it. Ties go to the more popular item, then by id.
    """
    by_score = (F.desc("score"), F.desc("popular_score"), "item_id")
    is_new = F.coalesce(F.col("pair_purchases"), F.lit(0)) == 0
    is_beyond = F.lit(False)
    for name, cap in (("category", settings.category_cap), ("brand", settings.brand_cap)):
        if cap:
            before = F.row_number().over(Window.partitionBy("user_id", name).orderBy(*by_score))
            is_beyond = is_beyond | (F.col(name).isNotNull() & (before > cap))
    ranked = ranked.withColumn("is_beyond", is_beyond)
    order = ("is_beyond", *by_score)
    placed = ranked.withColumn("is_new", is_new).withColumn(
        "place", F.row_number().over(Window.partitionBy("user_id").orderBy(*order))
    )
    among_new = F.row_number().over(Window.partitionBy("user_id", "is_new").orderBy(*order))
    is_discovery = F.col("is_new") & (F.col("among_new") <= settings.discoveries)
    kept = placed.withColumn("among_new", among_new).where((F.col("place") <= settings.list_length) | is_discovery)
    rank = F.row_number().over(Window.partitionBy("user_id").orderBy("place"))
    return kept.withColumn("rank", rank).drop("category", "brand", "among_new")


def _metrics(any_frame: DataFrame, fitted: Fitted | None) -> DataFrame:
    grown = fitted.trees if fitted else {"": 0}
    rows: list[tuple[object, ...]] = [
        ("recommend", "trees", "ranker", objective, float(n), None, None, None) for objective, n in grown.items()
    ]
    if fitted and fitted.validation_ndcg is not None:
        rows.append(
            ("recommend", "ndcg@10", "ranker", "newest window, candidates", fitted.validation_ndcg, None, None, None)
        )
    if fitted:
        rows += [("recommend", "gain", "ranker", name, gain, None, None, None) for name, gain in gains(fitted).items()]
    return any_frame.sparkSession.createDataFrame(rows, METRICS.schema)
