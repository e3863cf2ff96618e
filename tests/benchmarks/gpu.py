"""The GPU path for real: TorchDistributor with one GPU a process, pandas UDFs on it, and what training does a second.

    make bench-gpu                                       # on a machine with a GPU that torch can use
    python -m tests.benchmarks.gpu --part train          # without Spark and Java

`train`: an encoder of BERT-base's shape (12 layers of 768, random weights: speed does not ask what they say), texts of
64 tokens, full fine-tuning, in float32 and bfloat16; one process, and two that share the GPU over gloo (NCCL refuses
two ranks on one GPU; with two GPUs it is NCCL). Utilisation is nvidia-smi's, the mean of samples after warm-up.
`checks`: CPU and GPU give the same vectors, losses and gradients; chunked gradients are those of the whole there too;
a NCCL group of one rank. `spark`: the launcher with use_gpu, a model folder trained by it, and the encoding UDF on the
GPU against the CPU's vectors. Exit code 0 only where all checks hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.distributed as dist

from recsynth.model.folder import read_model, write_model
from recsynth.training.loop import Trainer
from recsynth.training.process import starting_model
from recsynth.training.settings import TrainingSettings
from recsynth.training.shards import user_batches
from recsynth.training.together import rank
from tests.model.tiny import tiny_model, write_encoder
from tests.training.planted import gradient_of, pair, quick, typed, write_planted

BERT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
TOKENS = 64


def main() -> int:
    """Run the parts and print what they found; 1 where a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="*", default=["checks", "train", "spark"], help="checks, train, spark")
    parser.add_argument("--texts", type=int, default=192, help="texts of a step")
    parser.add_argument("--steps", type=int, default=40, help="steps that are timed")
    parser.add_argument("--precision", nargs="*", default=["float32", "bfloat16"], help="of `train`")
    parser.add_argument("--worker", help="for the processes that `train` starts")
    parser.add_argument("--encoder", type=json.loads, default=BERT_BASE, help="shape of the encoder, as JSON")
    options = parser.parse_args()
    if options.worker:
        return _worker(options)
    failed: list[str] = []
    for part in options.part:
        print(f"\n## {part}", flush=True)
        failed += {"checks": _checks, "train": _train, "spark": _spark}[part](options)
    print(f"FAILED {', '.join(failed)}" if failed else "\nall checks hold")
    return 1 if failed else 0


def _checks(options: argparse.Namespace) -> list[str]:
    """What must be the same on both devices."""
    found: dict[str, bool] = {"a GPU that torch can use": torch.cuda.is_available()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = write_planted(folder / "shards")
        results = {}
        for place, chunk, visible in (("cpu", 0, ""), ("gpu", 0, None), ("gpu in chunks", 7, None)):
            with _visible(visible):
                torch.manual_seed(0)
                made = Trainer(tiny_model(folder / "encoder"), shards, quick(gradient_chunk=chunk), seed=3)
                figure = made.validate()
                made.model.eval()
                loss, gradients = gradient_of(made, [pair(made)])
                results[place] = figure, loss, [g.cpu() for g in gradients]
        figure, loss, gradients = results["cpu"]
        for place in ("gpu", "gpu in chunks"):
            other = results[place]
            found[f"validation, {place}"] = abs(other[0] - figure) < 1e-6
            found[f"loss, {place}: {abs(other[1] - loss):.1e}"] = abs(other[1] - loss) < 1e-4
            worst = max(float((a - b).abs().max()) for a, b in zip(gradients, other[2], strict=True))
            found[f"gradients, {place}: {worst:.1e}"] = worst < 1e-4
        for precision in (False, True):
            made = Trainer(tiny_model(folder / "encoder"), shards, quick(mixed_precision=precision), seed=3)
            progress = made.run(folder / f"checkpoints{precision}")
            found[f"learns, bfloat16 {precision}: {progress.before:.3f} to {progress.best:.3f}"] = (
                progress.best > progress.before + 0.05
            )
        os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1"})
        dist.init_process_group("nccl", timeout=timedelta(seconds=60))
        summed = torch.ones(3, device="cuda")
        dist.all_reduce(summed)
        found["NCCL, a group of one rank"] = bool((summed == 1).all())
        dist.destroy_process_group()
    return _told(found)


def _train(options: argparse.Namespace) -> list[str]:
    """Texts a second, utilisation and memory of each precision and number of processes."""
    print("| processes | precision | texts a second | of one process | GPU busy | GiB a process |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_encoder(folder / "encoder", max_position_embeddings=TOKENS, **options.encoder)
        for name in options.precision:
            precision, alone = name == "bfloat16", 0.0
            for processes in (1, 2):
                lines = _run_workers(options, folder, processes, precision)
                speed = sum(line["texts_per_second"] for line in lines)
                alone = speed if processes == 1 else alone
                busy = np.mean([line["busy"] for line in lines])
                print(
                    f"| {processes} | {name} | {speed:,.0f} | {speed / alone:.2f} "
                    f"| {busy:.0%} | {max(line['gib'] for line in lines):.1f} |", flush=True,
                )  # fmt: skip
    return []


def _run_workers(options: argparse.Namespace, folder: Path, processes: int, precision: bool) -> list[dict[str, Any]]:
    started = []
    for number in range(processes):
        environment = os.environ | {
            "RANK": str(number), "WORLD_SIZE": str(processes), "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": "29512", "OMP_NUM_THREADS": "4",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.benchmarks.gpu", "--worker", f"{folder} {int(precision)}",
                   "--texts", str(options.texts), "--steps", str(options.steps)]  # fmt: skip
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    return [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in started]


def _worker(options: argparse.Namespace) -> int:
    """One process of a timed training: the trainer's own steps on texts that are as long as they get."""
    name, precision = options.worker.split()
    folder, world = Path(name), int(os.environ["WORLD_SIZE"])
    if world > 1:
        dist.init_process_group("gloo", timeout=timedelta(seconds=120))
    shards = folder / f"shards{os.environ['RANK']}_{world}_{precision}"
    _write_long(shards)
    settings = TrainingSettings.model_validate({
        "encoder": str(folder / "encoder"), "trainable_layers": 12, "head_steps": 0, "items_per_step": options.texts,
        "max_tokens": TOKENS, "mixed_precision": bool(int(precision)), "processes": world,
    })  # fmt: skip
    made = Trainer(starting_model("", shards, settings), shards, settings, 1)
    made.validate()
    stream = user_batches(shards, rank(), world, settings.users_per_step, settings.history_length, 1)
    for _ in range(5):
        made._step(next(stream))
    with _busy() as samples:
        started = time.monotonic()
        for _ in range(options.steps):
            made._step(next(stream))
        torch.cuda.synchronize()
        seconds = time.monotonic() - started
    print(json.dumps({
        "texts_per_second": options.steps * options.texts / seconds, "busy": float(np.mean(samples or [0])) / 100,
        "gib": torch.cuda.max_memory_allocated() / 2**30,
    }))  # fmt: skip
    if world > 1:
        dist.destroy_process_group()
    return 0


def _spark(options: argparse.Namespace) -> list[str]:
    """The launcher and the UDF in a Spark session that knows of the GPU."""
    from pyspark.sql import SparkSession

    from recsynth.inference.encoder import encoded
    from recsynth.inference.settings import InferenceSettings
    from recsynth.training.distributed import launch

    found: dict[str, bool] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "gpus.sh"
        script.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0"]}\'\n')
        script.chmod(0o755)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        # An executor of its own, as on a cluster: Spark's local mode gives tasks no GPU.
        builder = SparkSession.builder.master("local-cluster[1,1,2048]")
        for owner in ("driver", "worker", "executor"):
            builder = builder.config(f"spark.{owner}.resource.gpu.amount", "1")
            builder = builder.config(f"spark.{owner}.resource.gpu.discoveryScript", str(script))
        settings = {
            "spark.task.resource.gpu.amount": "1", "spark.executor.memory": "2g", "spark.sql.shuffle.partitions": "2",
            "spark.ui.enabled": "false", "spark.executorEnv.PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }  # fmt: skip
        for key, value in settings.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        shards = write_planted(folder / "shards")
        write_model(tiny_model(folder / "encoder"), folder / "start", {})
        for local_mode in (True, False):
            out = folder / f"models{local_mode}" / "2025-01-01.part"
            out.parent.mkdir(parents=True)
            training = quick(use_gpu=True, local_mode=local_mode, mixed_precision=True)
            started = time.monotonic()
            figures = launch(shards, out, str(folder / "start"), training, seed=3)
            model = read_model(out)
            found[f"launcher, local_mode {local_mode}: {figures['before']:.3f} to {figures['best']:.3f} in "
                  f"{time.monotonic() - started:.0f} s"] = figures["best"] > figures["before"] + 0.05  # fmt: skip
        texts = [f"red thing{i % 40}" for i in range(options.texts * 20)]
        rows = spark.createDataFrame([(i, t) for i, t in enumerate(texts)], "i int, text string").repartition(2)
        exact = InferenceSettings.model_validate({"batch_size": 256, "vector_levels": 0})
        collected = encoded(rows, out, exact).orderBy("i").collect()
        vectors = np.array([r.vector for r in collected], np.float32)
        worst = float(np.abs(vectors - model.cpu().text.encode(texts)).max())
        found[f"pandas UDF against the CPU: {worst:.1e}"] = worst < 1e-4
        places = rows.limit(4).mapInPandas(_where, "device string").distinct().collect()
        found[f"device of a worker: {[p.device for p in places]}"] = {p.device for p in places} == {"cuda:0"} or (
            not torch.cuda.is_available()
        )
        spark.stop()
    return _told(found)


def _where(blocks: Iterator[Any]) -> Iterator[Any]:
    import pandas as pd

    from recsynth.inference.encoder import worker_device

    for _ in blocks:
        yield pd.DataFrame({"device": [str(worker_device())]})


def _write_long(folder: Path) -> None:
    """Shards of 1,000 items with texts of TOKENS tokens and 2,000 users with 20 of them each."""
    rng = np.random.default_rng(1)
    texts = [
        {"index": i, "kind": "item", "text": " ".join(f"thing{w}" for w in rng.integers(40, size=TOKENS - 2)),
         "popularity": 1.0, "variants": [], "share": 0.0}
        for i in range(1000)
    ]  # fmt: skip
    users = [
        {"user_id": f"u{i}", "texts": rng.choice(1000, 20, replace=False).tolist(), "types": [5] * 20,
         "ages": [float(20 - a) for a in range(20)], "wanted": [int(rng.integers(1000))]}
        for i in range(2000)
    ]  # fmt: skip
    for name, rows in (("texts", texts), ("users", users), ("labels", users[:100])):
        (folder / name).mkdir(parents=True)
        pq.write_table(typed(pa.Table.from_pylist(rows)), folder / name / "part-0.parquet")


def _told(found: dict[str, bool]) -> list[str]:
    for name, is_so in found.items():
        print(f"{'ok    ' if is_so else 'FAILED'} {name}")
    return [name for name, is_so in found.items() if not is_so]


@contextmanager
def _visible(value: str | None) -> Iterator[None]:
    """torch asked for its device within the block sees no GPU where value is empty."""
    from recsynth.training import loop, objective

    kept = loop.device, objective.device
    if value == "":
        loop.device = objective.device = lambda: torch.device("cpu")
    try:
        yield
    finally:
        loop.device, objective.device = kept


@contextmanager
def _busy() -> Iterator[list[float]]:
    """nvidia-smi's utilisation, a sample each 0.1 s while the block runs."""
    samples: list[float] = []
    end = threading.Event()

    def sample() -> None:
        while not end.wait(0.1):
            samples.append(torch.cuda.utilization())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        end.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
