"""Reviews, questions and opinions written on a planted shop: labels, secrets, provenance, what judges learn nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.synthesis import label_texts
from recsynth.synthesis import synthesise_texts as synthesise_texts_module
from recsynth.synthesis.label_texts import HELD, LEARN, rare_texts, split_texts, told_texts
from recsynth.synthesis.synthesise_texts import synthesise_texts
from recsynth.tables.gold import CLICK_FARMS
from recsynth.tables.silver import POSTS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_TEXTS
from recsynth.texts import is_held_out
from tests.contract_suite import BY_NAME, Inputs, assert_same, check_contracts, run
from tests.model.tiny import write_encoder
from tests.rows import night, table

AS_OF = date(2024, 5, 1)
WRITER = {"layers": 1, "steps": 200, "learning_rate": 3e-3, "batch_size": 16, "most_tokens": 8}
LABELLED = {"least_users": 2, "min_each": 10, "draws": 12, "kept": 6, "passes": 100, "writer": WRITER}
# A label's name is a word of the tiny encoder's: what is read decides what is written.
SAID = {"red": "gold {}", "blue": "{} green"}


def at(lake: Path, as_of: date = AS_OF, **changes: object) -> Night:
    folder = lake.parent / "encoder"
    if not folder.exists():
        write_encoder(folder)
    return night(as_of, Settings.model_validate({
        "paths": {"lake": str(lake)}, "training": {"encoder": str(folder), "max_tokens": 16},
        "synthesis": {"labelled": LABELLED | changes},
    }))  # fmt: skip


def ticket(user: str | None, number: int, intent: str, text: str, when: datetime, **more: Any) -> dict[str, Any]:
    return {"source": "s", "ticket_id": f"t{number}-{intent}-{user}", "user_id": user, "ts": when, "question": text,
            "intent": intent, "copies": 1} | more  # fmt: skip


def questions(on: Night) -> list[dict[str, Any]]:
    """Each text by two people; one's secret; and what an agent noted only after the night."""
    day = on.cutoff - timedelta(days=3)
    rows = [ticket(user, n, intent, text.format(f"thing{n}"), day)
            for intent, text in SAID.items() for n in range(36) for user in ("anna", "ben")]  # fmt: skip
    rows += [ticket("cleo", n, "red", f"gold thing{37 + n % 2} gold gold", day) for n in range(2)]
    late = {"answered_at": on.cutoff + timedelta(hours=1)}
    return rows + [ticket(u, n, "blue", f"gold thing{n} red", day, **late) for n in range(12) for u in ("dora", "eve")]


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return at(tmp_path_factory.mktemp("shop") / "lake")


@pytest.fixture(scope="module")
def inputs(spark: SparkSession, on: Night) -> Inputs:
    day = on.cutoff - timedelta(days=3)
    stars = [{"event_id": f"{n}-{u}-{k}", "user_id": u, "item_id": f"i{n}", "ts": day + timedelta(minutes=k),
              "rating": None if k else 1.0 + 4 * (n % 2), "text": f"thing{n} {('red', 'blue')[n % 2]}" if k else None}
             for n in range(40) for u in ("anna", "ben") for k in (0, 1)]  # fmt: skip
    stars += [{"event_id": f"farm{n}-{u}", "user_id": u, "item_id": "crowded", "ts": day, "rating": 3.0,
               "text": f"green thing{n}"} for n in range(40) for u in ("fay", "gus")]  # fmt: skip
    return {
        "reviews": table(spark, REVIEWS, stars).persist(),
        "tickets": table(spark, TICKETS, questions(on)).persist(),
        "posts": table(spark, POSTS, [
            {"source": "s", "post_id": f"p{n}{u}", "user_id": u, "ts": day, "text": f"thing{n} gold", "topic": "green",
             "sentiment": "positive" if n % 2 else None, "copies": 1} for n in range(9) for u in ("anna", None)
        ]).persist(),
        "click_farms": table(spark, CLICK_FARMS, [{"user_id": u, "item_id": "crowded"} for u in ("fay", "gus")]),
        "synthetic_texts": none_before(spark),
    }  # fmt: skip


def none_before(spark: SparkSession) -> DataFrame:
    return table(spark, SYNTHETIC_TEXTS, []).withColumn("run_date", F.lit(AS_OF))


def told_of(inputs: Inputs, on: Night) -> DataFrame:
    return told_texts(inputs["reviews"], inputs["tickets"], inputs["posts"], inputs["click_farms"], on)


@pytest.fixture(scope="module")
def made(inputs: Inputs, on: Night) -> dict[str, DataFrame]:
    return {name: frame.persist() for name, frame in synthesise_texts(**inputs, night=on).items()}


@pytest.fixture(scope="module")
def texts(made: dict[str, DataFrame]) -> pd.DataFrame:
    return made["synthetic_texts"].toPandas()


@pytest.fixture(scope="module")
def figures(made: dict[str, DataFrame]) -> dict[tuple[str, str, str], Any]:
    return {(r.kind_of_text, r.generator, r.metric): r for r in made["texts_report"].collect()}


def test_what_is_written_is_of_its_label(texts: pd.DataFrame) -> None:
    asked = texts[texts["kind"] == "question"]
    assert len(asked) > 3
    assert set(asked["label"]) <= set(SAID)
    first = asked["text"].str.split().str[0].eq("gold")
    assert (first == (asked["label"] == "red")).mean() > 0.7
    # Stars came as an event of their own, on the same day and item as the words.
    assert set(texts.loc[texts["kind"] == "review", "label"]) <= {"1", "5"}
    assert "review" in set(texts["kind"])


def test_what_one_person_alone_said_is_not_written(inputs: Inputs, texts: pd.DataFrame, on: Night) -> None:
    assert not texts.loc[texts["kind"] == "question", "text"].str.contains("thing37|thing38").any()
    told = told_of(inputs, on)
    rare = {r.plain for r in rare_texts(told, on.settings.synthesis.labelled).collect()}
    assert {"gold thing37 gold gold", "gold thing38 gold gold"} <= rare
    assert rare.isdisjoint(texts["text"])


def test_thirteen_words_in_a_row_of_one_person_are_not_kept(spark: SparkSession, on: Night) -> None:
    of, secret = ("question", "red", None), "gold " + " ".join(f"thing{n}" for n in range(14))
    columns = "kind string, label string, sentiment string, text string, "
    learn = spark.createDataFrame([(*of, secret, ["anna"]), (*of, "gold", ["anna"])], columns + "people array<string>")
    drawn = spark.createDataFrame([(*of, f"so {secret}", 9), (*of, "gold thing1", 1)], columns + "draws int")
    kept = [synthesise_texts_module._kept(drawn, learn, on.settings.synthesis.labelled.model_copy(update=changed))
            for changed in ({}, {"least_users": 1})]  # fmt: skip
    assert [sorted(r.text for r in rows.collect()) for rows in kept] == [
        ["gold thing1"], ["gold thing1", f"so {secret}"],
    ]  # fmt: skip


def test_what_a_click_farm_wrote_teaches_nothing(inputs: Inputs, texts: pd.DataFrame, on: Night) -> None:
    told = told_of(inputs, on)
    assert {r.person for r in told.where("kind = 'review'").select("person").distinct().collect()} == {"anna", "ben"}
    assert "3" not in set(texts.loc[texts["kind"] == "review", "label"])


def test_each_kind_has_its_own_bounds_and_long_texts_the_people_who_wrote_them(
    spark: SparkSession, inputs: Inputs, on: Night
) -> None:
    settings = on.settings.synthesis.labelled.model_copy(update={"max_texts": 5, "max_labels": 1, "least_users": 3})
    told = told_of(inputs, on)
    long = "red gold blue green " * 4
    more = [("question", "red", None, long, f"p{n}") for n in range(4)]
    long_ones = spark.createDataFrame(more * 2, told.schema)
    sides = split_texts(told.unionByName(long_ones), settings, seed=1).toPandas()
    counts = sides.groupby(["kind", "side"]).size()
    assert set(sides["kind"]) == {"question", "review"}
    assert counts["question", LEARN] == counts["review", LEARN] == 5
    assert (sides.groupby("kind")["label"].nunique() == 1).all()
    wide = settings.model_copy(update={"max_texts": 500})
    every = split_texts(told.unionByName(long_ones), wide, seed=1).toPandas().set_index("text")["people"]
    assert list(every[long]) == ["p0", "p1", "p2"]
    assert every.drop(long).map(len).max() == 0


def test_what_was_labelled_after_the_night_is_not_known(inputs: Inputs, on: Night) -> None:
    told = told_of(inputs, on).where("kind = 'question'")
    assert {r.person for r in told.select("person").distinct().collect()} == {"anna", "ben", "cleo"}


def test_the_writer_learns_from_no_text_that_judges(
    inputs: Inputs, on: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = on.settings.synthesis.labelled
    told = told_of(inputs, on)
    sides = split_texts(told, settings, seed=1).withColumn("held", is_held_out(F.col("text"))).toPandas()
    assert set(sides["side"]) == {LEARN, HELD}
    assert (sides["held"] == (sides["side"] == HELD)).all()
    learned: list[str] = []
    fit = label_texts.fit_writer

    def noted(examples: Any, *rest: Any) -> Any:
        learned.extend(e.text for e in examples)
        return fit(examples, *rest)

    monkeypatch.setattr(label_texts, "fit_writer", noted)
    quick = at(tmp_path / "lake", kinds=["question"], writer=WRITER | {"steps": 1})
    synthesise_texts(**inputs, night=quick)
    held = set(sides.loc[sides["side"] == HELD, "text"])
    assert held
    assert learned
    assert held.isdisjoint(learned)


def test_few_texts_are_read_a_few_times_alone(inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: dict[int, int] = {}
    fit = label_texts.fit_writer

    def noted(examples: Any, tower: Any, settings: Any, seed: int) -> Any:
        steps[len(examples)] = settings.steps
        return fit(examples, tower, settings, seed)

    monkeypatch.setattr(label_texts, "fit_writer", noted)
    synthesise_texts(**inputs, night=at(tmp_path / "lake", kinds=["question"], passes=0.5))
    ((texts, taken),) = steps.items()
    assert taken == math.ceil(0.5 * texts / 16) < 200


def test_each_kind_has_its_figures_beside_peoples_and_a_control(
    figures: dict[tuple[str, str, str], Any], texts: pd.DataFrame
) -> None:
    kept = figures["question", "writer", "label_kept"]
    assert kept.reference == 1.0
    assert kept.value > 0.6
    assert figures["question", "writer", "transfer"].value > figures["question", "writer_shuffled", "transfer"].value
    assert figures["question", "writer", "copied"].value == 0.0
    for kind, rows in texts.groupby("kind"):
        failed = any(r.passed is False for (k, g, _), r in figures.items() if (k, g) == (kind, "writer"))
        assert set(rows["verdict"]) == {"failed" if failed else "passed"}
        # Which label a text has is told by people's texts alone already: nothing is added, nothing used.
        assert set(rows["training_weight"]) == {0.0}


def test_too_few_texts_are_a_reason_and_none_at_all_is_silence(
    spark: SparkSession, inputs: Inputs, figures: dict[tuple[str, str, str], Any], tmp_path: Path
) -> None:
    few = figures["opinion", "writer", "examples"]
    assert few.passed is False
    assert "expected labels with 10 opinion texts to learn from" in few.reason
    nothing = {name: frame.limit(0) for name, frame in inputs.items()}
    assert all(frame.isEmpty() for frame in synthesise_texts(**nothing, night=at(tmp_path / "a")).values())
    off = at(tmp_path / "b", enabled=False)
    assert all(frame.isEmpty() for frame in synthesise_texts(**inputs, night=off).values())


def test_texts_stay_until_the_writer_is_due(
    made: dict[str, DataFrame], inputs: Inputs, on: Night, texts: pd.DataFrame
) -> None:
    before = made["synthetic_texts"].withColumn("run_date", F.lit(AS_OF))
    given = {**inputs, "synthetic_texts": before}
    columns = ["kind", "text", "label", "model_version", "taught", "seed"]

    quick = at(Path(on.settings.paths.lake), kinds=["question"], writer=WRITER | {"steps": 2})

    def found(as_of: date) -> pd.DataFrame:
        later = synthesise_texts(**given, night=replace(quick, as_of=as_of))
        return later["synthetic_texts"].toPandas().sort_values("text")[columns].reset_index(drop=True)

    asked = texts[texts["kind"] == "question"]
    kept = asked.sort_values("text")[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(found(AS_OF + timedelta(days=6)), kept)
    assert set(found(AS_OF + timedelta(days=7))["taught"]) <= {AS_OF + timedelta(days=7)}
    assert label_texts.in_use(before, replace(quick, as_of=AS_OF + timedelta(days=7))) is None


@pytest.mark.slow
def test_the_stage_keeps_its_contract(inputs: Inputs, on: Night) -> None:
    check_contracts(BY_NAME["synthesise_texts"], inputs, on)


@pytest.mark.slow
def test_what_comes_later_changes_nothing(spark: SparkSession, inputs: Inputs, on: Night) -> None:
    stage = BY_NAME["synthesise_texts"]
    known = inputs["tickets"].where("answered_at is null")
    assert_same(run(stage, {**inputs, "tickets": known}, on), run(stage, inputs, on))
