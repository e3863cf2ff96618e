"""The launcher: the training loop in one or many processes, started from the driver by TorchDistributor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.ml.torch.distributor import TorchDistributor

from recsynth.errors import SettingsError
from recsynth.training.process import train_process
from recsynth.training.settings import TrainingSettings


def launch(shards: Path, out: Path, start: str, settings: TrainingSettings, seed: int) -> dict[str, Any]:
    """Train from shards into the model folder `out` and return what was reached.

    start: folder of the champion to go on from, or empty for the pretrained encoder. Raises SettingsError where GPUs
    are asked for of which Spark has none to give.
    """
    try:
        distributor = TorchDistributor(settings.processes, local_mode=settings.local_mode, use_gpu=settings.use_gpu)
    except RuntimeError as error:
        raise SettingsError(f"training.use_gpu: expected GPUs that Spark was told of, found: {error}") from error
    result = distributor.run(train_process, str(shards), str(out), start, settings.model_dump_json(), seed)
    if result is None:
        raise RuntimeError("the first training process ended without figures")
    return dict(result)
