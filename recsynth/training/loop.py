"""The training loop, plain torch: one process of one or many."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from recsynth.faults import fault_point
from recsynth.measure.ranking import mean_ndcg
from recsynth.model.folder import device
from recsynth.model.top_k import top_k
from recsynth.model.towers import MatchModel
from recsynth.training.adapt import Adaptation
from recsynth.training.adversarial import ADVERSARIES
from recsynth.training.checkpoints import Checkpoints, Progress
from recsynth.training.distil import distilled
from recsynth.training.masked import learn_words
from recsynth.training.objective import Objective
from recsynth.training.optimizers import make_optimizer, schedule
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, read_labels, read_texts, user_batches
from recsynth.training.soup import Weights, greedy_soup
from recsynth.training.together import agree, average_gradients, mean, rank, shared_rows, world_size
from recsynth.training.tracking import Log

log = logging.getLogger(__name__)

VALIDATION_USERS = 2000
NDCG = "ndcg@10"
# A learning rate that still fails at half is no accident.
MAX_ROLLBACKS = 2


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
        self.texts = read_texts(folder)
        model.text.remember_tokens()
        self.labels, self.wanted = read_labels(folder, settings.history_length, VALIDATION_USERS)
        self.progress = Progress(heads_done=settings.head_steps == 0)
        self.report: Callable[[int, float], None] | None = None
        self.track: Log | None = None
        self.adaptation = Adaptation(model, settings, seed)
        self.objective = Objective(
            self.model, self.texts, settings, np.random.default_rng([seed, self.rank]), self.adaptation.penalty
        )
        self.optimizer = make_optimizer(model, settings)
        pictures = hashlib.sha256(self.texts.images_MI.tobytes()).hexdigest()
        read = f"{self.texts.texts} {self.texts.variants} {self.texts.share_M.tolist()} {pictures}"
        self.identity = hashlib.sha256(f"{settings.model_dump_json()} {seed} {read}".encode()).hexdigest()

    def run(
        self, folder: Path, report: Callable[[int, float], None] | None = None, track: Log | None = None
    ) -> Progress:
        """Train, keep the best on validation in the model, adapters merged, and return what was reached.

        Resumes from the last whole checkpoint in `folder`. `report` is told step and NDCG@10 of each validation and
        may raise to stop; `track` is told the figures of each step. Neither changes anything else.
        """
        self.report, self.track = report, track
        torch.manual_seed(self.seed)
        started, settings = time.monotonic(), self.settings
        self.checkpoints = Checkpoints(folder, self.identity)
        self._begin()
        batches = user_batches(
            self.folder, self.rank, self.world_size, settings.users_per_step, settings.history_length,
            self.seed + self.progress.step,
        )  # fmt: skip
        while True:
            if not self.progress.heads_done and self._are_heads_done():
                self._rest_heads()
            if agree(time.monotonic() - started > 60 * settings.max_minutes) or self._is_over():
                break
            self._step(*islice(batches, settings.accumulate_steps))
            if self.progress.bad >= settings.max_bad_steps:
                self._roll_back()
            if self.progress.step % settings.validate_steps == 0:
                self._validated()
        if self.progress.step % settings.validate_steps:
            self._validated()
        self._load(self.checkpoints.path(self.progress.best_step))
        self._stir()
        self.adaptation.merge()
        if settings.distil_layers:
            self._distil()
        return self.progress

    def _begin(self) -> None:
        """Go on from the last whole checkpoint, or start: validate, and let the encoder learn the shop's words."""
        resumed = self.checkpoints.resume()
        # Nobody may clear the folder that another still reads.
        self._wait()
        if resumed is not None:
            if self.rank == 0:
                self.checkpoints.drop_after(resumed.step)
            self._wait()
            self.progress = resumed
            self._load(self.checkpoints.path(resumed.step))
            self.adaptation.recall()
            log.info("resumed at step %d", resumed.step)
            self.validate()
            if self.track is not None:
                for point in resumed.curve:
                    self.track(int(point["step"]), {k: v for k, v in point.items() if k != "step"})
            # A tracker may take its time over a whole curve: nobody hangs meanwhile.
            self._wait()
            return
        if self.rank == 0:
            self.checkpoints.clear()
        self.progress.before = self.progress.best = self.validate()
        if self.settings.masked_steps and self.settings.trainable_layers:
            self._learn_words()
        self._checkpoint()

    def _learn_words(self) -> None:
        """Masked words first; the encoder as it came where validation says that they cost it something."""
        start = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        losses = learn_words(
            self.model.text, self.texts.texts, self.settings, self.seed, self.objective.encoding.is_bf16
        )
        self.model.text.recentre_on(shared_rows(self.texts.texts[: self.texts.items], self.model.text.encode_plain))
        self.objective.vectors = torch.zeros(0)
        found = self.validate()
        log.info("masked words: loss %.3f to %.3f, validation NDCG@10 %.4f", losses[0], losses[-1], found)
        if self.track is not None:
            for step, loss in enumerate(losses):
                self.track(step, {"masked words": loss})
        if found >= self.progress.best:
            self.progress.best = found
        else:
            self.model.load_state_dict(start)
            self.objective.vectors = torch.zeros(0)
            self.validate()

    def _stir(self) -> None:
        """The mean of the best checkpoints where validation finds it better than the best alone."""
        if not self.settings.soup:
            return
        points = [(point[NDCG], self.checkpoints.path(int(point["step"]))) for point in self._best_points()]

        def judge(weights: Weights) -> float:
            self.model.load_state_dict(weights)
            return self.validate()

        self.progress.best, found = greedy_soup(points, self.progress.best, judge)
        if found is not None:
            self.model.load_state_dict(found)
            log.info("soup of checkpoints: validation NDCG@10 %.4f", self.progress.best)
        else:
            self._load(self.checkpoints.path(self.progress.best_step))

    def _best_points(self) -> list[dict[str, float]]:
        """The `soup` best validations since the encoder has learned; before, there is one encoder and no mean."""
        points = [p for p in self.progress.curve if NDCG in p and p["step"] > self.settings.head_steps]
        return sorted(points, key=lambda p: (-p[NDCG], p["step"]))[: self.settings.soup]

    def _distil(self) -> None:
        """Put the small encoder in place of the large one where it keeps enough of the figure."""
        large, least = self.model, self.settings.distil_least * self.progress.best
        self.model = distilled(large, self.texts.texts, self.settings, self.seed)
        found = self.validate()
        is_kept = found >= least
        log.info("distilled: validation NDCG@10 %.4f of %.4f; kept: %s", found, self.progress.best, is_kept)
        if is_kept:
            self.progress.best = found
        else:
            self.model = large

    def _is_over(self) -> bool:
        steps = self.settings.head_steps + self.settings.max_steps
        if self.progress.rollbacks >= MAX_ROLLBACKS:
            return True
        return self.progress.heads_done and (
            self.progress.step >= steps or self.progress.worse >= self.settings.patience
        )

    def _are_heads_done(self) -> bool:
        return self.progress.step >= self.settings.head_steps or self.progress.worse >= self.settings.patience

    def _rest_heads(self) -> None:
        """Go on with the encoder from the best heads."""
        if self.progress.step:
            self._load(self.checkpoints.path(self.progress.best_step))
        self.optimizer = make_optimizer(self.model, self.settings)
        self.progress.heads_done, self.progress.worse = True, 0
        self.progress.step = self.settings.head_steps

    @torch.no_grad()
    def validate(self) -> float:
        """NDCG@10 of the whole catalogue for users of the later window; refreshes the history vectors."""
        is_known = len(self.objective.vectors) and not self.progress.heads_done
        self.objective.refresh(None if is_known else shared_rows(self.texts.texts, self.model.text.encode))
        vectors_MD = self.objective.vectors.cpu().numpy()
        self.model.eval()
        users_BD = self.model.user(*self.objective.places(self.labels)).cpu().numpy()
        self.model.train()
        if not len(users_BD):
            return 0.0
        chosen_BK, _ = top_k(users_BD, vectors_MD[: self.texts.items], 10)
        return mean_ndcg(chosen_BK, self.wanted)

    def _step(self, *batches: Batch) -> None:
        """One update by the mean gradient of these batches; none where it or the loss is no number."""
        fault_point("training.step")
        self.model.train()
        settings, is_resting = self.settings, not self.progress.heads_done
        pairs = [(batch, self.objective.sample(batch, is_resting)) for batch in batches]
        self.optimizer.zero_grad()
        adversary = ADVERSARIES["none" if is_resting else settings.adversarial]
        own = adversary(self.model, settings.adversarial_epsilon, lambda: self.objective.backward(pairs, is_resting))
        # The launcher hands on what any one process says: they must say the same.
        loss = mean(own)
        is_bad = not math.isfinite(loss) or not self._update()
        self.progress.step += 1
        self.progress.bad = self.progress.bad + 1 if is_bad else 0
        self.progress.curve.append({"step": self.progress.step} | ({} if is_bad else {"loss": loss}))
        if self.track is not None:
            rates = {"learning rate": max(group["lr"] for group in self.optimizer.param_groups)}
            self.track(self.progress.step, rates if is_bad else rates | {"loss": loss})
        if is_bad:
            log.warning("step %d: loss %s or its gradient is no number, skipped", self.progress.step, loss)
        elif not is_resting:
            self.adaptation.allocate(self.progress.step - settings.head_steps)
        if self.rank == 0 and self.progress.step % (50 if is_resting else 5) == 0:
            most = settings.head_steps + settings.max_steps
            log.info("step %d of %d: loss %.4f", self.progress.step, most, loss)

    def _update(self) -> bool:
        """Move the weights by the gradients of all processes; False, and no move, where those are no numbers."""
        learning = self.objective.learning(not self.progress.heads_done)
        average_gradients(learning)
        norm = torch.nn.utils.clip_grad_norm_(learning, self.settings.gradient_clip)
        if not torch.isfinite(norm):
            return False
        self._set_learning_rate()
        self.optimizer.step()
        return True

    def _roll_back(self) -> None:
        """After too many bad steps: the last checkpoint and half the learning rate."""
        self._load(self.checkpoints.last())
        self.optimizer = make_optimizer(self.model, self.settings)
        self.progress.bad, self.progress.rollbacks = 0, self.progress.rollbacks + 1
        log.warning("step %d: rolled back, for the %d. time", self.progress.step, self.progress.rollbacks)

    def _set_learning_rate(self) -> None:
        settings, heads = self.settings, self.settings.head_steps
        if self.progress.heads_done:
            done, most = self.progress.step - heads, settings.max_steps
        else:
            done, most = self.progress.step, heads
        factor = schedule(done, settings.warmup_steps, most, settings.schedule) * 0.5**self.progress.rollbacks
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor

    def _validated(self) -> None:
        progress, found = self.progress, self.validate()
        progress.curve[-1][NDCG] = found
        is_better = found > progress.best
        progress.worse = 0 if is_better else progress.worse + 1
        if is_better:
            progress.best, progress.best_step = found, progress.step
        if self.rank == 0:
            log.info("step %d: validation NDCG@10 %.4f (before %.4f)", progress.step, found, progress.before)
        if self.track is not None:
            self.track(progress.step, {NDCG: found})
        self._checkpoint()
        fault_point(f"training.validated.{progress.step}")
        if self.report is not None:
            self.report(progress.step, found)

    def _checkpoint(self) -> None:
        if self.rank == 0:
            self.checkpoints.save(self.model, self.progress, (int(p["step"]) for p in self._best_points()))
        self._wait()

    def _wait(self) -> None:
        """Until every process is here."""
        if self.world_size > 1:
            dist.barrier()

    def _load(self, path: Path) -> None:
        self.model.load_state_dict(load_file(path, device=str(device())))
