"""Searches written and judged on a shop whose people type the colour and the thing of what they want."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from recsynth.errors import ModelError
from recsynth.model.text_generator import fenced
from recsynth.seeds import sub_seed
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.synthesis.gate import gate
from recsynth.synthesis.queries import PROMPT, free_words
from recsynth.synthesis.searches import known_searches, led
from recsynth.synthesis.text_gate import kept_texts
from recsynth.synthesis.variants import paraphrase_prompt
from recsynth.synthesis.write_texts import write_texts
from recsynth.tables.gold import (
    HISTORIES,
    INTERACTIONS,
    ITEM_TEXT,
    WINDOW_HISTORIES,
    WINDOW_INTERACTIONS,
    WINDOW_LABELS,
)
from recsynth.tables.synthesis import SYNTHETIC_HISTORIES, WRITTEN_TEXTS
from tests.contract_suite import BY_NAME, Inputs, assert_same, check_contracts, run, shuffled
from tests.model.test_text_generator import taught
from tests.model.test_word_guesser import colourful
from tests.model.tiny import COLOURS, write_encoder
from tests.rows import night, table

AS_OF, ITEMS, USERS = date(2024, 5, 1), 32, 12
TEXTS = {"least_users": 2, "min_examples": 20, "draws": 4, "learn_within": 30, "find_within": 12,
         "writer": {"layers": 1, "steps": 150, "learning_rate": 3e-3, "batch_size": 16, "most_tokens": 6}}  # fmt: skip


OTHER_WORDS = {"enabled": True, "typo_share": 0.5, "missing_share": 0.5, "find_within": 32}


def at(
    lake: Path, as_of: date = AS_OF, run_id: str = "test", augment: object = OTHER_WORDS, **changes: object
) -> Night:
    folder = lake.parent / "encoder"
    if not folder.exists():
        write_encoder(folder)
    return night(as_of, Settings.model_validate({
        "paths": {"lake": str(lake)}, "training": {"encoder": str(folder), "max_tokens": 16},
        "gold": {"windows": {"count": 1, "days": 7, "step_days": 7}},
        "synthesis": {"texts": TEXTS | changes, "augment": augment},
    }), run_id)  # fmt: skip


def words(item: int) -> tuple[str, str]:
    return COLOURS[item % 4], f"thing{item}"


def item_texts(spark: SparkSession, tonight: Night, changed: int | None = None) -> DataFrame:
    """Items; the last eight nobody has searched for."""
    return table(spark, ITEM_TEXT, [
        {"item_id": f"i{n:02d}", "text": f"{words(n)[1]} {words(n)[0]}{' gold' if n == changed else ''}",
         "content_hash": f"h{n}{'x' if n == changed else ''}", "title": "t", "available": True,
         "first_seen": tonight.cutoff_before(90), "is_cold": n >= ITEMS - 8}
        for n in range(ITEMS)
    ])  # fmt: skip


def histories(tonight: Night) -> dict[str, list[dict[str, object]]]:
    """Everybody searched for every other item before the window and for all in it; u0 typed what none else did."""
    past = tonight.window_cutoffs[0]

    def visit(user: int, when: object, item: int) -> list[tuple[object, ...]]:
        colour, thing = words(item)
        moment = when + timedelta(hours=item)  # type: ignore[operator]
        asked = [f"{colour} {thing}", thing][user % 2].upper() if item % 3 else f" {colour}  {thing} "
        return [(moment, "search", None, asked), (moment + timedelta(minutes=1), "click", f"i{item:02d}", None)]

    early = {u: [e for n in range(u % 2, ITEMS - 8, 2) for e in visit(u, past - timedelta(days=9), n)]
             for u in range(USERS)}  # fmt: skip
    secret = past - timedelta(days=30)
    early[0] = [
        (secret, "search", None, "red secret"),
        (secret + timedelta(minutes=1), "click", "i00", None),
        *early[0],
    ]
    since = {u: [e for n in range(ITEMS) for e in visit(u, past + timedelta(days=2), n)] for u in range(USERS)}
    return {
        "window_histories": [{"cutoff": past, "user_id": f"u{u}", "events": e} for u, e in early.items()],
        "histories": [{"user_id": f"u{u}", "events": early[u] + since[u]} for u in range(USERS)],
    }


@pytest.fixture(scope="module")
def tonight(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return at(tmp_path_factory.mktemp("shop") / "lake")


@pytest.fixture(scope="module")
def inputs(spark: SparkSession, tonight: Night) -> Inputs:
    events = histories(tonight)
    empty = (INTERACTIONS, WINDOW_INTERACTIONS, WINDOW_LABELS, SYNTHETIC_HISTORIES)
    return {
        "window_histories": table(spark, WINDOW_HISTORIES, events["window_histories"]).persist(),
        "histories": table(spark, HISTORIES, events["histories"]).persist(),
        "item_text": item_texts(spark, tonight).persist(),
        "written_texts": none_before(spark),
        **{t.short: table(spark, t, []) for t in empty},
    }


def none_before(spark: SparkSession) -> DataFrame:
    return table(spark, WRITTEN_TEXTS, []).withColumn("run_date", F.lit(AS_OF))


@pytest.fixture(scope="module")
def written(inputs: Inputs, tonight: Night) -> DataFrame:
    return write(inputs, tonight).persist()


def write(inputs: Inputs, tonight: Night) -> DataFrame:
    return write_texts(inputs["window_histories"], inputs["item_text"], inputs["written_texts"], tonight)


def key(row: Row) -> tuple[str, str, str]:
    return row.kind, row.source_id, row.text


def test_a_search_leads_to_what_is_taken_up_soon_after_it_and_before_another(spark: SparkSession) -> None:
    start = night(AS_OF).cutoff

    def minute(n: float) -> object:
        return start + timedelta(minutes=n)

    events = [(minute(0), "view", "before", None), (minute(1), "search", None, " Red  MUG"),
              (minute(2), "view", "seen", None), (minute(3), "click", "found", None), (minute(4), "search", None, " "),
              (minute(5), "cart", "unsaid", None), (minute(6), "search", None, "pan"),
              (minute(40), "purchase", "late", None), (minute(30), "purchase", "soon", None)]  # fmt: skip
    one = table(spark, HISTORIES, [{"user_id": "u", "events": events}])
    found = {tuple(r) for r in led(one, 30).select("query", "item_id").collect()}
    # What follows a search without words follows no search.
    assert found == {("red mug", "found"), ("pan", "soon")}
    assert {tuple(r) for r in known_searches(one).collect()} == {("red mug", 1), ("pan", 1)}


@pytest.mark.slow
def test_the_stages_keep_their_contracts(inputs: Inputs, written: DataFrame, tonight: Night) -> None:
    told = {name: inputs[name] for name in ("window_histories", "item_text", "written_texts")}
    check_contracts(BY_NAME["write_texts"], told, tonight)
    judged = {**inputs, "written_texts": written}
    once = run(BY_NAME["gate"], judged, tonight)
    mixed = {name: shuffled(frame) for name, frame in judged.items()}
    assert once["synthesis.synthetic_queries"]
    assert_same(run(BY_NAME["gate"], mixed, tonight), once)


def test_a_word_that_names_a_thing_is_free_for_no_other_thing() -> None:
    mugs, pans = [f"{c} mug" for c in COLOURS], [f"{c} pan" for c in COLOURS]
    pairs = [(f"cup mug {t.split()[0]}", t) for t in mugs] + [(f"gift {t.split()[1]}", t) for t in pans]
    # People click on other things now and then.
    pairs += [("cup red", "blue mug"), ("gift", "red mug"), ("nice mug", "green pan"), ("nice mug", "green mug")]
    # Neither what no text says nor what says nothing of the thing is bound to it.
    assert free_words(pd.DataFrame(pairs, columns=["query", "text"])) == ["cup", "gift", "nice"]


def test_every_item_gets_searches_of_its_own_words_and_nobodys_secret(written: DataFrame, tonight: Night) -> None:
    rows = written.collect()
    rows = [r for r in rows if r.kind == "query"]
    right = {r.source_id for r in rows if set(r.text.split()) <= set(words(int(r.source_id[1:])))}
    assert len(right) >= ITEMS - 4
    assert not [r.text for r in rows if "secret" in r.text]
    (version,) = {r.model_version for r in rows}
    assert {(r.taught, r.seed) for r in rows} == {(AS_OF, sub_seed(tonight.settings.seed, version))}
    assert {(tonight.models / r.model_version / "writer.safetensors").is_file() for r in rows} == {True}


@pytest.mark.slow
def test_the_next_night_writes_what_changed_alone(
    spark: SparkSession, inputs: Inputs, written: DataFrame, tonight: Night
) -> None:
    lake = Path(tonight.settings.paths.lake)
    before = written.withColumn("run_date", F.lit(AS_OF))
    changed = {**inputs, "item_text": item_texts(spark, tonight, changed=3), "written_texts": before}
    again = write(changed, at(lake, AS_OF + timedelta(days=1), "next"))
    same = [r for r in sorted(again.collect(), key=key) if r.source_id != "i03"]
    assert same == [r for r in sorted(written.collect(), key=key) if r.source_id != "i03"]
    assert {r.content_hash for r in again.where("source_id = 'i03'").collect()} == {"h3x"}
    later = AS_OF + timedelta(days=7)
    retaught = write(changed, at(lake, later, "later")).where("kind = 'query'").select("taught").distinct().collect()
    assert [r.taught for r in retaught] == [later]


def test_the_gate_keeps_what_finds_its_item_and_says_what_it_is_worth(
    inputs: Inputs, written: DataFrame, tonight: Night
) -> None:
    out = gate(**{**inputs, "written_texts": written}, night=tonight)
    report = out["synthesis_report"].toPandas().set_index(["generator", "metric"])
    assert report.loc[("writer", "query_copies"), "value"] == 0.0
    assert report.loc[("writer", "query_explained"), "value"] > 0.9
    assert report.loc[("writer", "query_found"), "passed"]
    assert report.loc[("writer_shuffled", "query_share"), "value"] == 0.0
    kept = out["synthetic_queries"].toPandas()
    assert set(kept["verdict"]) <= {"passed", "failed"}
    assert kept["found_rank"].max() <= TEXTS["find_within"]
    assert kept.groupby("item_id").size().max() <= tonight.settings.synthesis.texts.kept


def test_of_the_same_words_one_text_is_kept_and_none_that_few_people_typed(spark: SparkSession) -> None:
    rows = [("red mug", 5, 1), ("mug red", 2, 1), ("mug", 4, 1), ("cup", 9, 99), ("my red mug", 3, 2)]
    made = table(
        spark,
        WRITTEN_TEXTS,
        [{"kind": "query", "source_id": "i", "text": t, "draws": d, "found_rank": r} for t, d, r in rows],
    )
    rare = spark.createDataFrame([("my red mug",)], "query string")
    settings = Settings.model_validate({"synthesis": {"texts": {"kept": 2}}}).synthesis.texts
    assert {r.query for r in kept_texts(made, rare, settings).collect()} == {"red mug", "mug"}


def test_too_few_searches_are_said_and_nothing_is_written(inputs: Inputs, tmp_path: Path) -> None:
    tonight = at(tmp_path / "lake", least_users=100)
    nothing = write(inputs, tonight).where("kind = 'query'")
    out = gate(**{**inputs, "written_texts": nothing}, night=tonight)
    assert nothing.isEmpty()
    assert out["synthetic_queries"].isEmpty()
    (row,) = [r for r in out["synthesis_report"].collect() if r.generator == "writer"]
    assert row.reason.startswith("expected at least 20 pairs of a search, typed by 100 people")
    assert row.value == 0.0


def test_switched_off_nothing_is_written_or_said(inputs: Inputs, tmp_path: Path) -> None:
    tonight = at(tmp_path / "lake", augment={}, enabled=False)
    nothing = write(inputs, tonight)
    out = gate(**{**inputs, "written_texts": nothing}, night=tonight)
    assert nothing.isEmpty()
    assert not [r for r in out["synthesis_report"].collect() if r.generator == "writer"]


def test_a_model_of_a_folder_writes_instead(inputs: Inputs, tmp_path: Path) -> None:
    one = inputs["item_text"].where("item_id = 'i01'")
    prompt = f"{PROMPT}\n{fenced({'item': 'thing1 blue'})}\nsearch:"
    folder = taught(tmp_path / "gpt", "blue thing1", prompt)
    tonight = at(tmp_path / "lake", augment={}, generator=str(folder), draws=2)
    out = write_texts(inputs["window_histories"], one, inputs["written_texts"], tonight).collect()
    assert "blue thing1" in {r.text for r in out}
    assert {r.model_version for r in out} == {"generator-gpt"}
    with pytest.raises(ModelError, match=r"synthesis\.texts\.generator .*found no such folder"):
        write(inputs, at(tmp_path / "lake", generator=str(tmp_path / "none")))


def test_items_are_written_in_other_words_and_those_that_find_themselves_are_learned_from(
    inputs: Inputs, written: DataFrame, tonight: Night
) -> None:
    variants = written.where("kind <> 'query'").toPandas()
    assert set(variants["kind"]) == {"typos", "missing"}
    texts = {r.item_id: r.text for r in inputs["item_text"].collect()}
    assert not [t for i, t in zip(variants["source_id"], variants["text"], strict=True) if t == texts[i]]
    assert set(variants.loc[variants["kind"] == "missing", "text"]) <= {w for t in texts.values() for w in t.split()}
    out = gate(**{**inputs, "written_texts": written}, night=tonight)
    report = out["synthesis_report"].toPandas().set_index(["generator", "metric"])
    kept = out["augmented_texts"].toPandas()
    assert report.loc[("typos", "changed"), "value"] > 0
    for way, part in kept.groupby("generator"):
        of_way = variants[variants["kind"] == way]
        assert len(part) == (of_way["found_rank"] <= OTHER_WORDS["find_within"]).sum()
        label = report.loc[(way, "label_kept")]
        assert label["value"] == pytest.approx(len(part) / len(of_way))
        assert set(part["training_weight"]) == ({0.5} if label["passed"] else {0.0})


def test_what_no_longer_finds_itself_is_neither_kept_nor_learned_from(
    inputs: Inputs, written: DataFrame, tonight: Night
) -> None:
    lost = written.where("kind = 'typos'").withColumn("found_rank", F.lit(99))
    out = gate(**{**inputs, "written_texts": lost.unionByName(written.where("kind = 'missing'"))}, night=tonight)
    report = out["synthesis_report"].toPandas().set_index(["generator", "metric"])
    assert not report.loc[("typos", "label_kept"), "passed"]
    assert {r.generator for r in out["augmented_texts"].collect()} == {"missing"}


def test_synonyms_and_models_of_folders_write_in_other_words(inputs: Inputs, tmp_path: Path) -> None:
    item = inputs["item_text"].where("item_id in ('i01', 'i02', 'i03')")
    said = taught(tmp_path / "gpt", "azure thing1", paraphrase_prompt("thing1 blue"))
    other = {"enabled": True, "ways": ["synonyms"], "synonym_likeness": 1e-6, "synonym_share": 1.0, "each": 3,
             "paraphraser": str(said), "guesser": str(colourful(tmp_path / "bert")), "infill_share": 1.0}  # fmt: skip
    out = write({**inputs, "item_text": item}, at(tmp_path / "lake", augment=other, enabled=False)).collect()
    texts = {way: {r.text for r in out if r.kind == way and r.source_id == "i01"} for way in {r.kind for r in out}}
    assert set(texts) == {"synonyms", "infill", "paraphrase"}
    assert "azure thing1" in texts["paraphrase"]
    # To an encoder of random weights every word is like every other.
    assert texts["synonyms"] <= {f"thing1 {c}" for c in COLOURS}
    assert {t.split()[0] for t in texts["infill"]} == {"thing1"}
    assert {r.model_version for r in out if r.kind == "infill"} == {f"generator-{tmp_path / 'bert'}-1.0-0.5"}
    for name in ("guesser", "paraphraser"):
        wrong = at(tmp_path / "lake", augment=other | {name: str(tmp_path / "none")}, enabled=False)
        with pytest.raises(ModelError, match=rf"synthesis\.augment\.{name} .*found no such folder"):
            write({**inputs, "item_text": item}, wrong)


def test_texts_go_abroad_and_come_back(inputs: Inputs, tmp_path: Path) -> None:
    there = taught(tmp_path / "there", "rouge chose", "thing1 blue")
    back = taught(tmp_path / "back", "thing1 gold", "rouge chose")
    one = {**inputs, "item_text": inputs["item_text"].where("item_id = 'i01'")}
    abroad = {"enabled": True, "ways": [], "there": str(there), "back": str(back)}
    out = write(one, at(tmp_path / "lake", augment=abroad, enabled=False)).collect()
    assert ("back_translation", "thing1 gold") in {(r.kind, r.text) for r in out}
    with pytest.raises(ModelError, match=r"synthesis\.augment\.back .*found no such folder"):
        write(one, at(tmp_path / "lake", augment=abroad | {"back": str(tmp_path / "none")}, enabled=False))
    with pytest.raises(ValueError, match="both there and back"):
        at(tmp_path / "lake", augment=abroad | {"back": ""})
