"""The stage that judges tonight's lists on the days after the night, where the data have them.

Protocol: the truth is what people bought from the as-of date on, by users and of items with an event before
it; lists are ranked in full; a user without a list scores 0. `all` counts every purchase, `new` only items
that the user had never bought, and drops the others from the list. `strangers` are the buyers without an event before
the date: they find the list of user_id `*`, judged beside popularity.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.evaluation.judge import COLD_ITEMS, FIGURES, JUDGED, POPULARITY, STRANGERS, Catalogue, K, figures, judge
from recsynth.evaluation.settings import EvaluationSettings
from recsynth.evaluation.sources import source_recall
from recsynth.measure.calibration import expected_calibration_error
from recsynth.measure.intervals import bootstrap_mean
from recsynth.measure.off_policy import inverse_propensity
from recsynth.model.champion import champion
from recsynth.model.vectors import write_vectors
from recsynth.stage import Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import STRANGER

OURS = "recsynth"
BASELINES = {"als": "als", "item_neighbours": "item_neighbours", "language_model": "text"}
MODELS = (OURS, POPULARITY, *BASELINES)
RELIABILITY_BINS = 10


def evaluate(
    events: DataFrame, recommendations: DataFrame, candidates: DataFrame, item_text: DataFrame, interactions: DataFrame,
    item_embeddings: DataFrame, models: DataFrame, night: Night,
) -> DataFrame:  # fmt: skip
    """Measure accuracy and variety beside popularity, ALS, neighbours and text alone, for all users and by segment.

    Reads silver.events of all time, output.recommendations, rank.candidates, gold.item_text,
    gold.interactions, model.item_embeddings and model.models; writes ops.metrics. Without a later day there
    is the row `evaluated_days` = 0 alone.
    """
    people = events.where("not is_bot and not is_near_duplicate and event_type <> 'return'")
    truth, first_truth = (truths(people, interactions, night, of) for of in ("left_semi", "left_anti"))
    days = truth.agg(F.count_distinct("day")).first()[0] or 0  # type: ignore[index]
    rows: list[tuple[object, ...]] = [("evaluate", "evaluated_days", "", "", float(days), None, None, None)]
    if days:
        tonight = candidates.where(F.col("cutoff") == F.lit(night.cutoff))
        judges = wanted(truth, people, night)
        asked = judges.crossJoin(events.sparkSession.createDataFrame([(m,) for m in MODELS], ["model"]))
        judged = asked.join(lists(recommendations, tonight), on=["user_id", "model"], how="left")
        known = catalogue(tonight, item_text, interactions, night.settings.evaluation)
        vectors = _vectors(item_text, item_embeddings, models, night)
        judged = judged.mapInPandas(judge(vectors, known), JUDGED).join(
            segments(people, night), on="user_id", how="left"
        )
        strangers = judged_strangers(first_truth, people, recommendations, vectors, known, night)
        rows += _figures(judged.unionByName(strangers), known, night.settings.evaluation)
        rows += source_recall(tonight, judges)
        # A probability is one for as many days as the ranker's labels have.
        if night.settings.evaluation.days == night.settings.gold.windows.days:
            rows += reliability(recommendations, judges)
        rows += exploration(recommendations, truth, night)
    return events.sparkSession.createDataFrame(rows, METRICS.schema)


def truths(people: DataFrame, interactions: DataFrame, night: Night, of: str = "left_semi") -> DataFrame:
    """Purchases in the days after the night: user_id, item_id, day, is_cold_item.

    of: by users with an event before it (left_semi) or by those without one (left_anti).
    """
    settings, cutoff = night.settings.evaluation, F.lit(night.cutoff)
    until = F.lit(night.cutoff + timedelta(days=settings.days))
    before = people.where(F.col("ts") < cutoff)
    bought = people.where((F.col("ts") >= cutoff) & (F.col("ts") < until) & (F.col("event_type") == "purchase"))
    holders = interactions.groupBy("item_id").agg(F.count("*").alias("holders"))
    is_cold = F.coalesce("holders", F.lit(0)) <= settings.cold_item_users
    return (
        bought.select("user_id", "item_id", F.col("event_date").alias("day"))
        .join(before.select("user_id").distinct(), on="user_id", how=of)
        .join(before.select("item_id").distinct(), on="item_id", how="left_semi")
        .join(holders, on="item_id", how="left")
        .select("user_id", "item_id", "day", is_cold.alias("is_cold_item"))
    )


def judged_strangers(
    first_truth: DataFrame, people: DataFrame, recommendations: DataFrame, vectors: str, known: Catalogue, night: Night
) -> DataFrame:
    """Rows of JUDGED under the view `strangers`, of buyers of whom nothing was known: their list and popularity."""
    common = _in_order(_our_lines(recommendations.where(F.col("user_id") == STRANGER))).drop("user_id")
    models = people.sparkSession.createDataFrame([(OURS,), (POPULARITY,)], ["model"])
    asked = wanted(first_truth, people, night).crossJoin(models).join(common, on="model", how="left")
    judged = asked.mapInPandas(judge(vectors, known), JUDGED).where(F.col("view") == "all")
    none = F.array().cast("array<string>")
    return judged.withColumn("view", F.lit(STRANGERS)).withColumn("segments", none)


def wanted(truth: DataFrame, people: DataFrame, night: Night) -> DataFrame:
    """One row per judged user: what it bought (`wanted`), of that `cold`, and all it had `bought` before the night."""
    users = truth.groupBy("user_id").agg(
        F.collect_set("item_id").alias("wanted"),
        F.collect_set(F.when(F.col("is_cold_item"), F.col("item_id"))).alias("cold"),
    )
    users = users.orderBy(F.xxhash64("user_id"), "user_id").limit(night.settings.evaluation.max_users)
    bought = _bought_before(people, night).groupBy("user_id").agg(F.collect_set("item_id").alias("bought"))
    none = F.array().cast("array<string>")
    return users.join(bought, on="user_id", how="left").withColumn("bought", F.coalesce("bought", none))


def segments(people: DataFrame, night: Night) -> DataFrame:
    """user_id and `segments`: by baskets before the night new, light or heavy, and what little is known of some.

    `one_event`: all that is known is a single event; `only_searched`: nothing but searches; `only_looked`: no basket.
    """
    settings = night.settings.evaluation
    is_bought = F.col("event_type") == "purchase"
    basket = F.when(is_bought, F.coalesce("order_id", "event_id"))
    known = people.where(F.col("ts") < F.lit(night.cutoff)).groupBy("user_id").agg(
        F.count_distinct(basket).alias("baskets"),
        F.count("*").alias("events"),
        F.count_if(F.col("event_type") == "search").alias("searches"),
    )  # fmt: skip
    by_baskets = (
        F.when(F.col("baskets") <= settings.new_user_baskets, "new_users")
        .when(F.col("baskets") <= settings.light_user_baskets, "light_users")
        .otherwise("heavy_users")
    )
    little = (
        F.when(F.col("events") == 1, F.lit("one_event")),
        F.when(F.col("events") == F.col("searches"), F.lit("only_searched")),
        F.when(F.col("baskets") == 0, F.lit("only_looked")),
    )
    return known.select("user_id", F.array_compact(F.array(by_baskets, *little)).alias("segments"))


def lists(recommendations: DataFrame, tonight: DataFrame) -> DataFrame:
    """(user_id, model, items, is_own): ours, and each single source's own order of tonight's candidates.

    A source has proposed its best, so its list is its ranking of the whole catalogue as far as `is_own` goes;
    behind, where a user has bought nearly all of that, stand what others proposed. Popularity is not among
    them: its one ranking serves everybody.
    """
    lines = _our_lines(recommendations)
    for model, source in BASELINES.items():
        ranked = tonight.where(F.col(f"{source}_rank").isNotNull())
        is_own = F.array_contains("sources", source)
        lines = lines.union(ranked.select(F.lit(model), "user_id", f"{source}_rank", "item_id", is_own))
    return _in_order(lines)


def _our_lines(recommendations: DataFrame) -> DataFrame:
    return recommendations.select(F.lit(OURS).alias("model"), "user_id", "rank", "item_id", F.lit(True).alias("own"))


def _in_order(lines: DataFrame) -> DataFrame:
    line = F.sort_array(F.collect_list(F.struct("rank", "item_id", "own"))).alias("line")
    grouped = lines.groupBy("user_id", "model").agg(line)
    return grouped.select("user_id", "model", F.col("line.item_id").alias("items"), F.col("line.own").alias("is_own"))


def catalogue(
    tonight: DataFrame, item_text: DataFrame, interactions: DataFrame, settings: EvaluationSettings
) -> Catalogue:
    """What can be shown, by item; bound: the catalogue reaches the driver.

    An item's popular_score is the same for every user: all that anybody was proposed gives the ranking.
    """
    popular = tonight.groupBy("item_id").agg(F.max("popular_score").alias("score")).where("score is not null")
    counted = interactions.groupBy("item_id").agg(F.count("*").alias("holders"))
    sold = item_text.where("available and not is_cold").select("item_id", "brand").join(counted, "item_id", "left")
    rows = sold.orderBy("item_id").collect()
    holders = {r.item_id: r.holders or 0 for r in rows}
    return Catalogue(
        holders,
        [r.item_id for r in popular.orderBy(F.desc("score"), "item_id").collect()],
        frozenset(item for item, users in holders.items() if users <= settings.cold_item_users),
        interactions.select("user_id").distinct().count(),
        {r.item_id: r.brand for r in rows if r.brand is not None},
    )


def reliability(recommendations: DataFrame, judges: DataFrame) -> list[tuple[object, ...]]:
    """Of the lines of those who bought: their probabilities in bins of equal width, how many of each bin were bought,
    and the expected calibration error; nothing where no line has a probability. Bound: a row a bin."""
    lines = recommendations.where("purchase_probability is not null").join(judges, on="user_id", how="inner")
    bin_ = F.least(F.floor(F.col("purchase_probability") * RELIABILITY_BINS), F.lit(RELIABILITY_BINS - 1))
    is_bought = F.array_contains("wanted", F.col("item_id")).cast("double")
    counted = lines.groupBy(bin_.alias("bin")).agg(
        F.mean("purchase_probability").alias("predicted"), F.mean(is_bought).alias("observed"), F.count("*").alias("n")
    )
    found = counted.orderBy("bin").collect()
    if not found:
        return []
    columns = (np.array([r[name] for r in found]) for name in ("predicted", "observed", "n"))
    error, lines_judged = expected_calibration_error(*columns), sum(r.n for r in found)
    rows: list[tuple[object, ...]] = [
        ("evaluate", "expected_calibration_error", OURS, "lines", error, None, None, lines_judged)
    ]
    for r in found:
        where = f"{r.bin / RELIABILITY_BINS:.1f} to {(r.bin + 1) / RELIABILITY_BINS:.1f}"
        rows.append(("evaluate", "probability_predicted", OURS, where, r.predicted, None, None, r.n))
        rows.append(("evaluate", "probability_observed", OURS, where, r.observed, None, None, r.n))
    return rows


def exploration(recommendations: DataFrame, truth: DataFrame, night: Night) -> list[tuple[object, ...]]:
    """Share of users who bought what stood at the rank that chance may fill: had it always been the best item, and
    had it always been another, each estimated from the users of both by inverse propensity. Bound: max_users rows."""
    settings, drawn = night.settings.evaluation, night.settings.ranking.exploration
    bought = truth.select("user_id", "item_id").distinct().withColumn("reward", F.lit(1.0))
    lines = recommendations.where((F.col("rank") == drawn.place) & (F.col("propensity") < 1))
    lines = lines.orderBy(F.xxhash64("user_id"), "user_id").limit(settings.max_users)
    rewarded = lines.join(bought, on=["user_id", "item_id"], how="left").select(
        "user_id", "is_explored", F.coalesce("reward", F.lit(0.0)).alias("reward")
    )
    found = rewarded.toPandas().sort_values("user_id")
    if not len(found):
        return []
    is_explored, rewards = found["is_explored"].to_numpy(bool), found["reward"].to_numpy(float)
    logged = np.where(is_explored, drawn.share, 1 - drawn.share)
    rows: list[tuple[object, ...]] = []
    for model, target in (("best_item", ~is_explored), ("explored_item", is_explored)):
        terms = inverse_propensity(rewards, logged, target)
        low, high = bootstrap_mean(terms, settings.resamples)
        where = f"rank {drawn.place}"
        rows.append(("evaluate", "purchase_rate", model, where, float(terms.mean()), low, high, len(found)))
    return rows


def _bought_before(people: DataFrame, night: Night) -> DataFrame:
    return people.where((F.col("ts") < F.lit(night.cutoff)) & (F.col("event_type") == "purchase"))


def _figures(judged: DataFrame, known: Catalogue, settings: EvaluationSettings) -> list[tuple[object, ...]]:
    """A row per (metric, model, view and segment); bound: models * views * segments * metrics rows."""
    by_segment = F.transform("segments", lambda segment: F.concat_ws("/", "view", segment))
    none = F.array().cast("array<string>")
    groups = F.concat(F.array("view"), F.when(F.col("view") != COLD_ITEMS, by_segment).otherwise(none))
    grouped = judged.withColumn("group", F.explode(groups)).groupBy("model", "group")
    measured = grouped.applyInPandas(figures(known, settings.resamples), FIGURES)
    return [
        ("evaluate", f"{r.metric}@{K}", r.model, r.group, r.value, r.low, r.high, r.n)
        for r in measured.orderBy("metric", "model", "group").collect()
    ]


def _vectors(item_text: DataFrame, item_embeddings: DataFrame, models: DataFrame, night: Night) -> str:
    best = champion(models)
    ours = item_embeddings.where(
        (F.col("model_version") == (best.model_version if best else "")) & (F.col("kind") == "item")
    )
    return write_vectors(item_text.join(ours, on="content_hash", how="inner"), night.work / "judged_vectors")
