"""Adversarial steps: the push is as long as it says, the gradients differ, and every weight comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from recsynth.training.adversarial import ADVERSARIES, awp, fgm
from tests.model.tiny import tiny_model
from tests.training.planted import batches, pair, trainer

WORDS = "text.encoder.embeddings.word_embeddings.weight"


def words_of(model: nn.Module) -> nn.Parameter:
    return dict(model.named_parameters())[WORDS]


def half_square(words: nn.Parameter, seen: list[torch.Tensor]) -> Callable[[], float]:
    """L = |E|^2 / 2, whose gradient is E itself; where it is taken is kept in `seen`."""

    def backward() -> float:
        seen.append(words.detach().clone())
        loss = words.square().sum() / 2
        loss.backward()
        return loss.item()

    return backward


def test_fgm_pushes_the_words_by_epsilon_along_the_gradient_and_adds_both_gradients(tmp_path: Path) -> None:
    # The gradient at E is E, at E + r it is E + r, with r = 0.5 E / |E|.
    model = tiny_model(tmp_path)
    words = words_of(model)
    before, seen = words.detach().clone(), []
    backward = half_square(words, seen)

    assert fgm(model, 0.5, backward) == pytest.approx((before.square().sum() / 2).item())
    push = 0.5 * before / before.norm()
    assert torch.allclose(seen[1] - seen[0], push, atol=1e-6)
    assert torch.equal(words, before)
    assert words.grad is not None
    assert torch.allclose(words.grad, 2 * before + push, atol=1e-5)


def test_awp_pushes_each_matrix_by_its_share_and_keeps_the_pushed_gradient_alone(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    words = words_of(model)
    before, seen = words.detach().clone(), []
    backward = half_square(words, seen)

    awp(model, 0.5, backward)
    # g is E itself, so that |E| g / |g| = E: the matrix is pushed to one and a half times itself.
    assert torch.allclose(seen[1], 1.5 * before, atol=1e-5)
    assert torch.equal(words, before)
    assert words.grad is not None
    assert torch.allclose(words.grad, 1.5 * before, atol=1e-5)


@pytest.mark.parametrize("name", ["fgm", "awp"])
@pytest.mark.parametrize("settings", [{}, {"trainable_layers": 1}, {"adaptation": "lora"}, {"gradient_chunk": 3}])
def test_in_a_step_weights_come_back_and_the_gradient_is_another(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    found = {}
    for kind in ("none", name):
        made = trainer(tmp_path / kind, **settings)
        # Where an adapter still is zero, awp's share of it is too.
        for n, p in made.model.named_parameters():
            if "lora_B" in n:
                nn.init.constant_(p, 0.05)
        made.validate()
        made.model.eval()
        before = {k: v.clone() for k, v in made.model.state_dict().items()}
        pairs = [pair(made)]
        loss = ADVERSARIES[kind](made.model, 0.3, lambda made=made, pairs=pairs: made.objective.backward(pairs, False))
        assert all(torch.equal(v, before[k]) for k, v in made.model.state_dict().items())
        learning = {n for n, p in made.model.named_parameters() if p.requires_grad}
        gradients = {n: p.grad for n, p in made.model.named_parameters() if p.grad is not None}
        assert set(gradients) <= learning
        found[kind] = (loss, {n: g / g.norm() for n, g in gradients.items() if g.norm() > 1e-9})
    assert found[name][0] == pytest.approx(found["none"][0], abs=1e-6)
    shared = set(found[name][1]) & set(found["none"][1])
    assert any((found[name][1][n] - found["none"][1][n]).norm() > 1e-3 for n in shared)


@pytest.mark.parametrize("name", ["fgm", "awp"])
def test_a_loss_that_is_no_number_pushes_nothing(tmp_path: Path, name: str) -> None:
    model, calls = tiny_model(tmp_path), []
    ADVERSARIES[name](model, 0.5, lambda: calls.append(1) or float("nan"))
    assert calls == [1]


@pytest.mark.parametrize("name", ["fgm", "awp"])
def test_the_setting_reaches_the_step_of_the_encoder_and_not_of_the_heads(tmp_path: Path, name: str) -> None:
    made, calls = trainer(tmp_path, adversarial=name, adversarial_epsilon=0.1, head_steps=1), []
    made.validate()
    backward = made.objective.backward
    made.objective.backward = lambda *step: calls.append(1) or backward(*step)  # type: ignore[method-assign]
    made._step(next(batches(made)))
    assert len(calls) == 1
    made.progress.heads_done = True
    made._step(next(batches(made)))
    assert len(calls) == 3
