"""Texts and users through the tiny champion: what is encoded, and that workers give what plain torch gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.inference.embed_texts import embed_texts
from recsynth.inference.embed_users import embed_users, padded
from recsynth.inference.settings import InferenceSettings
from recsynth.model.folder import write_model
from recsynth.model.towers import EVENT_TYPES, ImageMap, MatchModel
from recsynth.model.vectors import rounded
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import HISTORIES, ITEM_TEXT, QUERY_ITEMS, WINDOW_HISTORIES
from recsynth.tables.model import ITEM_EMBEDDINGS
from recsynth.tables.rank import WINDOWS
from recsynth.tables.synthesis import SYNTHETIC_QUERIES
from tests.inference.planted import champions
from tests.model.tiny import tiny_model
from tests.rows import night, table

AS_OF = date(2024, 5, 1)
ITEMS = {"x": "red thing1", "y": "blue thing2 and much more of it", "z": "红色杯子", "twin": "red thing1"}
QUERIES = {"gold": 3, "green thing3": 2, "rare": 1}
# Of written searches those that are used alone get vectors.
WRITTEN = {"blue thing9": 0.2, "red thing9": 0.0}


@dataclass(frozen=True)
class Lake:
    """A lake that holds the tiny champion `m` and whatever was encoded under it."""

    spark: SparkSession
    night: Night
    model: MatchModel

    def encode(self, have: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        text = [{"item_id": i, "text": t, "content_hash": f"h{t}"} for i, t in ITEMS.items()]
        queries = [{"query": q, "item_id": "x", "query_sessions": n} for q, n in QUERIES.items()]
        written = [{"query": q, "item_id": "x", "training_weight": w} for q, w in WRITTEN.items()]
        found = embed_texts(
            table(self.spark, ITEM_TEXT, text), table(self.spark, QUERY_ITEMS, queries),
            table(self.spark, SYNTHETIC_QUERIES, written), champions(self.spark),
            table(self.spark, ITEM_EMBEDDINGS, have), self.night,
        )  # fmt: skip
        return [row.asDict() for row in found["item_embeddings"].collect()] if found else []

    def pool(
        self, events: dict[str, list[tuple[Any, ...]]], have: Sequence[dict[str, Any]],
        windows: Sequence[dict[str, Any]] = (),
    ) -> DataFrame:  # fmt: skip
        rows = [{"user_id": user, "events": history} for user, history in events.items()]
        text = [{"item_id": i, "text": t, "content_hash": f"h{t}"} for i, t in ITEMS.items()]
        earlier = [{"cutoff": self.night.cutoff_before(28), **row} for row in rows[:1]]
        return embed_users(
            table(self.spark, HISTORIES, rows), table(self.spark, WINDOW_HISTORIES, earlier),
            table(self.spark, ITEM_TEXT, text), table(self.spark, ITEM_EMBEDDINGS, have), champions(self.spark),
            table(self.spark, WINDOWS, windows), self.night,
        )  # fmt: skip


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("lake")
    settings = {"paths": {"lake": str(folder)}, "inference": {"batch_size": 2, "max_queries": 2},
                "training": {"history_length": 4}}  # fmt: skip
    model = tiny_model(tmp_path_factory.mktemp("encoder"))
    torch.manual_seed(1)
    for weights in model.user.parameters():  # an untrained tower would hide a place that is read wrongly
        torch.nn.init.normal_(weights, std=0.1)
    write_model(model, folder / "_models" / "m", {})
    return Lake(spark, night(AS_OF, Settings.model_validate(settings)), model)


@pytest.fixture(scope="module")
def embeddings(lake: Lake) -> list[dict[str, Any]]:
    return lake.encode()


LEVELS = InferenceSettings.model_validate({}).vector_levels
ROUNDING = 0.5 / LEVELS + 1e-5


def texts(rows: list[dict[str, Any]], lake: Lake) -> dict[tuple[str, str], np.ndarray]:
    hashes = lake.spark.range(1).select(*(F.sha2(F.lit(q), 256).alias(q) for q in [*QUERIES, *WRITTEN])).first()
    assert hashes is not None
    names = {**{f"h{t}": t for t in ITEMS.values()}, **{hashes[q]: q for q in [*QUERIES, *WRITTEN]}}
    return {(row["kind"], names[row["content_hash"]]): np.array(row["vector"]) for row in rows}


def test_each_text_is_encoded_once_and_of_the_queries_the_frequent_ones_and_those_in_use(
    embeddings: list[dict[str, Any]], lake: Lake
) -> None:
    found = texts(embeddings, lake)
    assert len(embeddings) == len(found)
    queries = {("query", q) for q in ("gold", "green thing3", "blue thing9")}
    assert set(found) == {("item", t) for t in ITEMS.values()} | queries
    assert {row["model_version"] for row in embeddings} == {"m"}


def test_vectors_equal_plain_torch_chinese_included(embeddings: list[dict[str, Any]], lake: Lake) -> None:
    found = texts(embeddings, lake)
    wanted = lake.model.text.encode([text for _, text in found])
    vectors = np.stack(list(found.values()))
    np.testing.assert_allclose(vectors, wanted, atol=ROUNDING)
    # A multiple of 1 / 512 is exact in float32, and few of them occur: a byte each in Parquet's dictionary.
    np.testing.assert_array_equal(vectors * LEVELS, np.rint(vectors * LEVELS))
    assert not np.allclose(found["item", "红色杯子"], found["item", "red thing1"], atol=1e-2)


def test_only_what_this_model_has_not_seen_is_encoded(embeddings: list[dict[str, Any]], lake: Lake) -> None:
    missing, other = embeddings[0], {**embeddings[0], "model_version": "of another model"}
    (made,) = lake.encode([*embeddings[1:], other])
    assert (made["kind"], made["content_hash"]) == (missing["kind"], missing["content_hash"])
    assert lake.encode(embeddings) == []


def test_users_equal_the_plain_tower_and_who_is_unknown_has_no_row(
    embeddings: list[dict[str, Any]], lake: Lake
) -> None:
    def ago(days: float) -> Any:
        return lake.night.cutoff - timedelta(days=days)

    histories = {
        "a": [(ago(50), "view", "y", None), (ago(40), "purchase", "z", None)],
        "long": [(ago(9 - n), "view", "xyz"[n % 3], None) for n in range(6)],
        "searcher": [(ago(3), "search", None, " Green  THING3"), (ago(2), "cart", "unheard of", None)],
        "nobody": [(ago(3), "search", None, "never asked before"), (ago(2), "view", "unheard of", None)],
    }
    vectors = texts(embeddings, lake)
    found = {(r.cutoff, r.user_id): r.vector for r in lake.pool(histories, embeddings).collect()}
    assert {user for _, user in found} == {"a", "long", "searcher"}
    tonight, earlier = max(cutoff for cutoff, _ in found), min(cutoff for cutoff, _ in found)
    expected = {
        (tonight, "a"): [("item", ITEMS["y"], "view", 50.0), ("item", ITEMS["z"], "purchase", 40.0)],
        # The same history, 28 days younger.
        (earlier, "a"): [("item", ITEMS["y"], "view", 22.0), ("item", ITEMS["z"], "purchase", 12.0)],
        # The last four of six.
        (tonight, "long"): [("item", ITEMS["xyz"[n % 3]], "view", 9.0 - n) for n in range(2, 6)],
        (tonight, "searcher"): [("query", "green thing3", "search", 3.0)],
    }
    assert set(found) == set(expected)
    for key, places in expected.items():
        plain = lake.model.user(
            torch.tensor(np.stack([vectors[kind, text] for kind, text, _, _ in places]), dtype=torch.float32)[None],
            torch.tensor([[EVENT_TYPES.index(event) for *_, event, _ in places]]),
            torch.tensor([[age for *_, age in places]]),
        )
        np.testing.assert_allclose(found[key], plain[0].detach().numpy(), atol=ROUNDING)
        np.testing.assert_array_equal(np.array(found[key]) * LEVELS, np.rint(np.array(found[key]) * LEVELS))


def test_an_items_picture_is_in_its_vector(spark: SparkSession, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "encoder")
    model.image = ImageMap(2, model.text.embedding_size)
    torch.nn.init.normal_(model.image.weight_DI)
    write_model(model, tmp_path / "_models" / "m", {})
    at = night(AS_OF, Settings.model_validate({"paths": {"lake": str(tmp_path)}}))
    pictures = {"seen": [1.0, 2.0], "unseen": None}
    text = [{"item_id": i, "text": "red thing1", "content_hash": i, "image_vector": p} for i, p in pictures.items()]
    queries = [{"query": "red thing1", "item_id": "seen", "query_sessions": 1}]
    found = embed_texts(
        table(spark, ITEM_TEXT, text), table(spark, QUERY_ITEMS, queries), table(spark, SYNTHETIC_QUERIES, []),
        champions(spark), table(spark, ITEM_EMBEDDINGS, []), at,
    )["item_embeddings"].collect()  # fmt: skip
    vectors = {(r.kind, r.content_hash): r.vector for r in found}
    expected = model.encode(["red thing1"] * 2, [np.array(p) if p else None for p in pictures.values()])
    for row, item in zip(expected, pictures, strict=True):
        np.testing.assert_allclose(vectors["item", item], row, atol=ROUNDING)
    (query,) = (v for (kind, _), v in vectors.items() if kind == "query")
    np.testing.assert_allclose(query, expected[1], atol=ROUNDING)
    assert not np.allclose(expected[0], expected[1], atol=0.1)


def test_without_a_champion_nothing_is_encoded(lake: Lake) -> None:
    none = champions(lake.spark).where("false")
    items, queries = table(lake.spark, ITEM_TEXT, []), table(lake.spark, QUERY_ITEMS, [])
    written, have = table(lake.spark, SYNTHETIC_QUERIES, []), table(lake.spark, ITEM_EMBEDDINGS, [])
    assert embed_texts(items, queries, written, none, have, lake.night) == {}


def test_places_without_a_vector_are_left_out_and_the_rest_move_up() -> None:
    block = pd.DataFrame({"keys": [["=a", "=no", "?q"], []], "types": [[2, 3, 1], []], "ages": [[5.0, 4.0, 3.0], []]})
    rows, types, ages = padded(block, {"=a": 7, "?q": 8}, 3)
    assert (rows.tolist(), types.tolist()) == ([[7, 8, 0], [0, 0, 0]], [[2, 1, 0], [0, 0, 0]])
    assert ages.tolist() == [[5.0, 3.0, 0.0], [0.0, 0.0, 0.0]]


def test_vectors_come_as_they_are_where_that_is_asked_for() -> None:
    exact = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)
    assert np.array_equal(rounded(exact, 0), exact)
    assert np.abs(rounded(exact, 512) - exact).max() == pytest.approx(0.5 / 512, rel=0.05)
    assert not np.signbit(rounded(np.array([-1e-9]), 512)).any()
