"""The stage that judges tonight's lists on the days after the night, where the data have them.

Protocol: the truth is what people bought from the as-of date on, by users and of items with an event before
it; lists are ranked in full; a user without a list scores 0. `all` counts every purchase, `new` only items
that the user had never bought, and drops the others from the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.evaluation.settings import EvaluationSettings
from recsynth.measure.intervals import bootstrap_mean
from recsynth.measure.ranking import hit_rate, ndcg, precision, recall, reciprocal_rank
from recsynth.measure.variety import gini, intra_list_diversity, novelty
from recsynth.model.champion import champion
from recsynth.model.vectors import load_vectors, write_vectors
from recsynth.stage import Night
from recsynth.tables.ops import METRICS

K = 10
ACCURACY = {"ndcg": ndcg, "recall": recall, "precision": precision, "mrr": reciprocal_rank, "hit_rate": hit_rate}
BASELINES = {"popularity": "popular", "als": "als", "item_neighbours": "item_neighbours", "language_model": "text"}
_SCORES = ", ".join(f"{m} double" for m in (*ACCURACY, "diversity"))
_JUDGED = f"model string, view string, user_id string, top array<string>, {_SCORES}"


def evaluate(
    events: DataFrame, recommendations: DataFrame, candidates: DataFrame, item_text: DataFrame, interactions: DataFrame,
    item_embeddings: DataFrame, models: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Measure accuracy, variety and fairness of exposure beside popularity, ALS, neighbours and text alone.

    Reads silver.events of all time, output.recommendations, rank.candidates, gold.item_text,
    gold.interactions, model.item_embeddings and model.models; writes ops.metrics. Without a later day there
    is the row `evaluated_days` = 0 alone.
    """
    settings = night.settings.evaluation
    spark = events.sparkSession
    people = events.where("not is_bot and not is_near_duplicate and event_type <> 'return'")
    truth = truths(people, interactions, night)
    days = truth.agg(F.count_distinct("day")).first()[0] or 0  # type: ignore[index]
    rows: list[tuple[object, ...]] = [("evaluate", "evaluated_days", "", "", float(days), None, None, None)]
    if days:
        vectors = _vectors(item_text, item_embeddings, models, night)
        bought = bought_before(people, night)
        judged = _judged(truth, bought, _lists(recommendations, candidates, night), vectors, settings.max_users)
        judged = judged.join(segments(people, night), on="user_id", how="left").persist()
        rows += _accuracy(judged, settings) + _variety(judged, interactions, item_text)
    return spark.createDataFrame(rows, METRICS.schema)


def truths(people: DataFrame, interactions: DataFrame, night: Night) -> DataFrame:
    """Purchases in the days after the night: user_id, item_id, day, is_cold_item."""
    settings, cutoff = night.settings.evaluation, F.lit(night.cutoff)
    until = F.lit(night.cutoff + timedelta(days=settings.days))
    before = people.where(F.col("ts") < cutoff)
    bought = people.where((F.col("ts") >= cutoff) & (F.col("ts") < until) & (F.col("event_type") == "purchase"))
    holders = interactions.groupBy("item_id").agg((F.count("*") <= settings.cold_item_users).alias("is_cold_item"))
    return (
        bought.select("user_id", "item_id", F.col("event_date").alias("day"))
        .join(before.select("user_id").distinct(), on="user_id", how="left_semi")
        .join(before.select("item_id").distinct(), on="item_id", how="left_semi")
        .join(holders, on="item_id", how="left")
        .na.fill(False, ["is_cold_item"])
    )


def bought_before(people: DataFrame, night: Night) -> DataFrame:
    """user_id and `bought`: every item that the user had bought before the night."""
    before = people.where((F.col("ts") < F.lit(night.cutoff)) & (F.col("event_type") == "purchase"))
    return before.groupBy("user_id").agg(F.collect_set("item_id").alias("bought"))


def segments(people: DataFrame, night: Night) -> DataFrame:
    """user_id and `segment`: new, light or heavy by baskets before the night."""
    settings = night.settings.evaluation
    bought = people.where((F.col("ts") < F.lit(night.cutoff)) & (F.col("event_type") == "purchase"))
    baskets = bought.groupBy("user_id").agg(F.count_distinct(F.coalesce("order_id", "event_id")).alias("n"))
    segment = (
        F.when(F.col("n") <= settings.new_user_baskets, "new_users")
        .when(F.col("n") <= settings.light_user_baskets, "light_users")
        .otherwise("heavy_users")
    )
    return baskets.select("user_id", segment.alias("segment"))


def _lists(recommendations: DataFrame, candidates: DataFrame, night: Night) -> DataFrame:
    """(user_id, model, items): ours, and each single source's own order of tonight's candidates."""
    lists = recommendations.select(F.lit("recsynth").alias("model"), "user_id", "item_id", "rank")
    tonight = candidates.where(F.col("cutoff") == F.lit(night.cutoff))
    for model, source in BASELINES.items():
        ranked = tonight.where(F.col(f"{source}_rank").isNotNull())
        lists = lists.union(ranked.select(F.lit(model), "user_id", "item_id", F.col(f"{source}_rank")))
    return lists.groupBy("user_id", "model").agg(
        F.transform(F.sort_array(F.collect_list(F.struct("rank", "item_id"))), lambda x: x["item_id"]).alias("items")
    )


def _judged(truth: DataFrame, bought: DataFrame, lists: DataFrame, vectors: str, max_users: int) -> DataFrame:
    """One row per (model, view, user): every accuracy metric, the list's diversity and its first ten."""
    wanted = truth.groupBy("user_id").agg(
        F.collect_set("item_id").alias("wanted"),
        F.collect_set(F.when(F.col("is_cold_item"), F.col("item_id"))).alias("cold"),
    )
    wanted = wanted.orderBy(F.xxhash64("user_id"), "user_id").limit(max_users)
    none = F.array().cast("array<string>")
    wanted = wanted.join(bought, on="user_id", how="left").withColumn("bought", F.coalesce("bought", none))
    every = wanted.crossJoin(
        truth.sparkSession.createDataFrame([(m,) for m in ("recsynth", *BASELINES)], "model string")
    )
    return every.join(lists, on=["user_id", "model"], how="left").mapInPandas(_judge(vectors), _JUDGED)


def _judge(vectors: str):  # type: ignore[no-untyped-def]
    def judge(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ids, matrix_MD = load_vectors(vectors)
        index = {item: i for i, item in enumerate(ids)}
        for block in blocks:
            rows = [row for user in block.itertuples() for row in _user_rows(user, index, matrix_MD)]
            yield pd.DataFrame(rows, columns=["model", "view", "user_id", "top", *ACCURACY, "diversity"])

    return judge


def _user_rows(user: tuple, index: dict[str, int], matrix_MD: np.ndarray) -> Iterator[list[object]]:  # type: ignore[type-arg]
    items = list(user.items) if user.items is not None else []  # type: ignore[attr-defined]
    wanted, bought, cold = (set(x) for x in (user.wanted, user.bought, user.cold))  # type: ignore[attr-defined]
    views = {
        "all": (items, wanted),
        "new": ([i for i in items if i not in bought], wanted - bought),
        "cold_items": (items, cold),
    }
    for view, (shown, relevant) in views.items():
        if relevant:
            accuracy = [metric(shown, relevant, K) for metric in ACCURACY.values()]
            places = [index[i] for i in shown[:K] if i in index]
            diversity = intra_list_diversity(matrix_MD[places]) if places else 0.0
            yield [user.model, view, user.user_id, shown[:K], *accuracy, diversity]  # type: ignore[attr-defined]


def _accuracy(judged: DataFrame, settings: EvaluationSettings) -> list[tuple[object, ...]]:
    """A row per (metric, model, view and segment); bound: models * views * segments * metrics rows."""
    by_all = judged.withColumn("group", F.col("view"))
    by_segment = judged.where("view <> 'cold_items'").withColumn("group", F.concat_ws("/", "view", "segment"))
    measured = (
        by_all.union(by_segment)
        .groupBy("model", "group")
        .applyInPandas(
            _interval_function(settings),
            "model string, `group` string, metric string, value double, low double, high double, n long",
        )
    )
    return [
        ("evaluate", f"{r.metric}@{K}", r.model, r.group, r.value, r.low, r.high, r.n)
        for r in measured.orderBy("metric", "model", "group").collect()
    ]


def _interval_function(settings: EvaluationSettings):  # type: ignore[no-untyped-def]
    def interval(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values("user_id")
        made = []
        for metric in (*ACCURACY, "diversity"):
            values = rows[metric].to_numpy()
            made.append((rows["model"].iloc[0], rows["group"].iloc[0], metric, values.mean(),
                         *bootstrap_mean(values, settings.resamples), len(values)))  # fmt: skip
        return pd.DataFrame(made, columns=["model", "group", "metric", "value", "low", "high", "n"])

    return interval


def _variety(judged: DataFrame, interactions: DataFrame, item_text: DataFrame) -> list[tuple[object, ...]]:
    """Coverage, novelty and exposure Gini of the first ten; bound: models * catalogue counts reach the driver."""
    warm = item_text.where("not is_cold").select("item_id")
    holders = interactions.groupBy("item_id").agg(F.count("*").alias("holders"))
    users = interactions.select("user_id").distinct().count()
    catalogue = warm.join(holders, on="item_id", how="left").na.fill(0).toPandas().set_index("item_id")["holders"]
    shown = (
        judged.where("view = 'all'")
        .select("model", F.explode("top").alias("item_id"))
        .groupBy("model", "item_id")
        .count()
    )
    rows: list[tuple[object, ...]] = []
    for model, part in shown.toPandas().groupby("model"):
        counts = part.set_index("item_id")["count"].reindex(catalogue.index).fillna(0)
        exposed = np.repeat(catalogue.to_numpy(), counts.to_numpy().astype(int))
        figures = {
            "coverage": float((counts > 0).mean()),
            "novelty_bits": novelty(exposed, users),
            "exposure_gini": gini(counts.to_numpy()),
        }
        rows += [
            ("evaluate", f"{name}@{K}", model, "all", value, None, None, len(catalogue))
            for name, value in figures.items()
        ]
    return rows


def _vectors(item_text: DataFrame, item_embeddings: DataFrame, models: DataFrame, night: Night) -> str:
    best = champion(models)
    ours = item_embeddings.where(
        (F.col("model_version") == (best.model_version if best else "")) & (F.col("kind") == "item")
    )
    return write_vectors(item_text.join(ours, on="content_hash", how="inner"), night.work / "judged_vectors")
