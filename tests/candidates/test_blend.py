"""Which items each source proposes, and what each line says of why."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsynth.candidates.blend import because, damped, propose, trending
from recsynth.candidates.models import SourceModels, load_models
from recsynth.candidates.settings import CandidateSettings, TrendingSettings
from recsynth.tables.rank import SOURCES

NONE = np.full(4, np.nan)


def settings(**depths: int) -> CandidateSettings:
    sections = {s: {"depth": depths.get(s, 1 if s == "popular" else 0)} for s in SOURCES}
    sections["item_neighbours"]["unseen_depth"] = depths.get("unseen", 0)
    sections["trending"]["unseen_depth"] = depths.get("unseen_trending", 0)
    return CandidateSettings.model_validate(sections)


def proposed(scores: dict[str, np.ndarray], seen: list[int], known: list[int], **depths: int) -> dict[int, list[str]]:
    is_seen, is_known = np.isin(np.arange(4), seen), np.isin(np.arange(4), known)
    return propose({**dict.fromkeys(SOURCES, NONE), **scores}, is_seen, is_known, settings(**depths))


def test_each_source_proposes_to_its_depth_with_ties_by_the_lower_index() -> None:
    found = proposed({"als": np.array([1.0, 2, 2, 3]), "popular": np.array([9.0, 8, 7, 6])}, [], [0, 1, 2, 3], als=2)
    assert found == {3: ["als"], 1: ["als"], 0: ["popular"]}


def test_items_unknown_at_the_cutoff_are_proposed_by_none() -> None:
    assert proposed({"popular": np.array([9.0, 8, 7, 6])}, [], [2, 3]) == {2: ["popular"]}


def test_repeats_are_items_that_the_user_has() -> None:
    assert proposed({"repeat": np.array([0.0, 2, 0, 0])}, [1], [0, 1, 2, 3], repeat=4) == {1: ["repeat"]}


def test_items_never_had_are_proposed_beyond_those_had() -> None:
    scores = {"item_neighbours": np.array([4.0, 3, 2, 1])}
    assert set(proposed(scores, [0, 1], [0, 1, 2, 3], item_neighbours=2, unseen=1)) == {0, 1, 2}


def test_each_source_that_proposes_further_items_is_named_once() -> None:
    scores = {"item_neighbours": np.array([4.0, 3, 2, 1]), "trending": np.array([4.0, 3, 1, 2])}
    found = proposed(scores, [0, 1], [0, 1, 2, 3], item_neighbours=3, unseen=1, unseen_trending=2)
    assert (found[2], found[3]) == (["item_neighbours", "trending"], ["trending"])


def test_trending_raises_what_is_in_demand_and_repeats_less_so() -> None:
    neighbours, own, trend = np.array([[0.5, 0.5, -0.1]]), np.array([[0.0, 2.0, 1.0]]), np.array([16.0, 1.0, 0.0625])
    settings = TrendingSettings(power=0.5, own_weight=0.25, own_power=0.25)
    # 0.5 * 4; 0.5 * 1 + 0.25 * 2 * 1; a neighbour's negative score counts as none: 0.25 * 1 * 0.5.
    assert trending(neighbours, own, trend, settings) == pytest.approx(np.array([[2.0, 1.0, 0.125]]))


def test_because_names_the_item_that_adds_most_or_none() -> None:
    weights = np.array([[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [0.1, 0.6, 0.0]], np.float32)
    ids = np.array(["a", "b", "c"], dtype=object)
    empty = np.zeros((3, 0))
    pool, none = sp.csr_matrix((0, 3)), np.zeros(0, int)
    models = SourceModels(
        ids, np.ones(3, bool), np.ones(3), np.ones(3), weights, empty, empty, pool, none, empty, none, empty
    )
    history = sp.csr_matrix(np.array([[1.0, 0.0, 1.0]], np.float32))
    # b: a adds 0.5 and c adds 0.6; a: only c adds; c: nothing adds.
    assert because(history, np.array([0, 1, 2]), models) == ["c", "c", None]


def test_damping_is_the_root_of_r_capped_at_three() -> None:
    assert damped(sp.csr_matrix([[4.0, 1.0, 0.25]])).toarray()[0] == pytest.approx([3**0.5, 1, 0.5])


@pytest.mark.parametrize("is_sparse", [True, False])
def test_models_are_read_as_written(tmp_path, is_sparse: bool) -> None:  # type: ignore[no-untyped-def]
    weights = sp.csr_matrix(np.eye(2)) if is_sparse else np.eye(2)
    known, popular = np.array([True, False]), np.array([1.0, 2.0])
    ids = np.array(["a", "b"], dtype=object)
    models = SourceModels(
        ids, known, popular, np.array([0.5, 2.0]), weights, np.ones((2, 3)), np.ones((2, 4)),
        sp.csr_matrix(np.eye(2)), np.array([1]), np.ones((1, 2)), np.array(["c"], dtype=object), np.ones((1, 1)),
    )  # fmt: skip
    found = load_models(models.write(tmp_path / "m"))
    assert found.ids_M.tolist() == ["a", "b"]
    assert found.is_known_M.tolist() == [True, False]
    assert sp.issparse(found.weights_MM) == is_sparse
    assert (found.pool_PM.toarray() == np.eye(2)).all()
    assert found.trend_M.tolist() == [0.5, 2.0]
    assert found.factors_MF.shape == (2, 3)
    assert (found.anchors_K.tolist(), found.new_ids_N.tolist()) == ([1], ["c"])
    assert (found.transfer_KM.shape, found.transfer_KN.shape) == ((1, 2), (1, 1))
