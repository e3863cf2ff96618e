"""Text transfer: the scores of known items carried over to others by the language model's vectors.

Shapes: M items of the catalogue, K anchors among them, N items that nobody has touched, D = embedding_size.
"""

from __future__ import annotations

import numpy as np

from recsynth.candidates.settings import CandidateSettings
from recsynth.model.transfer import transfer_weights


def fit(
    popular_M: np.ndarray, vectors_MD: np.ndarray, new_ND: np.ndarray, settings: CandidateSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Anchors (K,), weights from them to the catalogue (K, M) and to the new items (K, N).

    An item unknown at the cut-off (popularity 0) is no anchor: that nobody has it says nothing. In a catalogue
    beyond item_neighbours.max_items only new items are scored, (K, 0): K * M would not fit a worker.
    """
    limits, items = settings.text_transfer, len(popular_M)
    usable = np.flatnonzero((popular_M > 0) & (vectors_MD != 0).any(1))
    anchors_K = np.sort(usable[np.argsort(-popular_M[usable], kind="stable")[: limits.max_anchors]])
    others_M = (
        np.setdiff1d(np.arange(items), anchors_K) if items <= settings.item_neighbours.max_items else anchors_K[:0]
    )
    own_KK, carried = transfer_weights(
        vectors_MD[anchors_K], np.concatenate([vectors_MD[others_M], new_ND]), limits.width, limits.ridge
    )
    if items > settings.item_neighbours.max_items:
        return anchors_K, own_KK[:, :0], carried
    transfer_KM = np.zeros((len(anchors_K), items), np.float32)
    transfer_KM[:, anchors_K], transfer_KM[:, others_M] = own_KK, carried[:, : len(others_M)]
    return anchors_K, transfer_KM, carried[:, len(others_M) :]
