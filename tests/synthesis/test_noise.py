"""Noise: as much of it as is said, and never an empty text."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.synthesis.noise import NOISE, mistyped, without_parts

TEXT = "Red stoneware mug, small. Kitchen, Mugs. By Ora. A mug for tea."


def test_the_share_of_words_is_mistyped_by_one_letter_within() -> None:
    words = ["stoneware"] * 4000
    rng = np.random.default_rng(1)
    wrong = [w for w in mistyped(" ".join(words), rng, 0.25).split() if w != "stoneware"]
    assert len(wrong) / 4000 == pytest.approx(0.25, abs=0.03)
    assert {w[0] for w in wrong} == {"s"}
    assert {len(w) for w in wrong} == {8, 9, 10}


def test_short_words_stay_and_so_does_everything_at_no_share() -> None:
    assert mistyped("a of 12", np.random.default_rng(1), 1.0) == "a of 12"
    for noise in NOISE.values():
        assert noise(TEXT, np.random.default_rng(1), 0.0) == TEXT


def test_the_first_sentence_stays_and_the_others_go_as_often_as_is_said() -> None:
    made = [without_parts(TEXT, np.random.default_rng(n), 0.4) for n in range(500)]
    assert all(m.startswith("Red stoneware mug, small.") for m in made)
    assert sum("By Ora." in m for m in made) / 500 == pytest.approx(0.6, abs=0.07)


def test_of_a_single_sentence_words_go_and_one_always_stays() -> None:
    made = {without_parts("WHITE HANGING HEART", np.random.default_rng(n), 0.6) for n in range(200)}
    assert "" not in made
    assert {"WHITE", "HANGING HEART", "HEART"} <= made
    assert without_parts("红色杯子", np.random.default_rng(0), 0.9) == "红色杯子"


@pytest.mark.parametrize("text", ["", " ", "x", "!", "ab cd"])
def test_nothing_breaks_on_little(text: str) -> None:
    for noise in NOISE.values():
        noise(text, np.random.default_rng(0), 0.9)
