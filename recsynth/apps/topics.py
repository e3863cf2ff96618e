"""Topics that nobody named: texts that lie close together, found by the language model. Plain arrays, no Spark.

In the manner of BERTopic (Grootendorst, 2022): vectors of an encoder, fewer dimensions, HDBSCAN, and a topic named by
the words that it has more of than other texts have (class-based TF-IDF). Principal components stand for UMAP: they
need no further package and are the same in every run. HDBSCAN finds where texts are densest, often those of a single
wording; from there a topic's centre settles among all texts that are nearer to it than what speaks of something else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA

from recsynth.apps.settings import FoundTopicSettings

COMPONENTS, NAMED_BY, EXAMPLES, ROUNDS = 15, 3, 3, 3
# Characters of writing without spaces: there, pairs of them stand for words.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W\d_{_UNSPACED}]{{2,}}")


@dataclass(frozen=True)
class Topic:
    """Texts that are close together: the words that tell them from others, their centre (D,) of unit length, the cosine
    to it from which a text is one of them, how many they are, and those nearest to the centre.
    """

    words: tuple[str, ...]
    centre_D: np.ndarray
    reach: float
    texts: int
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called until somebody names it."""
        return ", ".join(self.words[:NAMED_BY])


class Spoken(NamedTuple):
    """Distinct texts and their vectors (N, D), of unit length."""

    texts: Sequence[str]
    vectors_ND: np.ndarray


def topics_of(unknown: Spoken, known: Spoken, settings: FoundTopicSettings) -> list[Topic]:
    """Topics of places where `least_texts` distinct texts or more of the unknown ones lie close, the largest first.

    known: texts whose topic is known; a word that they say too tells no topic, and what is no nearer to a centre than
    99 in 100 of them does not belong to it. Fewer texts than least_texts have no topic. The same input gives the same
    topics.
    """
    texts, vectors_ND, others = unknown.texts, unknown.vectors_ND, known.texts
    if len(texts) < settings.least_texts:
        return []
    components = min(COMPONENTS, *vectors_ND.shape)
    # Without a sign or a random start: svd_solver="full" gives the same directions in every run.
    with np.errstate(invalid="ignore"):  # Texts that are all the same have no variance to explain.
        reduced = PCA(components, svd_solver="full").fit_transform(vectors_ND)
    said = [words_of(t) for t in texts]
    elsewhere = [words_of(t) for t in others]
    everywhere = Counter(w for words in (*said, *elsewhere) for w in words)
    groups = _settled(_dense(reduced, settings), vectors_ND, known.vectors_ND)
    groups = sorted(groups, key=lambda g: (-len(g.rows), int(g.rows[0])))
    # Words of an average class, those of known topics being one more.
    average = sum(everywhere.values()) / (len(groups) + bool(elsewhere)) if groups else 0.0
    return [_topic(g, unknown, said, _Usual(everywhere, average)) for g in groups]


class _Usual(NamedTuple):
    """How often each word is said by whomever, and the words of an average class."""

    counts: Counter[str]
    average: float


class _Group(NamedTuple):
    """Rows of texts that are close together, their centre (D,) of unit length, and the cosine to it that is close."""

    rows: np.ndarray
    centre_D: np.ndarray
    reach: float


def _dense(reduced_NC: np.ndarray, settings: FoundTopicSettings) -> list[np.ndarray]:
    """Rows of each dense place, the largest first, at most `max_topics`.

    Of several topics HDBSCAN would make one where it may find a single place, and of one none where it may not: so the
    second is asked where the first finds nothing.
    """
    for is_single in (False, True):
        labels = HDBSCAN(
            min_cluster_size=settings.least_texts, min_samples=min(5, settings.least_texts),
            cluster_selection_method="eom" if is_single else "leaf", allow_single_cluster=is_single, copy=True,
        ).fit_predict(reduced_NC)  # fmt: skip
        found = [np.flatnonzero(labels == n) for n in range(labels.max() + 1)]
        if found:
            return sorted(found, key=lambda g: (-len(g), int(g[0])))[: settings.max_topics]
    return []


def _settled(places: Sequence[np.ndarray], vectors_ND: np.ndarray, known_KD: np.ndarray) -> list[_Group]:
    """Groups around dense places: their texts are those within reach of no nearer centre, a few times over."""
    groups = [_around(dense, dense, vectors_ND, known_KD) for dense in places]
    for _ in range(ROUNDS if groups else 0):
        centres, reach = np.stack([g.centre_D for g in groups]), np.array([g.reach for g in groups])
        best, _ = nearest(vectors_ND, centres, reach)
        members = [np.flatnonzero(best == n) for n in range(len(groups))]
        groups = [
            _around(rows if len(rows) else dense, dense, vectors_ND, known_KD)
            for rows, dense in zip(members, places, strict=True)
        ]
    return groups


def _around(rows: np.ndarray, dense: np.ndarray, vectors_ND: np.ndarray, known_KD: np.ndarray) -> _Group:
    centre = vectors_ND[rows].mean(0)
    centre = centre / max(float(np.linalg.norm(centre)), 1e-12)
    # More speak of it than its dense place holds: all that is nearer than what speaks of something else.
    reach = float(np.quantile(vectors_ND[dense] @ centre, 0.1))
    if len(known_KD):
        reach = min(reach, float(np.quantile(known_KD @ centre, 0.99)))
    return _Group(rows, centre, reach)


def _topic(group: _Group, unknown: Spoken, said: Sequence[Sequence[str]], usual: _Usual) -> Topic:
    rows, texts = group.rows, unknown.texts
    near = unknown.vectors_ND[rows] @ group.centre_D
    here = Counter(w for r in rows for w in said[r])
    # Class-based TF-IDF; a word of a single text tells of that text.
    of = Counter(w for r in rows for w in set(said[r]))
    weights = {w: n * np.log1p(usual.average / usual.counts[w]) for w, n in here.items() if of[w] > 1}
    words = sorted(weights, key=lambda w: (-weights[w], w))[:10]
    order = rows[np.lexsort((rows, -near))]
    examples = tuple(texts[r][:300] for r in order[:EXAMPLES])
    return Topic(tuple(words), group.centre_D.astype(np.float32), group.reach, len(rows), examples)


def words_of(text: str) -> list[str]:
    """Words in small letters, without numbers; of writing without spaces, pairs of characters.

    >>> words_of("The app 2.0 crashes"), words_of("退款很慢")
    (['the', 'app', 'crashes'], ['退款', '款很', '很慢'])
    """
    found = []
    for word in _WORD.findall(text.lower()):
        if re.match(f"[{_UNSPACED}]", word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        else:
            found.append(word)
    return found


def kept_names(topics: Sequence[Topic], before: Sequence[tuple[str, np.ndarray]], least: float) -> list[str]:
    """Names of tonight's topics: that of the nearest topic (name, centre) of a night before, if near enough, else its
    own; no name is given twice.
    """
    names = [""] * len(topics)
    near = sorted(
        (
            (-float(t.centre_D @ c), i, name)
            for i, t in enumerate(topics)
            for name, c in before
            if t.centre_D @ c >= least
        )
    )
    taken: set[str] = set()
    for _, i, name in near:
        if not names[i] and name not in taken:
            names[i] = name
            taken.add(name)
    for i, topic in enumerate(topics):
        if not names[i]:
            own = topic.name or "unnamed"
            tail = next(n for n in range(1, len(topics) + len(taken) + 2) if _numbered(own, n) not in taken)
            names[i] = _numbered(own, tail)
            taken.add(names[i])
    return names


def _numbered(name: str, n: int) -> str:
    return name if n == 1 else f"{name} ({n})"


def nearest(vectors_ND: np.ndarray, centres_TD: np.ndarray, reach_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each text the topic (N,) whose centre is nearest, -1 where it lies beyond its reach, and the cosine (N,)."""
    near_NT = vectors_ND @ centres_TD.T
    best = near_NT.argmax(1)
    cosine = near_NT[np.arange(len(best)), best]
    return np.where(cosine >= reach_T[best], best, -1), cosine
