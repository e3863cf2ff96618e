"""The launcher: the training loop in one or many processes, started from the driver by TorchDistributor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml.torch.distributor import TorchDistributor

from recsynth.training.process import train_process
from recsynth.training.settings import TrainingSettings


def launch(shards: Path, out: Path, start: str, settings: TrainingSettings, seed: int) -> dict[str, Any]:
    """Train from shards into the model folder `out` and return what was reached.

    start: folder of the champion to go on from, or empty for the pretrained encoder.
    """
    distributor = TorchDistributor(settings.processes, local_mode=settings.local_mode, use_gpu=settings.use_gpu)
    result = distributor.run(train_process, str(shards), str(out), start, settings.model_dump_json(), seed)
    if result is None:
        raise RuntimeError("the first training process ended without figures")
    return dict(result)
