"""Every sentence is true of its line: no view is called a purchase, nothing is called popular that is not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.ranking.reasons import with_reason
from recsynth.ranking.settings import ReasonSettings

SCHEMA = (
    "item_id string, pair_purchases float, pair_weight float, pair_last_days float, because_item string, "
    "item_neighbours_score float, user_neighbours_score float, text_score float, sources array<string>"
)
KNOWN = {"item_neighbours_score": 0.1, "text_score": -0.5}

CASES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"pair_purchases": 1.0, "pair_last_days": 0.5}, "Bought once, last activity in the last day.", ["x"]),
    ({"pair_purchases": 2.0, "pair_last_days": 1.2}, "Bought twice, last activity 1 day ago.", ["x"]),
    ({"pair_purchases": 3.0, "pair_last_days": 9.9}, "Bought 3 times, last activity 9 days ago.", ["x"]),
    ({**KNOWN, "because_item": "y"}, "Goes with Yellow {cup}, which is in the history.", ["y"]),
    ({"pair_purchases": 0.0, "pair_weight": 0.1, "pair_last_days": 4.0},
     "Of interest before, last activity 4 days ago.", ["x"]),
    ({**KNOWN, "because_item": "x", "text_score": 0.5}, "Its description matches the history.", []),
    ({**KNOWN, "user_neighbours_score": 0.2, "sources": ["user_neighbours"]},
     "Users with a like history have it.", []),
    ({**KNOWN, "sources": ["popular"]}, "Popular now.", []),
    ({**KNOWN, "sources": ["als"]}, "Suggested by the history as a whole.", []),
    ({"sources": ["popular"]}, "Popular now; nothing is known of this user yet.", []),
]  # fmt: skip


# Every sentence in another language, with a brace of its own and the places the other way round.
GERMAN = {
    "bought": "Zuletzt {ago}, gekauft: {times}.", "goes_with": "Passt zu {title} {{wie gesehen}}.",
    "interest": "Angesehen {ago}.", "like_users": "Ähnliche Kunden haben es.", "text": "Die Beschreibung passt.",
    "popular": "Gerade beliebt.", "nothing_known": "Gerade beliebt; wir kennen uns noch nicht.",
    "newcomers": "Neue Kunden beginnen damit.", "history": "Passt zu allem.", "new_near": "Neu, ähnlich wie {title}.",
    "new": "Neu.", "once": "einmal", "twice": "zweimal", "often": "{n}-mal", "today": "heute", "yesterday": "gestern",
    "earlier": "vor {n} Tagen",
}  # fmt: skip
IN_GERMAN = [
    "Zuletzt heute, gekauft: einmal.", "Zuletzt gestern, gekauft: zweimal.", "Zuletzt vor 9 Tagen, gekauft: 3-mal.",
    "Passt zu Yellow {cup} {wie gesehen}.", "Angesehen vor 4 Tagen.", "Die Beschreibung passt.",
    "Ähnliche Kunden haben es.", "Gerade beliebt.", "Passt zu allem.", "Gerade beliebt; wir kennen uns noch nicht.",
]  # fmt: skip


def reasons(spark: SparkSession, say: ReasonSettings) -> dict[int, tuple[str, list[str]]]:
    """Reason and reason items of each case, all in one pass; a title's own braces are no places."""
    names = [field.split()[0] for field in SCHEMA.split(", ")]
    rows = [(*tuple({"item_id": "x", "sources": [], **given}.get(n) for n in names), i) for i, (given, _, _) in
            enumerate(CASES)]  # fmt: skip
    titles = spark.createDataFrame([("x", "Xylophone"), ("y", "Yellow {cup}")], "item_id string, title string")
    found = with_reason(spark.createDataFrame(rows, f"{SCHEMA}, case int"), titles, say).collect()
    return {r.case: (r.reason, r.reason_items) for r in found}


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> dict[int, tuple[str, list[str]]]:
    """In the words of the default settings."""
    return reasons(spark, ReasonSettings())


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_first_reason_that_holds_is_told(told: dict[int, tuple[str, list[str]]], case: int) -> None:
    assert told[case] == CASES[case][1:]


def test_every_sentence_is_told_in_the_shop_s_language(spark: SparkSession) -> None:
    assert set(GERMAN) == set(ReasonSettings.model_fields)
    found = reasons(spark, ReasonSettings.model_validate(GERMAN))
    assert [found[case] for case in range(len(CASES))] == [
        (sentence, items) for sentence, (_, _, items) in zip(IN_GERMAN, CASES, strict=True)
    ]


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ({"goes_with": "Passt dazu."}, "expected {title}, found 'Passt dazu.'"),
        ({"bought": "Gekauft {times}."}, "expected {ago}, {times}, found"),
        ({"popular": "Beliebt, {title}."}, "expected no place in braces, found"),
        ({"text": "Passt {"}, "'{'"),
        ({"earlier": "vor {n!r:>9} Tagen"}, "expected plain names in braces, found"),
        ({"earlier": "vor {n.__class__} Tagen"}, "expected {n}, found"),
    ],
)
def test_a_sentence_that_leaves_a_place_out_or_invents_one_is_refused(sentence: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ReasonSettings.model_validate(sentence)
