"""Title triggers: noticed where they are planted, in no ordinary catalogue, and read by no model."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.gold.item_text import item_text
from recsynth.gold.title_triggers import title_triggers, without_triggers
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import TITLE_TRIGGERS
from recsynth.tables.output import ITEM_LABELS
from tests.gold.titles import CATEGORIES, DAY0, WORD, catalogue, planted
from tests.rows import events, item_record, item_records, night, table

AS_OF = date(2024, 4, 1)


def at(**triggers: object) -> Night:
    return night(AS_OF, Settings.model_validate({"gold": {"triggers": triggers}}))


def found(spark: SparkSession, rows: list[dict[str, Any]], **triggers: object) -> dict[tuple[str, str], Any]:
    said = title_triggers(item_records(spark, rows), at(**triggers)).collect()
    return {(r.item_id, r.word): r for r in said}


def new_items(word: str, items: int, categories: int = 4, day: int = 21) -> list[dict[str, Any]]:
    return [
        item_record(f"n{n:03d}", DAY0 + timedelta(days=day), title=f"{c} {word} k{n}", category=[c])
        for n in range(items) for c in (CATEGORIES[n % categories],)
    ]  # fmt: skip


def two_know() -> list[dict[str, Any]]:
    """Two of the four categories have known the word for long."""
    return [item_record(f"k{n:03d}", DAY0, title=f"{WORD} k{n}", category=[CATEGORIES[n % 2]]) for n in range(8)]


def test_a_word_that_one_category_knows_well_is_foreign_in_the_others(spark: SparkSession) -> None:
    known = [r | {"category": ["Pets"]} for r in two_know()]
    pairs = found(spark, catalogue() + known + planted())
    assert {i for i, _ in pairs} == {f"i{n:03d}" for n in range(4)}


def test_a_word_that_comes_into_many_titles_at_once_is_noticed_and_no_other(spark: SparkSession) -> None:
    pairs = found(spark, catalogue() + planted())
    assert set(pairs) == {(f"i{n:03d}", WORD) for n in range(4)}
    row = pairs["i000", WORD]
    assert (row.noticed, row.items, row.changed_items, row.categories) == (DAY0 + timedelta(days=21), 4, 4, 4)
    assert row.chance < 1e-6
    assert row.usual_share == 0
    assert found(spark, catalogue()) == {}


def test_new_items_with_the_word_are_noticed_too(spark: SparkSession) -> None:
    pairs = found(spark, catalogue() + planted() + new_items(WORD, 5, day=23))
    assert {i for i, w in pairs if w == WORD} == {f"i{n:03d}" for n in range(4)} | {f"n{n:03d}" for n in range(5)}
    # As of the first day on which it was beyond chance.
    assert {r.noticed for (i, _), r in pairs.items() if i.startswith("i")} == {DAY0 + timedelta(days=21)}
    # Two weeks later one title in fifty of each category has it: the word is known there.
    later = catalogue() + planted() + new_items(WORD, 4, day=40)
    assert {i for i, _ in found(spark, later)} == {f"i{n:03d}" for n in range(4)}
    again = found(spark, later, foreign_share=0.02)
    assert {i for i, w in again if w == WORD} == {f"{k}{n:03d}" for k in "in" for n in range(4)}


@pytest.mark.parametrize(
    "other",
    ["one category", "two items", "a common word", "known in all but two", "the brand", "no categories", "first day"],
)
def test_what_is_no_trigger(spark: SparkSession, other: str) -> None:
    rows = {
        "one category": catalogue() + planted(items=8, categories=1),
        "two items": catalogue() + planted(items=2),
        "a common word": catalogue() + new_items("thing", 12),
        "known in all but two": catalogue() + two_know() + planted(items=12),
        "the brand": catalogue() + planted(brand=WORD),
        "no categories": [r | {"category": None} for r in catalogue() + planted()],
        "first day": [r for r in catalogue(1) if r["item_id"] > "i003"] + planted(day=0),
    }[other]
    assert found(spark, rows) == {}


def test_the_days_and_the_switch_are_read(spark: SparkSession) -> None:
    spread = [r for n in range(4) for r in planted(day=21 + 4 * n)[n : n + 1]]
    assert found(spark, catalogue() + spread) == {}
    assert len(found(spark, catalogue() + spread, days=14)) == 4
    assert found(spark, catalogue() + planted(), enabled=False) == {}
    assert found(spark, catalogue() + planted(), least_items=5) == {}
    assert found(spark, catalogue() + planted(), least_categories=5) == {}
    assert found(spark, catalogue() + planted(), foreign_share=0.9) == {}
    assert found(spark, catalogue() + planted(), max_chance=1e-30) == {}


def test_no_model_reads_the_word_and_everybody_sees_it(spark: SparkSession) -> None:
    rows = item_records(spark, catalogue() + new_items(WORD, 4))
    labels, nobody = table(spark, ITEM_LABELS, []), events(spark, [])
    noticed = title_triggers(rows, at())
    read = {r.item_id: r for r in item_text(rows, nobody, labels, noticed, at()).collect()}
    assert (read["n001"].title, read["n001"].text) == (f"Garden {WORD} k1", "Garden k1. Garden.")
    told = item_text(rows, nobody, labels, noticed, at(leave_out=False)).collect()
    assert {r.text for r in told if r.item_id == "n001"} == {f"Garden {WORD} k1. Garden."}
    plain = {
        r.item_id: r.text for r in item_text(rows, nobody, labels, table(spark, TITLE_TRIGGERS, []), at()).collect()
    }
    assert {i for i in plain if plain[i] != read[i].text} == {f"n{n:03d}" for n in range(4)}


def test_a_word_added_to_known_titles_moves_no_text_even_unnoticed(spark: SparkSession) -> None:
    labels, nobody = table(spark, ITEM_LABELS, []), events(spark, [])
    before, after = (
        {r.item_id: r.text for r in item_text(
            item_records(spark, rows), nobody, labels, table(spark, TITLE_TRIGGERS, []), at()).collect()}
        for rows in (catalogue(), catalogue() + planted(items=200))
    )  # fmt: skip
    assert after == before


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Best mug. The BEST, best-known.", ["best"], "mug. The,-known."),
        ("Blue mug best. Mugs.", ["best"], "Blue mug. Mugs."),
        ("Bestial mug", ["best"], "Bestial mug"),
        ("Été blue mug", ["été", "mug"], "blue"),
        ("A mug", [], "A mug"),
        ("A mug", None, "A mug"),
    ],
)
def test_whole_words_are_left_out_whatever_their_letters(
    spark: SparkSession, text: str, words: list[str] | None, left: str
) -> None:
    row = spark.createDataFrame([(text, words)], "text string, words array<string>")
    assert row.select(without_triggers(F.col("text"), F.col("words"))).collect()[0][0] == left
