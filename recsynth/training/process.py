"""One process of a training, plain torch: what the launcher starts one or many times."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from recsynth.errors import ModelError
from recsynth.model.encoders import load_encoder
from recsynth.model.folder import read_model, write_model
from recsynth.model.towers import ImageMap, MatchModel, TextTower, UserTower
from recsynth.training.checkpoints import Progress
from recsynth.training.loop import Trainer
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Texts, read_texts
from recsynth.training.together import joined, shared_rows
from recsynth.training.tracking import FOLDER, tracked


def train_process(shards: str, out: str, start: str, settings_json: str, seed: int) -> dict[str, Any]:
    """One process: plain values in, a path and figures out; weights travel by files."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = TrainingSettings.model_validate(json.loads(settings_json))
    is_many = int(os.environ.get("WORLD_SIZE", "1")) > 1
    choose_device(settings.use_gpu)
    # Both processes share the machine's cores; without a bound each would start a thread for every core.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.processes) if settings.local_mode else 1)
    with joined(settings.use_gpu, settings.hang_seconds) if is_many else nullcontext():
        trainer = Trainer(starting_model(start, Path(shards), settings), Path(shards), settings, seed)
        checkpoints, experiments = (
            Path(out).with_name(Path(out).name + "_checkpoints"),
            Path(out).parent.parent / FOLDER,
        )
        names = settings.tracking if trainer.rank == 0 else []
        with tracked(names, experiments, Path(out).stem, settings.model_dump()) as track:
            progress = trainer.run(checkpoints, track=track)
        if trainer.rank == 0:
            write_model(
                trainer.model, Path(out), {"training": json.loads(settings_json), "metrics": _figures(progress)}
            )
        return {"path": out, **asdict(progress)}


def choose_device(use_gpu: bool) -> None:
    """Take this process's own GPU, or none. Raises ModelError where one was asked for and torch sees none.

    The launcher shows every process of a machine all of its GPUs, asked for or not.
    """
    if not use_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not torch.cuda.is_available():
        raise ModelError("training.use_gpu: expected a GPU that torch can use, found none")
    else:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def starting_model(start: str, shards: Path, settings: TrainingSettings) -> MatchModel:
    """The champion, or the pretrained encoder centred on the catalogue's texts; with a map for pictures of their size.

    A champion that was taught by pictures of another size, or by none, begins anew with them.
    """
    texts = read_texts(shards)
    model = read_model(Path(start)) if start else _pretrained(texts, settings)
    size = texts.images_MI.shape[1]
    if size != model.image_size:
        model.image = ImageMap(size, model.text.embedding_size) if size else None
        if model.image is not None:
            model.image.centre_on(texts.images_MI)
    return model


def _pretrained(texts: Texts, settings: TrainingSettings) -> MatchModel:
    encoder, tokenizer = load_encoder(settings.encoder)
    text = TextTower(encoder, tokenizer, settings.max_tokens, settings.dimensions)
    if texts.items:
        text.centre_on(shared_rows(texts.texts[: texts.items], text.encode_plain))
    size, length = text.embedding_size, settings.history_length
    return MatchModel(text, UserTower(size, settings.dropout, settings.user_layers, length))


def _figures(progress: Progress) -> dict[str, float]:
    return {"ndcg_before": progress.before, "ndcg_after": progress.best, "steps": float(progress.step)}
