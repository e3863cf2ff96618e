"""Training shards with a planted taste: each user likes one colour, which only the items' texts tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recsynth.training.loop import Trainer
from recsynth.training.sampling import Sample
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import Batch, user_batches
from tests.model.tiny import COLOURS, tiny_model

ITEMS_PER_COLOUR = 10
ITEMS = len(COLOURS) * ITEMS_PER_COLOUR


def text_of(item: int) -> str:
    """`red thing7`: the colour is what the taste is about, the thing is noise."""
    return f"{COLOURS[item % len(COLOURS)]} thing{item}"


def write_planted(
    folder: Path, users: int = 60, parts: int = 2, variants: Mapping[int, list[str]] = MappingProxyType({}),
    share: float = 0.0, images: Sequence[list[float]] = (),
) -> Path:  # fmt: skip
    """Each user bought six items of a colour and buys the other four after; variants: items in other words.

    images: the picture of each item.
    """
    rows = []
    for user in range(users):
        mine = [user % len(COLOURS) + len(COLOURS) * ((user + i) % ITEMS_PER_COLOUR) for i in range(ITEMS_PER_COLOUR)]
        rows.append({
            "user_id": f"u{user:03d}", "texts": mine[:6], "types": [5] * 6,
            "ages": [float(6 - i) for i in range(6)], "wanted": mine[6:],
        })  # fmt: skip
    texts = [{"index": i, "kind": "item", "text": text_of(i), "popularity": 6.0 * users / ITEMS,
              "variants": variants.get(i, []), "share": share if i in variants else 0.0,
              "image": images[i] if images else []}
             for i in range(ITEMS)]  # fmt: skip
    for name, table in (("texts", texts), ("users", rows), ("labels", rows)):
        (folder / name).mkdir(parents=True)
        for part in range(parts):
            # Contiguous pieces, as Spark writes a sorted table.
            piece = table[part * len(table) // parts : (part + 1) * len(table) // parts]
            pq.write_table(typed(pa.Table.from_pylist(piece)), folder / name / f"part-{part}.parquet")
    return folder


def typed(table: pa.Table) -> pa.Table:
    """The table with the column types that Spark writes."""
    kinds = {
        "popularity": pa.float32(),
        "share": pa.float32(),
        "variants": pa.list_(pa.string()),
        "ages": pa.list_(pa.float32()),
        "types": pa.list_(pa.int32()),
        "image": pa.list_(pa.float32()),
    }
    return table.cast(pa.schema([(f.name, kinds.get(f.name, f.type)) for f in table.schema]))


def quick(**changes: object) -> TrainingSettings:
    """Settings that learn the planted taste in seconds."""
    values: dict[str, object] = {
        "head_steps": 0, "trainable_layers": 2, "learning_rate": 3e-3, "warmup_steps": 2, "max_steps": 20,
        "validate_steps": 5, "patience": 9, "users_per_step": 30, "items_per_step": 20, "max_tokens": 16,
        "min_users": 2, "history_length": 8, "processes": 1, "dropout": 0.0, "head_learning_rate": 1e-3,
    }  # fmt: skip
    return TrainingSettings.model_validate(values | changes)


def trainer(folder: Path, **changes: object) -> Trainer:
    """A trainer of the tiny model on planted shards below `folder`, made there if absent."""
    shards = folder / "shards"
    if not shards.exists():
        write_planted(shards)
    settings = quick(**changes)
    torch.manual_seed(0)
    model = tiny_model(folder / "encoder", dimensions=settings.dimensions, layers=settings.user_layers)
    if settings.dimensions:
        model.text.centre_on(model.text.encode_plain([text_of(i) for i in range(ITEMS)]))
    return Trainer(model, shards, settings, seed=3)


def batches(made: Trainer) -> Iterator[Batch]:
    """Batches of its shards, thirty users each."""
    return user_batches(made.folder, 0, 1, 30, 8, 1)


def pair(made: Trainer, batch: Batch | None = None) -> tuple[Batch, Sample]:
    """A batch, by default its first, and the items sampled for it."""
    batch = batch or next(batches(made))
    return batch, made.objective.sample(batch, is_resting=False)


def gradient_of(made: Trainer, pairs: list[tuple[Batch, Sample]]) -> tuple[float, list[torch.Tensor]]:
    """Loss and gradients of a step whose encoder learns."""
    loss = made.objective.backward(pairs, is_resting=False)
    return loss, [p.grad.clone() for p in made.objective.learning(is_resting=False) if p.grad is not None]


def run_until_killed(made: Trainer, checkpoints: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until this many steps are made, then die as by Ctrl-C."""
    take = made._step

    def killed(*batches: Batch) -> None:
        if made.progress.step == step:
            raise KeyboardInterrupt
        take(*batches)

    with monkeypatch.context() as patched:
        patched.setattr(made, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            made.run(checkpoints)
