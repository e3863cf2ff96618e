"""Texts as careless people and poor feeds write them: typing errors, and parts that are missing.

What a model has seen so in training it reads better so at night. Source of the idea: Wei and Zou, EDA, EMNLP 2019.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

_SENTENCE = re.compile(r"(?<=[.!?。！？])\s*")


def mistyped(text: str, rng: np.random.Generator, share: float) -> str:
    """Each word of three letters or more mistyped with this chance: a letter within it lost, doubled, or swapped.

    >>> mistyped("stoneware mug", np.random.default_rng(3), 1.0)
    'stneware mgu'
    """
    return " ".join(_wrong(word, rng) if len(word) > 2 and rng.random() < share else word for word in text.split(" "))


def without_parts(text: str, rng: np.random.Generator, share: float) -> str:
    """Each sentence but the first left out with this chance; of a single sentence, each word but one of them.

    >>> without_parts("Red mug. Kitchen. By Ora.", np.random.default_rng(0), 0.5)
    'Red mug. Kitchen.'
    """
    sentences = [s for s in _SENTENCE.split(text) if s]
    if len(sentences) > 1:
        return " ".join([sentences[0], *(s for s in sentences[1:] if rng.random() >= share)])
    words = text.split()
    kept = [w for w in words if rng.random() >= share]
    return " ".join(kept or words[:1])


def _wrong(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word) - 1))
    way = int(rng.integers(3))
    wrong = ("", word[at] * 2, word[at + 1] + word[at])[way]
    return word[:at] + wrong + word[at + (2 if way == 2 else 1) :]


NOISE: Mapping[str, Callable[[str, np.random.Generator, float], str]] = {
    "typos": mistyped,
    "missing": without_parts,
}
