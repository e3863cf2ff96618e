"""The training loop, plain torch: one process of one or many."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor

from recsynth.faults import fault_point
from recsynth.measure.ranking import mean_ndcg
from recsynth.model.folder import device, sha256
from recsynth.model.top_k import top_k
from recsynth.model.towers import MatchModel
from recsynth.training.adapt import Adaptation
from recsynth.training.adversarial import ADVERSARIES
from recsynth.training.encoding import TextEncoding
from recsynth.training.losses import LOSSES, linear_autoencoder, sampled_softmax
from recsynth.training.optimizers import ENCODER, make_optimizer, schedule
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, Texts, read_labels, read_texts, sampled_positives, user_batches
from recsynth.training.together import agree, average_gradients, rank, shared_rows, world_size

log = logging.getLogger(__name__)

VALIDATION_USERS = 2000
NDCG = "ndcg@10"
# A learning rate that still fails at half is no accident.
MAX_ROLLBACKS = 2


@dataclass
class Progress:
    """What a training has reached; written beside each checkpoint."""

    step: int = 0
    best: float = -1.0
    worse: int = 0
    heads_done: bool = False
    bad: int = 0
    rollbacks: int = 0
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
        self.rank, self.world_size = rank(), world_size()
        self.texts: Texts = read_texts(folder)
        self.labels, self.wanted = read_labels(folder, settings.history_length, VALIDATION_USERS)
        self.rng = np.random.default_rng([seed, self.rank])
        self.progress = Progress(heads_done=settings.head_steps == 0)
        self.vectors = torch.zeros(0)
        self.report: Callable[[int, float], None] | None = None
        weights_M = (self.texts.popularity_M + 1.0) ** settings.popularity_power
        self.chance_M = weights_M / weights_M.sum()
        self.adaptation = Adaptation(model, settings, seed)
        self.encoding = TextEncoding(model.text, settings)
        self.optimizer = make_optimizer(model, settings)
        read = f"{self.texts.texts} {self.texts.variants} {self.texts.share_M.tolist()}"
        self.identity = hashlib.sha256(f"{settings.model_dump_json()} {seed} {read}".encode()).hexdigest()

    def run(self, checkpoints: Path, report: Callable[[int, float], None] | None = None) -> Progress:
        """Train, keep the best on validation in the model, adapters merged, and return what was reached.

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
            # What another training left here is no checkpoint of this one.
            if self.rank == 0:
                (checkpoints / "last.safetensors").unlink(missing_ok=True)
            self._checkpoint(checkpoints, "best")
        else:
            self.validate()
        batches = user_batches(
            self.folder, self.rank, self.world_size, settings.users_per_step, settings.history_length,
            self.seed + self.progress.step,
        )  # fmt: skip
        while True:
            if not self.progress.heads_done and self._are_heads_done():
                self._rest_heads(checkpoints)
            if agree(time.monotonic() - started > 60 * settings.max_minutes) or self._is_over():
                break
            self._step(*islice(batches, settings.accumulate_steps))
            if self.progress.bad >= settings.max_bad_steps:
                self._roll_back(checkpoints)
            if self.progress.step % settings.validate_steps == 0:
                self._validated(checkpoints)
        if self.progress.step % settings.validate_steps:
            self._validated(checkpoints)
        self._load(checkpoints / "best.safetensors")
        self.adaptation.merge()
        return self.progress

    def _is_over(self) -> bool:
        steps = self.settings.head_steps + self.settings.max_steps
        if self.progress.rollbacks >= MAX_ROLLBACKS:
            return True
        return self.progress.heads_done and (
            self.progress.step >= steps or self.progress.worse >= self.settings.patience
        )

    def _are_heads_done(self) -> bool:
        return self.progress.step >= self.settings.head_steps or self.progress.worse >= self.settings.patience

    def _rest_heads(self, checkpoints: Path) -> None:
        """Go on with the encoder from the best heads."""
        if self.progress.step:
            self._load(checkpoints / "best.safetensors")
        self.optimizer = make_optimizer(self.model, self.settings)
        self.progress.heads_done, self.progress.worse = True, 0
        self.progress.step = self.settings.head_steps

    @torch.no_grad()
    def validate(self) -> float:
        """NDCG@10 of the whole catalogue for users of the later window; refreshes the history vectors."""
        if self.progress.heads_done or not len(self.vectors):
            self.vectors = torch.from_numpy(shared_rows(self.texts.texts, self.model.text.encode)).to(device())
        vectors_MD = self.vectors.cpu().numpy()
        self.model.eval()
        users_BD = self.model.user(*self._places(self.labels)).cpu().numpy()
        self.model.train()
        if not len(users_BD):
            return 0.0
        chosen_BK, _ = top_k(users_BD, vectors_MD[: self.texts.items], 10)
        return mean_ndcg(chosen_BK, self.wanted)

    def _step(self, *batches: Batch) -> None:
        """One update by the mean gradient of these batches; none where it or the loss is no number."""
        fault_point("training.step")
        self.model.train()
        settings, has_heads_done = self.settings, self.progress.heads_done
        pairs = [(batch, self._sampled_items()) for batch in batches]
        self.optimizer.zero_grad()
        adversary = ADVERSARIES[settings.adversarial if has_heads_done else "none"]
        loss = adversary(self.model, settings.adversarial_epsilon, lambda: self._backward(pairs))
        is_bad = agree(not math.isfinite(loss)) or not self._update()
        self.progress.step += 1
        self.progress.bad = self.progress.bad + 1 if is_bad else 0
        self.progress.curve.append({"step": self.progress.step} | ({} if is_bad else {"loss": loss}))
        if is_bad:
            log.warning("step %d: loss %s or its gradient is no number, skipped", self.progress.step, loss)
        elif has_heads_done:
            self.adaptation.allocate(self.progress.step - settings.head_steps)
        if self.rank == 0 and self.progress.step % (5 if has_heads_done else 50) == 0:
            most = settings.head_steps + settings.max_steps
            log.info("step %d of %d: loss %.4f", self.progress.step, most, loss)

    def _sampled_items(self) -> np.ndarray:
        settings = self.settings
        size = settings.items_per_step if self.progress.heads_done else settings.head_items_per_step
        return np.sort(self.rng.choice(self.texts.items, min(size, self.texts.items), replace=False, p=self.chance_M))

    def _backward(self, pairs: list[tuple[Batch, np.ndarray]]) -> float:
        """Add the mean gradient over batches and their sampled items to the weights; returns the mean loss."""
        total = 0.0
        for batch, items_M in pairs:
            loss = self._loss(batch, items_M)
            if self.progress.heads_done:
                loss = loss + self.adaptation.penalty()
            if not torch.isfinite(loss):
                return math.nan
            (loss / len(pairs)).backward()  # type: ignore[no-untyped-call]
            self.encoding.backward()
            total += float(loss.item()) / len(pairs)
        return total

    def _update(self) -> bool:
        """Move the weights by the gradients of all processes; False, and no move, where those are no numbers."""
        average_gradients(self._trainable())
        norm = torch.nn.utils.clip_grad_norm_(self._trainable(), self.settings.gradient_clip)
        if not torch.isfinite(norm):
            return False
        self._set_learning_rate()
        self.optimizer.step()
        return True

    def _roll_back(self, checkpoints: Path) -> None:
        """After too many bad steps: the last checkpoint, or the start, and half the learning rate."""
        last = checkpoints / "last.safetensors"
        self._load(last if last.is_file() else checkpoints / "best.safetensors")
        self.optimizer = make_optimizer(self.model, self.settings)
        self.progress.bad, self.progress.rollbacks = 0, self.progress.rollbacks + 1
        log.warning("step %d: rolled back, for the %d. time", self.progress.step, self.progress.rollbacks)

    def _loss(self, batch: Batch, items_M: np.ndarray) -> Tensor:
        positives_BM, hidden_BL = sampled_positives(batch, items_M, self.texts.items)
        visible = Batch(batch.texts_BL, np.where(hidden_BL, 0, batch.types_BL), batch.ages_BL)
        # A user of whom nothing is left to see, or nothing to predict, says nothing.
        rows = (positives_BM.sum(1) > 0) & ((visible.types_BL > 0).sum(1) > 0)
        if not rows.any():
            return sum((p.sum() * 0.0 for p in self._trainable()), torch.zeros((), device=device()))
        users_BD = self.model.user(*(t[torch.from_numpy(rows)] for t in self._places(visible)))
        items_MD = (
            self.encoding.vectors(self.texts.read(items_M, self.rng))
            if self.progress.heads_done
            else self.vectors[torch.from_numpy(items_M)]
        )
        positives = torch.from_numpy(positives_BM[rows]).to(users_BD)
        log_q_M = torch.from_numpy(np.log(self.chance_M[items_M] * len(items_M))).to(users_BD)
        allowed = torch.ones_like(positives, dtype=torch.bool)
        if self.settings.loss != "linear_autoencoder":
            return LOSSES[self.settings.loss](self.model.logits(users_BD, items_MD), positives, allowed, log_q_M)
        # It knows no user tower: that learns by its own loss, from vectors that stand still.
        logits_BM = self.model.logits(users_BD, items_MD.detach())
        return linear_autoencoder(items_MD, positives) + sampled_softmax(logits_BM, positives, allowed, log_q_M)

    def _places(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        texts, types, ages = (torch.from_numpy(x).to(device()) for x in (batch.texts_BL, batch.types_BL, batch.ages_BL))
        return self.vectors[texts], types, ages

    def _trainable(self) -> list[torch.nn.Parameter]:
        """What learns now: while the encoder rests it must not decay either."""
        named = self.model.named_parameters()
        is_resting = not self.progress.heads_done
        return [p for n, p in named if p.requires_grad and not (is_resting and n.startswith(ENCODER))]

    def _set_learning_rate(self) -> None:
        settings, heads = self.settings, self.settings.head_steps
        if self.progress.heads_done:
            done, most = self.progress.step - heads, settings.max_steps
        else:
            done, most = self.progress.step, heads
        factor = schedule(done, settings.warmup_steps, most, settings.schedule) * 0.5**self.progress.rollbacks
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
            self.adaptation.recall()
            self.progress = Progress(**marks["progress"])
            log.info("resumed at step %d", self.progress.step)

    def _load(self, path: Path) -> None:
        self.model.load_state_dict(load_file(path, device=str(device())))
