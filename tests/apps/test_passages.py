"""Passages: the nearest sentence wins, an answer is word for word, and nothing near enough is no answer."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.apps.passages import Found, Library, Passage, composed, worker_tower

RETURNS = Passage(
    "policy", "returns", "Returns", "Anything can be sent back within 30 days. The label is in your account."
)
DELIVERY = Passage(
    "policy", "delivery", "Delivery", "Delivery takes three to five days. It costs 4.90 and is free from 50."
)
SHOPS = Passage("policy", "shops", "Our shops", "Our shops are open from Monday to Saturday.")


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.of(
        [RETURNS, DELIVERY, SHOPS, Passage("policy", "blank", "Blank", " ")], worker_tower("minilm", 64, 2), 8
    )


def nearest(library: Library, question: str, own: Library | None = None) -> list[Found]:
    return library.nearest(worker_tower("minilm", 64, 2).encode([question])[0], 2, own)


def test_a_passage_is_found_by_what_it_means(library: Library) -> None:
    assert len(library.passages) == 3, "what has no sentence is left out"
    for question, passage in (
        ("How long do I have to return something?", RETURNS), ("What do you charge for shipping?", DELIVERY),
        ("When can I visit your store?", SHOPS),
    ):  # fmt: skip
        first, second = nearest(library, question)
        assert first.passage == passage
        assert first.score >= second.score
        assert first.score == max(first.scores)


def test_the_item_asked_about_is_looked_at_too(library: Library) -> None:
    mug = Passage("item", "mug", "Red mug", "A mug of stoneware. It may be washed in the dishwasher.")
    own = Library.of([mug], worker_tower("minilm", 64, 2), 8)
    assert nearest(library, "Is the mug dishwasher safe?", own)[0].passage == mug


def test_an_answer_is_the_best_sentences_in_their_order_each_once() -> None:
    found = [Found(RETURNS, 0.7, [0.65, 0.7]), Found(DELIVERY, 0.62, [0.5, 0.62]), Found(SHOPS, 0.2, [0.2])]
    assert composed(found, 0.4, 0.1, 3) == [
        (RETURNS, RETURNS.sentences[0]), (RETURNS, RETURNS.sentences[1]), (DELIVERY, DELIVERY.sentences[1])
    ]  # fmt: skip
    assert composed(found, 0.4, 0.1, 1) == [(RETURNS, RETURNS.sentences[1])]
    assert composed([found[0], Found(RETURNS, 0.7, [0.65, 0.7])], 0.4, 0.1, 9) == [
        (RETURNS, RETURNS.sentences[0]), (RETURNS, RETURNS.sentences[1])
    ]  # fmt: skip
    assert composed(found, 0.8, 0.1, 3) == composed([], 0.1, 0.1, 3) == []


def test_an_empty_library_finds_nothing() -> None:
    empty = Library.of([], worker_tower("minilm", 64, 2), 8)
    assert empty.nearest(np.ones(384, np.float32), 5) == []
