"""The words: both languages have the same shop, and no word is said twice."""

from __future__ import annotations

import re

import pytest

from recsynth.shop.words import BRANDS, COLOURS, COUNTRIES, KINDS, SIZES

CHINESE = re.compile(r"[\u4e00-\u9fff]+")


def test_both_languages_have_kinds_of_the_same_habits() -> None:
    assert len(KINDS["en"]) == len(KINDS["zh"])
    for english, chinese in zip(KINDS["en"], KINDS["zh"], strict=True):
        assert (english.is_consumable, english.peak_day) == (chinese.is_consumable, chinese.peak_day)
    assert [len(words["en"]) for words in (BRANDS, COLOURS, SIZES)] == [len(w["zh"]) for w in (BRANDS, COLOURS, SIZES)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_kind_brand_or_colour_is_named_twice(language: str) -> None:
    for names in ([k.noun for k in KINDS[language]], BRANDS[language], COLOURS[language], SIZES[language]):
        assert len(set(names)) == len(names)
    assert len({k.category for k in KINDS[language]}) == len(KINDS[language])
    assert all(len(set(k.materials)) == len(set(k.uses)) == 3 for k in KINDS[language])


def test_chinese_words_are_chinese() -> None:
    said = [*BRANDS["zh"], *COLOURS["zh"], *SIZES["zh"]]
    for kind in KINDS["zh"]:
        said += [*kind.path, kind.noun, *kind.materials, *kind.uses]
    assert all(CHINESE.fullmatch(word) for word in said)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_shares_of_countries_add_up(language: str) -> None:
    assert sum(COUNTRIES[language].values()) == pytest.approx(1)
