"""Ways to adapt the language model, side by side: what each costs and what it finds, on days and items nobody saw.

    python -m tests.benchmarks.methods --data ../shared/data/online_retail               # as of 2011-09-17
    python -m tests.benchmarks.methods --shards FOLDER --seeds 1 2 3                     # without Spark, on a GPU

Online Retail with every tenth item taken out of everything before the date but its text. Each way trains on the
night's own shards and stops by the night's own validation window; judged are the 28 days after the date, which no
training and no validation saw: `warm` ranks the whole catalogue of items known before the date by p_ij, `cold` the
tenth alone by p_ij, `transfer` the tenth by text transfer over the way's vectors, as the night proposes new items.
Memory is the greatest that torch held on a GPU, else the greatest of the process. NDCG@10, mean over the seeds and
their least and greatest.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recsynth.measure.ranking import mean_ndcg
from recsynth.model.ease import ease
from recsynth.model.folder import device
from recsynth.model.top_k import best
from recsynth.model.transfer import transfer_weights
from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.settings import TrainingSettings

SEEDS = (1, 2, 3)
# As conf/online_retail.toml's and recsynth/candidates/settings.py's.
EASE_L2, OWN, WIDTH, RIDGE = 500.0, 0.2, 1.0, 0.1

FULL = {"trainable_layers": 6, "learning_rate": 1e-4}
ADAPTER = {"trainable_layers": 6, "learning_rate": 1e-3}
METHODS: dict[str, dict[str, Any]] = {
    "encoder as it comes": {"head_steps": 1, "head_learning_rate": 1e-12, "trainable_layers": 0, "max_steps": 1},
    "heads alone": {"trainable_layers": 0},
    "two layers at 5e-5": {"trainable_layers": 2, "learning_rate": 5e-5},
    "full": FULL,
    "full, layer_decay 0.8": FULL | {"layer_decay": 0.8},
    "full, adafactor": FULL | {"optimizer": "adafactor", "learning_rate": 1e-3},
    "full, linear schedule": FULL | {"schedule": "linear"},
    "full, dropout 0, weight decay 0": FULL | {"dropout": 0.0, "weight_decay": 0.0},
    "binary_cross_entropy": FULL | {"loss": "binary_cross_entropy"},
    "mean_squared_error": FULL | {"loss": "mean_squared_error"},
    "linear_autoencoder (beeFormer)": FULL | {"loss": "linear_autoencoder"},
    "linear_autoencoder, 1,024 items, 200 steps": FULL
    | {"loss": "linear_autoencoder", "items_per_step": 1024, "max_steps": 200, "gradient_chunk": 128, "patience": 10},
    "softmax, 1,024 items, 200 steps": FULL
    | {"items_per_step": 1024, "max_steps": 200, "gradient_chunk": 128, "patience": 10},
    "uniform negatives": FULL | {"popularity_power": 0.0},
    "popularity negatives": FULL | {"popularity_power": 1.0},
    "in_batch": FULL | {"sampling": "in_batch"},
    "48 hard_items": FULL | {"hard_items": 48},
    "lora": ADAPTER | {"adaptation": "lora"},
    "adalora": ADAPTER | {"adaptation": "adalora"},
    "ia3": ADAPTER | {"adaptation": "ia3", "learning_rate": 1e-2},
    "fgm": FULL | {"adversarial": "fgm"},
    "awp": FULL | {"adversarial": "awp", "adversarial_epsilon": 0.01},
    "masked_steps 100": FULL | {"masked_steps": 100},
    "masked_steps 400": FULL | {"masked_steps": 400},
    "soup of 3": FULL | {"soup": 3, "validate_steps": 5, "patience": 12},
    "user_layers 1": FULL | {"user_layers": 1},
    "user_layers 2": FULL | {"user_layers": 2},
    "dimensions 192": FULL | {"dimensions": 192},
    "dimensions 128": FULL | {"dimensions": 128},
    "dimensions 64": FULL | {"dimensions": 64},
    "dimensions 32": FULL | {"dimensions": 32},
    "distil_layers 3": FULL | {"distil_layers": 3, "distil_least": 0.0},
    "distil_layers 2": FULL | {"distil_layers": 2, "distil_least": 0.0},
    "distil_layers 1": FULL | {"distil_layers": 1, "distil_least": 0.0},
}


@dataclass(frozen=True)
class Judged:
    """Texts of all M items, U users' histories at the date, their scores of known items, and what they bought after."""

    texts: list[str]
    is_known_M: np.ndarray
    is_cold_M: np.ndarray
    places: tuple[np.ndarray, np.ndarray, np.ndarray]
    warm: list[np.ndarray]
    cold: list[np.ndarray]
    scores_UM: np.ndarray


def main() -> int:
    """Train each way with each seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with a CSV a day")
    parser.add_argument("--shards", type=Path, help="shards and judged days of an earlier call; made there with --data")
    parser.add_argument("--as-of", default="2011-09-17", help="as-of date")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="seeds of the trainings")
    parser.add_argument("--only", nargs="*", help="ways whose names begin so")
    parser.add_argument("--share", default="0/1", help="i/n: every n-th way from the i-th on, for n calls side by side")
    parser.add_argument("--table", nargs="*", type=Path, help="print the table of these files alone, which --out wrote")
    parser.add_argument("--set", nargs="*", default=[], help="settings of all of them, as key=value in JSON")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further training after so long")
    parser.add_argument("--out", type=Path, help="a line of JSON for each training")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if options.table:
        lines = [json.loads(line) for path in options.table for line in path.read_text().splitlines()]
        order = {name: place for place, name in enumerate(METHODS)}
        print(table(pd.DataFrame(sorted(lines, key=lambda row: order[row["way"]]))))
        return 0
    first, step = map(int, options.share.split("/"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.shards or Path(scratch) / "shards"
        if options.data:
            from tests.benchmarks.shards import write

            write(options.data, options.as_of, folder)
        judged, rows, started = read_judged(folder), [], time.monotonic()
        changes = {k: json.loads(v) for k, v in (s.split("=", 1) for s in options.set)}
        for seed in options.seeds:
            for name, settings in list(METHODS.items())[first::step]:
                if options.only and not any(name.startswith(o) for o in options.only):
                    continue
                if time.monotonic() - started > 60 * options.minutes:
                    print(f"out of time before {name}, seed {seed}", file=sys.stderr)
                    continue
                row = {"way": name, "seed": seed} | _one(folder, judged, settings | changes, seed)
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                if options.out:
                    options.out.open("a").write(json.dumps(row) + "\n")
    print(f"\n## {options.as_of}, {len(judged.warm)} users, {_machine()}\n\n{table(pd.DataFrame(rows))}")
    return 0


def table(rows: pd.DataFrame) -> str:
    """A line a way: mean, and least to greatest over the seeds."""
    lines = [
        "| way | learns | seconds | GiB | validation | warm | cold | transfer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, group in rows.groupby("way", sort=False):
        found = [
            f"{group[c].mean():.4f} ({group[c].min():.4f} to {group[c].max():.4f})"
            for c in ("validation", "warm", "cold", "transfer")
        ]
        numbers = [f"{group['learns'].iloc[0]:,}", f"{group['seconds'].mean():.1f}", f"{group['gib'].max():.2f}"]
        lines.append(" | ".join([f"| {way}", *numbers, *found]) + " |")
    return "\n".join(lines)


def read_judged(folder: Path, blind: float = 0.0) -> Judged:
    """What `tests.benchmarks.shards` wrote beside the shards; a share `blind` of what was done is of any known item."""
    items = pd.read_parquet(folder / "items.parquet")
    users = pd.read_parquet(folder / "judged.parquet")
    length = max(map(len, users["texts"]))
    places = [np.zeros((len(users), length), t) for t in (int, int, np.float32)]
    for row, events in enumerate(zip(users["texts"], users["types"], users["ages"], strict=True)):
        for whole, part in zip(places, events, strict=True):
            whole[row, : len(part)] = part
    found = pd.read_parquet(folder / "interactions.parquet")
    if blind:
        rng, known = np.random.default_rng(0), np.flatnonzero(items["is_known"])
        for of in (places[0], found["item"].to_numpy(copy=True)):
            is_blind = rng.random(of.shape) < blind
            of[is_blind] = rng.choice(known, int(is_blind.sum()))
        found = found.assign(item=of)
    damped_UM = np.zeros((int(found["row"].max()) + 1, len(items)), np.float32)
    damped_UM[found["row"], found["item"]] = np.sqrt(np.minimum(found["weight"], 3.0))
    is_known_M = items["is_known"].to_numpy()
    known_UM = np.where(is_known_M, damped_UM, 0.0).astype(np.float32)
    # What text transfer carries over: item neighbours' scores and a share of the user's own. Judged users come first.
    scores_UM = known_UM[: len(users)] @ ease(known_UM.T @ known_UM, EASE_L2) + OWN * known_UM[: len(users)]
    return Judged(
        items["text"].tolist(), is_known_M, items["is_cold"].to_numpy(), (places[0], places[1], places[2]),
        [np.asarray(w) for w in users["warm"]], [np.asarray(w) for w in users["cold"]], scores_UM,
    )  # fmt: skip


def _one(folder: Path, judged: Judged, changes: dict[str, Any], seed: int) -> dict[str, Any]:
    """One way, trained and judged."""
    settings = TrainingSettings.model_validate({"processes": 1, "tracking": []} | changes)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(seed)
    trainer = Trainer(starting_model("", folder, settings), folder, settings, seed)
    learns = sum(p.numel() for p in trainer.objective.learning(is_resting=settings.trainable_layers == 0))
    with tempfile.TemporaryDirectory() as checkpoints:
        started = time.monotonic()
        progress = trainer.run(Path(checkpoints))
        seconds = time.monotonic() - started
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    gib = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"learns": learns, "seconds": seconds, "gib": gib, "steps": progress.step, "validation": progress.best} | (
        figures(trainer, judged)
    )


@torch.no_grad()
def figures(trainer: Trainer, judged: Judged) -> dict[str, float]:
    """NDCG@10 of `warm`, `cold` and `transfer`, see above."""
    model = trainer.model.eval()
    vectors_MD = model.text.encode(judged.texts)
    texts, types, ages = judged.places
    users_UD = np.concatenate([
        model.user(
            torch.from_numpy(vectors_MD[texts[i : i + 500]]).to(device()),
            *(torch.from_numpy(x[i : i + 500]).to(device()) for x in (types, ages)),
        ).cpu().numpy()
        for i in range(0, len(texts), 500)
    ])  # fmt: skip
    scores_UM = users_UD @ vectors_MD.T
    anchors, cold = np.flatnonzero(judged.is_known_M & ~judged.is_cold_M), np.flatnonzero(judged.is_cold_M)
    weights_KN = transfer_weights(vectors_MD[anchors], vectors_MD[cold], WIDTH, RIDGE)[1]
    return {
        "warm": _ndcg(scores_UM, np.flatnonzero(judged.is_known_M), judged.warm),
        "cold": _ndcg(scores_UM, cold, judged.cold),
        "transfer": _ndcg(judged.scores_UM[:, anchors] @ weights_KN, np.arange(len(cold)), judged.cold, cold),
    }


def _ndcg(
    scores_UM: np.ndarray, allowed_N: np.ndarray, wanted: list[np.ndarray], names_N: np.ndarray | None = None
) -> float:
    """Of users who want something, their lists over the allowed columns."""
    rows = np.flatnonzero([len(w) > 0 for w in wanted])
    chosen, _ = best(scores_UM[np.ix_(rows, allowed_N)], 10)
    names_N = allowed_N if names_N is None else names_N
    return mean_ndcg(names_N[chosen], [wanted[r] for r in rows])


def _machine() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()}, CPUs"


if __name__ == "__main__":
    sys.exit(main())
