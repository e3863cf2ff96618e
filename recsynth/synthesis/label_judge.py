"""What texts written under a label are worth beside people's: plain Python over texts and labels.

`learn` are people's texts that the writer learned from, `held` those that nothing learns from, `made` the written ones.
The classifier here is another than those of the applications: words and pairs of words in a logistic regression. One
half of `learn` teaches the one that sets texts of a wrong label aside, the other half the one that judges the rest.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from recsynth.measure.intervals import bootstrap_difference
from recsynth.measure.synthesis import ks_complement, overlap
from recsynth.measure.texts import distinct_n

RUN, ALIKE = 13, 0.8
_BLOCK = 500
METRICS = {
    "label_kept": ("fidelity", "share whose own label a classifier of people's texts tells"),
    "length": ("fidelity", "KS complement of the number of words, to held-out texts"),
    "words": ("fidelity", "what the shares of the words have in common with held-out texts, 1 - total variation"),
    "distinct_2": ("fidelity", "distinct pairs of words over all of them, of equally many texts"),
    "repeats": ("fidelity", "share that has four fifths of its words in common with another, of equally many texts"),
    "transfer": ("utility", "macro-F1 on held-out texts of a classifier taught by them, equally many"),
    "added": ("utility", "macro-F1 on held-out texts by people's texts and these, less by people's alone"),
    "added_low": ("utility", "lower end of the 95 % interval of what they add to the share of labels told"),
    "share": ("utility", "weight in teaching: 1 where that interval and the macro-F1 are above zero, else 0"),
    "copied": ("privacy", "share with 13 words in a row that fewer than least_users people wrote"),
    "copies": ("privacy", "texts drawn that fewer than least_users people wrote; they are set aside"),
    "labels": ("bias", "share of the labels learned from that have a text"),
}
Words = Callable[[str], list[str]]


class Texts(NamedTuple):
    """Texts, the label of each, and who wrote it; nobody did where it is written or too short for a run of words."""

    texts: Sequence[str]
    labels: Sequence[str]
    people: Sequence[Sequence[str]] = ()

    def at(self, places: Sequence[int]) -> Texts:
        """Those at some places."""
        people = [self.people[n] for n in places] if self.people else ()
        return Texts([self.texts[n] for n in places], [self.labels[n] for n in places], people)

    def half(self, number: int) -> Texts:
        """One of two halves, by hash of text."""
        return self.at([n for n, text in enumerate(self.texts) if zlib.crc32(text.encode()) % 2 == number])

    def first(self, count: int) -> Texts:
        """So many of them, by hash of text: no order of the rows decides."""
        order = sorted(range(len(self.texts)), key=lambda n: (zlib.crc32(self.texts[n].encode()), self.texts[n]))
        return self.at(order[:count])


def keeps_label(made: Texts, learn: Texts, words_of: Words) -> list[bool]:
    """Whether the label that each text was written for is the one that people's texts give it; all, where none can."""
    guessed = _guess(learn.half(0), made.texts, words_of)
    return [True] * len(made.texts) if guessed is None else list(guessed == np.array(made.labels))


def says_nobodys_words(made: Texts, learn: Texts, words_of: Words, least_users: int) -> np.ndarray:
    """Whether no 13 words in a row of each text (T,) are those of fewer than least_users people."""
    rare = rare_runs(learn, words_of, least_users)
    return np.array([rare.isdisjoint(runs(words_of(text))) for text in made.texts], bool)


def judged(made: Texts, learn: Texts, held: Texts, words_of: Words, least_users: int) -> dict[str, float]:
    """Every figure of METRICS of the written texts but `copies`."""
    found = _figures(made.first(len(learn.texts)), made, learn, held, words_of) | added(made, learn, held, words_of)
    return found | {
        "copied": _mean(~says_nobodys_words(made, learn, words_of, least_users)),
        "labels": len(set(made.labels) & set(learn.labels)) / max(len(set(learn.labels)), 1),
    }


def reference(made: Texts, learn: Texts, held: Texts, words_of: Words, least_users: int) -> dict[str, float]:
    """The same of people's: of texts learned from, as many as were written, and of held-out ones where a classifier or
    a set of runs has seen those."""
    few = learn.first(len(made.texts))
    return _figures(few, held, learn, held, words_of) | {
        "copied": _mean(~says_nobodys_words(held, learn, words_of, least_users))
    }


def shuffled(made: Texts, learn: Texts, held: Texts, words_of: Words, seed: int) -> dict[str, float]:
    """The negative control: the same texts, their labels dealt anew."""
    dealt = np.random.default_rng(seed).permutation(len(made.labels))
    wrong = Texts(made.texts, [made.labels[n] for n in dealt])
    return added(wrong, learn, held, words_of) | {"transfer": transfer(wrong, held, words_of)}


def _figures(ours: Texts, told: Texts, learn: Texts, held: Texts, words_of: Words) -> dict[str, float]:
    mine, theirs = ([words_of(t) for t in of.texts] for of in (ours, held))
    return {
        "label_kept": _accuracy(_guess(learn.half(1), told.texts, words_of), told.labels),
        "length": ks_complement(*(np.array([len(w) for w in of]) for of in (mine, theirs))),
        "words": overlap(*_counts(mine, theirs)),
        "distinct_2": distinct_n(mine, 2),
        "repeats": repeats(mine),
        "transfer": transfer(ours, held, words_of),
    }


def transfer(taught_by: Texts, held: Texts, words_of: Words) -> float:
    """Macro-F1 on held-out texts of a classifier taught by others; NaN where it can't be taught or judged."""
    return _macro_f1(_guess(taught_by, held.texts, words_of), held.labels)


def added(made: Texts, learn: Texts, held: Texts, words_of: Words) -> dict[str, float]:
    """What written texts add to people's on held-out ones, and the weight in teaching that follows."""
    both = Texts([*learn.texts, *made.texts], [*learn.labels, *made.labels])
    without, beside = (_guess(of, held.texts, words_of) for of in (learn, both))
    if without is None or beside is None or not len(held.labels):
        return {"added": float("nan"), "added_low": float("nan"), "share": 0.0}
    true = np.array(held.labels)
    low = bootstrap_difference((beside == true).astype(float), (without == true).astype(float))[0]
    gain = _macro_f1(beside, held.labels) - _macro_f1(without, held.labels)
    return {"added": gain, "added_low": low, "share": float(low > 0 and gain > 0)}


def runs(words: Sequence[str], length: int = RUN) -> set[tuple[str, ...]]:
    """All runs of so many words.

    >>> sorted(runs(["a", "red", "mug"], 2))
    [('a', 'red'), ('red', 'mug')]
    """
    return {tuple(words[n : n + length]) for n in range(len(words) - length + 1)}


def rare_runs(learn: Texts, words_of: Words, least_users: int) -> set[tuple[str, ...]]:
    """Runs of 13 words that fewer than least_users people wrote."""
    by: dict[tuple[str, ...], set[str]] = {}
    for text, people in zip(learn.texts, learn.people, strict=True):
        for run in runs(words_of(text)):
            by.setdefault(run, set()).update(people)
    return {run for run, people in by.items() if len(people) < least_users}


def repeats(texts: Sequence[Sequence[str]], alike: float = ALIKE) -> float:
    """Share of texts whose words another text has, by Jaccard's index of their sets; exact, not hashed.

    >>> repeats([["a", "red", "mug"], ["red", "mug", "a"], ["blue"]])
    0.6666666666666666
    """
    if not texts:
        return float("nan")
    counted = CountVectorizer(analyzer=set, binary=True)
    try:
        sets_TW = counted.fit_transform(texts)
    except ValueError:  # no word in any of them
        return 1.0
    sizes_T = np.asarray(sets_TW.sum(1)).ravel()
    found = 0
    for start in range(0, len(texts), _BLOCK):
        shared_BT = (sets_TW[start : start + _BLOCK] @ sets_TW.T).toarray()
        is_like_BT = shared_BT >= alike * (sizes_T[start : start + _BLOCK, None] + sizes_T - shared_BT)
        rows = np.arange(len(shared_BT))
        is_like_BT[rows, start + rows] = False
        found += int(is_like_BT.any(1).sum())
    return found / len(texts)


def _counts(*sides: Sequence[Sequence[str]]) -> list[np.ndarray]:
    place: dict[str, int] = {}
    for side in sides:
        for words in side:
            for word in words:
                place.setdefault(word, len(place))
    return [
        np.bincount(np.array([place[w] for words in side for w in words], int), minlength=len(place)) for side in sides
    ]


def _guess(taught_by: Texts, texts: Sequence[str], words_of: Words) -> Any:
    """Labels (T,) that a classifier gives; None where one label or no word is all there is to learn from."""
    if len(set(taught_by.labels)) < 2 or not len(texts):
        return None

    def grams(text: str) -> list[str]:
        words = words_of(text)
        return [*words, *map(" ".join, pairwise(words))]

    model = make_pipeline(TfidfVectorizer(analyzer=grams, sublinear_tf=True), LogisticRegression(C=10.0, max_iter=300))
    try:
        return model.fit(list(taught_by.texts), list(taught_by.labels)).predict(list(texts))
    except ValueError:  # no word in any of them
        return None


def _accuracy(guessed: Any, labels: Sequence[str]) -> float:
    return float("nan") if guessed is None else float((guessed == np.array(labels)).mean())


def _macro_f1(guessed: Any, labels: Sequence[str]) -> float:
    if guessed is None:
        return float("nan")
    return float(f1_score(list(labels), guessed, labels=sorted(set(labels)), average="macro", zero_division=0))


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
