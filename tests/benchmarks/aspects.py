"""Aspects of product reviews, and what is thought of them: a product left out, learned from the four others.

    make bench-aspects

Hu and Liu's sentences (KDD 2004), five products. Learned and judged are the aspects that stand in their sentence; marks
of others are left out. `tagger` is judged by exact spans beside a dictionary of the words learned from; `found` are the
words that a night would take from the sentences of the product left out (those that three of them name, lists aside).
Polarity is judged on sentences whose aspects agree, by a classifier taught by the other products', beside TF-IDF with
logistic regression and the most frequent polarity.

Exit code 0 only where the tagger is ahead of the dictionary in every product, and the classifier of TF-IDF over all of
them with the 95 % interval above zero.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsynth.apps.aspects import ASPECT, by_dictionary, scored
from recsynth.apps.item_words import occurrences
from recsynth.apps.tagger import Marked, Span, fit_tagger
from recsynth.apps.text_classifier import fit_classifier, shown
from recsynth.apps.text_settings import ClassifierSettings, SentimentSettings
from recsynth.measure.intervals import bootstrap_difference

LEAST = 3
_MARK = re.compile(r"([^,\[\]]+)\[([+-])\d\]((?:\[\w+\])*)")


class Sentence(NamedTuple):
    """A sentence, the words of its aspects, and what is thought of them: positive, negative, or None where both."""

    text: str
    words: list[str]
    polarity: str | None


def main() -> int:
    """Print a line a product; return 1 where something is not ahead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of the data sets")
    parser.add_argument("--seed", type=int, default=0, help="seed of tagger and classifier")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    files = sorted(p for p in (options.data / "product_reviews_absa").rglob("*.txt") if p.stem.lower() != "readme")
    products = {path.stem[:20]: sentences(path) for path in files}
    print("left out | sentences, aspects | tagger: precision, recall, F1 | dictionary | found | polarity: sentences | "
          "classifier | TF-IDF | most frequent | seconds")  # fmt: skip
    behind, right, plain_right = [], [], []
    for left_out, judged in products.items():
        started = time.monotonic()
        learned = [s for name, rows in products.items() if name != left_out for s in rows]
        tagger, dictionary, found, there = _aspects(learned, judged, options.seed)
        ours, words, frequent = _polarity(learned, judged, options.seed)
        behind += [left_out] if tagger[2] <= dictionary[2] else []
        right.append(ours)
        plain_right.append(words)
        scores = [", ".join(f"{value:.3f}" for value in score) for score in (tagger, dictionary, found)]
        means = [f"{side.mean():.3f}" for side in (ours, words, frequent)]
        cells = (left_out, f"{len(judged)}, {there}", *scores, len(ours), *means, f"{time.monotonic() - started:.0f}")
        print(*cells, sep=" | ", flush=True)
    low, high = bootstrap_difference(np.concatenate(right), np.concatenate(plain_right))
    print(f"polarity, all products: classifier ahead of TF-IDF by {low:+.4f} to {high:+.4f}")
    for name in behind:
        print(f"MISSED {name}: the tagger's F1 is not above the dictionary's")
    return 1 if behind or low <= 0 else 0


def sentences(path: Path) -> list[Sentence]:
    """The sentences of a product, `aspect[+2], aspect[-1][u]##text`; titles and the head of the file are left out."""
    found = []
    for line in path.read_text(encoding="latin-1").splitlines():
        marks, separator, text = line.partition("##")
        if not separator or line.startswith("*"):
            continue
        marked = [(word.strip().lower(), sign) for word, sign, _ in _MARK.findall(marks)]
        signs = {sign for _, sign in marked}
        polarity = {"+": "positive", "-": "negative"}[signs.pop()] if len(signs) == 1 else None
        found.append(Sentence(text.strip(), [word for word, _ in marked], polarity))
    return found


def _marked(rows: list[Sentence]) -> Marked:
    return Marked([s.text for s in rows], [occurrences(s.text, ASPECT, s.words) for s in rows])


Score = tuple[float, float, float]


def _aspects(learned: list[Sentence], judged: list[Sentence], seed: int) -> tuple[Score, Score, Score, int]:
    """Precision, recall and F1 of the tagger, of the dictionary and of the words found; how many aspects there are."""
    learn, judge = _marked(learned), _marked(judged)
    settings = SentimentSettings()
    tagger_of = fit_tagger(*learn, [ASPECT], settings.aspect_tagger, seed)
    spans = tagger_of.spans(judge.texts, settings.aspect_tagger.batch_size, settings.aspect_chance)
    said = Counter(
        word
        for text, of in zip(judge.texts, spans, strict=True)
        for word in {text[s.start : s.end].lower() for s in of}
    )
    words = sorted(word for word, count in said.items() if count >= LEAST)
    by_words: list[list[Span]] = [occurrences(text, ASPECT, words) for text in judge.texts]
    tagger, dictionary, found = (scored(of, judge.spans) for of in (spans, by_dictionary(learn, judge.texts), by_words))
    return tagger[:3], dictionary[:3], found[:3], tagger[3]


def _polarity(learned: list[Sentence], judged: list[Sentence], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each sentence is right by the classifier, by TF-IDF and by the most frequent polarity."""
    (texts, labels), (judged_texts, true) = (
        ([s.text for s in rows if s.polarity], np.array([s.polarity for s in rows if s.polarity]))
        for rows in (learned, judged)
    )
    classifier = fit_classifier(texts, labels.tolist(), ClassifierSettings(), seed)
    classes = np.array(classifier.classes)
    ours = classes[classifier.probabilities(judged_texts).argmax(1)]
    words = classes[classifier.words.log_probabilities([shown(t) for t in judged_texts]).argmax(1)]
    frequent = Counter(labels.tolist()).most_common(1)[0][0]
    return ours == true, words == true, true == frequent


if __name__ == "__main__":
    sys.exit(main())
