"""What a text is by its words alone: the model that the language model is blended with, and has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from scipy.special import log_softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recsynth.apps.text_settings import ClassifierSettings

WORDS, CHARACTERS = "words", "characters"


class WordClassifier:
    """Logistic regression on the TF-IDF of words, pairs of words, and runs of characters within a word.

    Runs of characters know what words do not: other forms of a word, typing errors, writing without spaces. parts: a
    vectorizer for WORDS and, unless there are none, for CHARACTERS, in this order; F: their features together.
    """

    def __init__(self, parts: dict[str, TfidfVectorizer], weights_CF: np.ndarray, bias_C: np.ndarray) -> None:
        self.parts, self.weights_CF, self.bias_C = parts, weights_CF, bias_C

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, classes: int, settings: ClassifierSettings
    ) -> WordClassifier:
        """labels: class numbers, each of 0 to classes - 1 at least once."""
        parts = {WORDS: _vectorizer(WORDS, max_features=settings.max_words)}
        if settings.max_characters:
            parts[CHARACTERS] = _vectorizer(CHARACTERS, max_features=settings.max_characters)
        counted = hstack([vectorizer.fit_transform(texts) for vectorizer in parts.values()]).tocsr()
        # L-BFGS from zero: no random number, the same in every run.
        model = LogisticRegression(C=settings.word_c, max_iter=1000).fit(counted, labels)
        weights, bias = model.coef_, model.intercept_
        if classes == 2:
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return cls(parts, weights.astype(np.float32), bias.astype(np.float32))

    def log_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Log-probabilities (M, C)."""
        said: np.ndarray = log_softmax(self._counted(texts) @ self.weights_CF.T + self.bias_C, axis=1)
        return said

    def evidence(self, texts: Sequence[str], labels: np.ndarray, most: int) -> list[list[str]]:
        """Words of each text by what they add to its label's logit over the mean of all, the greatest first."""
        names = self.parts[WORDS].get_feature_names_out()
        over_CW = (self.weights_CF - self.weights_CF.mean(0))[:, : len(names)]
        counted, found = self.parts[WORDS].transform(texts).tocsr(), []
        for row, label in zip(counted, labels, strict=True):
            gains = row.data * over_CW[label, row.indices]
            order = np.lexsort((row.indices, -gains))[:most]
            found.append([str(names[row.indices[i]]) for i in order if gains[i] > 0])
        return found

    def vocabularies(self) -> dict[str, dict[str, int]]:
        """Of each part its features with their places, to be stored as JSON."""
        return {name: {w: int(i) for w, i in part.vocabulary_.items()} for name, part in self.parts.items()}

    @property
    def idf_F(self) -> np.ndarray:
        """Inverse document frequencies of all features."""
        return np.concatenate([part.idf_ for part in self.parts.values()])

    @classmethod
    def of(
        cls, stored: dict[str, dict[str, int]] | dict[str, int], idf_F: np.ndarray, weights_CF: np.ndarray,
        bias_C: np.ndarray,
    ) -> WordClassifier:  # fmt: skip
        """What `vocabularies`, `idf_F` and the weights say; a vocabulary of before characters counted is of words."""
        is_parts = all(isinstance(part, dict) for part in stored.values())
        vocabularies: dict[str, Any] = stored if is_parts else {WORDS: stored}
        parts, start = {}, 0
        for name in (n for n in (WORDS, CHARACTERS) if n in vocabularies):
            parts[name] = _vectorizer(name, vocabulary=vocabularies[name])
            parts[name].idf_ = idf_F[start : start + len(vocabularies[name])]
            start += len(vocabularies[name])
        return cls(parts, weights_CF, bias_C)

    def _counted(self, texts: Sequence[str]) -> csr_matrix:
        return hstack([part.transform(texts) for part in self.parts.values()]).tocsr()


def _vectorizer(part: str, **how: Any) -> TfidfVectorizer:
    if part == CHARACTERS:
        how |= {"analyzer": "char_wb", "ngram_range": (2, 5)}
    else:
        # A letter alone is a word too where a language has no spaces.
        how |= {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
    return TfidfVectorizer(sublinear_tf=True, strip_accents="unicode", **how)
