"""Variety within a list: the plain definition, and which lines it may move."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.model.vectors import write_vectors
from recsynth.ranking.diversity import maximal_marginal_relevance, varied
from recsynth.ranking.recommend import recommend
from recsynth.settings import Settings
from recsynth.tables.gold import INTERACTIONS
from recsynth.tables.output import NEW_ITEM_RECOMMENDATIONS
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS
from tests.inference.planted import angle, champions, item_embeddings, item_text
from tests.rows import night, table

LINES = "user_id string, item_id string, score double, rank int, is_beyond boolean"


def plain(scores: list[float], vectors: np.ndarray, weight: float) -> list[int]:
    """The definition, word for word."""
    least, most = min(scores), max(scores)
    chosen: list[int] = []
    while len(chosen) < len(scores):

        def worth(i: int) -> float:
            like = max([0.0, *(float(vectors[i] @ vectors[j]) for j in chosen)])
            return round((1 - weight) * (scores[i] - least) / (most - least) - weight * like, 6)

        chosen.append(max((i for i in range(len(scores)) if i not in chosen), key=lambda i: (worth(i), -i)))
    return chosen


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 0.9])
def test_equals_its_definition(weight: float) -> None:
    drawn = np.random.default_rng(7)
    for _ in range(20):
        scores = sorted(drawn.normal(size=12).tolist(), reverse=True)
        vectors = drawn.normal(size=(12, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = maximal_marginal_relevance(np.array(scores), vectors, weight).tolist()
        assert found == plain(scores, vectors, weight)
        if not weight:
            assert found == list(range(12))


def test_equal_scores_are_told_apart_by_likeness_alone() -> None:
    assert maximal_marginal_relevance(np.zeros(3), np.eye(2)[[0, 0, 1]], 0.5).tolist() == [0, 2, 1]


def test_only_the_first_lines_move_and_none_across_the_cap(spark: SparkSession, tmp_path: Path) -> None:
    vectors = spark.createDataFrame(
        [(i, angle(degrees)) for i, degrees in {"a": 0.0, "b": 1.0, "c": 90.0, "d": 0.0, "e": 0.0}.items()],
        "item_id string, vector array<float>",
    )
    of_user = [("a", 9.0, 1, False), ("b", 8.9, 2, False), ("c", 7.0, 3, False), ("no vector", 6.0, 4, True),
               ("d", 5.0, 5, True), ("e", 4.0, 6, True)]  # fmt: skip
    lines = spark.createDataFrame([(user, *line) for user in "uv" for line in of_user], LINES)
    found = varied(lines, write_vectors(vectors, tmp_path / "vectors"), 0.5, 5)
    assert set(found.columns) == {"user_id", "item_id", "score", "rank", "is_beyond"}
    for user in "uv":
        ranks = {r.item_id: r["rank"] for r in found.where(f"user_id = '{user}'").collect()}
        # b is like a, so c comes before it; d and what has no vector stand behind both, as the cap has it.
        assert ranks == {"a": 1, "c": 2, "b": 3, "no vector": 4, "d": 5, "e": 6}


def test_a_night_s_lists_vary_where_the_setting_says_so(spark: SparkSession, tmp_path: Path) -> None:
    lists = {}
    for weight in (0.0, 0.6):
        settings = {"paths": {"lake": str(tmp_path / str(weight))}, "ranking": {"diversity": weight}}
        at = night(date(2024, 5, 1), Settings.model_validate(settings))
        lines = [{"cutoff": at.cutoff, "user_id": "u", "item_id": i, "popular_score": s}
                 for i, s in (("a", 3.0), ("b", 2.9), ("c", 1.0))]  # fmt: skip
        days = {"a": 1, "b": 2, "c": 20}
        bought = [{"user_id": f"buyer of {i}", "item_id": i, "purchases": 1, "first_ts": at.cutoff - timedelta(days=d),
                   "last_ts": at.cutoff - timedelta(days=d)} for i, d in days.items()]  # fmt: skip
        found = recommend(
            table(spark, FEATURE_ROWS, lines), table(spark, CANDIDATES, [{**r, "sources": ["popular"]} for r in lines]),
            table(spark, INTERACTIONS, bought),
            item_text(spark, {"a": "", "b": "", "c": ""}), item_embeddings(spark, {"a": 0, "b": 1, "c": 90}, {}),
            champions(spark), table(spark, NEW_ITEM_RECOMMENDATIONS, []), at,
        )["recommendations"]  # fmt: skip
        lists[weight] = [[r.item_id for r in found.where(F.col("user_id") == user).orderBy("rank").collect()]
                         for user in ("u", "*")]  # fmt: skip
    # The list of strangers, too.
    assert {weight: of_u for weight, (of_u, _) in lists.items()} == {0.0: ["a", "b", "c"], 0.6: ["a", "c", "b"]}
    assert lists[0.6][1] == ["a", "c", "b"] != lists[0.0][1]
