"""What written texts are worth: known answers for each figure."""

from __future__ import annotations

import math

import pytest

from recsynth.synthesis.label_judge import Texts, judged, rare_runs, reference, repeats, runs, shuffled
from recsynth.synthesis.queries import words_of

THINGS = [f"thing{n}" for n in range(40)]


def of(numbers: range, mixed: bool = False) -> Texts:
    """Texts of two labels that differ by one word each."""
    labels = [("good", "bad")[n % 2] for n in numbers]
    said = [("lovely", "broken")[n % 2] for n in numbers]
    texts = [f"a {word} {THINGS[n % 40]} came" for n, word in zip(numbers, said, strict=True)]
    return Texts(texts, labels[::-1] if mixed else labels, [[f"u{n}"] for n in numbers])


LEARN, HELD = of(range(20)), of(range(20, 40))


def test_texts_like_peoples_keep_their_label_and_teach_it() -> None:
    found, real = (f(of(range(40, 60)), LEARN, HELD, words_of, 5) for f in (judged, reference))
    for metric in ("label_kept", "transfer"):
        assert found[metric] == real[metric] == 1.0
    assert found["length"] == 1.0
    assert found["copied"] == 0.0
    assert found["labels"] == 1.0
    # People's texts alone tell every label already: there is nothing to add.
    assert (found["added"], found["share"]) == (0.0, 0.0)


def test_what_people_rarely_wrote_is_helped_by_written_texts() -> None:
    few = Texts(["a nice cup came", "a torn cup came"], ["good", "bad"], [["u0"], ["u1"]])
    found = judged(of(range(20)), few, HELD, words_of, 5)
    assert found["added"] == pytest.approx(0.5, abs=0.2)
    assert found["added_low"] > 0
    assert found["share"] == 1.0
    dealt = [shuffled(of(range(20)), few, HELD, words_of, seed)["transfer"] for seed in range(10)]
    assert sum(dealt) / 10 < 0.8
    assert judged(of(range(20)), few, HELD, words_of, 5)["transfer"] == 1.0


def test_labels_that_are_wrong_are_told() -> None:
    wrong = of(range(40, 60), mixed=True)
    found = judged(wrong, LEARN, HELD, words_of, 5)
    assert found["label_kept"] == 0.0
    assert found["transfer"] == 0.0
    assert found["share"] == 0.0


def test_thirteen_words_of_few_people_are_a_copy() -> None:
    told = " ".join(f"w{n}" for n in range(13))
    learn = Texts([*LEARN.texts, told], [*LEARN.labels, "good"], [*LEARN.people, ["anna"]])
    made = Texts([f"so {told} then", "a lovely thing1 came"], ["good", "good"])
    assert judged(made, learn, HELD, words_of, 2)["copied"] == 0.5
    assert judged(made, learn, HELD, words_of, 1)["copied"] == 0.0
    twice = Texts([*learn.texts, f"and {told}"], [*learn.labels, "bad"], [*learn.people, ["ben"]])
    assert rare_runs(twice, words_of, 2) == {tuple(f"and {told}".split()[:13])}
    assert runs(["a"] * 12) == set()
    many = Texts([told], ["good"], [["anna", "ben"]])
    assert rare_runs(many, words_of, 2) == set()
    assert len(rare_runs(many, words_of, 3)) == 1


def test_repeats_are_found_across_blocks_and_no_text_is_its_own() -> None:
    apart = [[f"a{n}", f"b{n}"] for n in range(700)]
    assert repeats(apart) == 0.0
    assert repeats([*apart, apart[0][::-1]]) == 2 / 701
    assert repeats([[], []]) == 1.0
    assert math.isnan(repeats([]))


def test_nothing_written_is_no_figure_and_no_fault() -> None:
    found = judged(Texts([], []), LEARN, HELD, words_of, 5)
    assert math.isnan(found["transfer"])
    assert math.isnan(found["label_kept"])
    assert found["labels"] == found["share"] == 0.0
