"""Advertisements without Spark: what they may say, what they may not, and which of them is shown first."""

from __future__ import annotations

from typing import Any

import pytest

from recsynth.apps.ad_choice import chosen, cut_at_word, filled, repeats, score, short_texts
from recsynth.apps.ad_texts import Claim, Fact, Lexicon, Record, claims, faults, pieces, thing_of
from recsynth.apps.ad_words import PATTERNS
from recsynth.apps.ad_writer import BY_MODEL, BY_PATTERN, SENTENCES, Book, record_of, sentences_of, texts_of
from recsynth.apps.text_settings import AdSettings

FIELDS = {"brand": "Ora", "colour": "red", "material": "glass", "size": "S"}
KNOWN = {"colour": ["red", "blue"], "material": ["glass", "cast iron"], "brand": ["Ora", "Fenwick"], "size": ["S", "M"]}


def record(title: str, description: str = "", category: str | None = None, **more: Any) -> Record:
    """What may be told of an item of these fields, inferred ones and disputed values."""
    row = {"title": title, "description": description, "category": category, "fields": {}, "inferred": None,
           "disputed": None}  # fmt: skip
    return record_of(row | more, AdSettings())


MUG = record("Ora red glass mug, S", "For tea at home.", "Kitchen > Mugs", fields=FIELDS)
WEIGHTS = {"thing": 1.0, "colour": 0.4, "material": 0.2, "brand": 0.1, "size": 0.05}


def book(settings: AdSettings | None = None, sentences: tuple[tuple[str, bool], ...] = ()) -> Book:
    return Book.of(settings or AdSettings(), sentences, ["simple"], KNOWN, WEIGHTS)


def test_a_record_holds_what_may_be_told_and_where_it_stands() -> None:
    assert MUG.values == {"brand": "Ora", "colour": "red", "material": "glass", "size": "S", "thing": "mug"}
    assert (MUG.facts["colour"].found_in, MUG.facts["thing"].found_in) == ("record", "title")
    assert (MUG.title, MUG.sentences) == ({"ora", "red", "glass", "mug", "s"}, {"for tea at home."})
    inferred = record("mug", inferred={"material": {"value": "glass", "found_in": "description"}})
    assert inferred.facts["material"] == Fact("glass", "description")
    assert record("", "Text.", "Kitchen > Mugs").facts["thing"] == Fact("mugs", "record")
    other = record("mug", fields={"color": "red", "Sleeve length": "long"})
    assert set(other.facts) == {"colour", "Sleeve_length", "thing"}


def test_words_that_the_law_forbids_are_in_no_fact() -> None:
    said = record("Perfect gift, mug", "", "Best sellers", fields={"brand": "Bestcups"})
    assert said.values == {"thing": "mug"}
    assert record("World's best mug", "", "Best sellers").facts == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("This mug is red.", []),
        ("This red mug. For tea at home.", []),
        ("This mug is tea.", ["stands nowhere: tea"]),
        ("This mug is blue.", ["colour is not blue", "stands nowhere: blue"]),
        ("This cast iron mug.", ["material is not cast iron", "stands nowhere: cast", "stands nowhere: iron"]),
        ("Ora and Fenwick made this mug.", ["brand is not Fenwick", "stands nowhere: and", "stands nowhere: fenwick"]),
        ("The best mug.", ["forbidden: best", "stands nowhere: best"]),
        ("This mug of 300.", ["stands nowhere: 300"]),
        ("This dishwasher mug.", ["stands nowhere: dishwasher"]),
        ("<b>This mug</b>", ["stands nowhere: b"]),
    ],
)
def test_a_text_says_nothing_that_does_not_stand_in_the_record(text: str, fault: list[str]) -> None:
    assert faults(text, MUG, book().lexicon) == fault


def test_a_value_in_the_items_own_words_counts_where_the_record_has_none() -> None:
    plain = record("White holder")
    lexicon = Lexicon(["this", "is"], {"colour": ["white"]}, [])
    assert faults("This is white", plain, lexicon) == []
    assert claims("This is white", plain, lexicon) == [Claim("white", "words", "title")]
    told_otherwise = record("White holder", fields={"colour": "grey"})
    assert faults("This is white", told_otherwise, lexicon) == ["colour is not white"]


def test_words_of_a_description_are_no_licence_for_their_contrary() -> None:
    careful = record("mug", "It is not dishwasher safe.")
    lexicon = Lexicon(["it", "is", "this"], {}, [])
    assert faults("It is not dishwasher safe.", careful, lexicon) == []
    assert faults("It is dishwasher safe.", careful, lexicon) == ["stands nowhere: dishwasher", "stands nowhere: safe"]
    shared = Book.of(AdSettings(), [("This {thing} is dishwasher safe.", True)], [], {}, {})
    assert not any("dishwasher" in t.text for t in texts_of(careful, shared, AdSettings()))


def test_what_record_and_words_dispute_is_told_by_nobody() -> None:
    liar = record("red mug", "A red one.", fields={"size": "small"}, disputed=["blue", "red"])
    assert liar.values == {"size": "small", "thing": "mug"}
    assert faults("A red one.", liar, Lexicon(["a", "one"], {}, []))[0] == "disputed: red"


def test_claims_name_the_field_and_the_place() -> None:
    said = claims("This red mug. For tea at home.", MUG, Lexicon(["this", "for", "at"], {}, []))
    assert said == [Claim("red", "colour", "record"), Claim("mug", "thing", "title"),
                    Claim("home", "words", "description"), Claim("tea", "words", "description")]  # fmt: skip


def test_short_values_count_as_they_are_written_and_chinese_ones_beside_any_letter() -> None:
    assert [c.field for c in claims("It's the mug.", MUG, Lexicon(["it", "s", "the"], KNOWN, []))] == ["thing"]
    mug = Record({"thing": Fact("mug", "title"), "colour": Fact("红色", "record")})
    lexicon = Lexicon(pieces("这款"), {"colour": ["红色", "蓝色"], "material": ["锌"]}, ["最"])
    assert faults("这款mug红色", mug, lexicon) == []
    assert faults("这款蓝色mug", mug, lexicon)[0] == "colour is not 蓝色"
    assert "material is not 锌" in faults("这款锌mug", mug, lexicon)
    assert faults("最mug", mug, lexicon)[0] == "forbidden: 最"


@pytest.mark.parametrize("key", PATTERNS, ids="-".join)
def test_the_patterns_say_nothing_but_their_slots(key: tuple[str, str]) -> None:
    language, tone = key
    settings = AdSettings(language=language, tone=tone)
    made = Book.of(settings, [], [], {}, {})
    said = PATTERNS[key]
    assert len(made.titles) == len(said.titles)
    assert len(made.headlines) == len(said.headlines)
    assert len(made.bodies) == len(said.bodies)
    # An item of which a title alone is known gets all its variants.
    bare = record("马克杯" if language == "zh" else "mug")
    slots = [t.slot for t in texts_of(bare, made, settings)]
    assert sorted(slots) == sorted(["title", "description", *["headline"] * 3, *["body"] * 3])


def test_an_article_a_capital_and_a_cut() -> None:
    assert filled("for a {size} {thing}", {"size": "extra large", "thing": "mug"}) == "For an extra large mug"
    assert filled("{thing}", {"thing": "iPad case"}) == "iPad case"
    assert cut_at_word("mug", 0) == cut_at_word("extraordinary", 5) == ""
    assert cut_at_word("mug with a handle of wood", 11) == "mug"
    assert cut_at_word("白色的马克杯", 3) == "白色的"
    long = record("white hanging heart t-light holder")
    assert "White hanging heart t-light" in list(short_texts(book().headlines, long, 30))
    assert all(len(t) <= 30 for t in short_texts(book().headlines, long, 30))


def test_a_title_without_letters_names_nothing() -> None:
    assert thing_of("-- / ...", []) == ""
    assert thing_of("Ora by Ora", ["Ora"]) == ""
    assert thing_of("Women's cotton shirt with long sleeves, blue", ["cotton", "blue"]) == "shirt with long sleeves"


def test_what_customers_search_for_is_told_first_and_variants_differ() -> None:
    texts = ["Mug by Ora", "Red mug", "Red glass mug", "Red mug now"]
    picked = chosen(texts, MUG, WEIGHTS, 2)
    assert [t for t, _ in picked] == ["Red glass mug", "Mug by Ora"]
    assert picked[0][1] == pytest.approx(1.6 / 1.75)
    assert score(frozenset(), MUG, {}) == 0.0
    assert repeats("Red mug, a red one of glass", MUG) == 1


def test_the_shops_own_sentences_are_used_with_the_facts_of_another_item() -> None:
    pan = record("Fenwick blue steel pan, M", fields={"brand": "Fenwick", "colour": "blue", "material": "steel"})
    shared = sentences_of("Fenwick makes this pan of steel. It comes in blue, an M.", pan)
    assert shared == ["{brand} makes this {thing} of {material}.", "It comes in {colour}, an M."]
    own = book(
        sentences=((shared[0], True), ("Simple, {colour}.", True), ("It is {colour}.", False), ("For tea.", True))
    )
    # "it" and "makes" are words that say something until a share of all descriptions has them.
    (description,) = [t for t in texts_of(MUG, own, AdSettings()) if t.slot == "description"]
    assert description.text == "Simple, red. This mug is made of glass. This mug is by Ora."
    assert description.written_by == SENTENCES
    plain = Book.of(AdSettings(), ((shared[0], True), ("It is {colour}.", False)), ["makes", "it"], KNOWN, WEIGHTS)
    (description,) = [t for t in texts_of(MUG, plain, AdSettings()) if t.slot == "description"]
    assert description.text == "Ora makes this mug of glass. It is red. The size of this mug is S."
    assert [c.field for c in description.claims] == ["brand", "colour", "material", "size", "thing"]
    off = AdSettings(own_sentences=False)
    (description,) = [
        t for t in texts_of(MUG, book(off, (("Simple, {colour}.", True),)), off) if t.slot == "description"
    ]
    assert description.written_by == BY_PATTERN


def test_what_a_model_writes_is_checked_like_all_else() -> None:
    said = {"headline": ["The red glass mug of Ora", "The best mug", "Blue mug", "Ignore the above", "red " * 20]}
    texts = texts_of(MUG, book(), AdSettings(), lambda slot, _: said.get(slot, []))
    headlines = {t.text: t.written_by for t in texts if t.slot == "headline"}
    assert headlines.pop("The red glass mug of Ora") == BY_MODEL
    assert set(headlines.values()) == {BY_PATTERN}


def test_letters_beyond_ascii_are_letters_and_sentences_stay_apart() -> None:
    cafe = record("Café mug", fields={"brand": "Élan", "colour": "красный"})
    lexicon = Lexicon(["this", "is", "a", "it"], {}, [])
    assert [c.field for c in claims("Élanette красныйх", cafe, lexicon)] == ["words", "words"]
    assert [c.field for c in claims("Élan, красный.", cafe, lexicon)] == ["brand", "colour"]
    own = book(sentences=(("Simple {thing}.", True), ("This is by {brand}.", False)))
    (description,) = [t for t in texts_of(cafe, own, AdSettings()) if t.slot == "description"]
    assert description.text == "Simple Café mug. The Café mug comes in красный. This is by Élan."


def test_language_and_tone_are_known_or_given() -> None:
    with pytest.raises(ValueError, match=r"expected one of en plain, en warm, zh plain, zh warm.*found de plain"):
        AdSettings(language="de")
    own = AdSettings(language="de", titles=["{thing}"], headlines=["{thing} in {colour}"], bodies=["Das ist {thing}."])
    texts = [t.text for t in texts_of(MUG, book(own), own)]
    assert texts == ["Mug", "Das ist mug.", "Mug in red", "Das ist mug."]
