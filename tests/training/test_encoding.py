"""A step's texts: chunks and recomputation give the gradients of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recsynth.training.adapt import layers_of
from recsynth.training.encoding import TextEncoding
from recsynth.training.loop import Trainer
from tests.model.tiny import tiny_model
from tests.training.planted import gradient_of, pair, quick, trainer

TEXTS = ["red thing1 thing2 thing3", "blue", "red 红色 thing4", "gold thing7", "thing9 thing8"]


def step_gradients(made: Trainer, is_training: bool) -> tuple[float, list[torch.Tensor]]:
    made.validate()
    made.model.train(is_training)
    torch.manual_seed(1)
    return gradient_of(made, [pair(made)])


@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
@pytest.mark.parametrize("settings", [{}, {"adaptation": "lora"}])
def test_chunks_give_the_gradients_of_the_whole(tmp_path: Path, chunk: int, settings: dict[str, object]) -> None:
    whole, expected = step_gradients(trainer(tmp_path / "a", **settings), is_training=False)
    loss, found = step_gradients(trainer(tmp_path / "b", gradient_chunk=chunk, **settings), is_training=False)
    assert loss == pytest.approx(whole, abs=1e-5)
    assert len(found) == len(expected) > 10
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))


def test_the_encoder_never_sees_more_than_a_chunk_and_chunks_are_of_like_length(tmp_path: Path) -> None:
    text, sizes, chunks = tiny_model(tmp_path).text, [], []
    text.encoder.register_forward_pre_hook(
        lambda module, args, named: sizes.append((len(named["input_ids"]), torch.is_grad_enabled())), with_kwargs=True
    )
    encoding = TextEncoding(text, quick(gradient_chunk=2))
    vectors = encoding.vectors(TEXTS)
    chunks = [c for _, c, _ in encoding.chunks]
    vectors.sum().backward()
    encoding.backward()
    assert sizes == [(2, False), (2, False), (1, False), (2, True), (2, True), (1, True)]
    assert [len(t) for c in chunks for t in c] == sorted(map(len, TEXTS))
    assert vectors.detach().numpy() == pytest.approx(text.encode(TEXTS), abs=1e-5)


def test_the_second_pass_has_the_dropout_of_the_first(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    model.train()
    assert model.text.encoder.config.hidden_dropout_prob > 0
    found = []
    model.text.register_forward_hook(lambda module, args, out: found.append(out.detach().clone()))
    encoding = TextEncoding(model.text, quick(gradient_chunk=2))
    encoding.vectors(TEXTS).sum().backward()
    torch.rand(7)
    after = torch.get_rng_state()
    encoding.backward()
    assert len(found) == 6
    assert all(torch.equal(a, b) for a, b in zip(found[:3], found[3:], strict=True))
    assert not torch.equal(found[0], model.text([TEXTS[1], TEXTS[3]]).detach())
    # What is drawn after the step does not depend on the chunks.
    torch.set_rng_state(after)


def test_checkpointing_runs_each_layer_twice_for_the_same_gradients(tmp_path: Path) -> None:
    found = []
    for name, is_on in (("a", False), ("b", True)):
        made, runs = trainer(tmp_path / name, gradient_checkpointing=is_on), []
        attention = layers_of(made.model.text.encoder)[0].attention
        made.validate()
        attention.register_forward_hook(lambda *_, runs=runs: runs.append(1))  # type: ignore[union-attr]
        made.model.train()
        torch.manual_seed(1)
        loss, gradients = gradient_of(made, [pair(made)])
        found.append((loss, len(runs), gradients))
    (plain, once, expected), (loss, twice, gradients) = found
    assert (once, twice) == (1, 2)
    assert loss == pytest.approx(plain, abs=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(gradients, expected, strict=True))


@pytest.mark.parametrize("has_it", [False, True])
def test_mixed_precision_is_for_machines_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_it, "avx512_bf16": False})
    text = tiny_model(tmp_path).text
    expected = TextEncoding(text, quick()).vectors(TEXTS)
    found = TextEncoding(text, quick(mixed_precision=True)).vectors(TEXTS)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected) is not has_it
    assert torch.allclose(found, expected, atol=0.05)
