"""What written searches are worth against what people typed later: plain numpy over vectors and pairs.

A search finds items by (1 - w) <q, v_i> + w <q, d_i>: v_i is the item's own text, d_i the mean of what was searched for
it, people's searches before the earliest window and written ones; an item without any has v_i for both. All vectors are
the pretrained language model's. Shapes: M items, Q queries, D = embedding_size; pairs are two arrays of places.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recsynth.measure.intervals import bootstrap_difference
from recsynth.measure.ranking import ndcg
from recsynth.measure.synthesis import ks_complement, overlap
from recsynth.measure.texts import distinct_n
from recsynth.model.top_k import best
from recsynth.synthesis.text_settings import TextGateSettings

K = 10

METRICS = {
    "query_length": ("fidelity", "KS complement of the number of words of a search"),
    "query_words": ("fidelity", "what the shares of the words have in common, 1 - total variation"),
    "query_distinct_2": ("fidelity", "distinct pairs of words over all of them, of equally many searches"),
    "query_explained": ("fidelity", "share of the words of a search that stand in its item's text"),
    "query_found": (
        "fidelity",
        "share of searches whose item is among ten by TF-IDF of words, a judge that chose none",
    ),
    "query_transfer": ("utility", "NDCG@10 of later searches by what was searched alone, as many texts an item"),
    "query_added_all": ("utility", "NDCG@10 of later searches with written ones beside people's, less without"),
    "query_added_low": ("utility", "lower end of its 95 % interval over searches"),
    "query_added_new": ("utility", "the same, of items that nobody had searched for"),
    "query_share": ("utility", "weight of what was searched for in that, the best of the settings; 0: no help"),
    "query_copies": ("privacy", "texts drawn that fewer than least_users people typed; they are set aside"),
    "query_coverage": ("bias", "share of items that nobody searched for with a text, over that of the others"),
}


class Pairs(NamedTuple):
    """Searches and items: places in the vectors."""

    query: np.ndarray
    item: np.ndarray

    def of(self, mask: np.ndarray) -> Pairs:
        """Those where the mask is true."""
        return Pairs(self.query[mask], self.item[mask])


@dataclass(frozen=True)
class Searches:
    """Texts and unit vectors of items and queries; what was searched early and later, and what was written.

    copies: texts that were drawn and set aside, as few people had typed them.
    """

    items: Sequence[str]
    queries: Sequence[str]
    items_MD: np.ndarray
    queries_QD: np.ndarray
    early: Pairs
    later: Pairs
    made: Pairs
    copies: int


def judged(told: Searches, words_of: Callable[[str], list[str]], settings: TextGateSettings) -> dict[str, float]:
    """Every figure of METRICS of the written searches."""
    return _likeness(told, told.made, words_of) | added(told, told.made, settings) | {
        "query_transfer": transfer(told, told.made),
        "query_copies": float(told.copies),
        "query_coverage": _coverage(told),
    }  # fmt: skip


def reference(told: Searches, words_of: Callable[[str], list[str]]) -> dict[str, float]:
    """The same of people's own: of what was searched early, against later."""
    return _likeness(told, told.early, words_of) | {"query_transfer": transfer(told, told.early)}


def shuffled(told: Searches, settings: TextGateSettings, seed: int) -> dict[str, float]:
    """The negative control: the same texts, each item's given to another."""
    dealt = np.random.default_rng(seed).permutation(len(told.items))
    made = Pairs(told.made.query, dealt[told.made.item])
    return added(told, made, settings) | {"query_transfer": transfer(told, made)}


def documents(told: Searches, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Unit mean vectors (M, D) of what was searched for each item, zeros where nothing was, and (M,) whether."""
    sums_MD = np.zeros_like(told.items_MD)
    np.add.at(sums_MD, pairs.item, told.queries_QD[pairs.query])
    norms_M1 = np.linalg.norm(sums_MD, axis=1, keepdims=True)
    return sums_MD / np.maximum(norms_M1, 1e-9), norms_M1[:, 0] > 0


def lists(told: Searches, documents_MD: np.ndarray, asked: Pairs) -> np.ndarray:
    """NDCG@10 of each distinct search of `asked`, in the order of their places."""
    if not len(asked.query):
        return np.zeros(0)
    queries = np.unique(asked.query)
    chosen_QK, _ = best(told.queries_QD[queries] @ documents_MD.T, K)
    wanted: dict[int, set[int]] = {}
    for query, item in zip(asked.query.tolist(), asked.item.tolist(), strict=True):
        wanted.setdefault(query, set()).add(item)
    return np.array(
        [ndcg(chosen.tolist(), wanted[q], K) for q, chosen in zip(queries.tolist(), chosen_QK, strict=True)]
    )


def mixed(told: Searches, pairs: Pairs, weight: float) -> np.ndarray:
    """(M, D): the item's own vector beside what was searched for it."""
    documents_MD, has_M = documents(told, pairs)
    both_MD: np.ndarray = (1 - weight) * told.items_MD + weight * np.where(has_M[:, None], documents_MD, told.items_MD)
    return both_MD


def transfer(told: Searches, pairs: Pairs) -> float:
    """NDCG@10 of later searches by what `pairs` say of the items alone, of items that have early and written texts.

    Of each item as many of the pairs as it has of both: more texts would be another comparison.
    """
    counts = [np.bincount(p.item, minlength=len(told.items)) for p in (told.early, told.made)]
    each_M = np.minimum(*counts)
    order = np.lexsort((pairs.query, pairs.item))
    place = np.arange(len(order)) - np.searchsorted(pairs.item[order], pairs.item[order])
    kept = pairs.of(order[place < each_M[pairs.item[order]]])
    asked = told.later.of(each_M[told.later.item] > 0)
    if not len(asked.item) or not len(kept.item):
        return float("nan")
    return float(lists(told, documents(told, kept)[0], asked).mean())


def added(told: Searches, made: Pairs, settings: TextGateSettings) -> dict[str, float]:
    """What written searches add to people's own, chosen on a half of the later searches, told of the other, in turn.

    Chosen are the weights of the settings, for people's own searches alone the best or none and for both together, by
    the sum of NDCG@10 over all searches and over those for items that nobody had searched for. `query_share` is the
    best weight of all, but 0 unless those for new items gain, their interval over both turns above zero, and all lose
    no more than loss_at_most of their NDCG. A gain of all alone is no proof: whatever is said of new items, be it
    wrong, moves them down beside known ones, which more people want; the shuffled control shows it.
    """
    is_new_M = np.bincount(told.early.item, minlength=len(told.items)) == 0
    is_first = np.array([zlib.crc32(q.encode()) % 2 == 0 for q in told.queries], bool)
    both = Pairs(*(np.concatenate(x) for x in zip(told.early, made, strict=True)))

    def worth(pairs: Pairs, weight: float, is_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked, documents_MD = told.later.of(is_of[told.later.query]), mixed(told, pairs, weight)
        return lists(told, documents_MD, asked), lists(told, documents_MD, asked.of(is_new_M[asked.item]))

    def greatest(pairs: Pairs, weights: Sequence[float], is_of: np.ndarray) -> float:
        return max(weights, key=lambda w: sum(map(_mean, worth(pairs, w, is_of))))

    turns = []
    for chosen in (is_first, ~is_first):
        without, beside = greatest(told.early, [0.0, *settings.shares], chosen), greatest(both, settings.shares, chosen)
        turns.append((worth(told.early, without, ~chosen), worth(both, beside, ~chosen)))
    # Of all searches and of those for new items, one value a search of either turn.
    before, after = ([np.concatenate([turn[side][of] for turn in turns]) for of in (0, 1)] for side in (0, 1))
    lows = [bootstrap_difference(a, b)[0] if len(a) else float("nan") for a, b in zip(after, before, strict=True)]
    keeps = _mean(after[0]) >= (1 - settings.loss_at_most) * _mean(before[0])
    return {
        "query_added_all": _mean(after[0] - before[0]),
        "query_added_low": lows[0],
        "query_added_new": _mean(after[1] - before[1]),
        "query_share": greatest(both, settings.shares, is_first | True) if lows[1] > 0 and keeps else 0.0,
    }


def _likeness(told: Searches, pairs: Pairs, words_of: Callable[[str], list[str]]) -> dict[str, float]:
    asked = np.unique(np.concatenate([pairs.query, told.later.query])).tolist()
    words: Mapping[int, list[str]] = {q: words_of(told.queries[q]) for q in asked}
    ours, theirs = ([words[q] for q in p.query.tolist()] for p in (pairs, told.later))
    counts = [Counter(w for text in side for w in text) for side in (ours, theirs)]
    every = sorted(set().union(*counts))
    shares = [np.array([c[w] for w in every], float) / max(sum(c.values()), 1) for c in counts]
    fewest = min(len(told.early.query), len(told.made.query))
    item_words = [set(words_of(text)) for text in told.items]
    explained = [
        np.mean([w in item_words[i] for w in words[q]])
        for q, i in zip(pairs.query.tolist(), pairs.item.tolist(), strict=True) if words[q]
    ]  # fmt: skip
    return {
        "query_length": ks_complement(*(np.array([len(t) for t in side], float) for side in (ours, theirs))),
        "query_words": overlap(*shares),
        "query_distinct_2": distinct_n(ours[:fewest], 2),
        "query_explained": float(np.mean(explained)) if explained else float("nan"),
        "query_found": found_by_words(told, pairs, words_of),
    }


def found_by_words(told: Searches, pairs: Pairs, words_of: Callable[[str], list[str]]) -> float:
    """Share of the pairs whose item is among ten by TF-IDF of words; items that tie share their places."""
    if not len(pairs.query):
        return float("nan")
    counted = TfidfVectorizer(analyzer=words_of, sublinear_tf=True)
    items_MW = counted.fit_transform(told.items)
    queries, at = np.unique(pairs.query, return_inverse=True)
    scores_QM = (counted.transform([told.queries[q] for q in queries]) @ items_MW.T).toarray()
    own = scores_QM[at, pairs.item][:, None]
    rows_PM = scores_QM[at]
    ahead, level = (rows_PM > own + 1e-9).sum(1), (np.abs(rows_PM - own) <= 1e-9).sum(1)
    return float((np.clip(K - ahead, 0, level) / level * (own[:, 0] > 0)).mean())


def _coverage(told: Searches) -> float:
    searched, made = (np.bincount(p.item, minlength=len(told.items)) > 0 for p in (told.early, told.made))
    if searched.all():
        return 1.0
    if not made[searched].any():
        return float("nan")
    return float(made[~searched].mean() / made[searched].mean())


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
