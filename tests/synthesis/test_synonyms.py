"""Words of the catalogue that mean nearly the same, by the language model that every night starts with."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.settings import Settings
from recsynth.synthesis.synonyms import read_synonyms, told_apart, with_synonyms
from tests.rows import night

TEXTS = ["Small mug", "tiny bowl", "cup of 2", "red mug", "BLUE mug", "red bowl", "blue chair", "Lantern 3", "lanterns"]


def catalogue(spark: SparkSession, texts: list[str]) -> DataFrame:
    return spark.createDataFrame([(text,) for text in texts], "text string")


@pytest.mark.slow
def test_what_likeness_takes_for_the_same_the_catalogue_tells_apart(spark: SparkSession, tmp_path: Path) -> None:
    tonight = night(date(2024, 5, 1), Settings.model_validate({"paths": {"lake": str(tmp_path)}}))
    settings = tonight.settings.synthesis.augment
    known = read_synonyms(catalogue(spark, TEXTS), settings, tonight)
    assert known["small"] == ["tiny"]
    assert known["mug"] == ["cup"]
    assert known["lantern"] == ["lanterns"]
    # Red and blue are nearer to each other than a mug is to a cup.
    assert "red" not in known
    alone = read_synonyms(catalogue(spark, ["red mug", "blue chair"]), settings, tonight)
    assert alone["red"] == ["blue"]
    few = read_synonyms(catalogue(spark, TEXTS), settings.model_copy(update={"max_words": 2}), tonight)
    assert few == {}  # of blue, mug and red, which are the commonest, the first two by alphabet


def test_numbers_and_order_belong_to_a_text(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([("red", "blue"), ("small", "tiny"), ("mug", "cup")], "word string, other string")
    apart = told_apart(pairs, catalogue(spark, ["Red, 3 mugs", "BLUE 3 mugs", "small 3", "tiny 4", "a mug", "cup a"]))
    assert [tuple(r) for r in apart.collect()] == [("red", "blue")]


def test_a_share_of_the_words_is_said_otherwise_and_nothing_else_changes() -> None:
    known = {"mug": ["cup", "beaker"], "small": ["tiny"]}
    said = [with_synonyms("SMALL mug, mugs: 2x Mug", np.random.default_rng(n), 0.5, known) for n in range(200)]
    assert {"TINY beaker, mugs: 2x Cup", "SMALL mug, mugs: 2x Mug"} <= set(said)
    assert 0.4 < np.mean([s.startswith("TINY") for s in said]) < 0.6
    assert {s.split(" ")[2] for s in said} == {"mugs:"}
