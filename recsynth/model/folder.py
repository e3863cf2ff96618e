"""A model's folder: weights as safetensors, a card, and a manifest of checksums that is written last."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from recsynth.errors import ModelError
from recsynth.model.encoders import load_encoder
from recsynth.model.towers import ImageMap, MatchModel, TextTower, UserTower

MANIFEST, CARD, TOWERS, ENCODER = "manifest.json", "card.json", "towers.safetensors", "encoder"
_TOWER_KEYS = ("user.", "image.", "text.mean_D", "text.projection_HD", "log_scale", "bias")


def write_model(model: MatchModel, folder: Path, card: dict[str, Any]) -> str:
    """Write the model and return its version: the first 16 hex digits of the manifest's sha256.

    The same weights and card give the same version. The manifest comes last: a folder without one is not a model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    model.text.encoder.save_pretrained(folder / ENCODER, safe_serialization=True)
    model.text.tokenizer.save_pretrained(folder / ENCODER)
    small = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if k.startswith(_TOWER_KEYS)}
    save_file(small, folder / TOWERS)
    (folder / CARD).write_text(json.dumps(card | _shape(model), sort_keys=True, indent=1))
    return write_manifest(folder)


def write_manifest(folder: Path) -> str:
    """Write the checksums of all files of a folder and return its version, the first 16 hex digits of their sha256."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    manifest = json.dumps({str(p.relative_to(folder)): sha256(p) for p in files}, sort_keys=True, indent=1)
    (folder / MANIFEST).write_text(manifest)
    return hashlib.sha256(manifest.encode()).hexdigest()[:16]


def register(kind: str, write: Callable[[Path], str], made: Path, models: Path) -> str:
    """Write a model beside the others as `<kind>-<digest>`, whole or not at all; returns that version.

    write: writes it into the folder `made`, a scratch place, and returns the digest of its manifest.
    """
    version = f"{kind}-{write(made)}"
    if not (models / version).exists():
        models.mkdir(parents=True, exist_ok=True)
        shutil.move(made, models / version)
    return version


def read_model(folder: Path) -> MatchModel:
    """Read a model in evaluation mode. Raises ModelError where the folder is not what its manifest says."""
    check_folder(folder)
    encoder, tokenizer = load_encoder(str(folder / ENCODER))
    # Cards of models without the later parts do not speak of them.
    shape = {"dimensions": 0, "user_layers": 0, "history_length": 0, "image_size": 0} | read_card(folder)
    text = TextTower(encoder, tokenizer, shape["max_tokens"], shape["dimensions"])
    user = UserTower(text.embedding_size, layers=shape["user_layers"], length=shape["history_length"])
    image = ImageMap(shape["image_size"], text.embedding_size) if shape["image_size"] else None
    model = MatchModel(text, user, image)
    try:
        small = load_file(folder / TOWERS)
    except SafetensorError as error:
        raise ModelError(f"{folder / TOWERS}: expected safetensors, found {error}") from error
    missing = {k for k in model.state_dict() if k.startswith(_TOWER_KEYS)} ^ set(small)
    if missing:
        raise ModelError(
            f"{folder / TOWERS}: expected the towers of this version, found other weights: {sorted(missing)}"
        )
    model.load_state_dict(small, strict=False)
    return model.eval()


def _shape(model: MatchModel) -> dict[str, int]:
    """What a card says so that `read_model` builds the same towers."""
    context = model.user.context
    return {
        "max_tokens": model.text.max_tokens,
        "dimensions": 0 if model.text.projection_HD is None else model.text.embedding_size,
        "user_layers": len(context.layers.layers) if context else 0,
        "history_length": context.places.num_embeddings if context else 0,
        "image_size": model.image_size,
    }


def check_folder(folder: Path) -> None:
    """Raise ModelError if the manifest is missing or a file is missing or changed."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelError(f"{folder}: expected a model with {MANIFEST}, found none")
    try:
        files = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: expected a JSON object of checksums, found {error}") from error
    for name, expected in files.items():
        found = sha256(folder / name) if (folder / name).is_file() else "no such file"
        if found != expected:
            raise ModelError(f"{folder / name}: expected sha256 {expected}, found {found}")


def read_card(folder: Path) -> dict[str, Any]:
    """The model's card: base, method, data versions, metrics."""
    card: dict[str, Any] = json.loads((folder / CARD).read_text())
    return card


def link(folder: Path) -> tuple[float, float]:
    """Scale and bias of p = sigmoid(scale * <u, v> + bias), without loading the encoder."""
    small = load_file(folder / TOWERS)
    return float(small["log_scale"].exp()), float(small["bias"])


def sha256(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def use_threads(threads: int) -> None:
    """Let torch use so many CPU threads in this process; here, so that Spark's side needs no torch of its own."""
    torch.set_num_threads(threads)


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
