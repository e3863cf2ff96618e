"""The night, in order: every stage with the tables it reads and writes."""

from __future__ import annotations

from recsynth.apps.ad_copy import ad_copy
from recsynth.apps.demand_forecast import demand_forecast
from recsynth.apps.demand_what_if import demand_what_if
from recsynth.apps.find_topics import find_topics
from recsynth.apps.item_labels import item_labels
from recsynth.apps.judge_demand import judge_demand
from recsynth.apps.judge_profiles import judge_profiles
from recsynth.apps.judge_propensity import judge_propensity
from recsynth.apps.judge_what_if import judge_what_if
from recsynth.apps.opinions import opinions
from recsynth.apps.propensity import purchase_propensity
from recsynth.apps.read_texts import label_texts, teach_texts
from recsynth.apps.review_sentiment import review_sentiment
from recsynth.apps.service_answers import service_answers
from recsynth.apps.user_profiles import user_profiles
from recsynth.bronze.land import land
from recsynth.candidates.candidates import candidates
from recsynth.checks.check import check
from recsynth.checks.settings import CHECKED
from recsynth.evaluation.evaluate import evaluate
from recsynth.evaluation.judge_search import judge_search
from recsynth.gold.click_farms import click_farms
from recsynth.gold.histories import histories
from recsynth.gold.interactions import interactions
from recsynth.gold.item_demand import item_demand
from recsynth.gold.item_text import item_text
from recsynth.gold.query_items import query_items
from recsynth.gold.title_triggers import title_triggers
from recsynth.inference.embed_texts import embed_texts
from recsynth.inference.embed_users import embed_users
from recsynth.ranking.features import features
from recsynth.ranking.new_items import new_items
from recsynth.ranking.recommend import recommend
from recsynth.ranking.search_results import search_results
from recsynth.ranking.similar_items import similar_items
from recsynth.ranking.windows import windows
from recsynth.silver.accounting import account
from recsynth.silver.clean import clean
from recsynth.silver.items import items
from recsynth.silver.reviews import reviews
from recsynth.stage import Stage
from recsynth.synthesis.gate import gate
from recsynth.synthesis.synthesise import synthesise
from recsynth.synthesis.synthesise_tables import synthesise_tables
from recsynth.synthesis.synthesise_texts import synthesise_texts
from recsynth.synthesis.write_texts import write_texts
from recsynth.training.train import train

ALL_TIME = frozenset({
    "silver.events", "silver.item_records", "silver.tickets", "silver.policies", "silver.posts", "silver.promotions",
})  # fmt: skip
ALL_NIGHTS = frozenset({"model.models"})
ALL_CLASSIFIERS = frozenset({"model.classifiers"})

STAGES: tuple[Stage, ...] = (
    Stage(
        "land",
        ("bronze.landed_files", "bronze.rows", "bronze.column_changes"),
        ("bronze.landed_files", "bronze.rows", "bronze.column_changes"),
        land,
    ),
    Stage(
        "clean",
        (
            "bronze.rows",
            "bronze.landed_files",
            "bronze.column_changes",
            "silver.cleaned_files",
            "silver.events",
            "silver.item_records",
            "silver.tickets",
            "silver.policies",
            "silver.posts",
            "silver.promotions",
        ),
        (
            "silver.events",
            "silver.item_records",
            "silver.tickets",
            "silver.policies",
            "silver.posts",
            "silver.promotions",
            "silver.quarantine",
            "silver.cleaned_files",
        ),
        clean,
        sees_future=ALL_TIME,
    ),
    Stage(
        "account",
        (
            "bronze.landed_files",
            "silver.events",
            "silver.item_records",
            "silver.tickets",
            "silver.policies",
            "silver.posts",
            "silver.promotions",
            "silver.quarantine",
            "ops.erasures",
            "ops.expired",
        ),
        ("ops.metrics",),
        account,
        sees_future=ALL_TIME,
    ),
    Stage("items", ("silver.item_records",), ("silver.items",), items, sees_future=ALL_TIME),
    Stage("reviews", ("silver.events",), ("silver.reviews",), reviews, sees_future=ALL_TIME),
    Stage("click_farms", ("silver.events",), ("gold.click_farms",), click_farms),
    Stage("title_triggers", ("silver.item_records",), ("gold.title_triggers",), title_triggers),
    Stage(
        "interactions",
        ("silver.events", "gold.click_farms"),
        ("gold.interactions", "gold.window_interactions", "gold.window_labels"),
        interactions,
    ),
    Stage("histories", ("silver.events",), ("gold.histories", "gold.window_histories"), histories),
    Stage("purchase_propensity", ("silver.events",), ("output.purchase_propensity",), purchase_propensity),
    Stage(
        "synthesise_texts",
        ("silver.reviews", "silver.tickets", "silver.posts", "gold.click_farms", "synthesis.synthetic_texts"),
        ("synthesis.synthetic_texts", "synthesis.texts_report"),
        synthesise_texts,
        sees_nights=frozenset({"synthesis.synthetic_texts"}),
    ),
    Stage(
        "teach_texts",
        (
            "silver.reviews",
            "silver.posts",
            "silver.tickets",
            "silver.items",
            "gold.click_farms",
            "synthesis.synthetic_texts",
            "model.classifiers",
        ),
        ("model.classifiers", "ops.metrics"),
        teach_texts,
        sees_nights=ALL_CLASSIFIERS,
    ),
    Stage(
        "label_texts",
        (
            "silver.reviews",
            "silver.posts",
            "silver.tickets",
            "silver.items",
            "model.classifiers",
            "model.text_labels",
        ),
        ("model.text_labels",),
        label_texts,
        sees_nights=ALL_CLASSIFIERS,
    ),
    Stage(
        "review_sentiment",
        ("silver.reviews", "gold.click_farms", "model.classifiers", "model.text_labels"),
        ("output.review_sentiment", "ops.metrics"),
        review_sentiment,
        sees_nights=ALL_CLASSIFIERS,
    ),
    Stage(
        "find_topics",
        ("silver.posts", "model.classifiers", "model.text_labels", "output.found_topics"),
        ("gold.post_topics", "output.found_topics"),
        find_topics,
        sees_nights=ALL_CLASSIFIERS | {"output.found_topics"},
    ),
    Stage(
        "opinions",
        (
            "silver.reviews",
            "silver.posts",
            "silver.items",
            "gold.click_farms",
            "gold.post_topics",
            "model.classifiers",
            "model.text_labels",
        ),
        ("output.opinion_trends", "output.opinion_alerts", "ops.metrics"),
        opinions,
        sees_nights=ALL_CLASSIFIERS,
    ),
    Stage(
        "service_answers",
        (
            "silver.tickets",
            "silver.policies",
            "silver.events",
            "silver.items",
            "model.classifiers",
            "model.text_labels",
        ),
        ("output.service_answers", "ops.metrics"),
        service_answers,
        sees_nights=ALL_CLASSIFIERS,
    ),
    Stage(
        "demand_forecast",
        ("silver.events", "silver.items", "silver.promotions"),
        ("output.demand_forecast",),
        demand_forecast,
    ),
    Stage(
        "demand_what_if",
        ("silver.events", "silver.items", "silver.promotions", "output.demand_forecast"),
        ("output.demand_what_if",),
        demand_what_if,
    ),
    Stage(
        "user_profiles",
        (
            "silver.events",
            "silver.items",
            "gold.interactions",
            "gold.window_interactions",
            "gold.window_labels",
            "gold.histories",
        ),
        ("output.user_profiles", "ops.metrics"),
        user_profiles,
    ),
    Stage("item_demand", ("silver.events", "gold.click_farms"), ("gold.item_demand",), item_demand),
    Stage("query_items", ("silver.events", "gold.click_farms"), ("gold.query_items",), query_items),
    Stage(
        "item_labels",
        ("silver.items", "model.classifiers", "model.text_labels", "output.item_labels"),
        ("output.item_labels",),
        item_labels,
        sees_nights=ALL_CLASSIFIERS | {"output.item_labels"},
    ),
    Stage(
        "ad_copy",
        ("silver.items", "output.item_labels", "gold.query_items", "output.ad_copy"),
        ("output.ad_copy", "ops.metrics"),
        ad_copy,
        sees_nights=frozenset({"output.ad_copy"}),
    ),
    Stage(
        "item_text",
        ("silver.item_records", "silver.events", "output.item_labels", "gold.title_triggers"),
        ("gold.item_text",),
        item_text,
    ),
    Stage("synthesise", ("gold.interactions",), ("synthesis.synthetic_histories",), synthesise),
    Stage(
        "synthesise_tables",
        ("silver.events", "silver.items", "gold.interactions", "gold.query_items", "synthesis.synthetic_histories"),
        (
            "synthesis.synthetic_users",
            "synthesis.synthetic_events",
            "synthesis.synthetic_items",
            "synthesis.tables_report",
        ),
        synthesise_tables,
    ),
    Stage(
        "write_texts",
        ("gold.window_histories", "gold.item_text", "synthesis.written_texts"),
        ("synthesis.written_texts",),
        write_texts,
        sees_nights=frozenset({"synthesis.written_texts"}),
    ),
    Stage(
        "gate",
        (
            "gold.interactions",
            "gold.window_interactions",
            "gold.window_labels",
            "synthesis.synthetic_histories",
            "gold.histories",
            "gold.window_histories",
            "gold.item_text",
            "synthesis.written_texts",
        ),
        (
            "synthesis.synthetic_interactions",
            "synthesis.synthetic_queries",
            "synthesis.augmented_texts",
            "synthesis.synthesis_report",
        ),
        gate,
    ),
    Stage(
        "train",
        (
            "gold.window_histories",
            "gold.window_interactions",
            "gold.window_labels",
            "gold.item_text",
            "gold.query_items",
            "synthesis.augmented_texts",
            "model.models",
        ),
        ("model.models", "ops.metrics"),
        train,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "embed_texts",
        (
            "gold.item_text",
            "gold.query_items",
            "synthesis.synthetic_queries",
            "model.models",
            "model.item_embeddings",
        ),
        ("model.item_embeddings",),
        embed_texts,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "windows",
        ("silver.events", "rank.features", "ops.erasures"),
        ("rank.windows",),
        windows,
        sees_nights=frozenset({"rank.features"}),
    ),
    Stage(
        "embed_users",
        (
            "gold.histories",
            "gold.window_histories",
            "gold.item_text",
            "model.item_embeddings",
            "model.models",
            "rank.windows",
        ),
        ("model.user_embeddings",),
        embed_users,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "candidates",
        (
            "gold.interactions",
            "gold.window_interactions",
            "gold.window_labels",
            "gold.histories",
            "gold.item_text",
            "gold.item_demand",
            "synthesis.synthetic_interactions",
            "model.item_embeddings",
            "model.user_embeddings",
            "model.models",
            "rank.windows",
        ),
        ("rank.candidates", "rank.item_neighbours", "rank.new_item_candidates"),
        candidates,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "features",
        (
            "rank.candidates",
            "gold.interactions",
            "gold.window_interactions",
            "gold.window_labels",
            "gold.item_demand",
            "silver.events",
            "rank.windows",
            "rank.features",
        ),
        ("rank.features",),
        features,
        sees_nights=frozenset({"rank.features"}),
    ),
    Stage(
        "new_items",
        (
            "rank.new_item_candidates",
            "model.user_embeddings",
            "gold.histories",
            "gold.item_text",
            "model.item_embeddings",
            "model.models",
        ),
        ("output.new_item_recommendations",),
        new_items,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "recommend",
        (
            "rank.features",
            "rank.candidates",
            "gold.interactions",
            "gold.item_text",
            "model.item_embeddings",
            "model.models",
            "output.new_item_recommendations",
        ),
        ("output.recommendations", "ops.metrics"),
        recommend,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "similar_items",
        ("gold.item_text", "model.item_embeddings", "rank.item_neighbours", "model.models"),
        ("output.similar_items",),
        similar_items,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "search_results",
        (
            "gold.query_items",
            "gold.item_text",
            "gold.item_demand",
            "synthesis.synthetic_queries",
            "model.item_embeddings",
            "model.models",
        ),
        ("output.search_results",),
        search_results,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "evaluate",
        (
            "silver.events",
            "output.recommendations",
            "rank.candidates",
            "gold.item_text",
            "gold.interactions",
            "model.item_embeddings",
            "model.models",
        ),
        ("ops.metrics",),
        evaluate,
        sees_future=ALL_TIME,
        sees_nights=ALL_NIGHTS,
    ),
    Stage(
        "judge_propensity",
        ("silver.events", "output.purchase_propensity"),
        ("ops.metrics",),
        judge_propensity,
        sees_future=ALL_TIME,
    ),
    Stage(
        "judge_demand",
        ("silver.events", "silver.items", "output.demand_forecast"),
        ("ops.metrics",),
        judge_demand,
        sees_future=ALL_TIME,
    ),
    Stage(
        "judge_what_if",
        ("silver.events", "silver.promotions", "output.demand_what_if"),
        ("ops.metrics",),
        judge_what_if,
        sees_future=ALL_TIME,
    ),
    Stage(
        "judge_profiles",
        ("silver.events", "silver.items", "output.user_profiles"),
        ("ops.metrics",),
        judge_profiles,
        sees_future=ALL_TIME,
    ),
    Stage(
        "judge_search",
        ("silver.events", "output.search_results", "gold.query_items", "gold.item_demand"),
        ("ops.metrics",),
        judge_search,
        sees_future=ALL_TIME,
    ),
    Stage(
        "check",
        (*CHECKED, "ops.checks"),
        ("ops.checks",),
        check,
        sees_nights=frozenset({"ops.checks"}),
        section="checks",
    ),
)
