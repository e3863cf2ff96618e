"""The sentences: every description says all of an item's words; a typing error is one small slip."""

from __future__ import annotations

from random import Random

import pytest

from recsynth.shop.catalogue import WORDS
from recsynth.shop.sentences import DESCRIPTIONS, REVIEWS, SEARCHES, TITLE, mistyped


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_description_says_every_word_and_a_title_all_but_the_use(language: str) -> None:
    assert all("{" + word + "}" in text for text in DESCRIPTIONS[language] for word in WORDS)
    assert all("{" + word + "}" in TITLE[language] for word in WORDS if word != "use")
    assert all("{noun}" in text for text in SEARCHES[language])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_are_several_reviews_for_every_number_of_stars(language: str) -> None:
    assert {stars: len(texts) for stars, texts in REVIEWS[language].items()} == dict.fromkeys(range(1, 6), 3)


def test_a_typing_error_leaves_out_doubles_or_swaps_one_letter_within() -> None:
    found = {mistyped("abcd", Random(seed)) for seed in range(100)}
    assert found == {"acd", "abd", "abbcd", "abccd", "acbd", "abdc"}
    assert mistyped("杯子", Random(1)) == "杯子"
