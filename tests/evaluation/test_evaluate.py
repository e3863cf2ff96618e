"""The judge of the nights: every figure of a shop of four users is arithmetic, and a plain twin agrees."""

from __future__ import annotations

from datetime import date
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from recsynth.evaluation.evaluate import exploration
from recsynth.evaluation.judge import Catalogue, fairness
from recsynth.settings import Settings
from recsynth.tables.output import RECOMMENDATIONS
from tests.evaluation.shop import at, judged, plain
from tests.rows import night, table

SECOND, THIRD = 1 / log2(3), 1 / log2(4)
Figures = dict[tuple[str, str, str], Any]

# heavy: 3 baskets before, light: 2, new: 1, looker: none; `late` is what nobody knew before the date.
BOUGHT = [
    ("heavy", "a", "purchase", at(-9)),
    ("heavy", "b", "purchase", at(-8)),
    ("heavy", "c", "purchase", at(-7)),
    ("light", "a", "purchase", at(-6)),
    ("light", "d", "purchase", at(-5)),
    ("new", "a", "purchase", at(-4)),
    ("looker", "e", "view", at(-3)),
    ("heavy", "a", "purchase", at(0)),
    ("heavy", "d", "purchase", at(1)),
    ("light", "b", "purchase", at(6.9)),
    ("new", "a", "purchase", at(2)),
    ("looker", "b", "purchase", at(2)),
    ("looker", "late", "purchase", at(2)),
    ("light", "c", "purchase", at(7)),
    ("stranger", "a", "purchase", at(1)),
    ("new", "b", "view", at(1)),
]
LISTS = {"heavy": ["a", "b", "d"], "light": ["a", "c", "b"], "looker": ["late", "b"]}
VECTORS = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [-1.0, 0.0], "d": [0.0, 1.0]}
HOLDERS = {"a": 3, "b": 1, "c": 1, "d": 1, "e": 0, "late": 0}


def candidate(user: str, item: str, als_rank: int, popular: float, sources: list[str]) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "als_rank": als_rank, "popular_score": popular, "sources": sources}


CANDIDATES = [
    candidate("heavy", "d", 1, 2.0, ["als"]),
    candidate("heavy", "a", 2, 3.0, ["popular"]),
    candidate("light", "c", 1, 1.0, ["als", "popular"]),
]


@pytest.fixture(scope="module")
def figures(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return judged(spark, tmp_path_factory.mktemp("lake"), BOUGHT, LISTS, CANDIDATES, VECTORS)


def value(figures: Figures, metric: str, segment: str = "all", model: str = "recsynth") -> float:
    return float(figures[f"{metric}@10", model, segment].value)


def test_days_with_a_purchase_in_the_window_are_counted(figures: Figures) -> None:
    assert figures["evaluated_days", "", ""].value == 4


# heavy has a and d of [a, b, d]; light has b of [a, c, b]; new has no list; looker has b of [late, b], for
# `late` is relevant to nobody.
HEAVY, LIGHT, NEW, LOOKER = (1 + THIRD) / (1 + SECOND), THIRD, 0.0, SECOND


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ndcg", (HEAVY + LIGHT + NEW + LOOKER) / 4),
        ("recall", (1 + 1 + 0 + 1) / 4),
        ("precision", (2 + 1 + 0 + 1) / 40),
        ("mrr", (1 + 1 / 3 + 0 + 1 / 2) / 4),
        ("hit_rate", 3 / 4),
        ("own_proposals", 1.0),
    ],
)
def test_every_purchase_counts_under_all(figures: Figures, metric: str, expected: float) -> None:
    assert value(figures, metric) == pytest.approx(expected)
    assert figures[f"{metric}@10", "recsynth", "all"]["count"] == 4


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("all/heavy_users", [HEAVY]),
        ("all/light_users", [LIGHT]),
        ("all/new_users", [NEW, LOOKER]),
        # heavy wants d of [d], light b of [c, b], looker b of [late, b]; new wants nothing that it never had.
        ("new", [1.0, SECOND, SECOND]),
        ("new/heavy_users", [1.0]),
        # All but a have at most one holder: heavy wants d, light and looker want b.
        ("cold_items", [THIRD, LIGHT, LOOKER]),
    ],
)
def test_segments_and_views(figures: Figures, segment: str, expected: list[float]) -> None:
    row = figures["ndcg@10", "recsynth", segment]
    assert row.value == pytest.approx(np.mean(expected))
    assert row["count"] == len(expected)
    assert row.low <= row.value <= row.high


def test_buyers_of_whom_nothing_was_known_are_judged_by_the_list_for_everybody_else(
    spark: SparkSession, tmp_path: Path
) -> None:
    later = [*BOUGHT, ("other", "b", "purchase", at(3)), ("other", "late", "purchase", at(3))]
    found = judged(spark, tmp_path, later, LISTS | {"*": ["c", "b", "a"]}, CANDIDATES)
    # `stranger` bought a, `other` b (`late` is relevant to nobody); popularity is [a, d, c].
    row = found["ndcg@10", "recsynth", "strangers"]
    assert (row.value, row["count"]) == (pytest.approx((THIRD + SECOND) / 2), 2)
    assert found["ndcg@10", "popularity", "strangers"].value == pytest.approx((1 + 0) / 2)
    assert {m for _, m, s in found if s == "strangers"} == {"recsynth", "popularity"}
    assert ("coverage@10", "recsynth", "strangers") not in found
    # Those of whom something is known are judged as before.
    assert found["ndcg@10", "recsynth", "all"].value == pytest.approx((HEAVY + LIGHT + NEW + LOOKER) / 4)


# light searched as well; of looker a single view is known, of searcher nothing but two searches.
LITTLE = [
    *BOUGHT,
    ("light", None, "search", at(-4)),
    ("searcher", None, "search", at(-4)),
    ("searcher", None, "search", at(-3)),
    ("searcher", "a", "purchase", at(1)),
]


def test_users_of_whom_little_is_known_are_judged_apart(spark: SparkSession, tmp_path: Path) -> None:
    found = judged(spark, tmp_path, LITTLE, LISTS | {"searcher": ["a"]})
    expected = {
        "all/one_event": [NEW, LOOKER],
        "all/only_searched": [1.0],
        "all/only_looked": [LOOKER, 1.0],
        "all/new_users": [NEW, LOOKER, 1.0],
        "new/one_event": [SECOND],
        "all/light_users": [LIGHT],
    }
    rows = {segment: found["ndcg@10", "recsynth", segment] for segment in expected}
    assert {s: r.value for s, r in rows.items()} == {s: pytest.approx(np.mean(v)) for s, v in expected.items()}
    assert {s: r["count"] for s, r in rows.items()} == {s: len(v) for s, v in expected.items()}


def test_the_recall_of_each_source_is_of_what_it_proposed_itself(figures: Figures) -> None:
    # heavy buys a and d, light b, new a, looker b. ALS proposed heavy's d, popularity its a; light's c was not bought.
    found = {(m, s): r.value for (m, s, segment), r in figures.items() if segment == "candidates/all"}
    assert found["recall@50", "als"] == pytest.approx(1 / 2 / 4)
    assert found["recall@50", "popular"] == 0.0
    assert found["recall@300", "union"] == pytest.approx(1 / 2 / 4)
    assert found["found_alone", "als"] == pytest.approx(1 / 2 / 4)
    assert found["found_alone", "popular"] == pytest.approx(1 / 2 / 4)
    # Of what they had never bought, heavy's d, light's b and looker's b.
    new = figures["recall@50", "als", "candidates/new"]
    assert (new.value, new["count"]) == (pytest.approx(1 / 3), 3)


def test_coverage_and_inequality_exist_for_each_segment_without_an_interval(figures: Figures) -> None:
    # Six items can be shown: heavy's list shows half of them, the three lists together all but e.
    assert value(figures, "coverage", "all/heavy_users") == 3 / 6
    assert value(figures, "coverage") == 5 / 6
    # All of them but a are cold.
    assert value(figures, "coverage", "cold_items") == 4 / 5
    assert value(figures, "exposure_gini", "all/heavy_users") == pytest.approx(0.5)
    row = figures["coverage@10", "recsynth", "new"]
    assert (row.low, row.high, row["count"]) == (None, None, 6)


def test_the_rarer_half_of_the_catalogue_and_the_brands_have_their_share_of_the_places(figures: Figures) -> None:
    # By holders e, late and b are the rarer half: b stands in three lists, late in one, of eight places.
    assert value(figures, "rare_exposure") == 4 / 8
    assert ("brand_exposure_gini@10", "recsynth", "all") not in figures
    lists = pd.Series([["a", "b"], ["a", "c"], []])
    shop = Catalogue({"a": 2, "b": 1, "c": 1, "d": 0}, [], frozenset(), 3, {"a": "acme", "b": "bolt", "c": "bolt"})
    # Places for each item: acme 2, bolt 1; d and its place are no brand's.
    assert fairness(lists, shop) == {"rare_exposure": 1 / 4, "brand_exposure_gini": pytest.approx(1 / 6)}
    assert fairness(pd.Series([[]]), shop) == {"rare_exposure": 0.0, "brand_exposure_gini": 0.0}


def test_novelty_and_diversity_are_means_over_users_with_intervals(figures: Figures) -> None:
    bits = {item: log2(3 / max(holders, 1)) for item, holders in HOLDERS.items()}
    expected = {user: np.mean([bits[i] for i in top]) for user, top in LISTS.items()}
    assert value(figures, "novelty_bits", "all/heavy_users") == pytest.approx(expected["heavy"])
    assert value(figures, "novelty_bits") == pytest.approx(sum(expected.values()) / 4)
    # heavy: a-b and a-d are at right angles, b-d are the same; light: a-c are opposite, a-b and c-b at right angles.
    assert value(figures, "diversity", "all/heavy_users") == pytest.approx((1 + 1 + 0) / 3)
    assert value(figures, "diversity", "all/light_users") == pytest.approx((2 + 1 + 1) / 3)
    assert figures["diversity@10", "recsynth", "all"].high is not None


def test_a_baseline_is_the_source_s_own_order_and_says_how_far_it_is_its_own(figures: Figures) -> None:
    # heavy gets [d, a] and wants both; light gets [c].
    assert value(figures, "ndcg", "all/heavy_users", "als") == 1.0
    assert value(figures, "ndcg", "all/light_users", "als") == 0.0
    assert value(figures, "own_proposals", "all/heavy_users", "als") == 1 / 2
    assert value(figures, "own_proposals", "all/light_users", "als") == 1.0


def test_popularity_is_one_ranking_for_everybody_also_for_whom_nothing_was_proposed(figures: Figures) -> None:
    # [a, d, c] of all that anybody was proposed; under `new` heavy is left d, light c, the others as it is.
    assert value(figures, "mrr", "all/new_users", "popularity") == (1 + 0) / 2
    assert value(figures, "hit_rate", "new/heavy_users", "popularity") == 1.0
    assert value(figures, "ndcg", "all/heavy_users", "popularity") == 1.0


def test_without_later_days_there_is_that_alone(spark: SparkSession, tmp_path: Path) -> None:
    found = judged(spark, tmp_path, [row for row in BOUGHT if row[3] < at(0)], LISTS)
    assert {key: row.value for key, row in found.items()} == {("evaluated_days", "", ""): 0.0}


def test_equals_the_plain_protocol_on_a_random_shop(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    users, items = [f"u{i}" for i in range(12)], [f"i{i}" for i in range(25)]
    bought = [
        (
            str(rng.choice(users)),
            str(rng.choice(items)),
            str(rng.choice(["purchase", "view"])),
            at(rng.uniform(-20, 10)),
        )
        for _ in range(120)
    ]
    lines = {user: [str(i) for i in rng.permutation(items)[:20]] for user in users[:-2]}
    found, expected = judged(spark, tmp_path, bought, lines), plain(bought, lines)
    for view in ("all", "new"):
        row = found["ndcg@10", "recsynth", view]
        assert (row.value, row["count"]) == (pytest.approx(np.mean(expected[view])), len(expected[view]))


# heavy bought a and d, light b, looker b; new has no list and a line without a probability says nothing.
SAID = {
    ("heavy", "a"): 0.92, ("heavy", "b"): 0.12, ("heavy", "d"): 0.98,
    ("light", "a"): 0.16, ("light", "b"): 0.14, ("looker", "b"): 1.0,
}  # fmt: skip


def test_probabilities_are_held_against_what_was_bought(spark: SparkSession, tmp_path: Path) -> None:
    found = judged(spark, tmp_path, BOUGHT, LISTS, CANDIDATES, VECTORS, SAID)
    low, high = "0.1 to 0.2", "0.9 to 1.0"
    assert found["probability_predicted", "recsynth", low].value == pytest.approx(0.14)
    assert found["probability_observed", "recsynth", low].value == pytest.approx(1 / 3)
    assert found["probability_predicted", "recsynth", high].value == pytest.approx(2.9 / 3)
    assert found["probability_observed", "recsynth", high].value == 1.0
    error = found["expected_calibration_error", "recsynth", "lines"]
    assert error.value == pytest.approx((1 / 3 - 0.14) / 2 + (1 - 2.9 / 3) / 2)
    assert error["count"] == 6


def test_a_probability_for_other_days_or_none_is_not_judged(
    spark: SparkSession, figures: Figures, tmp_path: Path
) -> None:
    other = judged(spark, tmp_path, BOUGHT, LISTS, CANDIDATES, VECTORS, SAID, label_days=14)
    for found in (figures, other):
        assert not any(metric == "expected_calibration_error" for metric, _, _ in found)


def test_what_stood_at_the_drawn_rank_is_judged_by_its_propensity(spark: SparkSession) -> None:
    settings = {"ranking": {"exploration": {"share": 0.25, "place": 2}}, "evaluation": {"resamples": 100}}
    # Of six who saw the best item two bought it; of two who saw another, one; the seventh saw the best at another rank.
    seen = [(f"u{n}", 2, f"i{n}", n >= 6, 0.75) for n in range(8)] + [("u9", 1, "i9", False, 1.0)]
    rows = [{"user_id": u, "rank": r, "item_id": i, "is_explored": e, "propensity": p} for u, r, i, e, p in seen]
    bought = [("u0", "i0"), ("u1", "i1"), ("u7", "i7"), ("u9", "i9"), ("u2", "another")]
    truth = spark.createDataFrame(bought, "user_id string, item_id string")
    tonight = night(date(2024, 5, 1), Settings.model_validate(settings))
    found = {r[2]: r for r in exploration(table(spark, RECOMMENDATIONS, rows), truth, tonight)}
    assert found["best_item"][4] == pytest.approx(2 / 0.75 / 8)
    assert found["explored_item"][4] == pytest.approx(1 / 0.25 / 8)
    assert {(r[1], r[3], r[7]) for r in found.values()} == {("purchase_rate", "rank 2", 8)}
    low, high = found["best_item"][5:7]
    assert low < 2 / 0.75 / 8 < high
    nothing = table(spark, RECOMMENDATIONS, [row | {"propensity": 1.0} for row in rows])
    assert exploration(nothing, truth, tonight) == []
