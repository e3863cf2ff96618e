"""The loop in one process: it learns what was planted, by its seed, and goes on after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.sampling import Sample
from recsynth.training.shards import Batch, sampled_positives
from tests.model.tiny import write_encoder
from tests.training.planted import batches, gradient_of, pair, quick, run_until_killed, trainer, write_planted


@pytest.mark.parametrize(
    "loss", ["sampled_softmax", "binary_cross_entropy", "mean_squared_error", "linear_autoencoder"]
)
def test_each_loss_learns_the_planted_taste(tmp_path: Path, loss: str) -> None:
    made = trainer(tmp_path, loss=loss)
    progress = made.run(tmp_path / "checkpoints")
    assert progress.best > progress.before + 0.05
    # What is kept is the best, not the last.
    assert made.validate() == pytest.approx(progress.best, abs=1e-6)


def test_beeformer_moves_the_encoder_by_its_own_loss_and_the_heads_by_theirs(tmp_path: Path) -> None:
    found = []
    for loss in ("sampled_softmax", "linear_autoencoder"):
        made = trainer(tmp_path, loss=loss)
        made.validate()
        made.model.eval()
        gradient_of(made, [pair(made)])
        found.append({n: p.grad for n, p in made.model.named_parameters() if p.grad is not None})
    softmax, autoencoder = found
    assert set(softmax) == set(autoencoder)
    for name in softmax:
        same = torch.allclose(softmax[name], autoencoder[name], atol=1e-7)
        assert same != (name.startswith("text.encoder.") and softmax[name].norm().item() > 1e-5), name


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        made = trainer(tmp_path, max_steps=4, validate_steps=2)
        made.run(tmp_path / name)
        found.append(made.model.state_dict())
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])


def test_frozen_layers_stay_and_the_others_move(tmp_path: Path) -> None:
    made = trainer(tmp_path, trainable_layers=1)
    before = {k: v.clone() for k, v in made.model.state_dict().items()}
    made.validate()
    made._step(next(batches(made)))
    moved = {k for k, v in made.model.state_dict().items() if not torch.equal(v, before[k])}
    assert any("layer.1." in k for k in moved)
    assert not any("layer.0." in k or "embeddings" in k for k in moved)


def test_patience_ends_what_does_not_improve(tmp_path: Path) -> None:
    # A learning rate this small moves no list, so no validation is better than the first.
    made = trainer(tmp_path, learning_rate=1e-12, head_learning_rate=1e-12, patience=2, validate_steps=1)
    assert made.run(tmp_path / "checkpoints").step == 2


def test_the_time_budget_ends_it(tmp_path: Path) -> None:
    assert trainer(tmp_path, max_minutes=1e-9).run(tmp_path / "checkpoints").step == 0


def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(tmp_path)
    run_until_killed(made, tmp_path / "checkpoints", 7, monkeypatch)
    progress = trainer(tmp_path).run(tmp_path / "checkpoints")
    assert [p["step"] for p in progress.curve] == list(range(1, 21))
    assert progress.curve[:5] == made.progress.curve[:5]
    assert progress.best > progress.before


def test_a_loss_that_is_no_number_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(tmp_path)
    made.validate()
    before = {k: v.clone() for k, v in made.model.state_dict().items()}
    monkeypatch.setattr(made.objective, "_loss", lambda *_: torch.tensor(float("nan")))
    made._step(next(batches(made)))
    assert all(torch.equal(v, before[k]) for k, v in made.model.state_dict().items())
    assert (made.progress.step, made.progress.bad, made.progress.curve) == (1, 1, [{"step": 1}])


def test_a_finite_loss_whose_gradient_is_infinite_is_skipped_too(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.validate()
    next(made.model.user.parameters()).register_hook(lambda g: g * float("inf"))
    made._step(next(batches(made)))
    assert made.progress.bad == 1
    assert all(torch.isfinite(p).all() for p in made.model.parameters())


def failing(monkeypatch: pytest.MonkeyPatch, made: Trainer, steps: set[int]) -> None:
    """Let the loss be no number in these steps, counted from 0."""
    loss = made.objective._loss

    def patched(batch: Batch, sample: Sample, is_resting: bool) -> torch.Tensor:
        return torch.tensor(float("nan")) if made.progress.step in steps else loss(batch, sample, is_resting)

    monkeypatch.setattr(made.objective, "_loss", patched)


def test_bad_steps_in_a_row_go_back_to_the_checkpoint_at_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(tmp_path, max_bad_steps=3, schedule="constant", warmup_steps=0, max_steps=10)
    # Two bad steps alone are only skipped; steps 6 to 8 are three, after the checkpoint of step 5.
    failing(monkeypatch, made, {1, 2, 6, 7, 8})
    loads, roll_back = [], made._roll_back

    def watched() -> None:
        roll_back()
        loads.append({k: v.clone() for k, v in made.model.state_dict().items()})

    monkeypatch.setattr(made, "_roll_back", watched)
    last = {}
    checkpoint = made._checkpoint

    def kept() -> None:
        checkpoint()
        if made.progress.step == 5:
            last.update({k: v.clone() for k, v in made.model.state_dict().items()})

    monkeypatch.setattr(made, "_checkpoint", kept)
    progress = made.run(tmp_path / "checkpoints")
    assert (progress.step, progress.rollbacks, len(loads)) == (10, 1, 1)
    assert all(torch.equal(loads[0][k], last[k]) for k in last)
    assert made.optimizer.param_groups[0]["lr"] == pytest.approx(made.optimizer.param_groups[0]["peak"] / 2)
    assert [p["step"] for p in progress.curve if "loss" not in p] == [2, 3, 7, 8, 9]


def test_after_the_second_time_it_stops_and_the_start_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(tmp_path, max_bad_steps=2)
    before = {k: v.clone() for k, v in made.model.state_dict().items()}
    failing(monkeypatch, made, set(range(100)))
    progress = made.run(tmp_path / "checkpoints")
    assert (progress.step, progress.rollbacks, progress.best) == (4, 2, progress.before)
    assert all(torch.equal(v, before[k]) for k, v in made.model.state_dict().items())


def test_gradients_of_several_batches_are_averaged(tmp_path: Path) -> None:
    made, found = trainer(tmp_path), []
    made.validate()
    made.model.eval()
    stream = batches(made)
    pairs = [pair(made, next(stream)) for _ in range(2)]
    for chosen in ([pairs[0]], [pairs[1]], pairs):
        made.model.zero_grad()
        found.append(gradient_of(made, chosen))
    (a, first), (b, second), (both, mean) = found
    assert both == pytest.approx((a + b) / 2)
    assert all(torch.allclose(m, (x + y) / 2, atol=1e-6) for x, y, m in zip(first, second, mean, strict=True))


def test_a_step_takes_as_many_batches_as_it_accumulates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, taken = trainer(tmp_path, accumulate_steps=3, max_steps=2), []
    backward = made.objective.backward
    monkeypatch.setattr(made.objective, "backward", lambda p, r: taken.append(len(p)) or backward(p, r))
    assert made.run(tmp_path / "checkpoints").step == 2
    assert taken == [3, 3]


def test_sampled_items_are_positives_and_hidden_from_the_history() -> None:
    batch = Batch(np.array([[3, 0, 3], [1, 2, 0]]), np.array([[5, 5, 5], [5, 1, 0]]), np.zeros((2, 3), np.float32))
    positives_BM, hidden_BL = sampled_positives(batch, np.array([0, 3]), items=4)
    # User 1's last place is padding: it is item 0 by number only.
    assert positives_BM.tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert hidden_BL.tolist() == [[True, True, True], [False, False, False]]


# Principal components alone tell the colours better than all the numbers do: less is left to learn.
@pytest.mark.parametrize(
    ("settings", "gain"), [({"dimensions": 8}, 0.01), ({"user_layers": 1}, 0.05), ({"masked_steps": 5}, 0.05)]
)
def test_a_model_of_another_shape_learns_the_planted_taste(
    tmp_path: Path, settings: dict[str, object], gain: float
) -> None:
    made = trainer(tmp_path, **settings)
    progress = made.run(tmp_path / "checkpoints")
    assert progress.best > progress.before + gain
    assert made.validate() == pytest.approx(progress.best, abs=1e-6)


def test_the_shape_of_a_new_model_is_the_settings(tmp_path: Path) -> None:
    shards, encoder = write_planted(tmp_path / "shards"), write_encoder(tmp_path / "encoder")
    plain = starting_model("", shards, quick(encoder=encoder))
    assert (plain.text.embedding_size, plain.user.context) == (plain.text.hidden_size, None)
    other = starting_model("", shards, quick(encoder=encoder, dimensions=8, user_layers=2, history_length=7))
    assert other.text.embedding_size == 8
    assert other.user.context is not None
    assert len(other.user.context.layers.layers) == 2
    assert other.user.context.places.num_embeddings == 7
    # The projection has begun with the catalogue's principal components, no longer with the first axes.
    assert not torch.equal(other.text.projection_HD, torch.eye(*other.text.projection_HD.shape))  # type: ignore[union-attr, arg-type]
