"""Figures of sets whose worth is known: fresh people of the same tastes, copies of the people, and shuffled ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsynth.synthesis.discriminator import discriminator_auc
from recsynth.synthesis.judge import (
    METRICS,
    People,
    added,
    algorithms,
    copies,
    judged,
    likeness,
    rebuilt,
    recommender,
    reference,
    shuffled,
    spectrum,
    tail_ratio,
)
from recsynth.synthesis.settings import GateSettings
from tests.synthesis.planted import ITEMS, two_tastes

SETTINGS = GateSettings(lift_items=ITEMS, ease_l2=5.0)
USERS = 300


def split(rows_UM: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Each user's items dealt into what is known before and what is wanted after."""
    first = np.random.default_rng(1).random(rows_UM.nnz) < 0.6
    parts = []
    for keep in (first, ~first):
        part = rows_UM.copy()
        part.data = keep.astype(np.float32)
        part.eliminate_zeros()
        parts.append(part)
    return parts[0], parts[1]


@pytest.fixture(scope="module")
def people() -> People:
    held = two_tastes(USERS, seed=2)
    return People(two_tastes(USERS, seed=1), held, *split(held))


@pytest.fixture(scope="module")
def found(people: People) -> dict[str, dict[str, float]]:
    fresh = two_tastes(USERS, seed=3)
    sets = {"fresh": fresh, "copied": people.learn_UM, "shuffled": shuffled(fresh, 4)}
    return {name: judged(rows, people, SETTINGS, seed=5) for name, rows in sets.items()}


def test_every_figure_has_a_meaning_and_every_meaning_a_figure(
    people: People, found: dict[str, dict[str, float]]
) -> None:
    further = added(people.learn_UM, people, SETTINGS) | algorithms(people.learn_UM, people, SETTINGS)
    assert set(found["fresh"]) | set(further) == set(METRICS)
    assert set(reference(people, SETTINGS, seed=5)) <= set(METRICS)


def test_fresh_people_of_the_same_tastes_are_as_good_as_the_real(
    people: People, found: dict[str, dict[str, float]]
) -> None:
    real, fresh = reference(people, SETTINGS, seed=5), found["fresh"]
    assert fresh["activity"] > 0.9
    assert fresh["lift"] > 0.9 * real["lift"] > 0.5
    assert fresh["transfer_all"] > 0.9 * real["transfer_all"]
    assert abs(fresh["discriminator"] - 0.5) < 0.1
    assert fresh["membership"] < 0.6
    assert abs(real["membership"] - 0.5) < 0.1


def test_shuffled_people_have_the_margins_and_nothing_else(people: People, found: dict[str, dict[str, float]]) -> None:
    real, control = reference(people, SETTINGS, seed=5), found["shuffled"]
    assert control["lift"] < 0.5 * real["lift"]
    assert control["transfer_all"] < 0.9 * real["transfer_all"]
    assert control["discriminator"] > 0.9


def test_copied_people_are_found_out(people: People, found: dict[str, dict[str, float]]) -> None:
    long_enough = int((np.diff(people.learn_UM.indptr) >= SETTINGS.copy_items).sum())
    assert found["copied"]["copies"] == long_enough > 50
    assert found["copied"]["membership"] > 0.65
    assert found["fresh"]["copies"] < 0.2 * long_enough


def test_too_few_people_are_not_told_apart_rather_than_alike(people: People) -> None:
    assert np.isnan(discriminator_auc(people.held_UM, people.learn_UM[:9], seed=1))


def test_likeness_is_jaccards_to_the_nearest_rows() -> None:
    known = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 0, 1]], np.float32))
    rows = sp.csr_matrix(np.array([[1, 1, 1, 0], [1, 0, 0, 0]], np.float32))
    assert likeness(known, rows, 1).tolist() == [pytest.approx(2 / 3), 0.0]
    assert likeness(known, rows, 5).tolist() == [pytest.approx((2 / 3 + 1 / 2) / 2), 0.0]
    assert likeness(known, rows[:0], 1).tolist() == [0.0, 0.0]


def test_short_histories_are_alike_by_chance_and_no_copies() -> None:
    known = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 1]], np.float32))
    assert copies(known, known, least=3) == 1
    assert copies(known, known[:, [0, 1, 2]][:1], least=3) == 0


def test_a_history_is_rebuilt_by_the_weights_between_its_items() -> None:
    weights = np.array([[0, 0.5, 0], [0.25, 0, 0], [0, 0, 0]], np.float32)
    known = sp.csr_matrix(np.array([[1, 1, 0], [0, 0, 1]], np.float32))
    assert rebuilt(known, weights).tolist() == [pytest.approx((0.5 + 0.25) / 2), 0.0]


def test_the_tail_is_measured_against_the_held_out_peoples() -> None:
    held = sp.csr_matrix(np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0]], np.float32))
    rare = sp.csr_matrix(np.array([[0, 1, 1, 0, 0]], np.float32))
    assert tail_ratio(held, held) == 1.0
    assert tail_ratio(rare, held) == pytest.approx(1 / (2 / 4))


def test_what_is_shuffled_keeps_how_often_each_item_is_drawn_but_for_repeats() -> None:
    rows = two_tastes(200, seed=7)
    dealt = shuffled(rows, seed=1)
    before, after = np.asarray(rows.sum(0)).ravel(), np.asarray(dealt.sum(0)).ravel()
    assert (after <= before).all()
    assert after.sum() > 0.8 * before.sum()


def test_the_spectrum_is_that_of_the_whole_matrix_and_tells_tastes_from_noise(
    people: People, found: dict[str, dict[str, float]]
) -> None:
    shares = spectrum(people.held_UM)
    values = np.linalg.svd(people.held_UM.toarray(), compute_uv=False)
    assert shares[:10] == pytest.approx(values[:10] ** 2 / people.held_UM.nnz, abs=1e-4)
    assert shares.sum() == pytest.approx(1)
    assert found["fresh"]["spectrum"] > 0.95 > found["shuffled"]["spectrum"]
    assert spectrum(people.held_UM[:0]).sum() == 0


def test_the_same_people_rank_recommenders_the_same_and_dealt_ones_do_not(people: People) -> None:
    assert algorithms(people.learn_UM, people, SETTINGS)["algorithms"] == pytest.approx(1.0)
    fresh = algorithms(two_tastes(USERS, seed=9), people, SETTINGS)["algorithms"]
    assert fresh > algorithms(shuffled(people.learn_UM, 0), people, SETTINGS)["algorithms"]


def test_real_people_added_to_few_real_people_help(people: People) -> None:
    few = People(people.learn_UM[:4], people.held_UM, people.before_VM, people.held_UM)
    gained = added(two_tastes(USERS, seed=8), few, SETTINGS)
    assert gained["added_all"] > gained["added_low"] > 0
    assert gained["share"] in SETTINGS.shares


def test_what_helps_nobody_surely_or_costs_people_with_few_items_has_no_share(people: People) -> None:
    # Shuffled people bring nothing to people enough; of two tastes they take the one that people with few items have.
    noise = shuffled(sp.vstack([two_tastes(USERS, seed=8)] * 5).tocsr(), 4)
    assert added(noise, people, SETTINGS)["share"] == 0.0
    few = People(people.learn_UM[:4], people.held_UM, people.before_VM, people.held_UM)
    helped = two_tastes(USERS, seed=8)
    assert added(helped, few, SETTINGS)["share"] > 0
    assert added(helped[:, ::-1].tocsr(), people, SETTINGS)["share"] == 0.0


def test_a_recommender_of_no_rows_knows_nothing() -> None:
    assert not recommender(sp.csr_matrix((0, 4), dtype=np.float32), 1.0).any()
