"""What a text is, in classes: the language model fine-tuned on labelled texts, beside the words themselves.

Several language models learn, each from all texts but a tenth of its own (cross-fitting), and are asked together: on
sets of thousands of texts that is what made the figures better, and longer training was not (tests/benchmarks).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score
from torch import nn

from recsynth.apps.language_classifier import CosineHead, Labelled, LanguageClassifier, fine_tuned
from recsynth.apps.text_settings import ClassifierSettings
from recsynth.apps.word_classifier import WordClassifier
from recsynth.model.encoders import load_encoder
from recsynth.model.folder import CARD, ENCODER, check_folder, read_card, write_manifest
from recsynth.model.towers import TextTower
from recsynth.seeds import sub_seed
from recsynth.texts import MOST_CHARS

log = logging.getLogger(__name__)
WEIGHTS, WORDS = "classifier.safetensors", "words.json"
PARTS, LEAST_GAIN = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 0.005
"""Parts of the logarithm of a class's share by which it may be favoured, and the macro-F1 that this has to bring."""


@dataclass
class TextClassifier:
    """p(class | text) = softmax(scale * log p_language + word_scale * log p_words + bias_C): calibrated on texts that
    the models asked had not learned from. log p_language: the mean over the members; none of them: words alone.
    The class that is decided on has the greatest log p + favour_C.
    """

    classes: tuple[str, ...]
    members: tuple[LanguageClassifier, ...]
    words: WordClassifier
    scales: tuple[float, float]
    bias_C: np.ndarray
    favour_C: np.ndarray

    def probabilities(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Calibrated probabilities (M, C) in the order of `classes`."""
        texts = [shown(t) for t in texts]
        if not texts:
            return np.zeros((0, len(self.classes)))
        said = self.words.log_probabilities(texts)
        heard = [member.log_probabilities(texts, batch_size) for member in self.members]
        return _blended(np.mean(heard, axis=0) if heard else said, said, self.scales, self.bias_C)

    def decided(self, probabilities: np.ndarray) -> np.ndarray:
        """Numbers (M,) of the classes that are said, of probabilities (M, C): see `decide_by` of the settings."""
        return np.asarray((_log(probabilities) + self.favour_C).argmax(1))

    def evidence(self, texts: Sequence[str], labels: np.ndarray, most: int = 3) -> list[list[str]]:
        """Words of each text that speak most for the label given to it (class numbers), strongest first."""
        return self.words.evidence([shown(t) for t in texts], labels, most)


def shown(text: str, most: int = MOST_CHARS) -> str:
    """A text as both models see it: a text of megabytes is cut, which no truncation of tokens would spare."""
    return " ".join(text[: 4 * most].split())[:most]


def fit_classifier(
    texts: Sequence[str], labels: Sequence[str], settings: ClassifierSettings, seed: int,
    beside: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> TextClassifier:  # fmt: skip
    """Learn classes from labelled texts; a share of them is held out to stop at, to blend and to calibrate.

    beside: texts and labels, of the same classes, that are learned from and never held out: nobody wrote them.
    Raises ValueError where a class has fewer than two texts, or there is one class alone: nothing could be learned
    and checked. The same input, settings and seed give the same classifier on the same machine.
    """
    classes = tuple(sorted(set(labels)))
    number = {c: i for i, c in enumerate(classes)}
    texts, y = [shown(t) for t in texts], np.array([number[label] for label in labels])
    counts = np.bincount(y, minlength=len(classes))
    if len(classes) < 2 or counts.min() < 2:
        raise ValueError(
            f"expected two classes or more with two texts each, found {counts.tolist()} texts of {classes}"
        )
    more = Labelled([shown(t) for t in beside[0]], np.array([number[label] for label in beside[1]], y.dtype))
    parts = [held_out(y, settings.validation_share, seed, part) for part in range(settings.members)]
    members, heard, said = [], [], []
    for part, held in enumerate(parts):
        learned, checked = (
            Labelled([t for t, s in zip(texts, side, strict=True) if s], y[side]) for side in (~held, held)
        )
        learned = Labelled([*learned.texts, *more.texts], np.concatenate([learned.y, more.y]))
        words = WordClassifier.fit(learned.texts, learned.y, len(classes), settings)
        said.append(words.log_probabilities(checked.texts))
        if settings.epochs:
            log.info("member %d of %d learns from %d texts", part + 1, len(parts), len(learned.texts))
            with torch.random.fork_rng():
                members.append(fine_tuned(learned, checked, classes, settings, sub_seed(seed, part)))
            heard.append(members[-1].log_probabilities(checked.texts, settings.batch_size))
    if len(parts) > 1:
        # The words' own classifier has no chance in it: what several would say, one says that learned from all.
        words = WordClassifier.fit([*texts, *more.texts], np.concatenate([y, more.y]), len(classes), settings)
    both, true = np.concatenate(said), np.concatenate([y[held] for held in parts])
    spoken = np.concatenate(heard) if heard else both
    scales, bias_C = _calibration(spoken, both, true, settings.epochs > 0)
    favour_C = np.zeros(len(classes))
    if settings.decide_by == "macro_f1":
        favour_C = _favour(_blended(spoken, both, scales, bias_C), true, np.bincount(y) / len(y))
        log.info("favour of each class: %s", dict(zip(classes, favour_C.round(2).tolist(), strict=True)))
    return TextClassifier(classes, tuple(members), words, scales, bias_C, favour_C)


def held_out(y: np.ndarray, share: float, seed: int, part: int = 0) -> np.ndarray:
    """Which texts are held out: the share of each class, at least one and never all.

    part: which share; the first 1 / share of them have no text in common where classes are large enough.

    >>> int(held_out(np.array([0] * 8 + [1] * 2), 0.25, 0).sum())
    3
    """
    rng, held = np.random.default_rng(seed), np.zeros(len(y), bool)
    for c in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == c))
        count = min(len(rows) - 1, max(1, round(share * len(rows))))
        held[np.roll(rows, -part * count)[:count]] = True
    return held


def write_classifier(classifier: TextClassifier, folder: Path, card: dict[str, Any]) -> str:
    """Write the classifier and return its version, as `write_model` does: safetensors and JSON, nothing that runs."""
    folder.mkdir(parents=True, exist_ok=True)
    words, members = classifier.words, classifier.members
    kept = {"words": torch.from_numpy(words.weights_CF), "words_bias": torch.from_numpy(words.bias_C),
            "idf": torch.from_numpy(words.idf_F), "bias": torch.from_numpy(classifier.bias_C),
            "favour": torch.from_numpy(classifier.favour_C)}  # fmt: skip
    for number, member in enumerate(members):
        member.text.encoder.save_pretrained(folder / _named(ENCODER, number), safe_serialization=True)
        member.text.tokenizer.save_pretrained(folder / _named(ENCODER, number))
        of_head = {_named(f"head.{name}", number): value for name, value in member.head.state_dict().items()}
        kept |= {name: value.detach().cpu() for name, value in of_head.items()}
    save_file({k: v.contiguous() for k, v in kept.items()}, folder / WEIGHTS)
    (folder / WORDS).write_text(json.dumps(words.vocabularies(), sort_keys=True))
    known: dict[str, object] = {"classes": classifier.classes, "scales": classifier.scales}
    known |= {"members": len(members), "max_tokens": members[0].text.max_tokens if members else 0}
    (folder / CARD).write_text(json.dumps(card | known, sort_keys=True, indent=1))
    return write_manifest(folder)


def read_classifier(folder: Path) -> TextClassifier:
    """Read a classifier. Raises ModelError where the folder is not what its manifest says."""
    check_folder(folder)
    card, kept = read_card(folder), load_file(folder / WEIGHTS)
    stored = json.loads((folder / WORDS).read_text())
    words = WordClassifier.of(stored, kept["idf"].numpy(), kept["words"].numpy(), kept["words_bias"].numpy())
    members = []
    # A card from before there were several does not count them.
    for number in range(card.get("members", 1 if card["max_tokens"] else 0)):
        text = TextTower(*load_encoder(str(folder / _named(ENCODER, number))), int(card["max_tokens"]))
        shape = len(card["classes"]), text.embedding_size
        head: CosineHead | nn.Linear = CosineHead(*shape)
        if "head" in kept:  # from before classes were vectors
            head = nn.Linear(*shape[::-1])
            head.load_state_dict({"weight": kept["head"], "bias": kept["head_bias"]})
        else:
            head.load_state_dict({name: kept[_named(f"head.{name}", number)] for name in head.state_dict()})
        members.append(LanguageClassifier(text, head).eval())
    scales = (float(card["scales"][0]), float(card["scales"][1]))
    # Folders of before decide on the likeliest.
    favour_C = kept["favour"].numpy() if "favour" in kept else np.zeros(len(card["classes"]))
    return TextClassifier(tuple(card["classes"]), tuple(members), words, scales, kept["bias"].numpy(), favour_C)


def _named(what: str, number: int) -> str:
    """The first member's parts have the names that they had when it was the only one."""
    return f"{what}_{number}" if number else what


def _calibration(
    heard: np.ndarray, said: np.ndarray, y: np.ndarray, is_language: bool
) -> tuple[tuple[float, float], np.ndarray]:
    """Two scales, neither negative, and a bias for each class: least log loss on the held-out texts, drawn to 1 and 0.

    Vector scaling (Guo et al., ICML 2017) of two models at once; the ridge keeps a class of few texts from a bias of
    its own, and few texts that were all right from a certainty that they do not show.
    """
    n, classes = said.shape
    rows = np.arange(n)

    def loss(x: np.ndarray) -> float:
        p = log_softmax(x[0] * heard + x[1] * said + x[2:], axis=1)
        return float(-p[rows, y].sum() + 5 * (x[2:] ** 2).sum() + 5 * (x[0] + x[1] - 1) ** 2)

    def slope(x: np.ndarray) -> np.ndarray:
        gap = softmax(x[0] * heard + x[1] * said + x[2:], axis=1)
        gap[rows, y] -= 1
        tie = 10 * (x[0] + x[1] - 1)
        return np.concatenate([[(gap * heard).sum() + tie, (gap * said).sum() + tie], gap.sum(0) + 10 * x[2:]])

    bounds = [(0, 10) if is_language else (0, 0), (0, 10), *[(-5, 5)] * classes]
    start = np.concatenate([[0.5, 0.5] if is_language else [0, 1], np.zeros(classes)])
    found = minimize(loss, start, jac=slope, bounds=bounds, method="L-BFGS-B").x
    return (float(found[0]), float(found[1])), found[2:]


def _favour(chances: np.ndarray, y: np.ndarray, share_C: np.ndarray) -> np.ndarray:
    """What is added to the log of each class's chance before the greatest is taken: minus a part of its share's log.

    The part that gives the greatest macro-F1 on the held-out texts, none where that is no more than LEAST_GAIN better.
    Nothing but one number is chosen, so that few texts of a class do not decide on it.
    """
    favours = [-part * np.log(share_C) for part in PARTS]
    found = [f1_score(y, (_log(chances) + f).argmax(1), average="macro", zero_division=0) for f in favours]
    best = int(np.argmax(found))
    return np.asarray(favours[best] if found[best] - found[0] > LEAST_GAIN else favours[0])


def _log(chances: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(chances, 1e-30)))


def _blended(heard: np.ndarray, said: np.ndarray, scales: tuple[float, float], bias_C: np.ndarray) -> np.ndarray:
    p: np.ndarray = softmax(scales[0] * heard + scales[1] * said + bias_C, axis=1)
    return p
