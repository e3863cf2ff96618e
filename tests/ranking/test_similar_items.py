"""Similar items: the blend as arithmetic; what can not be sold is similar to nothing."""

from __future__ import annotations

from datetime import date
from math import cos, radians
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.ranking.similar_items import similar_items
from recsynth.settings import Settings
from recsynth.tables.rank import ITEM_NEIGHBOURS
from tests.inference.planted import champions, item_embeddings, item_text
from tests.rows import night, table

SETTINGS = {"ranking": {"similar_items": 2, "similar_text_weight": 0.25}}


def test_text_and_shared_users_are_blended_and_the_item_itself_is_left_out(spark: SparkSession, tmp_path: Path) -> None:
    text = item_text(spark, {"a": "", "b": "", "c": "", "cold": "cold", "gone": "unavailable", "mute": ""})
    vectors = item_embeddings(spark, {"a": 0, "b": 60, "c": 90, "cold": 10, "gone": 1}, {})
    shared = [{"item_id": i, "neighbour_id": j, "score": s} for i, j, s in (("a", "b", 0.5), ("mute", "c", 0.8))]
    settings = Settings.model_validate({"paths": {"lake": str(tmp_path)}, **SETTINGS})
    found = similar_items(
        text, vectors, table(spark, ITEM_NEIGHBOURS, shared), champions(spark), night(date(2024, 5, 1), settings)
    ).collect()
    lists = {(r.item_id, r.rank): (r.similar_item_id, r.score) for r in found}

    def blend(degrees: float, shared: float) -> float:
        return 0.25 * (1 + cos(radians(degrees))) / 2 + 0.75 * shared

    assert lists["a", 1] == ("b", pytest.approx(blend(60, 0.5)))
    assert lists["a", 2] == ("cold", pytest.approx(blend(10, 0.0)))
    # The new item is like others by its text; the one that is gone has neighbours and is none.
    assert lists["cold", 1] == ("a", pytest.approx(blend(10, 0.0)))
    assert lists["gone", 1] == ("a", pytest.approx(blend(1, 0.0)))
    # Without a text of its own an item is like what the same users have: unrelated in text is 1/2.
    assert lists["mute", 1] == ("c", pytest.approx(0.25 / 2 + 0.75 * 0.8))
    assert {similar for similar, _ in lists.values()} <= {"a", "b", "c", "cold"}
    assert max(rank for _, rank in lists) == 2
    assert {r.model_version for r in found} == {"m"}
