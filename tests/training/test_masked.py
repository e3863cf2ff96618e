"""Masked words: what is guessed, that guessing is learned, and that validation has the last word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recsynth.errors import ModelError
from recsynth.model.towers import MatchModel
from recsynth.training.checkpoints import Checkpoints
from recsynth.training.masked import NOT_GUESSED, learn_words, masked
from tests.model.tiny import COLOURS, tiny_model
from tests.training.planted import quick, text_of, trainer

TEXTS = [text_of(i) for i in range(40)]


def test_of_the_words_fifteen_in_a_hundred_are_guessed_most_of_them_masked(tmp_path: Path) -> None:
    text = tiny_model(tmp_path).text
    rng, mask = np.random.default_rng(1), text.tokenizer.mask_token_id
    plain = text.tokenizer(TEXTS, padding=True, return_tensors="pt")["input_ids"].numpy()
    special = np.isin(plain, [text.tokenizer.pad_token_id, text.tokenizer.cls_token_id, text.tokenizer.sep_token_id])
    counts = np.zeros(4)
    for _ in range(100):
        shown, wanted = masked(text, TEXTS, rng)
        ids, guessed = shown["input_ids"].numpy(), wanted.numpy() != NOT_GUESSED
        assert not guessed[special].any()
        assert (wanted.numpy()[guessed] == plain[guessed]).all()
        assert (ids[~guessed] == plain[~guessed]).all()
        counts += [
            (~special).sum(),
            guessed.sum(),
            (ids[guessed] == mask).sum(),
            (ids[guessed] == plain[guessed]).sum(),
        ]
    words, of_these, hidden, left = counts
    assert of_these / words == pytest.approx(0.15, abs=0.01)
    assert hidden / of_these == pytest.approx(0.8, abs=0.03)
    # A tenth is left, and another word is now and then the same by chance.
    assert left / of_these == pytest.approx(0.1, abs=0.03)


def top_layer_learns(folder: Path) -> MatchModel:
    model = tiny_model(folder)
    for name, parameter in model.text.encoder.named_parameters():
        parameter.requires_grad = "layer.1." in name
    return model


def test_guessing_is_learned_and_only_what_may_learn_moves(tmp_path: Path) -> None:
    model = top_layer_learns(tmp_path / "model")
    resting = {n: p.clone() for n, p in model.named_parameters() if "layer.1." not in n}
    learning = {n: p.clone() for n, p in model.named_parameters() if "layer.1." in n}
    settings = quick(masked_steps=60, masked_learning_rate=3e-3, masked_head_learning_rate=1e-2, items_per_step=40)
    # A word that is hidden stands beside itself.
    repeated = [" ".join([colour] * 6) for colour in COLOURS] * 10
    losses = learn_words(model.text, repeated, settings, seed=1)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    slow = settings.model_copy(update={"masked_head_learning_rate": 1e-12})
    assert losses[-1] < learn_words(top_layer_learns(tmp_path / "slow").text, repeated, slow, seed=1)[-1]
    found = dict(model.named_parameters())
    assert all(torch.equal(found[n], p) for n, p in resting.items())
    assert any(not torch.equal(p, before) for n, p in found.items() if (before := learning.get(n)) is not None)


def test_a_tokenizer_without_a_mask_is_named(tmp_path: Path) -> None:
    text = tiny_model(tmp_path).text
    text.tokenizer.mask_token = None
    with pytest.raises(ModelError, match="masked_steps: expected a tokenizer with a mask token"):
        learn_words(text, TEXTS, quick(masked_steps=1), seed=1)


@pytest.mark.parametrize("is_better", [True, False])
def test_what_was_learned_is_kept_unless_validation_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_better: bool
) -> None:
    made = trainer(tmp_path, masked_steps=3, head_steps=1, max_steps=1, masked_learning_rate=1e-2)
    before, seen, validate = made.model.text.encode(TEXTS), [], made.validate
    figures = iter([0.5, 0.6 if is_better else 0.4])
    monkeypatch.setattr(made, "validate", lambda: (validate(), next(figures, 0.0))[1])
    monkeypatch.setattr(made, "_checkpoint", lambda: seen.append(made.model.text.encode(TEXTS)))
    made.checkpoints = Checkpoints(tmp_path / "checkpoints", made.identity)
    made._begin()
    assert (np.abs(seen[0] - before).max() > 1e-3) == is_better
    assert made.progress.best == (0.6 if is_better else 0.5)
    assert made.progress.before == 0.5
    assert np.allclose(made.objective.vectors[:40].numpy(), seen[0], atol=1e-5)
