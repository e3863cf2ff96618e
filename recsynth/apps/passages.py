"""Passages: where the answer to a question may stand, found by the language model, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsynth.model.encoders import load_encoder
from recsynth.model.folder import use_threads
from recsynth.model.towers import TextTower
from recsynth.texts import SENTENCE_END


class Passage(NamedTuple):
    """A text that any customer may be told; kind: policy, answer or item."""

    kind: str
    source_id: str
    title: str
    text: str

    @property
    def sentences(self) -> list[str]:
        """Its sentences in their order.

        >>> Passage("policy", "p", "Returns", "Within 30 days. The label is in your account.").sentences
        ['Within 30 days.', 'The label is in your account.']
        """
        return [s.strip() for s in SENTENCE_END.split(self.text) if s.strip()]


class Found(NamedTuple):
    """A passage, the similarity of its best sentence to the question (-1 to 1), and those of all its sentences."""

    passage: Passage
    score: float
    scores: list[float]


@dataclass
class Library:
    """Passages with a unit vector for each sentence; a sentence is read together with its passage's title."""

    passages: list[Passage]
    vectors: list[np.ndarray]

    @classmethod
    def of(cls, passages: Sequence[Passage], tower: TextTower, batch_size: int) -> Library:
        """Encode passages; one without a sentence is left out."""
        kept = [p for p in passages if p.sentences]
        texts = [f"{p.title}: {s}" if p.title else s for p in kept for s in p.sentences]
        ends = np.cumsum([len(p.sentences) for p in kept])[:-1]
        vectors = tower.encode(texts, batch_size) if texts else np.zeros((0, tower.embedding_size), np.float32)
        return cls(kept, np.split(vectors, ends) if kept else [])

    def nearest(self, question_D: np.ndarray, most: int, own: Library | None = None) -> list[Found]:
        """The `most` passages, of these and of `own`, nearest to a question's unit vector, the nearest first."""
        passages = [*self.passages, *(own.passages if own else [])]
        vectors = [*self.vectors, *(own.vectors if own else [])]
        scored = [(v @ question_D).tolist() for v in vectors]
        order = sorted(range(len(scored)), key=lambda i: (-max(scored[i]), passages[i].kind, passages[i].source_id))
        return [Found(passages[i], max(scored[i]), scored[i]) for i in order[:most]]


def worker_tower(encoder: str, max_tokens: int, threads: int) -> TextTower:
    """The encoder as it came, in a worker."""
    use_threads(threads)
    return TextTower(*load_encoder(encoder), max_tokens).eval()


def composed(found: Sequence[Found], least: float, margin: float, most: int) -> list[tuple[Passage, str]]:
    """At most `most` sentences that answer: similarity at least `least` and within `margin` of the best one.

    In the order in which they were found, those of one passage as it has them; each once. Word for word: nothing is
    said that does not stand in its source.
    """
    if not found or found[0].score < least:
        return []
    floor = max(least, found[0].score - margin)
    chosen: list[tuple[Passage, str]] = []
    ranked = sorted(
        ((score, -f, -s) for f, one in enumerate(found) for s, score in enumerate(one.scores) if score >= floor),
        reverse=True,
    )
    for _, f, s in sorted(ranked[:most], key=lambda x: (-x[1], -x[2])):
        sentence = found[-f].passage.sentences[-s]
        if sentence not in [said for _, said in chosen]:
            chosen.append((found[-f].passage, sentence))
    return chosen
