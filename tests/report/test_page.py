"""The page of the night: loads nothing from elsewhere, runs nothing that a shop wrote, and says what is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.report.page import write_page
from recsynth.tables import TABLES
from tests.rows import night, table

AS_OF = date(2024, 5, 1)
TS = datetime(2024, 4, 30, 12, tzinfo=UTC)
SCRIPT, QUERY = "<script>alert(1)</script>", "\"red\" 'mug' <img src=x onerror=alert(1)> & 红杯"
REASON = "missing $user_id$ <b>"


def metric(stage: str, name: str, model: str, segment: str, value: float, *rest: Any) -> dict[str, Any]:
    low, high, count = rest or (None, None, None)
    return {"stage": stage, "metric": name, "model": model, "segment": segment, "value": value, "low": low,
            "high": high, "count": count}  # fmt: skip


METRICS = [
    *(metric("account", f"rows_{part}", "", SCRIPT, 1234.0)
      for part in ("landed", "kept", "duplicates", "quarantined", "near_duplicates", "bots")),
    *(metric("train", "loss", "curve", f"step {step:06d}", 1 / step) for step in (1, 2)),
    metric("train", "ndcg@10", "before", "validation", 0.11),
    metric("train", "ndcg@10", "after", "validation", 0.12),
    metric("train", "seconds", "", "", 3.0),
    metric("recommend", "gain", "ranker", "als_score", 0.5),
    metric("recommend", "ndcg@10", "ranker", "newest window, candidates", 0.43),
    metric("evaluate", "evaluated_days", "", "", 7.0),
    metric("evaluate", "ndcg@10", "recsynth", "all", 0.3333, 0.3111, 0.3555, 10),
    metric("evaluate", "ndcg@10", "popularity", "all", 0.2222, 0.2111, 0.2333, 10),
    metric("evaluate", "ndcg@10", "recsynth", "all/new_users", 0.1234, 0.1001, 0.1499, 3),
    metric("evaluate", "coverage@10", "recsynth", "all", 0.8765, None, None, 20),
    metric("evaluate", "expected_calibration_error", "recsynth", "lines", 0.0171, None, None, 1234),
    metric("evaluate", "probability_predicted", "recsynth", "0.1 to 0.2", 0.15, None, None, 1234),
    metric("evaluate", "probability_observed", "recsynth", "0.1 to 0.2", 0.12, None, None, 1234),
    metric("evaluate", "purchase_rate", "best_item", "rank 10", 0.0444, 0.0333, 0.0555, 90),
    metric("evaluate", "purchase_rate", "explored_item", "rank 10", 0.0111, 0.0, 0.0222, 90),
    metric("evaluate", "recall@100", "als", "candidates/all", 0.4321, None, None, 10),
    metric("evaluate", "found_alone", "als", "candidates/all", 0.0123, None, None, 10),
    metric("evaluate", "recall@100", "union", "candidates/all", 0.6543, None, None, 10),
    metric("judge_search", "answered", "recsynth", "searches", 0.75, None, None, 400),
    *(metric("judge_search", "ndcg@10", model, part, value, 0.4, 0.7, 9) for model, part, value in (
        ("recsynth", "all", 0.5432), ("chosen before", "all", 0.4321), ("recsynth", "rare", 0.4567))),
    metric("ad_copy", "items", "", "written", 12.0, None, None, 12),
    metric("ad_copy", "items", "", "kept", 3.0, None, None, 3),
    *(metric("ad_copy", name, "recsynth", "headline", value) for name, value in (
        ("coverage", 0.87), ("within_limits", 1.0), ("variants", 2.5), ("distinct_1", 0.125))),
    *(metric("ad_copy", name, "recsynth", "description", value, None, None, 28)
      for name, value in (("bleu", 23.4), ("chrf", 45.6), ("rouge_l", 0.441))),
    metric("judge_propensity", "auc", "propensity", "buy_28", 0.7654, 0.7, 0.8, 2),
    metric("judge_propensity", "auc", "recency", "buy_28", 0.6543, 0.6, 0.7, 2),
    metric("judge_propensity", "expected_calibration_error", "propensity", "buy_28", 0.0321, None, None, 2),
    metric("judge_propensity", "probability_predicted", "propensity", "buy_28/0.2 to 0.3", 0.25, None, None, 2),
    metric("judge_demand", "mase", "demand", "item_week", 0.7777, 0.7, 0.8, 2),
    metric("judge_demand", "mase", "demand", "item_day", 0.6666, 0.6, 0.7, 2),
    metric("judge_demand", "wrmsse", "off_promotion", "item_week_promoted", 0.9876, None, None, 2),
    metric("judge_what_if", "promotion_orders", "what_if", "changed_prices", 0.9876, 0.9, 1.1, 2),
    metric("judge_what_if", "promotion_orders", "no_response", "changed_prices", 1.2345, 0.9, 1.1, 2),
    metric("judge_propensity", "probability_observed", "propensity", "buy_28/0.2 to 0.3", 0.5, None, None, 2),
]  # fmt: skip
ROWS: dict[str, list[dict[str, Any]]] = {
    "metrics": METRICS,
    "events": [{"event_id": "e", "event_date": AS_OF, "event_type": "view", "ts": TS}],
    "quarantine": [{"reason": REASON, "raw": f'{{"title": "{SCRIPT}"}}', "copies": 3}],
    "column_changes": [
        {
            "source": "clicks",
            "column": SCRIPT,
            "change": "retyped",
            "was": "number",
            "found": "text",
            "policy": "quarantine",
            "place": 1,
            "landed_at": TS,
        },
        {"source": "clicks", "column": "quiet", "change": "first", "policy": "evolve", "place": 0, "landed_at": TS},
    ],
    "click_farms": [
        {
            "user_id": u,
            "item_id": "x",
            "noticed": TS,
            "accounts": 34,
            "shallow_accounts": 30,
            "usual_share": 0.04,
            "chance": 1e-9,
        }
        for u in ("f1", "f2")
    ],
    "title_triggers": [
        {
            "item_id": i,
            "word": "bestseller",
            "noticed": AS_OF,
            "items": 4,
            "changed_items": 5,
            "categories": 3,
            "usual_share": 0.01,
            "chance": 1e-9,
        }
        for i in ("x", "y")
    ],
    "interactions": [{"user_id": "u", "item_id": "x", "weight": 1.0}, {"user_id": "v", "item_id": "x", "weight": 1.0}],
    "models": [{"model_version": "abc123", "base": "minilm", "method": "bce", "is_champion": False}],
    "item_text": [{"item_id": "x", "title": SCRIPT, "text": SCRIPT}],
    "histories": [{"user_id": SCRIPT, "events": [(TS, "search", None, QUERY), (TS, "view", "x", None)]}],
    "recommendations": [{"user_id": SCRIPT, "rank": 1, "item_id": "x", "reason": f"Goes with {SCRIPT}."}],
    "new_item_recommendations": [{"user_id": SCRIPT, "rank": 1, "item_id": "x", "score": 0.5, "reason": SCRIPT}],
    "similar_items": [{"item_id": "x", "rank": 1, "similar_item_id": "x"}],
    "query_items": [{"query": QUERY, "item_id": "x", "query_sessions": 5}],
    "search_results": [{"query": QUERY, "rank": 1, "item_id": "x"}],
    "purchase_propensity": [
        {"user_id": SCRIPT, "target": target, "horizon_days": days, "probability": p, "method": "calibrated_trees"}
        for target, days, p in (("buy", 28, 1.0), ("buy", 28, 1.0), ("leave", 90, 0.0), ("buy", 7, None))
    ],
    "review_sentiment": [
        {
            "item_id": "x",
            "day": AS_OF - timedelta(days=n),
            "aspect": aspect,
            "reviews": 2,
            "negative_reviews": 2,
            "neutral_reviews": 0,
            "positive_reviews": 0,
            "score": -0.5,
            "sentence": SCRIPT,
            "words": [],
            "contradicting": ["r1"],
        }
        for n in (1, 20)
        for aspect in ("all", "quality")
    ],
    "user_profiles": [
        {
            "user_id": SCRIPT,
            "is_default": False,
            "segment": "champion",
            "recency_days": 3,
            "orders": 2,
            "spend": 98.6,
            "value": 31.4,
            "price_level": 0.25,
            "summary": f"Drawn to {SCRIPT}.",
        },
        {"user_id": "v", "is_default": False, "segment": "looker", "summary": "Looker."},
        {"user_id": "*", "is_default": True, "segment": "unknown", "summary": "Unknown."},
    ],
    "opinion_trends": [
        {
            "topic": topic,
            "entity_kind": "shop",
            "entity": "all",
            "day": AS_OF - timedelta(days=1),
            "texts": 8,
            "negative_texts": 2,
            "neutral_texts": 0,
            "positive_texts": 6,
            "negative_share": 0.25,
            "reposts": 0,
        }
        for topic in ("all", SCRIPT)
    ],
    "found_topics": [
        {
            "topic": SCRIPT,
            "words": [SCRIPT],
            "texts": 20,
            "since": AS_OF,
            "examples": [SCRIPT],
            "centre": [1.0],
            "reach": 0.5,
        }
    ],
    "opinion_alerts": [
        {
            "topic": "all",
            "entity_kind": "item",
            "entity": "x",
            "raised": AS_OF,
            "began": AS_OF,
            "last_day": AS_OF,
            "negatives": 17,
            "texts": 19,
            "expected": 1.25,
            "chance": 1e-9,
            "event_ids": ["r"],
            "sentences": [SCRIPT],
        }
    ],
    "checks": [
        {
            "rule": rule,
            "table": "silver.events",
            "kind": kind,
            "on_failure": on_failure,
            "outcome": outcome,
            "said": f"{SCRIPT} 7, expected 8 to 9",
            "value": 7.0,
            "low": 8.0,
            "high": None,
            "broken_where": f"text = '{SCRIPT}'" if kind == "condition" else None,
            "measured": "{}",
            "past": [8.0, 9.0] if kind == "figure" else [],
            "profile": {},
        }
        for rule, kind, on_failure, outcome in (
            ("volume", "figure", "hold", "failed"),
            ("no_markup", "condition", "warn", "failed"),
            ("freshness", "freshness", "hold", "passed"),
        )
    ],
    "item_labels": [
        {
            "item_id": "x",
            "field": field,
            "value": "red",
            "words": SCRIPT,
            "found_in": "title",
            "start": 0,
            "confidence": 0.75,
            "is_inferred": recorded is None,
            "recorded": recorded,
        }
        for field, recorded in (("colour", None), ("hue", "RED"), ("tint", "blue"))
    ],
    "ad_copy": [
        {
            "item_id": "x",
            "slot": slot,
            "variant": variant,
            "text": f"{slot} {variant} {SCRIPT}",
            "score": 0.5,
            "claims": [(SCRIPT, "colour", "record")],
            "written_by": "patterns",
            "language": "en",
            "tone": "plain",
            "content_hash": "h",
            "written": AS_OF,
        }
        for slot, variant in (("title", 1), ("description", 1), ("headline", 1), ("headline", 2), ("body", 1))
    ],
    "service_answers": [
        {
            "source": "s",
            "ticket_id": f"t{n}",
            "asked_at": TS,
            "question": SCRIPT,
            "intent": intent,
            "confidence": confidence,
            "decision": decision,
            "answer": answer,
            "sentences": [(answer, "policy", SCRIPT)] if answer else [],
            "passages": [],
            "reason": "Nothing was found.",
            "is_answered": False,
        }
        for n, (intent, confidence, decision, answer) in enumerate(
            [("delivery_cost", 0.75, "composed", f"It costs {SCRIPT}."), (None, None, "hand_over", None)]
        )
    ],
    "demand_forecast": [
        {
            "level": level,
            "series_id": series,
            "grain": grain,
            "start": AS_OF + timedelta(days=n),
            "days": days,
            "expected": 4321.0,
            "expected_off_promotion": 3210.0,
            "promotion_days": 5 if level == "item" and grain == "week" else None,
            "median": 4321.0,
            "low_80": 4000.0,
            "high_80": 5000.0,
            "low_95": 3000.0,
            "high_95": 6000.0,
            "stock_needed": 5678.0,
            "model": "sum",
            "interval_by": "trees",
        }
        for level, series in (("item", "x"), ("item", SCRIPT), ("category", SCRIPT), ("shop", "all"))
        for grain, days in (("day", 1), ("week", 7), ("lead", 14))
        for n in range(2 if grain == "day" else 1)
    ],
    "demand_what_if": [
        {
            "item_id": item,
            "price_change": change,
            "is_promotion": change < 0,
            "promotion_tonight": False,
            "currency": "JPY" if item == "y" else "GBP",
            "price": 50 * (1 + change),
            "usual_price": 50.0,
            "days": 28,
            "expected": expected,
            "low_80": expected,
            "high_80": expected + 7,
            "revenue": revenue,
            "revenue_change": revenue / 5000 - 1,
            "chance_of_more_revenue": chance,
            "elasticity": -2.0,
            "elasticity_low_80": -3.0,
            "elasticity_high_80": -1.0,
            "promotion_lift": 1.1,
            "learned_from": "item",
            "price_days": 9,
        }
        for item, rows in {
            "x": [(0.0, 100.0, 5000.0, 0.5), (-0.2, 234.0, 9360.0, 0.91), (-0.1, 123.0, 5535.0, 0.95)],
            SCRIPT: [(0.0, 100.0, 5000.0, 0.5), (-0.2, 200.0, 8000.0, 0.7), (0.1, 80.0, 4400.0, 0.9)],
            "y": [(0.0, 100.0, 700_000.0, 0.5), (-0.2, 300.0, 900_000.0, 0.99)],
        }.items()
        for change, expected, revenue, chance in rows
    ],
    "synthetic_interactions": [
        {"user_id": user, "item_id": "x", "generator": "gan", "verdict": "failed", "training_weight": 0.0}
        for user in ("s1", "s2", "s3")
    ],
    "synthesis_report": [
        {"generator": g, "metric": m, "kind": "privacy", "value": v, "reference": 0.5, "threshold": 0.53, "passed": p}
        for g, m, v, p in (
            ("gan", "membership", 0.5678, False),
            ("gaussian", "membership", 0.5123, True),
            ("gan", "popularity_overlap", 0.9, None),
        )
    ]
    + [
        {"generator": g, "metric": m, "kind": "utility", "value": v, "reference": r, "threshold": t, "passed": p}
        for g, m, v, r, t, p in (
            ("writer", "query_transfer", 0.4321, 0.3333, 0.3, True),
            ("writer_shuffled", "query_transfer", 0.0123, 0.3333, 0.3, False),
            ("writer", "query_share", 0.2, None, None, None),
            ("typos", "label_kept", 0.9876, None, 0.9, True),
        )
    ],
    "synthetic_users": [
        {
            "user_id": u,
            "segment": "light",
            "items": 1,
            "visits": 1,
            "first_date": AS_OF,
            "last_date": AS_OF,
            "verdict": "failed",
        }
        for u in ("s1", "s2")
    ],
    "synthetic_events": [
        {
            "event_id": f"s{n}",
            "user_id": "s1",
            "item_id": "x",
            "event_type": t,
            "ts": TS,
            "event_date": AS_OF,
            "session_id": "s1/0",
            "verdict": "failed",
        }
        for n, t in enumerate(("view", "view", "purchase"))
    ],
    "synthetic_items": [
        {
            "item_id": "synthetic-item-0",
            "category": ["home", SCRIPT],
            "brand": SCRIPT,
            "price": Decimal("12.34"),
            "currency": "EUR",
            "attributes": {"colour": SCRIPT},
            "verdict": "passed",
        }
    ],
    "tables_report": [
        {
            "table": t,
            "generator": g,
            "metric": m,
            "kind": "fidelity",
            "value": v,
            "reference": r,
            "threshold": b,
            "passed": p,
        }
        for t, g, m, v, r, b, p in (
            ("visits", "gan", "pairs", 0.8642, 0.9753, 0.9265, False),
            ("visits", "gaussian", "pairs", 0.7531, 0.9753, 0.9265, False),
            ("paths", "gan", "unmet", 0.0, None, 0.0, True),
            ("items", "gan", "shapes", 0.9182, 0.9283, 0.8819, True),
        )
    ],
    "synthetic_texts": [
        {
            "kind": "question",
            "label": "where_is_it",
            "sentiment": None,
            "text": f"where {SCRIPT}",
            "draws": 2,
            "verdict": "passed",
            "training_weight": 1.0,
        },
        {
            "kind": "opinion",
            "label": "app",
            "sentiment": "negative",
            "text": "it crashes",
            "draws": 1,
            "verdict": "failed",
            "training_weight": 0.0,
        },
    ],
    "texts_report": [
        {
            "kind_of_text": k,
            "generator": g,
            "metric": m,
            "kind": "utility",
            "value": v,
            "reference": r,
            "threshold": b,
            "passed": p,
            "reason": None,
        }
        for k, g, m, v, r, b, p in (
            ("question", "writer", "transfer", 0.8765, 0.9123, 0.8210, True),
            ("question", "writer_shuffled", "transfer", 0.1357, 0.9123, 0.8210, False),
            ("opinion", "writer", "transfer", 0.2468, 0.7531, 0.6777, False),
        )
    ],
    "augmented_texts": [
        {"item_id": "x", "generator": "typos", "text": f"mgu {SCRIPT}", "verdict": "passed", "training_weight": 0.5}
    ],
    "synthetic_queries": [
        {
            "query": q,
            "item_id": "x",
            "generator": "writer",
            "draws": d,
            "found_rank": 1,
            "verdict": "passed",
            "training_weight": 0.2,
        }
        for q, d in (("mug", 1), (SCRIPT, 4))
    ],
    "stage_runs": [{"stage": "land", "run_date": AS_OF, "seconds": 2.5, "started_at": TS}],
}


def written(spark: SparkSession, folder: Path, rows: Mapping[str, list[dict[str, Any]]]) -> str:
    frames: dict[str, DataFrame] = {t.short: table(spark, t, rows.get(t.short, [])) for t in TABLES.values()}
    path = write_page(frames, night(AS_OF), folder)
    assert path == folder / "2024-05-01" / "index.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(spark, tmp_path_factory.mktemp("report"), ROWS)


@pytest.fixture(scope="module")
def empty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(spark, tmp_path_factory.mktemp("empty"), {})


def text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize("which", ["page", "empty"])
def test_nothing_is_loaded_from_elsewhere(which: str, request: pytest.FixtureRequest) -> None:
    html = request.getfixturevalue(which)
    targets = re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']([^"']*)""", re.sub(r"&[#\w]+;", "", html))
    targets += re.findall(r"""url\(\s*["']?([^)"']*)""", html)
    assert [t for t in targets if not t.startswith("#")] == []
    assert not re.search(r"<(script|link|iframe|object|embed|img|base)\b|@import", html, re.IGNORECASE)


def test_synthetic_people_are_said_to_be_so_with_their_verdict_and_the_figures_beside_real_ones(
    page: str, empty: str
) -> None:
    said = text(page)
    assert "3 people who do not exist, with 3 items between them. Verdict: failed (missed: membership)." in said
    assert "membership privacy 0.5678 missed 0.5123 0.5000 0.5300" in said
    assert page.count("How popular items are") == page.count("How active users are") == 1
    assert "Nothing was synthesised tonight." in text(empty)


def test_synthetic_tables_are_shown_with_a_verdict_each_and_their_figures_by_table(page: str, empty: str) -> None:
    said = text(page)
    assert "2 users: failed , 3 events: failed , 1 items: passed (missed: visits pairs). Nothing is trained on" in said
    assert "pairs fidelity 0.8642 missed 0.7531 missed 0.9753 0.9265" in said
    assert "unmet fidelity 0.0000 \N{EN DASH} 0.0000" in said
    assert "12.34 EUR colour: " in said
    assert page.count("When they come") == page.count("What they do") == 1
    assert "No synthetic tables were made tonight." in text(empty)


def test_synthetic_texts_are_shown_with_a_verdict_a_kind_and_what_was_learned_from(page: str, empty: str) -> None:
    said = text(page)
    assert "1 opinion texts: failed , 1 question texts: passed (missed: opinion transfer)." in said
    assert "The classifiers learned from: question texts." in said
    assert "transfer utility 0.8765 0.1357 missed 0.9123 0.8210" in said
    assert "opinion app negative it crashes" in said
    assert f"question where is it where {SCRIPT}" in said
    assert page.count("Questions beside people") == 1
    assert "No texts were written tonight." in text(empty)


def test_written_searches_are_shown_with_their_verdict_beside_what_people_typed(page: str, empty: str) -> None:
    said = text(page)
    assert "2 searches, written for 1 items by a model of what people typed" in said
    assert "Search results look items up by them too, at a weight of 0.2" in said
    assert "query transfer utility 0.4321 0.0123 missed 0.3333 0.3000" in said
    assert f"{SCRIPT}; mug" in said
    assert page.count("Written beside typed") == 1
    assert "No searches were written tonight." in text(empty)
    assert "It learned from: typos." in said
    assert "label kept utility 0.9876 – 0.9000" in said
    assert f"mgu {SCRIPT}" in said
    assert "No item was written in other words tonight." in text(empty)


def test_advertisements_are_shown_with_their_claims_and_figures(page: str, empty: str) -> None:
    said = text(page)
    assert "12 items were written of tonight, 3 kept their texts. Every text" in said
    assert f"headline 1 {SCRIPT} / headline 2 {SCRIPT} body 1 {SCRIPT}" in said
    assert f"colour {SCRIPT} (record)" in said
    assert "headline 87 % 100 % 2.5" in said
    assert "recsynth 23.4 45.6 0.441" in said
    assert "Of 28 items whose own description was held out." in said
    assert "No item has a text tonight." in text(empty)


def test_what_reviews_say_is_told_with_the_items_that_people_complain_of(page: str, empty: str) -> None:
    said = text(page)
    assert "quality -0.50 4" in said
    assert f"-0.50 4 {SCRIPT} 2" in said
    assert "No review was read tonight." in text(empty)


def test_demand_is_told_with_the_stock_that_covers_it_and_what_the_judge_found(page: str, empty: str) -> None:
    said = text(page)
    assert "Asked for most within 14 days, by item" in said
    assert f"{SCRIPT} 4,321 4,000 5,000 5,678" in said
    assert "item by week mase demand 0.778" in said
    assert "item by week, on promotion wrmsse off promotion 0.988" in said
    assert "On promotion in the weeks to come" in said
    assert f"{AS_OF} 5 4,321.0 3,210.0 5,678" in said
    assert "On promotion in the weeks to come" not in text(empty)
    assert "item by day" not in said
    assert "No demand was forecast tonight." in text(empty)


def test_other_prices_are_told_with_the_items_that_surely_earn_more_by_them(page: str) -> None:
    said = text(page)
    # The better of two sure prices; of the other item the one is not sure and the other earns less.
    assert f"{SCRIPT} 50.00 40.00, on promotion 100.0 234.0 234.0 241.0 +87 % 91 % its own prices" in said
    # A yen is no pound: the item that is priced in it is neither added up nor set beside the others.
    assert said.count("its own prices") == 1
    assert "Of items priced in GBP alone; 1 in other currencies stand in output.demand_what_if." in said
    assert "0.99 times as many ordered on promotion as was told" in said
    assert "it would have been 1.23 times" in said


def test_a_surge_is_told_with_what_people_say(page: str, empty: str) -> None:
    said = text(page)
    assert f"2024-05-01 2024-05-01 2024-05-01 item {SCRIPT} all 17 1.2 {SCRIPT}" in said
    assert f"{SCRIPT} 8 25 %" in said
    assert "Nothing was said in the last days." in text(empty)


def test_items_on_which_accounts_without_a_past_crowd_are_named(page: str, empty: str) -> None:
    said = text(page)
    assert f"{TS.date()} {SCRIPT} 34 30 4 % 2" in said
    assert "What they did counts for nothing" in said
    assert "without a past" not in text(empty)


def test_words_planted_in_titles_are_named(page: str, empty: str) -> None:
    said = text(page)
    assert f"{AS_OF} bestseller 2 3 5 1.0 % {SCRIPT}" in said
    assert "No model reads them" in said
    assert "into many titles at once" not in text(empty)


def test_gaps_that_words_fill_are_told_and_where_words_and_record_disagree(page: str, empty: str) -> None:
    said = text(page)
    assert "colour 1 1 0 0.75 hue 1 0 0 0.75 tint 1 0 1 0.75" in said
    assert f"{SCRIPT} colour red {SCRIPT} – 0.75" in said
    assert f"{SCRIPT} tint red {SCRIPT} blue 0.75" in said
    assert "No item was labelled tonight." in text(empty)


def test_questions_are_told_with_their_answers_and_where_those_stand(page: str, empty: str) -> None:
    said = text(page)
    assert "Of 2 questions of the last days 0 get the answer that agents give, 1 sentences" in said
    assert "delivery cost 1 0.75 0" in said
    assert "unknown 1 – 1" in said
    assert f"{SCRIPT} delivery cost composed It costs {SCRIPT}. policy {SCRIPT}" in said
    assert f"{SCRIPT} unknown hand over Nothing was found." in said
    assert "Nobody asked anything in the last days." in text(empty)


def test_customers_are_told_by_segment_and_in_words_without_the_default(page: str, empty: str) -> None:
    said = text(page)
    assert "champion 1 2.0 3 99 31 0.25" in said
    assert "looker 1 – – 0 –" in said
    assert f"{SCRIPT} Drawn to {SCRIPT}." in said
    assert "Unknown." not in said
    assert "No customer is known." in text(empty)


def test_what_the_shop_wrote_is_text_and_runs_nowhere(page: str) -> None:
    assert SCRIPT not in page
    assert "onerror=alert(1)>" not in page
    # Title, user, history, reason, source, quarantined row: it is said as it was written.
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8
    assert QUERY in text(page)
    assert REASON in text(page)


def test_figures_stand_beside_the_baselines_with_their_intervals(page: str) -> None:
    said = text(page)
    assert "recsynth popularity" in said
    assert "all 0.3333 0.3111 to 0.3555 0.2222 0.2111 to 0.2333" in said
    assert "all/new users 0.1234 0.1001 to 0.1499 –" in said
    assert "coverage@10 0.8765 –" in said


def test_the_page_tells_the_night(page: str) -> None:
    said = text(page)
    for sentence in (
        "1,234", "2 users by 1 items with 2 user-item pairs", "purchases of the 7 days",
        "Model abc123 is set aside: it did not beat the champion (bce, from minilm; validation NDCG@10 0.1100 before, "
        "0.1200 after)", "ranker’s NDCG@10 on the newest window", "Seconds of each stage",
        "had the best item always stood at rank 10, 4.44 % of customers would have bought it (3.33 to 5.55); "
        "had another item always stood at rank 10, 1.11 %", "they are off by 0.017 (1,234 lines",
        "Of 400 searches of the days after the night that led to an item 75 %", "% found by it alone",
        "queries that few had asked before", "0.4567",
        "buy within 28 days 2 2 calibrated trees 0.7654 – 0.0321",
        "leave: nothing for 90 days 0 1 calibrated trees – – –",
    ):  # fmt: skip
        assert sentence in said


def test_a_night_that_is_held_back_says_so_and_names_the_rule(page: str, empty: str) -> None:
    assert "This night is held back: it breaks volume." in page
    assert "1 rules passed, 2 failed, 0 could not be judged." in page
    assert "held back" not in empty
    assert "No rule was judged tonight." in empty


def test_every_plot_is_there_as_svg(page: str) -> None:
    # Reasons, events a day, two tails, synthetic beside real four times, written beside typed, two kinds of texts, the
    # loss, NDCG of one view, probabilities, the ranker's gains, chances and whether they were true, customers by
    # segment, reviews by week, texts and demand by day, units by price, questions by intent, gaps of records, stages.
    assert page.count("<svg") == page.count("</svg>") == 29
    # Mathematics is switched off, so a label in it would be shown as its source.
    assert "mathdefault" not in page


def test_an_empty_night_gives_a_page_that_says_so(empty: str) -> None:
    for sentence in (
        "Nothing was set aside.", "There are no events.", "There are no interactions before this date.",
        "Nothing was trained tonight", "There are no later days yet", "There is nobody to recommend to.",
        "There are no items.", "There are no searches.", "No chances to buy or to leave were made tonight.",
        "No stage was recorded.",
    ):  # fmt: skip
        assert sentence in text(empty)
    assert "<svg" not in empty
