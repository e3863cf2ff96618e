"""Which items are anchors, and what is left out where a catalogue is large."""

from __future__ import annotations

import numpy as np

from recsynth.candidates.settings import CandidateSettings
from recsynth.candidates.text_transfer import fit

VECTORS = np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0, 0]])
NEW = np.array([[0.0, 1.0]])


def settings(max_anchors: int = 9, max_items: int = 9) -> CandidateSettings:
    return CandidateSettings.model_validate(
        {"text_transfer": {"max_anchors": max_anchors}, "item_neighbours": {"max_items": max_items}}
    )


def test_an_item_unknown_at_the_cutoff_or_without_a_vector_is_no_anchor_but_is_scored() -> None:
    anchors, transfer, new = fit(np.array([5.0, 0, 3, 2, 4]), VECTORS, NEW, settings())
    assert anchors.tolist() == [0, 2, 3]
    assert (transfer.shape, new.shape) == ((3, 5), (3, 1))
    assert (np.diag(transfer[:, anchors]) == 0).all()
    scores = np.array([1.0, 0.0, 0.0])  # of anchor 0 alone: item 1 is near to it, the new item is not
    assert (scores @ transfer)[1] > 0.5 > (scores @ new)[0]


def test_the_most_popular_are_anchors() -> None:
    assert fit(np.array([5.0, 1, 3, 2, 4]), VECTORS, NEW, settings(max_anchors=2))[0].tolist() == [0, 2]


def test_beyond_max_items_only_new_items_are_scored() -> None:
    anchors, transfer, new = fit(np.array([5.0, 1, 3, 2, 4]), VECTORS, NEW, settings(max_items=4))
    assert (len(anchors), transfer.shape, new.shape) == (4, (4, 0), (4, 1))


def test_without_vectors_nothing_is_carried() -> None:
    anchors, transfer, new = fit(np.ones(3), np.zeros((3, 0)), np.zeros((2, 0)), settings())
    assert (len(anchors), transfer.shape, new.shape) == (0, (0, 3), (0, 2))
