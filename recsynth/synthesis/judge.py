"""What one set of histories is worth against people whom its generator never saw: plain numpy over sparse rows.

Shapes: U users, M items. A set is a sparse matrix (U, M) of ones. What each figure means: METRICS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from recsynth.measure.discrimination import auc
from recsynth.measure.intervals import bootstrap_difference
from recsynth.measure.ranking import ndcg
from recsynth.measure.synthesis import ks_complement, lift, overlap, spearman, tail_share
from recsynth.measure.variety import gini
from recsynth.model.ease import ease
from recsynth.model.top_k import best
from recsynth.synthesis.algorithms import agreement, weights
from recsynth.synthesis.discriminator import discriminator_auc
from recsynth.synthesis.settings import GateSettings

K, BLOCK = 10, 512
NEAREST = 5
LIGHT_ITEMS = 5
DIRECTIONS = 64

METRICS = {
    "popularity": ("fidelity", "KS complement of the share of users who have an item"),
    "popularity_overlap": ("fidelity", "what the shares of the items have in common, 1 - total variation"),
    "activity": ("fidelity", "KS complement of the number of items of a user"),
    "lift": ("fidelity", "Spearman of the co-occurrence lifts of pairs of popular items"),
    "spectrum": ("fidelity", "what the squared singular values of the two, the first 64 and the rest, have in common"),
    "gini": ("fidelity", "Gini of the number of users of an item"),
    "density": ("fidelity", "share of the matrix that is filled"),
    "discriminator": ("fidelity", "AUC of a classifier that tells the set from the hold-out"),
    "transfer_all": ("utility", "NDCG@10 on held-out people of EASE learned from the set, every item"),
    "transfer_new": ("utility", "the same, of items that they did not have"),
    "added_all": (
        "utility",
        "NDCG@10 of EASE on the learning half and a share of the set, less that on the half alone",
    ),
    "added_low": ("utility", "lower end of its 95 % interval over users"),
    "added_light": ("utility", "added_all over people with fewer than five items"),
    "algorithms": (
        "utility",
        "Kendall's tau of six recommenders by NDCG@10 of new items, learned from the set and from the learning half",
    ),
    "share": ("utility", "weight of the set's rows in that, the best of the settings; 0 where it helps nobody surely"),
    "copies": ("privacy", "people of the learning half whose history was copied whole"),
    "membership_closest": ("privacy", "AUC of who was learned from, by likeness to the closest record"),
    "membership_nearest": ("privacy", "the same by the mean likeness to the nearest five records"),
    "membership_rebuilt": ("privacy", "the same by how well EASE on the set rebuilds a history"),
    "membership": ("privacy", "the worst of the three"),
    "tail": ("bias", "share of interactions with the rarer four fifths of items, over the hold-out's"),
    "exposure_gini": ("bias", "Gini of the items in the lists of EASE learned from the set"),
}


@dataclass(frozen=True)
class People:
    """Real users: the half that was learned from; the half held out, and its purchases after an earlier cut-off.

    before_VM and wanted_VM: held-out users who bought in the window, their rows before it and what they bought.
    """

    learn_UM: sp.csr_matrix
    held_UM: sp.csr_matrix
    before_VM: sp.csr_matrix
    wanted_VM: sp.csr_matrix


def judged(rows_UM: sp.csr_matrix, people: People, settings: GateSettings, seed: int) -> dict[str, float]:
    """Every figure of METRICS but those of `added` and `algorithms` of a set of synthetic histories."""
    weights_MM = recommender(rows_UM, settings.ease_l2)
    return (
        fidelity(rows_UM, people.held_UM, settings, seed)
        | transfer(weights_MM, people)
        | privacy(rows_UM, weights_MM, people, settings)
        | {"tail": tail_ratio(rows_UM, people.held_UM)}
    )


def reference(people: People, settings: GateSettings, seed: int) -> dict[str, float]:
    """The same of the learning half as if it were synthetic.

    Of privacy, that of people of whom nobody learned: a random half of those held out stands as the set, and the
    attacks tell the learning half from the others held out.
    """
    weights_MM = recommender(people.learn_UM, settings.ease_l2)
    order = np.random.default_rng(seed).permutation(people.held_UM.shape[0])
    strangers_UM, others_UM = people.held_UM[order[::2]], people.held_UM[order[1::2]]
    rebuilding_MM = recommender(strangers_UM, settings.ease_l2)
    return (
        fidelity(people.learn_UM, people.held_UM, settings, seed)
        | transfer(weights_MM, people)
        | {"copies": float(copies(people.held_UM, people.learn_UM, settings.copy_items))}
        | membership(strangers_UM, rebuilding_MM, people.learn_UM, others_UM)
        | {"tail": tail_ratio(people.learn_UM, people.held_UM)}
    )


def fidelity(rows_UM: sp.csr_matrix, held_UM: sp.csr_matrix, settings: GateSettings, seed: int) -> dict[str, float]:
    """Likeness of the set to the hold-out; popularity as shares of the users."""
    ours_M, theirs_M = (holders(x) / max(x.shape[0], 1) for x in (rows_UM, held_UM))
    popular = np.argsort(-theirs_M, kind="stable")[: settings.lift_items]
    return {
        "popularity": ks_complement(ours_M, theirs_M),
        "popularity_overlap": overlap(ours_M, theirs_M),
        "activity": ks_complement(activity(rows_UM), activity(held_UM)),
        "lift": spearman(_lifts(rows_UM, popular), _lifts(held_UM, popular)),
        "spectrum": overlap(spectrum(rows_UM), spectrum(held_UM)),
        "gini": gini(ours_M),
        "density": rows_UM.nnz / max(rows_UM.shape[0] * rows_UM.shape[1], 1),
        "discriminator": discriminator_auc(held_UM, rows_UM, seed),
    }


def spectrum(rows_UM: sp.csr_matrix) -> np.ndarray:
    """Shares of the sum of squares along the first DIRECTIONS singular vectors, and of the rest."""
    number = min(DIRECTIONS, min(rows_UM.shape) - 1)
    if number < 1 or not rows_UM.nnz:
        return np.zeros(DIRECTIONS + 1)
    _, values, _ = randomized_svd(rows_UM.astype(np.float64), number, random_state=0)
    squares = np.zeros(DIRECTIONS)
    squares[:number] = values**2 / rows_UM.nnz
    return np.append(squares, max(0.0, 1 - squares.sum()))


def recommender(rows_UM: sp.csr_matrix, l2: float) -> np.ndarray:
    """EASE's weights (M, M) from the rows; bound: M^2 numbers."""
    return ease((rows_UM.T @ rows_UM).toarray(), l2)


def transfer(weights_MM: np.ndarray, people: People) -> dict[str, float]:
    """What the recommender is worth to held-out people, and how evenly it shows items."""
    of_all, of_new, shown_M = lists(weights_MM, people)
    return {"transfer_all": _mean(of_all), "transfer_new": _mean(of_new), "exposure_gini": gini(shown_M)}


def added(rows_UM: sp.csr_matrix, people: People, settings: GateSettings) -> dict[str, float]:
    """What the set adds to the learning half: paired differences over held-out people, at the share that adds most.

    `share` is that one only where the interval lies above zero and people with few items lose no more than
    settings.light_loss_at_most of their NDCG; else 0. The best of few shares is chosen on the people who judge it,
    which flatters it a little: another reason to ask for the interval.
    """
    real_MM, set_MM = ((x.T @ x).toarray() for x in (people.learn_UM, rows_UM))
    alone, _, _ = lists(ease(real_MM, settings.ease_l2), people)
    tried = {s: lists(ease(real_MM + s * set_MM, settings.ease_l2), people)[0] for s in settings.shares}
    share = max(tried, key=lambda s: _mean(tried[s]))
    gains, (low, _) = tried[share] - alone, bootstrap_difference(tried[share], alone)
    is_light = activity(people.before_VM) < LIGHT_ITEMS
    light = _mean(gains[is_light])
    helps = low > 0 and light >= -settings.light_loss_at_most * _mean(alone[is_light])
    return {"added_all": _mean(gains), "added_low": low, "added_light": light, "share": share if helps else 0.0}


def algorithms(rows_UM: sp.csr_matrix, people: People, settings: GateSettings) -> dict[str, float]:
    """Whether the set ranks recommenders as the learning half does, judged by held-out people on new items."""
    ours, theirs = (
        {name: _mean(lists(make(), people)[1]) for name, make in weights(side_UM, settings.ease_l2).items()}
        for side_UM in (rows_UM, people.learn_UM)
    )
    return {"algorithms": agreement(ours, theirs)}


def lists(weights_MM: np.ndarray, people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """NDCG@10 of each held-out user (V,), of new items for those who bought one, and (M,) how often each is shown."""
    of_all, of_new, shown_M = [], [], np.zeros(len(weights_MM))
    for start in range(0, people.before_VM.shape[0], BLOCK):
        before_BM, wanted_BM = (x[start : start + BLOCK] for x in (people.before_VM, people.wanted_VM))
        scores_BM = np.asarray(before_BM @ weights_MM)
        top_BK, _ = best(scores_BM, K)
        shown_M += np.bincount(top_BK.ravel(), minlength=len(shown_M))
        scores_BM[before_BM.nonzero()] = -np.inf
        new_BK, _ = best(scores_BM, K)
        for user in range(before_BM.shape[0]):
            wanted, had = set(wanted_BM[user].indices), set(before_BM[user].indices)
            of_all.append(ndcg(top_BK[user].tolist(), wanted, K))
            if wanted - had:
                of_new.append(ndcg(new_BK[user].tolist(), wanted - had, K))
    return np.array(of_all), np.array(of_new), shown_M


def privacy(rows_UM: sp.csr_matrix, weights_MM: np.ndarray, people: People, settings: GateSettings) -> dict[str, float]:
    """Copies, and the attacks of `membership` on the learning half and the hold-out."""
    number = copies(people.learn_UM, rows_UM, settings.copy_items)
    return {"copies": float(number), **membership(rows_UM, weights_MM, people.learn_UM, people.held_UM)}


def membership(
    rows_UM: sp.csr_matrix, weights_MM: np.ndarray, learn_UM: sp.csr_matrix, held_UM: sp.csr_matrix
) -> dict[str, float]:
    """AUC of three attacks that know the set and a history and ask whether it was learned from; and the worst."""
    attacks: dict[str, Callable[[sp.csr_matrix], np.ndarray]] = {
        "membership_closest": lambda known_UM: likeness(known_UM, rows_UM, 1),
        "membership_nearest": lambda known_UM: likeness(known_UM, rows_UM, NEAREST),
        "membership_rebuilt": lambda known_UM: rebuilt(known_UM, weights_MM),
    }
    was_learned = np.repeat([1, 0], [learn_UM.shape[0], held_UM.shape[0]])
    known_UM = sp.vstack([learn_UM, held_UM]).tocsr()
    found = {name: auc(attack(known_UM), was_learned)[0] for name, attack in attacks.items()}
    return {**found, "membership": max(found.values())}


def copies(known_UM: sp.csr_matrix, rows_UM: sp.csr_matrix, least: int) -> int:
    """Known users with at least `least` items whose whole history is a row of the set."""
    drawn = {row.tobytes() for row in _index_rows(rows_UM)}
    return sum(len(row) >= least and row.tobytes() in drawn for row in _index_rows(known_UM))


def likeness(known_UM: sp.csr_matrix, rows_UM: sp.csr_matrix, nearest: int) -> np.ndarray:
    """(U,) mean Jaccard likeness of each known user to the `nearest` rows of the set that are most like it."""
    ours_U, theirs_U = activity(known_UM), activity(rows_UM)
    nearest = min(nearest, len(theirs_U))
    found = np.zeros(len(ours_U))
    for start in range(0, len(ours_U), BLOCK) if nearest else ():
        both_BU = (known_UM[start : start + BLOCK] @ rows_UM.T).toarray()
        either_BU = ours_U[start : start + BLOCK, None] + theirs_U[None] - both_BU
        like_BU = both_BU / np.maximum(either_BU, 1)
        found[start : start + BLOCK] = -np.partition(-like_BU, nearest - 1, axis=1)[:, :nearest].mean(1)
    return found


def rebuilt(known_UM: sp.csr_matrix, weights_MM: np.ndarray) -> np.ndarray:
    """(U,) mean score that a history gives its own items, each predicted from the others."""
    sums = [
        np.asarray(block.multiply(block @ weights_MM).sum(1)).ravel()
        for start in range(0, known_UM.shape[0], BLOCK)
        for block in (known_UM[start : start + BLOCK],)
    ]
    means_U: np.ndarray = np.concatenate([*sums, np.zeros(0)]) / np.maximum(activity(known_UM), 1)
    return means_U


def tail_ratio(rows_UM: sp.csr_matrix, held_UM: sp.csr_matrix) -> float:
    """The set's share of interactions with rarer items over the hold-out's."""
    theirs = tail_share(holders(held_UM), holders(held_UM))
    return tail_share(holders(rows_UM), holders(held_UM)) / theirs if theirs else 1.0


def holders(rows_UM: sp.csr_matrix) -> np.ndarray:
    """(M,) users of each item."""
    return np.bincount(rows_UM.indices, minlength=rows_UM.shape[1])


def activity(rows_UM: sp.csr_matrix) -> np.ndarray:
    """(U,) items of each user."""
    sizes: np.ndarray = np.diff(rows_UM.indptr)
    return sizes


def shuffled(rows_UM: sp.csr_matrix, seed: int) -> sp.csr_matrix:
    """The negative control: as many interactions of each item, dealt anew among the users; what repeats falls away."""
    indices = np.random.default_rng(seed).permutation(rows_UM.indices)
    dealt = sp.csr_matrix((np.ones(len(indices), np.float32), indices, rows_UM.indptr.copy()), shape=rows_UM.shape)
    dealt.sum_duplicates()
    dealt.data[:] = 1.0
    return dealt


def _lifts(rows_UM: sp.csr_matrix, items: np.ndarray) -> np.ndarray:
    part = rows_UM[:, items]
    return lift((part.T @ part).toarray(), rows_UM.shape[0])


def _index_rows(rows_UM: sp.csr_matrix) -> list[np.ndarray]:
    return np.split(rows_UM.indices.astype(np.int32), rows_UM.indptr[1:-1])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
