"""Every cheap stage passes the contract suite on one tiny shop; the declarations themselves refuse what they must."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.contracts import check_key, check_rows, check_schema, row_checks
from recsynth.errors import ContractError
from recsynth.model.folder import write_model
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import (
    CLICK_FARMS,
    HISTORIES,
    INTERACTIONS,
    ITEM_DEMAND,
    ITEM_TEXT,
    POST_TOPICS,
    QUERY_ITEMS,
    TITLE_TRIGGERS,
    WINDOW_HISTORIES,
    WINDOW_INTERACTIONS,
    WINDOW_LABELS,
)
from recsynth.tables.model import CLASSIFIERS, ITEM_EMBEDDINGS, TEXT_LABELS, USER_EMBEDDINGS
from recsynth.tables.ops import ERASURES
from recsynth.tables.output import AD_COPY, DEMAND_FORECAST, FOUND_TOPICS, ITEM_LABELS
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS, ITEM_NEIGHBOURS, NEW_ITEM_CANDIDATES, WINDOWS
from recsynth.tables.silver import ITEMS as SHOP_ITEMS
from recsynth.tables.silver import POLICIES, POSTS, PROMOTIONS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_QUERIES
from tests.contract_suite import BY_NAME, Inputs, check_contracts
from tests.gold.farms import farm, shop
from tests.gold.titles import catalogue, planted
from tests.inference.planted import champions
from tests.model.tiny import EMBEDDING_SIZE, tiny_model
from tests.rows import events, item_record, item_records, night, table

AS_OF = date(2024, 5, 1)
USERS, ITEMS = ("u0", "u1", "u2"), ("i0", "i1", "i2", "new0", "new1")
STAGES = (
    "items", "reviews", "click_farms", "title_triggers", "interactions", "histories", "query_items", "item_text",
    "item_demand", "embed_texts", "windows", "embed_users", "features", "new_items", "similar_items", "search_results",
    "purchase_propensity", "review_sentiment", "find_topics", "opinions", "demand_forecast",
    "demand_what_if", "user_profiles", "service_answers", "ad_copy",
)  # fmt: skip


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night with one earlier window, in a lake that holds a tiny champion `m`."""
    lake = tmp_path_factory.mktemp("lake")
    write_model(tiny_model(tmp_path_factory.mktemp("encoder")), lake / "_models" / "m", {})
    settings = {"paths": {"lake": str(lake)}, "gold": {"windows": {"count": 1, "days": 7, "step_days": 7}},
                "ranking": {"min_query_sessions": 1, "new_items": 2}}  # fmt: skip
    return night(AS_OF, Settings.model_validate(settings))


@pytest.fixture(scope="module")
def inputs(spark: SparkSession, at: Night) -> Inputs:
    """Tables by short name, each of a few rows that fit one another."""
    past = at.window_cutoffs[0]
    pairs = [{"user_id": u, "item_id": i, "weight": 1.0 + n, "views": 1, "carts": 0, "purchases": n, "quantity": n,
              "opinions": 0, "first_ts": past - timedelta(days=9), "last_ts": past - timedelta(days=n)}
             for n, (u, i) in enumerate([("u0", "i0"), ("u0", "i1"), ("u1", "i1"), ("u2", "i2")])]  # fmt: skip
    histories = [{"user_id": u, "events": [(past - timedelta(days=1), "view", "i0", None)]} for u in USERS]
    who = [{"cutoff": c, "user_id": u, "item_id": i, "als_score": 0.5, "als_rank": 1, "sources": ["als"]}
           for c in (past, at.cutoff) for u in USERS for i in ITEMS[:3]]  # fmt: skip
    texts = [*(("item", f"h{i}") for i in ITEMS), ("query", sha256(spark, "mug"))]
    vectors = [{"model_version": "m", "kind": kind, "content_hash": content, "vector": unit(n)}
               for n, (kind, content) in enumerate(texts)]  # fmt: skip
    return {
        "events": shop_events(spark, at),
        "item_records": item_records(spark, [
            item_record(i, AS_OF - timedelta(days=d), title=f"red {i} {d % 2}", brand="Ora")
            for i in ITEMS for d in (1, 2, 3)
        ]),
        "click_farms": table(spark, CLICK_FARMS, []),
        "title_triggers": table(spark, TITLE_TRIGGERS, []),
        "interactions": table(spark, INTERACTIONS, pairs),
        "window_interactions": table(spark, WINDOW_INTERACTIONS, [{"cutoff": past, **row} for row in pairs]),
        "window_labels": table(spark, WINDOW_LABELS, [
            {"cutoff": past, "user_id": "u0", "item_id": "i2", "purchases": 1, "first_ts": past}
        ]),
        "histories": table(spark, HISTORIES, histories),
        "window_histories": table(spark, WINDOW_HISTORIES, [{"cutoff": past, **row} for row in histories]),
        "query_items": table(spark, QUERY_ITEMS, [
            {"query": q, "item_id": i, "weight": 1.0, "sessions": 2, "query_sessions": 3, "last_ts": past}
            for q in ("mug", "red") for i in ITEMS[:2]
        ]),
        "item_text": table(spark, ITEM_TEXT, [
            {"item_id": i, "text": f"red {i}", "content_hash": f"h{i}", "title": i, "available": True,
             "first_seen": past, "is_cold": i.startswith("new")} for i in ITEMS
        ]),
        "item_demand": table(spark, ITEM_DEMAND, [
            {"cutoff": c, "item_id": i, "demand_7": 1.0, "demand_180": 0.5, "trend": 1.5}
            for c in (past, at.cutoff) for i in ITEMS[:3]
        ]),
        "item_embeddings": table(spark, ITEM_EMBEDDINGS, vectors),
        "user_embeddings": table(spark, USER_EMBEDDINGS, [
            {"cutoff": at.cutoff, "user_id": u, "model_version": "m", "vector": unit(n)} for n, u in enumerate(USERS)
        ]),
        "item_neighbours": table(spark, ITEM_NEIGHBOURS, [{"item_id": "i0", "neighbour_id": "i1", "score": 0.5}]),
        "new_item_candidates": table(spark, NEW_ITEM_CANDIDATES, [
            {"user_id": "u0", "item_id": i, "score": 1.0, "rank": n} for n, i in enumerate(ITEMS[3:], 1)
        ]),
        "candidates": table(spark, CANDIDATES, who),
        "models": champions(spark),
        "windows": table(spark, WINDOWS, [
            {"cutoff": c, "known_events": 9, "computed_by": "x"} for c in (past, at.cutoff)
        ]),
        "features": table(spark, FEATURE_ROWS, []).withColumn("run_date", F.lit(AS_OF)),
        "erasures": table(spark, ERASURES, []),
        "items": table(spark, SHOP_ITEMS, [
            {"item_id": i, "valid_from": past - timedelta(days=3), "category": ["mugs"], "title": f"red {i}"}
            for i in ITEMS
        ]),
        "reviews": table(spark, REVIEWS, [
            {"event_id": f"r{n}", "user_id": u, "item_id": "i0", "ts": past, "rating": 1.0 + 2 * n, "text": "red. fits"}
            for n, u in enumerate(USERS)
        ]),
        "item_labels": table(spark, ITEM_LABELS, [
            {"item_id": "i0", "field": "colour", "value": "red", "words": "red", "found_in": "title", "start": 0,
             "confidence": 0.9, "is_inferred": True, "content_hash": "h", "model_version": "m"}
        ]),
        "demand_forecast": table(spark, DEMAND_FORECAST, [
            {"level": "item", "series_id": i, "grain": "week", "start": AS_OF, "days": 7, "expected": 2.0,
             "expected_off_promotion": 2.0, "model": "ses", "interval_by": "trees",
             **dict.fromkeys(("median", "low_80", "high_80", "low_95", "high_95", "stock_needed"), 1.0)} for i in ITEMS
        ]),
        "ad_copy": table(spark, AD_COPY, []).withColumn("run_date", F.lit(AS_OF)),
        "tickets": table(spark, TICKETS, [
            {"source": "s", "ticket_id": f"t{n}", "user_id": u, "ts": at.cutoff - timedelta(days=1), "item_id": "i0",
             "question": f"How long may I return it, number {n}?", "copies": 1} for n, u in enumerate(USERS)
        ]),
        "posts": table(spark, POSTS, [
            {"source": "s", "post_id": f"p{n}", "user_id": u, "ts": at.cutoff - timedelta(days=1 + n % 20), "copies": 1,
             "text": f"The new app crashes at login, {n}", "sentiment": "negative", "entity": "Ora"}
            for n, u in enumerate([*USERS, *[None] * 20])
        ]),
        "post_topics": table(spark, POST_TOPICS, []),
        "found_topics": table(spark, FOUND_TOPICS, []).withColumn("run_date", F.lit(AS_OF)),
        "promotions": table(spark, PROMOTIONS, [
            {"source": "s", "promotion_id": "p", "item_id": i, "first_day": AS_OF - timedelta(days=5), "copies": 1,
             "last_day": AS_OF - timedelta(days=3), "is_cancelled": False, "seen_date": AS_OF - timedelta(days=n)}
            for n, i in enumerate(["i0", "i1", "i1"], 6)
        ]),
        "policies": table(spark, POLICIES, [
            {"source": "s", "policy_id": "returns", "text_hash": "h", "seen_date": AS_OF - timedelta(days=9),
             "title": "Returns", "text": "Anything can be returned within 30 days. Put it into its box.", "copies": 1}
        ]),
        "classifiers": table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF)),
        "text_labels": table(spark, TEXT_LABELS, []),
        "synthetic_queries": table(spark, SYNTHETIC_QUERIES, [
            {"query": "mug", "item_id": "new0", "training_weight": 0.2, "verdict": "passed"}
        ]),
    }  # fmt: skip


def shop_events(spark: SparkSession, at: Night) -> DataFrame:
    def before(days: float) -> Any:
        return at.cutoff - timedelta(days=days)

    rows = [(u, i, kind, before(d + n / 10)) for n, u in enumerate(USERS) for i in ITEMS[:3]
            for kind, d in (("view", 9), ("purchase", 8), ("rating", 2), ("purchase", 1))]  # fmt: skip
    rows += [(u, None, "search", before(9.5), None, " Mug ") for u in USERS] + [("u0", "i0", "return", before(0.5))]
    made = events(spark, rows, session_id="s")
    return made.withColumn("rating", F.when(F.col("event_type") == "rating", 4.0))


def unit(n: int) -> list[float]:
    """A vector of its own for each n, of unit length."""
    return [float(place == n) for place in range(EMBEDDING_SIZE)]


def sha256(spark: SparkSession, text: str) -> str:
    return str(spark.range(1).select(F.sha2(F.lit(text), 256)).collect()[0][0])


# These take a quarter of a minute each; `make test-slow` runs them, and tests of their own are in tests/apps.
SLOW = {"user_profiles", "ad_copy", "find_topics", "opinions", "demand_forecast", "service_answers"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in STAGES])
def test_the_stage_keeps_its_contracts(name: str, inputs: Inputs, at: Night) -> None:
    given = dict(inputs)
    if name == "embed_texts":
        given["item_embeddings"] = inputs["item_embeddings"].where("content_hash <> 'hi0'")
    if name == "click_farms":
        given["events"] = events(inputs["events"].sparkSession, shop() + farm())
    if name == "demand_what_if":
        # Prices that changed: half of the days each, each seen by three.
        is_early = F.col("ts") < F.lit(at.cutoff - timedelta(days=5))
        given["events"] = inputs["events"].withColumn("price", F.when(is_early, 9).otherwise(8).cast("decimal(18,4)"))
    if name == "title_triggers":
        given["item_records"] = item_records(inputs["events"].sparkSession, catalogue() + planted())
    check_contracts(BY_NAME[name], given, at)


def rows_of(spark: SparkSession, *changes: dict[str, Any]) -> DataFrame:
    plain = {"item_id": "a", "neighbour_id": "b", "score": 0.5}
    return table(spark, ITEM_NEIGHBOURS, [{**plain, **change} for change in changes])


def test_a_column_too_many_too_few_or_of_another_type_is_named(spark: SparkSession) -> None:
    rows = rows_of(spark, {})
    for wrong, said in (
        (rows.drop("score"), r"rank\.item_neighbours\.score: expected float, found no such column"),
        (rows.withColumn("more", F.lit(1)), r"item_neighbours\.more: expected no such column, found int"),
        (rows.withColumn("score", F.lit("high")), r"score: expected float, found string"),
    ):
        with pytest.raises(ContractError, match=said):
            check_schema(ITEM_NEIGHBOURS, wrong.schema)


def test_a_null_and_a_key_that_is_there_twice_are_refused(spark: SparkSession) -> None:
    rows = rows_of(spark, {}, {"score": None})
    observed = rows.agg(*row_checks(ITEM_NEIGHBOURS)).collect()[0].asDict()
    with pytest.raises(ContractError, match="score: expected not null, found 1 of 2 rows break it"):
        check_rows(ITEM_NEIGHBOURS, observed)
    with pytest.raises(ContractError, match="a unique key"):
        check_key(ITEM_NEIGHBOURS, rows)


def test_a_rule_that_a_row_breaks_is_told(spark: SparkSession) -> None:
    row = {
        "item_id": "a",
        "query": "q",
        "weight": 0.0,
        "sessions": 1,
        "query_sessions": 1,
        "last_ts": datetime(2024, 1, 1),
    }
    observed = table(spark, QUERY_ITEMS, [row]).agg(*row_checks(QUERY_ITEMS)).collect()[0].asDict()
    with pytest.raises(ContractError, match="weight > 0"):
        check_rows(QUERY_ITEMS, observed)
