"""How poor texts and blind clicks are borne, by a model that learned from items in other words and by one that did not.

    make bench-robustness
    python -m tests.benchmarks.robustness --data ../shared/data/online_retail --seeds 1 2 3

Online Retail with every tenth item known by its text alone, judged on the 28 days after the date as
tests/benchmarks/methods.py does. `typos`: a tenth of the words of every item mistyped; `missing`: three tenths of the
words left out; `blind`: a tenth of what people did before the date was done with any item at random. Items in other
words are those of `[synthesis.augment]`, with their gate's verdict; a training without them reads the same shards.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pyarrow.dataset import dataset

from recsynth.synthesis.noise import NOISE
from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.settings import TrainingSettings
from tests.benchmarks.methods import METHODS, Judged, figures, read_judged
from tests.benchmarks.shards import write

PLAIN = "as they are"
SHARES = {"typos": 0.1, "missing": 0.3}
BLIND = 0.1
FIGURES = ("warm", "cold", "transfer")


def main() -> int:
    """Train with and without, for each seed, and print what each reaches on every kind of poor input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--as-of", default="2011-09-17", help="as-of date")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="seeds of the trainings")
    parser.add_argument(
        "--way", default="two layers at 5e-5", choices=METHODS, help="way of tests/benchmarks/methods.py"
    )
    parser.add_argument("--ways", nargs="*", default=[], help="ways of [synthesis.augment] in place of its own")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shards"
        changes = ["synthesis.augment.enabled=true", "synthesis.tables.enabled=false"]
        changes += [f"synthesis.augment.ways={json.dumps(options.ways)}"] * bool(options.ways)
        write(options.data, options.as_of, folder, changes)
        print(_written(folder))
        inputs = poor(folder)
        rows = [
            {"seed": seed, "learned from": learned, "input": name, **found}
            for seed in options.seeds
            for learned, shards in (("texts as they are", _without(folder)), ("and in other words", folder))
            for name, found in _trained(shards, inputs, options.way, seed).items()
        ]
    table = pd.DataFrame(rows).groupby(["input", "learned from"], sort=False)[list(FIGURES)]
    print(f"\n## {options.as_of}, {options.way}, seeds {options.seeds}, {platform.machine()}: NDCG@10\n")
    print(pd.concat({"mean": table.mean(), "least": table.min(), "greatest": table.max()}, axis=1).round(4).to_string())
    return 0


def poor(folder: Path) -> dict[str, Judged]:
    """The judged days by kind of input."""
    whole = read_judged(folder)
    found = {PLAIN: whole}
    for name, share in SHARES.items():
        rng = np.random.default_rng(0)
        found[name] = replace(whole, texts=[NOISE[name](text, rng, share) for text in whole.texts])
    return found | {"blind": read_judged(folder, BLIND)}


def _written(folder: Path) -> str:
    """What was written in each way: the gate's figures, and a few examples."""
    report, texts, items = (
        dataset(str(folder / "lake" / name), format="parquet", partitioning=None).to_table().to_pandas()
        for name in ("synthesis/synthesis_report", "synthesis/augmented_texts", "gold/item_text")
    )
    judged = report[report["generator"].isin(texts["generator"]) & report["metric"].isin(["label_kept", "changed"])]
    figures = judged.pivot(index="generator", columns="metric", values="value").round(3)
    named = texts.merge(items[["item_id", "text"]].rename(columns={"text": "own"}), on="item_id")
    shown = named.groupby("generator").sample(8, random_state=0)[["generator", "own", "text"]]
    return f"{figures.to_string()}\n{shown.to_string(index=False)}"


def _without(folder: Path) -> Path:
    """The same shards where no item is read in other words. Ends where none would be anyway."""
    plain = folder.with_name("plain")
    if not plain.exists():
        shutil.copytree(folder, plain, ignore=shutil.ignore_patterns("lake", "landing", "report"))
        texts = pd.read_parquet(plain / "texts")
        if not (texts["share"].fillna(0) > 0).any():
            raise SystemExit("no item in other words passed its gate: there is nothing to compare")
        shutil.rmtree(plain / "texts")
        (plain / "texts").mkdir()
        texts.assign(share=np.float32(0)).to_parquet(plain / "texts" / "part-0.parquet")
    return plain


def _trained(folder: Path, inputs: dict[str, Judged], way: str, seed: int) -> dict[str, dict[str, float]]:
    settings = TrainingSettings.model_validate({"processes": 1, "tracking": []} | METHODS[way])
    torch.manual_seed(seed)
    trainer = Trainer(starting_model("", folder, settings), folder, settings, seed)
    with tempfile.TemporaryDirectory() as checkpoints:
        progress = trainer.run(Path(checkpoints))
    logging.info("seed %d, %s: %d steps", seed, folder.name, progress.step)
    return {name: figures(trainer, judged) for name, judged in inputs.items()}


if __name__ == "__main__":
    sys.exit(main())
