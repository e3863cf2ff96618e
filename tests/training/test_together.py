"""What processes do together: two of them, by gloo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from recsynth.training.together import mean, shared_rows

# Of unequal lengths and odd in number: shares differ in size.
TEXTS = ["a", "a longer text", "", "bb", "the longest text of all"]


def lengths(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(t), len(texts)] for t in texts], np.float32)


def one_process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    np.save(f"{folder}/{rank}.npy", shared_rows(TEXTS, lengths))
    np.save(f"{folder}/mean{rank}.npy", [mean(1.0 + rank), mean(float("nan") if rank else 1.0)])
    dist.destroy_process_group()


def test_each_process_computes_its_share_and_both_know_all_rows_in_order(tmp_path: Path) -> None:
    spawn(one_process, (str(tmp_path),), nprocs=2)
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[:, 0], [len(t) for t in TEXTS])
    assert sorted(first[:, 1]) == [2, 2, 3, 3, 3]


def test_all_processes_say_the_mean_and_no_number_where_one_has_none(tmp_path: Path) -> None:
    spawn(one_process, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        np.testing.assert_array_equal(np.load(tmp_path / f"mean{rank}.npy"), [1.5, np.nan])


def test_one_process_computes_all() -> None:
    assert mean(0.25) == 0.25
    np.testing.assert_array_equal(shared_rows(TEXTS, lengths), lengths(TEXTS))
