"""Checkpoints of one training: whole or not at all, the last two and the best among them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from recsynth.model.folder import sha256

log = logging.getLogger(__name__)

# Where the last was damaged, training goes on from the one before.
KEPT = 2


@dataclass
class Progress:
    """What a training has reached; written beside each checkpoint."""

    step: int = 0
    best: float = -1.0
    best_step: int = 0
    worse: int = 0
    heads_done: bool = False
    bad: int = 0
    rollbacks: int = 0
    before: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


class Checkpoints:
    """A folder of `<step>.safetensors`, each with a `<step>.json` that is written last and makes it count.

    identity: of the training; what another one left in the folder is not used.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = folder, identity

    def path(self, step: int) -> Path:
        """The weights of a step."""
        return self.folder / f"{step:06d}.safetensors"

    def save(self, model: nn.Module, progress: Progress, also: Iterable[int] = ()) -> None:
        """Write weights and progress of this step; older ones go, but for the best and the steps in `also`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = self.path(progress.step)
        state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
        save_file(state, weights.with_suffix(".part"))
        weights.with_suffix(".part").replace(weights)
        marks = {
            "identity": self.identity, "weights": sha256(weights), "best": sha256(self.path(progress.best_step)),
            "progress": asdict(progress),
        }  # fmt: skip
        weights.with_suffix(".part").write_text(json.dumps(marks))
        weights.with_suffix(".part").replace(weights.with_suffix(".json"))
        self._remove_old(also)

    def resume(self) -> Progress | None:
        """The progress of the newest checkpoint that is whole and of this training, or None."""
        for marks in sorted(self.folder.glob("*.json"), reverse=True):
            progress = self._whole(marks)
            if progress is not None:
                return progress
            log.warning("checkpoint %s: not whole or of another training, not used", marks.stem)
        return None

    def drop_after(self, step: int) -> None:
        """Remove what was passed over to go on from this step, so that it is the last."""
        for path in self.folder.iterdir():
            if path.stem.isdigit() and int(path.stem) > step:
                path.unlink()

    def clear(self) -> None:
        """Remove what an earlier training left; without marks its weights are never read."""
        for path in [*self.folder.glob("*.json"), *self.folder.glob("*.safetensors"), *self.folder.glob("*.part")]:
            path.unlink()

    def last(self) -> Path:
        """The weights of the newest checkpoint."""
        return self.path(int(max(self.folder.glob("*.json")).stem))

    def _whole(self, marks: Path) -> Progress | None:
        try:
            found = json.loads(marks.read_text())
            progress = Progress(**found["progress"])
            is_whole = found["identity"] == self.identity and (
                (sha256(self.path(progress.step)), sha256(self.path(progress.best_step)))
                == (found["weights"], found["best"])
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return progress if is_whole else None

    def _remove_old(self, also: Iterable[int]) -> None:
        steps = sorted(int(p.stem) for p in self.folder.glob("*.json"))
        needed = set(also)
        for step in steps[-KEPT:]:
            needed |= {step, int(json.loads(self.path(step).with_suffix(".json").read_text())["progress"]["best_step"])}
        for step in set(steps) - needed:
            self.path(step).with_suffix(".json").unlink()
            self.path(step).unlink()
