"""Item labels: gaps of records are filled from words, marked as such, judged on items that no night learns from."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from recsynth.apps.item_labels import figures, item_labels
from recsynth.apps.item_words import ANY, item_words
from recsynth.apps.read_texts import label_texts, teach_texts
from recsynth.apps.tagger import Marked, Span
from recsynth.gold.item_text import item_text
from recsynth.settings import Settings
from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.catalogue_dirt import gaps
from recsynth.shop.settings import ShopSettings
from recsynth.stage import Night
from recsynth.tables.gold import CLICK_FARMS, TITLE_TRIGGERS
from recsynth.tables.model import CLASSIFIERS, TEXT_LABELS
from recsynth.tables.output import ITEM_LABELS
from recsynth.tables.silver import ITEMS, POSTS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_TEXTS
from tests.rows import events, item_record, item_records, night, table

AS_OF = date(2024, 6, 1)
SHOP = ShopSettings(items=260, dirt={"gaps": 0.08})
SEED = 11


def shop_items(spark: SparkSession) -> DataFrame:
    """silver.items of the simulated catalogue with its gaps."""
    lost = set(map(tuple, gaps(SHOP, SEED)[["item_id", "field"]].to_numpy().tolist()))
    rows = []
    for item in described(catalogue(SHOP, SEED), "en").to_dict("records"):
        key = item["item_id"]
        own = {name: item[name] for name in ("colour", "material", "size") if (key, name) not in lost}
        rows.append({
            "item_id": key, "valid_from": datetime(2024, 1, 1), "title": item["title"],
            "description": item["description"],
            "category": None if (key, "category") in lost else item["category"].split(" > "),
            "brand": None if (key, "brand") in lost else item["brand"], "attributes": own,
        })  # fmt: skip
    odd = [
        {"item_id": "liar", "valid_from": datetime(2024, 1, 1), "title": "Ora red steel mug, small",
         "description": "A small red mug made of steel.", "brand": "Ora", "attributes": {"colour": "blue"}},
        {"item_id": "wordless", "valid_from": datetime(2024, 1, 1), "title": "🙂", "brand": "Ora"},
        {"item_id": "long", "valid_from": datetime(2024, 1, 1), "title": "x", "description": "red " * 300_000},
    ]  # fmt: skip
    return table(spark, ITEMS, [*rows, *odd])


def at(lake: Path) -> Night:
    category = {"min_each": 4, "classifier": {"epochs": 0, "validation_share": 0.25}}
    labels = {"tagger": {"epochs": 3, "max_tokens": 64}, "category": category}
    return night(AS_OF, Settings.model_validate({"paths": {"lake": str(lake)}, "apps": {"labels": labels}}))


def no_nights(spark: SparkSession) -> DataFrame:
    return table(spark, ITEM_LABELS, []).withColumn("run_date", F.lit(AS_OF))


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Taught, labelled and found, as the three stages do it."""
    on, items = at(tmp_path_factory.mktemp("lake")), shop_items(spark).persist()
    none = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    said, posted, asked = (table(spark, t, []) for t in (REVIEWS, POSTS, TICKETS))
    farms, written = (table(spark, t, []) for t in (CLICK_FARMS, SYNTHETIC_TEXTS))
    taught = teach_texts(said, posted, asked, items, farms, written, none, on)
    models = taught["classifiers"].withColumn("run_date", F.lit(AS_OF)).persist()
    texts = label_texts(said, posted, asked, items, models, table(spark, TEXT_LABELS, []), on).persist()
    found = item_labels(items, models, texts, no_nights(spark), on).persist()
    return {"night": on, "items": items, "models": models, "texts": texts, "found": found,
            "rows": {(r.item_id, r.field): r for r in found.collect()},
            "figures": {(r.segment, r.metric, r.model): r.value for r in taught["metrics"].collect()}}  # fmt: skip


@pytest.mark.slow
def test_planted_gaps_are_filled_with_what_was_planted(made: dict[str, Any]) -> None:
    rows: dict[tuple[str, str], Row] = made["rows"]
    lost = gaps(SHOP, SEED)
    assert len(lost) > 60
    filled = [rows.get((item, field)) for item, field in zip(lost["item_id"], lost["field"], strict=True)]
    assert all(row is None or (row.is_inferred and row.recorded is None) for row in filled)
    right = [row is not None and row.value == value for row, value in zip(filled, lost["value"], strict=True)]
    assert sum(right) / len(right) > 0.9
    sure = [is_right for row, is_right in zip(filled, right, strict=True) if row is not None and row.confidence >= 0.9]
    assert sum(sure) / len(sure) > 0.95


@pytest.mark.slow
def test_models_are_judged_on_items_that_none_learns_from(made: dict[str, Any]) -> None:
    assert sorted(r.task for r in made["models"].collect()) == ["item_category", "item_fields"]
    assert made["figures"]["item_fields", "span_f1", "challenger"] >= 0.95
    assert made["figures"]["item_fields", "span_f1", "known_values"] > 0.9
    assert made["figures"]["item_category", "accuracy", "challenger"] > 0.8


@pytest.mark.slow
def test_words_that_contradict_the_record_are_told_and_fill_nothing(made: dict[str, Any]) -> None:
    liar = made["rows"]["liar", "colour"]
    assert (liar.value, liar.words, liar.found_in, liar.start) == ("red", "red", "title", 4)
    assert (liar.is_inferred, liar.recorded) == (False, "blue")
    assert {item for item, _ in made["rows"]}.isdisjoint({"wordless"})


@pytest.mark.slow
def test_words_are_read_once_by_a_model(spark: SparkSession, made: dict[str, Any]) -> None:
    # What the night before said is told as it was said, here with a chance that the tagger itself never gives.
    said = made["found"].withColumn("confidence", F.lit(0.125)).where("item_id <> 'liar'")
    before = said.withColumn("run_date", F.lit(AS_OF - timedelta(days=1)))
    again = item_labels(made["items"], made["models"], made["texts"], before, made["night"])
    rows = {key: r for r in again.collect() if (key := (r.item_id, r.field))[1] != "category"}
    assert rows.keys() == {key for key in made["rows"] if key[1] != "category"}
    assert {r.confidence for key, r in rows.items() if key[0] != "liar"} == {0.125}
    assert rows["liar", "colour"].confidence > 0.5


def test_item_text_uses_what_is_sure_enough(spark: SparkSession) -> None:
    records = item_records(spark, [
        item_record("a", AS_OF - timedelta(days=3), title="mug", attributes={"Colour": "red", "size": " "}),
        item_record("b", AS_OF - timedelta(days=3), title="pan", brand="Ora", category=["Kitchen"]),
    ])  # fmt: skip

    def label(item: str, field: str, value: str, confidence: float, is_inferred: bool = True) -> dict[str, Any]:
        said = {"item_id": item, "field": field, "value": value, "words": value, "found_in": "title", "start": 0}
        return said | {"confidence": confidence, "is_inferred": is_inferred, "content_hash": "h", "model_version": "m"}

    labels = table(spark, ITEM_LABELS, [
        label("a", "brand", "Fenwick", 0.9), label("a", "category", "Kitchen > Mugs", 0.9),
        label("a", "size", "small", 0.9), label("a", "material", "glass", 0.6),
        label("a", "colour", "blue", 0.9, is_inferred=False),
    ])  # fmt: skip
    triggers = table(spark, TITLE_TRIGGERS, [])
    told = item_text(records, events(spark, []), labels, triggers, night(AS_OF)).collect()
    found = {r.item_id: r.text for r in told}
    assert found == {"a": "mug. Kitchen, Mugs. By Fenwick. Colour red, size small.", "b": "pan. Kitchen. By Ora."}


def test_values_of_fields_that_the_record_lacks_are_neither_right_nor_wrong() -> None:
    judged = Marked(["a red mug"], [[Span("colour", 2, 5), Span(ANY, 6, 9)]])
    found = [[Span("colour", 2, 5, 0.9), Span("material", 6, 9, 0.9)]]
    assert figures(found, judged, {("colour", "red")}) == [
        ("span_precision", 1.0, 1), ("span_recall", 1.0, 1), ("span_f1", 1.0, 1)
    ]  # fmt: skip
    assert figures(found, judged, set())[-1] == ("unseen_recall", 1.0, 1)


def test_the_words_of_an_item_are_its_latest_title_and_description(spark: SparkSession) -> None:
    rows = [
        {"item_id": "a", "valid_from": datetime(2024, 1, day), "title": title, "description": "D.", "brand": "Ora",
         "category": ["K", "M"], "attributes": {" Colour": "red", "colour": "blue", "size": "", "brand": "x"}}
        for day, title in ((1, "old"), (2, "new\n mug"))
    ]  # fmt: skip
    (row,) = item_words(table(spark, ITEMS, rows)).collect()
    assert (row.text, row.title_length, row.category) == ("new mug. D.", 7, "K > M")
    assert row.fields == {"brand": "Ora", "colour": "red"}


def test_a_shop_without_models_or_with_labels_off_gets_an_empty_table(spark: SparkSession, tmp_path: Path) -> None:
    off = Settings.model_validate({"paths": {"lake": str(tmp_path)}, "apps": {"labels": {"enabled": False}}})
    none = table(spark, CLASSIFIERS, []).withColumn("run_date", F.lit(AS_OF))
    for on in (at(tmp_path), night(AS_OF, off)):
        found = item_labels(shop_items(spark), none, table(spark, TEXT_LABELS, []), no_nights(spark), on)
        assert found.count() == 0
