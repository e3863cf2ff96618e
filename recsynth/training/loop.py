"""The training loop, plain torch: one process of one or many."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor

from recsynth.measure.ranking import mean_ndcg
from recsynth.model.folder import device, sha256
from recsynth.model.top_k import top_k
from recsynth.model.towers import MatchModel
from recsynth.training.losses import LOSSES
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, Texts, read_labels, read_texts, user_batches

log = logging.getLogger(__name__)

VALIDATION_USERS = 2000
NDCG = "ndcg@10"
ENCODER = "text.encoder."


@dataclass
class Progress:
    """What a training has reached; written beside each checkpoint."""

    step: int = 0
    best: float = -1.0
    worse: int = 0
    heads_done: bool = False
    before: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Predicts sampled items of a user from the rest of the history, so that text must carry the taste.

    The sampled items are hidden from the user's history, which reads vectors of the last validation
    (not differentiated); gradients reach the encoder through the sampled items' texts alone. A step
    therefore costs `items_per_step` texts, however many users it has. First, for `head_steps`, the encoder
    rests and the heads learn from its vectors as they are: such a step costs no text at all.
    """

    def __init__(self, model: MatchModel, folder: Path, settings: TrainingSettings, seed: int) -> None:
        self.model, self.folder, self.settings, self.seed = model.to(device()), folder, settings, seed
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world_size = dist.get_world_size() if dist.is_initialized() else 1
        self.texts: Texts = read_texts(folder)
        self.labels, self.wanted = read_labels(folder, settings.history_length, VALIDATION_USERS)
        self.rng = np.random.default_rng([seed, self.rank])
        self.progress = Progress(heads_done=settings.head_steps == 0)
        self.vectors = torch.zeros(0)
        self.report: Callable[[int, float], None] | None = None
        weights_M = (self.texts.popularity_M + 1.0) ** settings.popularity_power
        self.chance_M = weights_M / weights_M.sum()
        _freeze_below(model, settings.trainable_layers)
        self.optimizer = _optimizer(model, settings)
        self.identity = hashlib.sha256(f"{settings.model_dump_json()} {seed} {self.texts.texts}".encode()).hexdigest()

    def run(self, checkpoints: Path, report: Callable[[int, float], None] | None = None) -> Progress:
        """Train, keep the best on validation in the model, and return what was reached.

        Resumes from the last whole checkpoint in `checkpoints`. `report` is told step and NDCG@10 of each
        validation and may raise to stop; it changes nothing else.
        """
        self.report = report
        torch.manual_seed(self.seed)
        started, settings = time.monotonic(), self.settings
        self._resume(checkpoints)
        if self.progress.step == 0:
            self.progress.before = self.validate()
            self.progress.best = self.progress.before
            self._checkpoint(checkpoints, "best")
        else:
            self.validate()
        batches = user_batches(
            self.folder, self.rank, self.world_size, settings.users_per_step, settings.history_length,
            self.seed + self.progress.step,
        )  # fmt: skip
        for batch in batches:
            if not self.progress.heads_done and self._are_heads_done():
                self._rest_heads(checkpoints)
            if self._agree(time.monotonic() - started > 60 * settings.max_minutes) or self._is_over():
                break
            self._step(batch)
            if self.progress.step % settings.validate_steps == 0:
                self._validated(checkpoints)
        if self.progress.step % settings.validate_steps:
            self._validated(checkpoints)
        self._load(checkpoints / "best.safetensors")
        return self.progress

    def _is_over(self) -> bool:
        steps = self.settings.head_steps + self.settings.max_steps
        return self.progress.heads_done and (
            self.progress.step >= steps or self.progress.worse >= self.settings.patience
        )

    def _are_heads_done(self) -> bool:
        return self.progress.step >= self.settings.head_steps or self.progress.worse >= self.settings.patience

    def _rest_heads(self, checkpoints: Path) -> None:
        """Go on with the encoder from the best heads."""
        if self.progress.step:
            self._load(checkpoints / "best.safetensors")
        self.optimizer = _optimizer(self.model, self.settings)
        self.progress.heads_done, self.progress.worse = True, 0
        self.progress.step = self.settings.head_steps

    @torch.no_grad()
    def validate(self) -> float:
        """NDCG@10 of the whole catalogue for users of the later window; refreshes the history vectors."""
        if self.progress.heads_done or not len(self.vectors):
            self.vectors = torch.from_numpy(self.model.text.encode(self.texts.texts)).to(device())
        vectors_MD = self.vectors.cpu().numpy()
        self.model.eval()
        users_BD = self.model.user(*self._places(self.labels)).cpu().numpy()
        self.model.train()
        if not len(users_BD):
            return 0.0
        chosen_BK, _ = top_k(users_BD, vectors_MD[: self.texts.items], 10)
        return mean_ndcg(chosen_BK, self.wanted)

    def _step(self, batch: Batch) -> None:
        self.model.train()
        settings, has_heads_done = self.settings, self.progress.heads_done
        size = min(settings.items_per_step if has_heads_done else settings.head_items_per_step, self.texts.items)
        items_M = np.sort(self.rng.choice(self.texts.items, size, replace=False, p=self.chance_M))
        loss = self._loss(batch, items_M)
        if not torch.isfinite(loss):
            log.warning("step %d: loss is %s, skipped", self.progress.step, loss.item())
            loss = torch.zeros_like(loss) * sum(p.sum() for p in self._trainable())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self._trainable(), self.settings.gradient_clip)
        self._set_learning_rate()
        self.optimizer.step()
        self.progress.step += 1
        if self.rank == 0 and self.progress.step % (5 if has_heads_done else 50) == 0:
            most = settings.head_steps + settings.max_steps
            log.info("step %d of %d: loss %.4f", self.progress.step, most, loss.item())
        self.progress.curve.append({"step": self.progress.step, "loss": float(loss.item())})

    def _loss(self, batch: Batch, items_M: np.ndarray) -> Tensor:
        positives_BM, hidden_BL = sampled_positives(batch, items_M, self.texts.items)
        visible = Batch(batch.texts_BL, np.where(hidden_BL, 0, batch.types_BL), batch.ages_BL)
        # A user of whom nothing is left to see, or nothing to predict, says nothing.
        rows = (positives_BM.sum(1) > 0) & ((visible.types_BL > 0).sum(1) > 0)
        if not rows.any():
            return sum((p.sum() * 0.0 for p in self._trainable()), torch.zeros((), device=device()))
        users_BD = self.model.user(*(t[torch.from_numpy(rows)] for t in self._places(visible)))
        items_MD = (
            self.model.text([self.texts.texts[i] for i in items_M])
            if self.progress.heads_done
            else self.vectors[torch.from_numpy(items_M)]
        )
        positives = torch.from_numpy(positives_BM[rows]).to(users_BD)
        log_q_M = torch.from_numpy(np.log(self.chance_M[items_M] * len(items_M))).to(users_BD)
        allowed = torch.ones_like(positives, dtype=torch.bool)
        return LOSSES[self.settings.loss](self.model.logits(users_BD, items_MD), positives, allowed, log_q_M)

    def _places(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        texts, types, ages = (torch.from_numpy(x).to(device()) for x in (batch.texts_BL, batch.types_BL, batch.ages_BL))
        return self.vectors[texts], types, ages

    def _trainable(self) -> list[torch.nn.Parameter]:
        """What learns now: while the encoder rests it must not decay either."""
        named = self.model.named_parameters()
        is_resting = not self.progress.heads_done
        return [p for n, p in named if p.requires_grad and not (is_resting and n.startswith(ENCODER))]

    def _average_gradients(self) -> None:
        if self.world_size == 1:
            return
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in self._trainable()])
        dist.all_reduce(flat)
        start = 0
        for p in self._trainable():
            p.grad = flat[start : start + p.numel()].view_as(p) / self.world_size
            start += p.numel()

    def _agree(self, is_over: bool) -> bool:
        """Whether any process is over: clocks differ, and one that stopped alone would leave the others waiting."""
        if self.world_size == 1:
            return is_over
        flag = torch.tensor([float(is_over)], device=device())
        dist.all_reduce(flag)
        return bool(flag.item() > 0)

    def _set_learning_rate(self) -> None:
        settings, heads = self.settings, self.settings.head_steps
        if self.progress.heads_done:
            factor = schedule(self.progress.step - heads, settings.warmup_steps, settings.max_steps)
        else:
            factor = schedule(self.progress.step, settings.warmup_steps, heads)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor

    def _validated(self, checkpoints: Path) -> None:
        found = self.validate()
        self.progress.curve[-1][NDCG] = found
        is_better = found > self.progress.best
        self.progress.best = max(found, self.progress.best)
        self.progress.worse = 0 if is_better else self.progress.worse + 1
        if self.rank == 0:
            log.info("step %d: validation NDCG@10 %.4f (before %.4f)", self.progress.step, found, self.progress.before)
        self._checkpoint(checkpoints, "last")
        if is_better:
            self._checkpoint(checkpoints, "best")
        if self.report is not None:
            self.report(self.progress.step, found)

    def _checkpoint(self, checkpoints: Path, name: str) -> None:
        """Weights first, then the progress file that makes them count; both appear whole or not at all."""
        if self.rank == 0:
            checkpoints.mkdir(parents=True, exist_ok=True)
            state = {k: v.detach().cpu().contiguous() for k, v in self.model.state_dict().items()}
            save_file(state, checkpoints / f"{name}.part")
            (checkpoints / f"{name}.part").replace(checkpoints / f"{name}.safetensors")
            last = checkpoints / "last.safetensors"
            weights = sha256(last) if last.is_file() else ""
            marks = {"identity": self.identity, "weights": weights, "progress": self.progress.__dict__}
            (checkpoints / "progress.part").write_text(json.dumps(marks))
            (checkpoints / "progress.part").replace(checkpoints / "progress.json")
        if self.world_size > 1:
            dist.barrier()

    def _resume(self, checkpoints: Path) -> None:
        """Take the last checkpoint if it is whole and of this very training."""
        last, file = checkpoints / "last.safetensors", checkpoints / "progress.json"
        if not (file.is_file() and last.is_file()):
            return
        marks = json.loads(file.read_text())
        if marks["identity"] == self.identity and marks["weights"] == sha256(last):
            self._load(last)
            self.progress = Progress(**marks["progress"])
            log.info("resumed at step %d", self.progress.step)

    def _load(self, path: Path) -> None:
        self.model.load_state_dict(load_file(path, device=str(device())))


def sampled_positives(batch: Batch, items_M: np.ndarray, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Which sampled items each user has, (B, M) of 0 and 1, and which history places those are, (B, L)."""
    column = np.full(max(items, batch.texts_BL.max(initial=0) + 1), -1)
    column[items_M] = np.arange(len(items_M))
    place_BL = np.where(batch.types_BL > 0, column[batch.texts_BL], -1)
    positives_BM = np.zeros((len(batch.texts_BL), len(items_M)), np.float32)
    rows, places = np.nonzero(place_BL >= 0)
    positives_BM[rows, place_BL[rows, places]] = 1.0
    return positives_BM, place_BL >= 0


def schedule(step: int, warmup_steps: int, max_steps: int) -> float:
    """Linear warm-up to 1, then a cosine to 0 at max_steps.

    >>> [round(schedule(s, 2, 10), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup_steps) / max(1, max_steps - warmup_steps))))


def _freeze_below(model: MatchModel, layers: int) -> None:
    """Let the encoder's top layers learn alone; all of it where `layers` reaches its depth."""
    encoder: Any = model.text.encoder
    depth = int(encoder.config.num_hidden_layers)
    for parameter in encoder.parameters():
        parameter.requires_grad = layers >= depth
    for layer in list(encoder.encoder.layer)[max(0, depth - layers) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    if getattr(encoder, "pooler", None) is not None:
        for parameter in encoder.pooler.parameters():
            parameter.requires_grad = False


def _optimizer(model: MatchModel, settings: TrainingSettings) -> torch.optim.AdamW:
    encoder = [p for p in model.text.encoder.parameters() if p.requires_grad]
    head = [p for n, p in model.named_parameters() if not n.startswith(ENCODER) and p.requires_grad]
    groups = [
        {"params": encoder, "lr": settings.learning_rate, "peak": settings.learning_rate},
        {"params": head, "lr": settings.head_learning_rate, "peak": settings.head_learning_rate},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=settings.weight_decay)
