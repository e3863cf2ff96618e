"""Adapters: little learns, all of it ends in the encoder's own weights, and a resume knows where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recsynth.errors import ModelError
from recsynth.model.encoders import layers_of
from recsynth.model.folder import ENCODER, read_model, write_model
from recsynth.training.adapt import Adaptation
from recsynth.training.loop import Trainer
from tests.model.tiny import COLOURS, tiny_model
from tests.training import planted
from tests.training.planted import quick, run_until_killed, text_of

ADAPTERS = ["lora", "adalora", "ia3"]
TEXTS = [text_of(i) for i in range(12)] + COLOURS


def trainer(folder: Path, **changes: object) -> Trainer:
    defaults: dict[str, object] = {"adapter_rank": 4, "learning_rate": 3e-2}
    return planted.trainer(folder, **(defaults | changes))


def learning(made: Trainer) -> dict[str, int]:
    return {n: p.numel() for n, p in made.model.text.encoder.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("adaptation", ADAPTERS)
def test_an_adapter_learns_and_is_merged_into_a_plain_folder(tmp_path: Path, adaptation: str) -> None:
    made = trainer(tmp_path, adaptation=adaptation)
    plain = {k: v.clone() for k, v in tiny_model(tmp_path / "other").state_dict().items()}
    assert set(learning(made)) <= {
        n for n, _ in made.model.text.encoder.named_parameters() if "lora_" in n or "ia3_" in n
    }
    assert 0 < sum(learning(made).values()) < 0.15 * sum(learning(trainer(tmp_path)).values())
    progress = made.run(tmp_path / "checkpoints")
    assert progress.best > progress.before + 0.02
    # Nothing of peft is left, and what moved are weights in the attention and the feed-forward maps alone.
    after = made.model.state_dict()
    assert set(after) == set(plain)
    moved = {k for k, v in after.items() if k.startswith("text.encoder") and not torch.equal(v, plain[k])}
    assert moved
    assert all("attention.self" in k or "output.dense" in k for k in moved)
    write_model(made.model, tmp_path / "model", {})
    assert not list((tmp_path / "model" / ENCODER).glob("adapter*"))
    again = read_model(tmp_path / "model")
    assert again.text.encode(TEXTS) == pytest.approx(made.model.text.encode(TEXTS), abs=1e-5)
    assert Trainer(again, tmp_path / "shards", quick(), seed=3).validate() == pytest.approx(progress.best, abs=1e-6)


@pytest.mark.parametrize("adaptation", ADAPTERS)
def test_before_it_has_learned_an_adapter_changes_no_vector(tmp_path: Path, adaptation: str) -> None:
    expected = tiny_model(tmp_path / "encoder").text.encode(TEXTS)
    made = trainer(tmp_path, adaptation=adaptation)
    assert made.model.text.encode(TEXTS) == pytest.approx(expected, abs=1e-6)
    made.adaptation.merge()
    assert made.model.text.encode(TEXTS) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("adaptation", ADAPTERS)
def test_adapters_stand_in_the_top_layers_alone(tmp_path: Path, adaptation: str) -> None:
    names = learning(trainer(tmp_path, adaptation=adaptation, trainable_layers=1))
    assert names
    assert all("layer.1." in n for n in names)
    assert not learning(trainer(tmp_path, adaptation=adaptation, trainable_layers=0))


def test_every_process_begins_with_the_same_adapters_whatever_was_drawn_before(tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = tiny_model(tmp_path / str(seed))
        Adaptation(model, quick(adaptation="lora"), seed=7)
        found.append(model.state_dict())
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])


def test_rank_alpha_and_dropout_do_what_they_say(tmp_path: Path) -> None:
    made = trainer(tmp_path, adaptation="lora", adapter_rank=3, adapter_alpha=6, adapter_dropout=0.25)
    query = layers_of(made.model.text.encoder)[0].attention.self.query  # type: ignore[union-attr]
    assert query.lora_A["default"].weight.shape[0] == 3  # type: ignore[index, union-attr]
    assert query.lora_dropout["default"].p == 0.25  # type: ignore[index, union-attr]
    with torch.no_grad():
        query.lora_A["default"].weight.fill_(1.0)  # type: ignore[index, union-attr]
        query.lora_B["default"].weight.fill_(1.0)  # type: ignore[index, union-attr]
    before = query.base_layer.weight.clone()  # type: ignore[union-attr]
    made.adaptation.merge()
    merged = layers_of(made.model.text.encoder)[0].attention.self.query.weight  # type: ignore[union-attr]
    # B A is 3 everywhere, and alpha over rank is 2.
    assert (merged - before).detach().numpy() == pytest.approx(np.full(merged.shape, 6.0), abs=1e-5)


def test_adalora_cuts_to_the_mean_rank_and_holds_it_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 30 steps end their cut at the 20th; killed at 25, it goes on from the checkpoint of that step.
    settings = {"adaptation": "adalora", "adapter_rank": 2, "max_steps": 30}
    made = trainer(tmp_path, **settings)
    assert made.adaptation.penalty().item() > 0  # type: ignore[union-attr]
    assert kept_ranks(made) == 0
    run_until_killed(made, tmp_path / "checkpoints", 26, monkeypatch)
    # Four maps start with rank 4 and may keep 8 of 16.
    assert kept_ranks(made) == 8
    again = trainer(tmp_path, **settings)
    monkeypatch.setattr(again.adaptation, "merge", lambda: None)
    assert again.run(tmp_path / "checkpoints").step == 30
    again._load(again.checkpoints.last())
    assert kept_ranks(again) == 8


def kept_ranks(made: Trainer) -> int:
    return sum(int((p != 0).sum()) for _, p in made.adaptation._adapters("lora_E"))


@pytest.mark.parametrize("adaptation", ADAPTERS)
@pytest.mark.parametrize("stop", [3, 12])
def test_a_killed_training_with_adapters_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adaptation: str, stop: int
) -> None:
    settings = {"adaptation": adaptation, "validate_steps": 2, "max_steps": 16}
    made = trainer(tmp_path, **settings)
    run_until_killed(made, tmp_path / "checkpoints", stop, monkeypatch)
    again = trainer(tmp_path, **settings)
    progress = again.run(tmp_path / "checkpoints")
    assert [p["step"] for p in progress.curve] == list(range(1, 17))
    assert again.validate() == pytest.approx(progress.best, abs=1e-6)


def test_the_shortest_adalora_is_no_error(tmp_path: Path) -> None:
    assert trainer(tmp_path, adaptation="adalora", max_steps=1).run(tmp_path / "checkpoints").step == 1


def test_an_encoder_without_such_maps_is_named(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    for layer in layers_of(model.text.encoder):
        attention = layer.attention.self  # type: ignore[union-attr]
        attention.projection, attention.other = attention.query, attention.value  # type: ignore[union-attr]
        del attention.query, attention.value  # type: ignore[union-attr]
    with pytest.raises(ModelError, match=r"expected linear maps named .*query.*, found none"):
        Adaptation(model, quick(adaptation="lora"), seed=1)
