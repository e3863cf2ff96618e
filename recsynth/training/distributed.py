"""The launcher: the training loop in one or many processes, started from the driver by TorchDistributor."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from pyspark.ml.torch.distributor import TorchDistributor

from recsynth.model.encoders import load_encoder
from recsynth.model.folder import read_model, write_model
from recsynth.model.towers import MatchModel, TextTower, UserTower
from recsynth.training.loop import Progress, Trainer
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import read_texts
from recsynth.training.together import shared_rows


def launch(shards: Path, out: Path, start: str, settings: TrainingSettings, seed: int) -> dict[str, Any]:
    """Train from shards into the model folder `out` and return what was reached.

    start: folder of the champion to go on from, or empty for the pretrained encoder.
    """
    distributor = TorchDistributor(settings.processes, local_mode=settings.local_mode, use_gpu=settings.use_gpu)
    result = distributor.run(train_process, str(shards), str(out), start, settings.model_dump_json(), seed)
    if result is None:
        raise RuntimeError("the first training process ended without figures")
    return dict(result)


def train_process(shards: str, out: str, start: str, settings_json: str, seed: int) -> dict[str, Any]:
    """One process: plain values in, a path and figures out; weights travel by files."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = TrainingSettings.model_validate(json.loads(settings_json))
    is_many = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # Both processes share the machine's cores; without a bound each would start a thread for every core.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.processes) if settings.local_mode else 1)
    if is_many:
        dist.init_process_group("nccl" if settings.use_gpu else "gloo", timeout=timedelta(minutes=10))
    try:
        trainer = Trainer(starting_model(start, Path(shards), settings), Path(shards), settings, seed)
        progress = trainer.run(Path(out).with_name(Path(out).name + "_checkpoints"))
        if trainer.rank == 0:
            write_model(
                trainer.model, Path(out), {"training": json.loads(settings_json), "metrics": _figures(progress)}
            )
        return {"path": out, **asdict(progress)}
    finally:
        if is_many:
            dist.destroy_process_group()


def starting_model(start: str, shards: Path, settings: TrainingSettings) -> MatchModel:
    """The champion, or the pretrained encoder centred on the catalogue's texts."""
    if start:
        return read_model(Path(start))
    encoder, tokenizer = load_encoder(settings.encoder)
    text = TextTower(encoder, tokenizer, settings.max_tokens)
    texts = read_texts(shards)
    if texts.items:
        text.centre_on(shared_rows(texts.texts[: texts.items], text.encode_plain))
    return MatchModel(text, UserTower(text.embedding_size, settings.dropout))


def _figures(progress: Progress) -> dict[str, float]:
    return {"ndcg_before": progress.before, "ndcg_after": progress.best, "steps": float(progress.step)}
