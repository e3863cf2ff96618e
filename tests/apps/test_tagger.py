"""The tagger: words become tags and back, values are found that no text it learned from has, a reload says the same."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from recsynth.apps.item_words import ANY, occurrences, recorded_spans
from recsynth.apps.tagger import Span, Tagger, fit_tagger, read_tagger, tags, whole_words, write_tagger
from recsynth.apps.text_settings import TaggerSettings
from recsynth.errors import ModelError

COLOURS = ("red", "blue", "green", "black", "white", "yellow", "grey")
MATERIALS = ("steel", "glass", "wood", "cotton", "leather")


def taught(n: int, seed: int = 0) -> tuple[list[str], list[list[Span]]]:
    dice, texts, spans = Random(seed), [], []
    for _ in range(n):
        colour, material, noun = dice.choice(COLOURS), dice.choice(MATERIALS), dice.choice(("mug", "bag", "lamp"))
        said = dice.choice(("A {c} {n} made of {m}.", "This {n} comes in {c}; it is made of {m}.", "{m} {n}, {c}"))
        plain = dice.choice(
            ("", " Ships tomorrow.", " A favourite of many.", " Please wash it by hand.", " Sold in pairs.")
        )
        text = said.format(c=colour, m=material, n=noun) + plain
        texts.append(text)
        spans.append([*occurrences(text, "colour", [colour]), *occurrences(text, "material", [material])])
    return texts, spans


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return fit_tagger(*taught(160), ["colour", "material"], TaggerSettings(epochs=3, max_tokens=32), seed=1)


def said(tagger: Tagger, text: str) -> set[tuple[str, str]]:
    return {(s.field, text[s.start : s.end]) for s in tagger.spans([text])[0]}


def test_values_are_found_in_texts_that_it_has_not_seen(tagger: Tagger) -> None:
    texts, spans = taught(60, seed=9)
    found = tagger.spans(texts, batch_size=7)
    right = sum(s[:3] in {f[:3] for f in found[i]} for i, row in enumerate(spans) for s in row)
    assert right / sum(map(len, spans)) > 0.95
    assert all(0 <= s.chance <= 1 for row in found for s in row)


def test_a_value_that_no_record_has_is_told_by_what_stands_around_it(tagger: Tagger) -> None:
    assert ("colour", "purple") in said(tagger, "This mug comes in purple; it is made of bamboo.")
    assert ("material", "bamboo") in said(tagger, "This mug comes in purple; it is made of bamboo.")
    known = "A red mug made of steel. Goes well with our books."
    assert said(tagger, known) == {("colour", "red"), ("material", "steel")}


def test_who_asks_for_less_gets_more(tagger: Tagger) -> None:
    texts = taught(40, seed=5)[0] + ["I went home.", "It came on Monday."]
    counts = [sum(map(len, tagger.spans(texts, 8, least))) for least in (0.999999, 0.5, 0.0)]
    assert counts[0] < counts[1] <= counts[2]
    # From no chance at all every word is in a field, whatever else is likelier.
    assert all(tagger.spans(["I went home."], 8, 0.0))


def test_a_reload_says_the_same_and_a_changed_file_is_refused(tagger: Tagger, tmp_path: Path) -> None:
    version = write_tagger(tagger, tmp_path / "t", {"task": "x"})
    assert version
    texts = taught(20, seed=3)[0]
    again = read_tagger(tmp_path / "t")
    assert again.fields == ("colour", "material")
    for a, b in zip(tagger.spans(texts), again.spans(texts), strict=True):
        assert [s[:3] for s in a] == [s[:3] for s in b]
        assert [s.chance for s in a] == pytest.approx([s.chance for s in b], abs=1e-5)
    with (tmp_path / "t" / "tagger.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError):
        read_tagger(tmp_path / "t")


def test_odd_texts_have_defined_results(tagger: Tagger) -> None:
    odd = ["", "🙂🙂", "x" * 100_000, "<b>red</b> mug'; DROP TABLE items; --", "红色杯子"]
    found = tagger.spans(odd)
    assert len(found) == 5
    assert found[0] == []
    for text, spans in zip(odd, found, strict=True):
        assert all(0 <= s.start < s.end <= len(text) for s in spans)


def test_the_same_seed_gives_the_same_tagger() -> None:
    settings = TaggerSettings(epochs=1, max_tokens=16)
    first, second = (fit_tagger(*taught(24), ["colour", "material"], settings, seed=2) for _ in range(2))
    assert all((first.state_dict()[k] == v).all() for k, v in second.state_dict().items())
    with pytest.raises(ValueError, match="expected two texts or more, found 1"):
        fit_tagger(["a"], [[]], ["colour"], settings, seed=0)


def test_tags_teach_nothing_where_two_fields_or_an_unknown_one_claim_a_token() -> None:
    places = [(0, 0), (0, 3), (4, 7), (8, 11)]
    assert tags(places, [Span("a", 0, 3), Span("b", 0, 7)], ["a", "b"]) == [-100, -100, 4, 0]
    assert tags(places, [Span(ANY, 4, 7)], ["a"]) == [-100, 0, -100, 0]
    assert whole_words("红色杯", [Span("c", 0, 1), Span("d", 1, 3)]) == [Span("c", 0, 1), Span("d", 1, 3)]


def test_what_a_record_says_is_marked_and_what_it_may_have_left_out_is_left_open() -> None:
    text = "Ora red mug. Size S of Ora's best; ordered in reds. Glass."
    known = {"brand": ["Ora"], "colour": ["red"], "size": ["S"], "material": ["glass", "glass fibre"]}
    spans = recorded_spans(text, {"brand": "Ora", "colour": "red", "size": "S", "weight": "1"}, known)
    found = [(s.field, text[s.start : s.end], s.start) for s in spans]
    assert found == [("brand", "Ora", 0), ("brand", "Ora", 23), ("colour", "red", 4), ("size", "S", 18),
                     (ANY, "Glass", 52)]  # fmt: skip
    assert [(s.start, s.end) for s in occurrences("glass fibre", "m", ["glass", "glass fibre"])] == [(0, 11)]
    assert [(s.start, s.end) for s in occurrences("红色杯红色", "c", ["红色"])] == [(0, 2), (3, 5)]
