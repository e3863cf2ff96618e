"""Written searches judged on vectors where the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recsynth.synthesis.text_judge import (
    Pairs,
    Searches,
    added,
    documents,
    found_by_words,
    judged,
    mixed,
    reference,
    shuffled,
    transfer,
)
from recsynth.synthesis.text_settings import TextGateSettings

ITEMS, SETTINGS = 40, TextGateSettings()


def words_of(text: str) -> list[str]:
    return text.split()


def pairs(*rows: tuple[int, int]) -> Pairs:
    return Pairs(*(np.array([r[i] for r in rows], int) for i in (0, 1)))


def searches(**changes: Any) -> Searches:
    """Items whose own texts say nothing of what they are called by those who search for them: pet names.

    Query i is item i's pet name, ITEMS + i another way of writing it, near in meaning; people use the first early, for
    the even items alone, and the second later, for every item. Written are the pet names of all.
    """
    eye = np.eye(2 * ITEMS, dtype=np.float32)
    names = eye[ITEMS:]
    near = names + 0.1 * eye[:ITEMS]
    told: dict[str, Any] = {
        "items": [f"thing n{i}" for i in range(ITEMS)],
        "queries": [f"pet n{i}" for i in range(ITEMS)] + [f"dear n{i}" for i in range(ITEMS)],
        "items_MD": eye[:ITEMS][np.random.default_rng(1).permutation(ITEMS)],
        "queries_QD": np.concatenate([names, near / np.linalg.norm(near, axis=1, keepdims=True)]),
        "early": pairs(*((i, i) for i in range(0, ITEMS, 2))),
        "later": pairs(*((ITEMS + i, i) for i in range(ITEMS))),
        "made": pairs(*((i, i) for i in range(ITEMS))),
        "copies": 0,
    }
    return Searches(**(told | changes))


def test_a_document_is_the_unit_mean_of_what_was_searched_for() -> None:
    told = searches()
    found_MD, has_M = documents(told, pairs((0, 3), (1, 3)))
    assert has_M.tolist() == [i == 3 for i in range(ITEMS)]
    assert found_MD[3] == pytest.approx((told.queries_QD[0] + told.queries_QD[1]) / np.sqrt(2))
    half_MD = mixed(told, pairs((0, 3)), 0.5)
    assert half_MD[3] == pytest.approx(0.5 * told.items_MD[3] + 0.5 * told.queries_QD[0])
    assert half_MD[4] == pytest.approx(told.items_MD[4])


def test_searches_written_for_items_that_nobody_searched_for_help_and_dealt_anew_they_do_not() -> None:
    told = searches()
    found = added(told, told.made, SETTINGS)
    assert found["query_share"] > 0
    assert found["query_added_new"] > 0.5
    assert found["query_added_low"] > 0
    assert shuffled(told, SETTINGS, seed=2)["query_share"] == 0.0


def test_where_the_texts_say_it_all_written_searches_get_no_weight() -> None:
    names = np.eye(2 * ITEMS, dtype=np.float32)[ITEMS:]
    found = added(searches(items_MD=names), searches().made, SETTINGS)
    assert found["query_share"] == 0.0
    assert found["query_added_all"] == pytest.approx(0.0)


def test_what_helps_all_but_costs_new_items_gets_no_weight() -> None:
    # Written for the searched items alone, and of the new ones each gets its neighbour's name.
    wrong = pairs(*((i, i) for i in range(0, ITEMS, 2)), *((i - 1, i) for i in range(1, ITEMS, 2)))
    names = np.eye(2 * ITEMS, dtype=np.float32)[ITEMS:]
    items_MD = np.where(np.arange(ITEMS)[:, None] % 2 == 1, names, searches().items_MD)
    assert added(searches(items_MD=items_MD), wrong, SETTINGS)["query_share"] == 0.0


def test_transfer_compares_as_many_texts_of_an_item() -> None:
    told = searches()
    assert transfer(told, told.early) == pytest.approx(1.0)
    assert transfer(told, told.made) == pytest.approx(1.0)
    # A second, wrong text of item 0 is beyond what people have of it.
    more = pairs((0, 0), (2, 0), *((i, i) for i in range(2, ITEMS, 2)))
    assert transfer(searches(made=more), more) == pytest.approx(1.0)
    assert np.isnan(transfer(searches(early=pairs()), pairs()))


def test_words_alone_find_an_item_and_ties_share_the_places() -> None:
    told = searches(queries=[f"n{i}" for i in range(ITEMS)] + ["thing"] * ITEMS)
    assert found_by_words(told, pairs((0, 0), (5, 5)), words_of) == 1.0
    assert found_by_words(told, pairs((0, 1)), words_of) == 0.0
    assert found_by_words(told, pairs((ITEMS, 3)), words_of) == pytest.approx(10 / ITEMS)


def test_the_figures_of_likeness_privacy_and_coverage() -> None:
    told = searches(made=pairs(*((i, i) for i in range(30))), copies=1)
    ours, theirs = judged(told, words_of, SETTINGS), reference(told, words_of)
    assert ours["query_copies"] == 1.0
    assert ours["query_explained"] == pytest.approx(0.5)
    assert ours["query_length"] == theirs["query_length"] == 1.0
    # Fifteen of twenty new items have a text, fifteen of twenty others.
    assert ours["query_coverage"] == pytest.approx(1.0)
    assert set(theirs) < set(ours)
