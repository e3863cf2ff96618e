"""Aspects that no list has: read from examples, found in the shop's own reviews, spoken of beside the listed ones."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StructField, StructType

from recsynth.apps import aspects
from recsynth.apps.aspects import (
    ASPECTS,
    by_dictionary,
    check_examples,
    found_aspects,
    read_examples,
    scored,
    teach_aspects,
)
from recsynth.apps.review_sentiment import spoken_lately, spoken_of, told
from recsynth.apps.tagger import Marked, Span
from recsynth.apps.teaching import Taught
from recsynth.errors import InputError
from recsynth.nightly import run_night
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.model import CLASSIFIERS
from recsynth.tables.silver import REVIEWS
from recsynth.texts import is_held_out
from tests.rows import night, table

AS_OF = date(2024, 6, 1)
KNOWN = ("zoom", "lens", "screen", "menu", "dial", "flash", "speaker", "remote", "case", "cable")
SAID = ("I love the {} of this thing.", "The {} is far too small.", "Nice, but the {} broke after a week.")
PLAIN = ("I bought it for my mother.", "It came on Monday.", "Would buy again.")


def at(lake: Path, **changed: Any) -> Night:
    tagger = {"epochs": 4, "max_tokens": 32}
    sentiment = {"aspect_examples": str(lake / "examples.jsonl"), "aspect_tagger": tagger, "least_reviews": 3}
    return night(
        AS_OF, Settings.model_validate({"paths": {"lake": str(lake)}, "apps": {"sentiment": sentiment | changed}})
    )


def reviews(spark: SparkSession, texts: list[str]) -> DataFrame:
    day = night(AS_OF).cutoff - timedelta(days=2)
    return table(spark, REVIEWS, [
        {"event_id": f"r{n}", "user_id": f"u{n}", "item_id": "i", "ts": day, "text": text, "source": "test"}
        for n, text in enumerate(texts)
    ])  # fmt: skip


def models(spark: SparkSession, rows: list[tuple[Any, ...]], made: date = AS_OF) -> DataFrame:
    schema = StructType([*CLASSIFIERS.schema.fields, StructField("run_date", DateType())])
    return spark.createDataFrame([(*row, made) for row in rows], schema)


def of_aspects(*words: str) -> tuple[Any, ...]:
    return (ASPECTS, "v", "_models/v", "minilm", list(words), 9, {}, True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, dice = tmp_path_factory.mktemp("lake"), Random(0)
    with (folder / "examples.jsonl").open("w") as file:
        for n in range(240):
            word = dice.choice(KNOWN)
            marked = n % 4 > 0
            text = f"{dice.choice(SAID).format(word) if marked else dice.choice(PLAIN)} Number {n}."
            file.write(json.dumps({"text": text, "aspects": [word] if marked else []}) + "\n")
    return folder


@pytest.fixture(scope="module")
def said(spark: SparkSession) -> DataFrame:
    """Five speak of a strap, that no example has; two of a hinge; four of the fit, that a list has."""
    of = [("strap", 5), ("hinge", 2), ("fit", 4)]
    return reviews(
        spark, [SAID[n % 3].format(word) + f" {n} days." for word, count in of for n in range(count)]
    ).persist()


@pytest.fixture(scope="module")
def taught(spark: SparkSession, lake: Path, said: DataFrame) -> Taught:
    return teach_aspects(said, models(spark, []), at(lake))


def test_what_reviews_speak_of_is_found_without_an_example_of_it(taught: Taught) -> None:
    (row,) = taught.classifiers
    assert len(row) == len(CLASSIFIERS.columns)
    assert (row[0], row[-1]) == (ASPECTS, True)
    assert "strap" in row[4]
    assert not {"hinge", "fit"} & set(row[4]), "two reviews are too few, and the fit is listed"
    figures = {(metric, model): value for _, metric, model, _, value, *_ in taught.metrics}
    assert figures["span_f1", "challenger"] > 0.8
    # Every word of the held-out examples was learned from too: there the dictionary can be as good.
    assert figures["span_f1", "known_words"] > 0.8


def test_the_same_examples_give_the_same_tagger_until_it_is_due(
    spark: SparkSession, lake: Path, said: DataFrame, taught: Taught
) -> None:
    lately = models(spark, taught.classifiers, AS_OF - timedelta(days=6))
    assert teach_aspects(said, lately, at(lake)) == Taught([], [])
    before = models(spark, taught.classifiers, AS_OF - timedelta(days=7))
    others = said.where("text like '%hinge%'").limit(1)
    again = teach_aspects(others, before, at(lake, least_reviews=1))
    assert again.classifiers[0][1] == taught.classifiers[0][1]
    assert again.classifiers[0][4] == ["hinge"], "what is found is of tonight's reviews"
    assert {model for _, _, model, *_ in again.metrics} == {"challenger", "champion", "known_words"}


def test_no_held_out_example_is_learned_from(
    spark: SparkSession, lake: Path, said: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[str] = []

    def noted(texts: list[str], *_: Any) -> None:
        learned.extend(texts)
        raise StopIteration

    monkeypatch.setattr(aspects, "fit_tagger", noted)
    with pytest.raises(StopIteration):
        teach_aspects(said, models(spark, []), at(lake))
    rows = spark.createDataFrame([(t,) for t in read_examples(lake / "examples.jsonl", 999).texts], "text string")
    held = {r.text for r in rows.where(is_held_out(F.col("text"))).collect()}
    assert held
    assert {r.text for r in rows.collect()} - held == set(learned)


def test_without_examples_nothing_is_taught(spark: SparkSession, lake: Path, said: DataFrame) -> None:
    assert teach_aspects(said, models(spark, []), at(lake, aspect_examples="")) == Taught([], [])
    assert teach_aspects(said, models(spark, []), at(lake, min_each=1000)) == Taught([], [])


def test_clauses_speak_of_listed_and_of_found_aspects(spark: SparkSession, lake: Path) -> None:
    on = at(lake)
    texts = ["Great fit, the Battery Life is short. The battery is fine, batteryless is not.", "电池好"]
    known = models(spark, [of_aspects("battery", "battery life", "电池", "a.b")])
    spoken = spoken_lately(reviews(spark, texts), known, 30, on).where("aspect <> 'all'")
    assert sorted((r.aspect, r.text) for r in spoken.collect()) == [
        ("battery", "the battery is fine"), ("battery life", "the battery life is short"), ("fit", "great fit"),
        ("电池", "电池好"),
    ]  # fmt: skip
    listed = spoken_of(told(reviews(spark, texts), "UTC"), on.settings.apps.sentiment).where("aspect <> 'all'")
    assert [r.aspect for r in listed.collect()] == ["fit"]
    assert found_aspects(models(spark, []), on.settings.apps.sentiment) == []
    assert found_aspects(known, on.settings.apps.sentiment) == ["battery", "battery life", "电池", "a.b"]
    no_more = at(lake, aspect_examples="")
    assert [r.aspect for r in spoken_lately(reviews(spark, texts), known, 30, no_more).collect()].count("battery") == 0


def test_examples_are_read_with_the_places_of_their_words(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    rows = [{"text": "The Zoom zooms.", "aspects": ["zoom", "lens", " "]}, {"text": "Fine.", "aspects": []}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_examples(path, 9) == Marked(["The Zoom zooms.", "Fine."], [[Span("aspect", 4, 8)], []])
    assert by_dictionary(read_examples(path, 9), ["zoom in"]) == [[Span("aspect", 0, 4)]]
    assert scored([[Span("aspect", 0, 4, 0.5)], []], [[Span("aspect", 0, 4)], [Span("aspect", 1, 2)]]) == (
        1.0, 0.5, pytest.approx(2 / 3), 2,
    )  # fmt: skip


def test_a_night_without_the_examples_it_asks_for_does_not_begin(spark: SparkSession, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    asked = at(lake, aspect_examples=str(tmp_path / "absent.jsonl")).settings
    with pytest.raises(InputError, match=r"absent\.jsonl: expected a file of JSON Lines, found none"):
        run_night(spark, asked, AS_OF)
    assert not lake.exists()
    check_examples(at(lake, aspect_examples=str(tmp_path / "absent.jsonl"), enabled=False).settings.apps.sentiment)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "a"}', '{"text": 1, "aspects": []}', '{"text": "a", "aspects": "b"}']
)
def test_an_example_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(f'{{"text": "a", "aspects": []}}\n{line}\n')
    with pytest.raises(InputError, match=r"e\.jsonl line 2: expected"):
        read_examples(path, 9)
    with pytest.raises(InputError, match=r"e\.jsonl line 2: expected at most 1 examples"):
        read_examples(path, 1)
    with pytest.raises(InputError, match="expected a file of JSON Lines, found none"):
        read_examples(tmp_path / "absent.jsonl", 9)
