"""Blend: score a block of users by every source, let each propose, and keep all scores of what was proposed.

Shapes: U users of a block, M items, C candidates of one user.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsynth.candidates import user_neighbours
from recsynth.candidates.item_neighbours import to_csr
from recsynth.candidates.models import SourceModels, load_models
from recsynth.candidates.settings import CandidateSettings, TrendingSettings
from recsynth.faults import fault_point
from recsynth.model.top_k import best, ranked
from recsynth.tables.rank import CANDIDATES, SOURCES


def blend(rows: pd.DataFrame, models: SourceModels, settings: CandidateSettings) -> pd.DataFrame:
    """Candidates of a block of users at one cut-off.

    rows: cutoff, user_id, items and weights (the row of R), last (indices of the last basket), als_vector and
    text_vector (None where unknown). Returns the columns of rank.candidates.
    """
    x_UM = to_csr(rows["items"], rows["weights"], len(models.ids_M))
    scores = source_scores(rows, x_UM, models, settings)
    is_seen_UM = (x_UM > 0).toarray()
    frames = []
    for user in range(len(rows)):
        proposed = propose({s: v[user] for s, v in scores.items()}, is_seen_UM[user], models.is_known_M, settings)
        if len(proposed):
            frames.append(
                _user_frame(rows.iloc[user], proposed, {s: v[user] for s, v in scores.items()}, x_UM[user], models)
            )
    if not frames:
        return pd.DataFrame(columns=list(CANDIDATES.column_names))
    return pd.concat(frames, ignore_index=True)[list(CANDIDATES.column_names)]


def source_scores(
    rows: pd.DataFrame, x_UM: sp.csr_matrix, models: SourceModels, settings: CandidateSettings
) -> dict[str, np.ndarray]:
    """Each source's scores (U, M); NaN in the rows of users of whom it knows nothing."""
    ones = rows["last"].map(lambda last: np.ones(len(last), np.float32))
    last_UM = to_csr(rows["last"], ones, len(models.ids_M))
    has_row_U = np.diff(x_UM.indptr) > 0
    damped_UM, own_UM = damped(x_UM), x_UM.toarray()
    # Fitted on damped R, applied to R itself: what was bought five times says more of the user than of the items.
    neighbours_UM = _dense(x_UM @ models.weights_MM)
    anchors_UK = anchor_scores(_dense(damped_UM @ models.weights_MM), damped_UM, models, settings)
    return {
        "item_neighbours": _known(neighbours_UM, has_row_U),
        "trending": _known(trending(neighbours_UM, own_UM, models.trend_M, settings.trending), has_row_U),
        "last_basket": _known(np.asarray(last_UM @ models.weights_MM), np.diff(last_UM.indptr) > 0),
        "als": _products(rows["als_vector"], models.factors_MF),
        "user_neighbours": _known(
            user_neighbours.scores(damped_UM, models.pool_PM, settings.user_neighbours.neighbours), has_row_U
        ),
        "text": _products(rows["text_vector"], models.vectors_MD),
        "text_transfer": _known(_carried(anchors_UK, models), has_row_U),
        "popular": np.tile(models.popular_M, (len(rows), 1)),
        "repeat": _known(own_UM, has_row_U),
    }


def trending(
    neighbours_UM: np.ndarray, own_UM: np.ndarray, trend_M: np.ndarray, settings: TrendingSettings
) -> np.ndarray:
    """Neighbours' scores and the user's own R (both U, M), each times a power of the item's trend."""
    score_UM: np.ndarray = (
        np.maximum(neighbours_UM, 0) * trend_M**settings.power
        + settings.own_weight * own_UM * trend_M**settings.own_power
    )
    return score_UM


def anchor_scores(
    neighbours_UM: np.ndarray, damped_UM: sp.csr_matrix, models: SourceModels, settings: CandidateSettings
) -> np.ndarray:
    """What text carries over, (U, K): item neighbours' scores of the anchors and a share of the user's own R."""
    own = settings.text_transfer.own_weight
    scores_UK: np.ndarray = neighbours_UM[:, models.anchors_K] + own * _dense(damped_UM[:, models.anchors_K])
    return scores_UK


def _carried(anchors_UK: np.ndarray, models: SourceModels) -> np.ndarray:
    """Scores (U, M) by text; NaN where there is no anchor or the catalogue is too large for them."""
    if not models.transfer_KM.size:
        return np.full((len(anchors_UK), len(models.ids_M)), np.nan, np.float32)
    carried_UM: np.ndarray = anchors_UK @ models.transfer_KM
    return carried_UM


def new_item_function(folder: str, count: int, settings: CandidateSettings):  # type: ignore[no-untyped-def]
    """The mapInPandas function from users' rows of R to their `count` best new items: user_id, item_id, score, rank."""

    def score(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        models = load_models(folder)
        for rows in blocks:
            for start in range(0, len(rows), settings.block_users):
                block = rows.iloc[start : start + settings.block_users]
                damped_UM = damped(to_csr(block["items"], block["weights"], len(models.ids_M)))
                anchors_UK = anchor_scores(_dense(damped_UM @ models.weights_MM), damped_UM, models, settings)
                found = best(anchors_UK @ models.transfer_KN, count)
                yield ranked(block[["user_id"]], models.new_ids_N, *found)

    return score


def damped(x: sp.csr_matrix) -> sp.csr_matrix:
    """Square root of R capped at 3: the tenth purchase says less than the first."""
    return x.minimum(3.0).sqrt()


def propose(
    scores: dict[str, np.ndarray], is_seen_M: np.ndarray, is_known_M: np.ndarray, settings: CandidateSettings
) -> dict[int, list[str]]:
    """Index of each candidate to the sources that propose it, for one user."""
    depths: dict[str, int] = {source: getattr(settings, source).depth for source in SOURCES}
    proposed: dict[int, list[str]] = {}
    for source, depth in depths.items():
        for item in _top(np.where(is_known_M, scores[source], np.nan), depth, source == "repeat"):
            proposed.setdefault(int(item), []).append(source)
    further = {"item_neighbours": settings.item_neighbours.unseen_depth, "trending": settings.trending.unseen_depth}
    for source, depth in further.items():
        for item in _top(np.where(is_known_M & ~is_seen_M, scores[source], np.nan), depth, False):
            if source not in proposed.setdefault(int(item), []):
                proposed[int(item)].append(source)
    return proposed


def block_function(folders: dict[pd.Timestamp, str], settings: CandidateSettings):  # type: ignore[no-untyped-def]
    """The mapInPandas function over users of all cut-offs; `folders` gives each cut-off its models."""

    def score(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for rows in blocks:
            for cutoff, at_cutoff in rows.groupby("cutoff", sort=True):
                models = load_models(folders[pd.Timestamp(str(cutoff))])
                for start in range(0, len(at_cutoff), settings.block_users):
                    fault_point("udf.candidates")
                    yield blend(at_cutoff.iloc[start : start + settings.block_users], models, settings)

    return score


def _user_frame(
    user: pd.Series,
    proposed: dict[int, list[str]],
    scores: dict[str, np.ndarray],
    x_1M: sp.csr_matrix,
    models: SourceModels,
) -> pd.DataFrame:
    chosen_C = np.array(sorted(proposed))
    frame: dict[str, object] = {"cutoff": user.cutoff, "user_id": user.user_id, "item_id": models.ids_M[chosen_C]}
    for source in SOURCES:
        values_C = scores[source][chosen_C].astype(np.float32)
        is_known = not np.isnan(values_C).all()
        frame[f"{source}_score"] = values_C
        ranks_C = np.empty(len(chosen_C), np.int32)
        ranks_C[np.argsort(-values_C, kind="stable")] = np.arange(1, len(chosen_C) + 1)
        frame[f"{source}_rank"] = pd.array(ranks_C if is_known else [None] * len(chosen_C), dtype="Int32")
    frame["sources"] = [proposed[i] for i in chosen_C]
    frame["because_item"] = because(x_1M, chosen_C, models)
    return pd.DataFrame(frame)


def because(x_1M: sp.csr_matrix, chosen_C: np.ndarray, models: SourceModels) -> list[str | None]:
    """For each candidate the item of the history that adds most to its neighbour score; None where none adds."""
    if not x_1M.nnz:
        return [None] * len(chosen_C)
    rows = models.weights_MM[x_1M.indices]
    weights_HC = np.asarray(rows[:, chosen_C].todense()) if sp.issparse(rows) else np.asarray(rows)[:, chosen_C]
    adds_HC = x_1M.data[:, None] * weights_HC
    most_C = adds_HC.argmax(0)
    return [models.ids_M[x_1M.indices[h]] if adds_HC[h, c] > 0 else None for c, h in enumerate(most_C)]


def _top(scores_M: np.ndarray, depth: int, positive: bool) -> np.ndarray:
    """Indices of the `depth` greatest that are no NaN (and above 0, if asked), ties by the lower index."""
    usable = np.flatnonzero(~np.isnan(scores_M) & ((scores_M > 0) | (not positive)))
    if len(usable) > depth > 0:
        edge = -np.partition(-scores_M[usable], depth - 1)[depth - 1]
        usable = usable[scores_M[usable] >= edge]
    return usable[np.argsort(-scores_M[usable], kind="stable")[:depth]]


def _products(vectors: pd.Series, items_MD: np.ndarray) -> np.ndarray:
    """Inner products (U, M); NaN where the user has no vector."""
    has_vector_U = vectors.notna().to_numpy()
    scores_UM = np.full((len(vectors), len(items_MD)), np.nan, np.float32)
    if has_vector_U.any() and items_MD.shape[1]:
        scores_UM[has_vector_U] = np.stack(vectors[has_vector_U].to_list()).astype(np.float32) @ items_MD.T
    return scores_UM


def _dense(product: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """A product with dense or with sparse item weights, dense."""
    return np.asarray(product.toarray() if isinstance(product, sp.csr_matrix) else product)


def _known(scores_UM: np.ndarray, is_known_U: np.ndarray) -> np.ndarray:
    return np.where(is_known_U[:, None], scores_UM, np.nan).astype(np.float32)
