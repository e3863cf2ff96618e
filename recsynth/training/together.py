"""What the processes of one training do together; alone, each of these is nothing or the identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from recsynth.errors import ModelError
from recsynth.model.folder import device

# For work that one process does alone, or more of than another: texts are encoded and checkpoints written.
LONGEST_WAIT = timedelta(minutes=10)
# The group in which processes meet before each sum, and how long the others may be waited for there.
_meeting: tuple[Any, timedelta] | None = None


@contextmanager
def joined(use_gpu: bool, hang_seconds: float) -> Iterator[None]:
    """Within it, this process is one of those that the launcher started."""
    global _meeting
    dist.init_process_group("nccl" if use_gpu else "gloo", timeout=LONGEST_WAIT)
    # A group of its own: NCCL cannot tell who is missing, and in gloo's barrier all but the first process wait as long
    # as their group allows, whatever the barrier is told.
    patience = timedelta(seconds=hang_seconds)
    _meeting = (dist.new_group(backend="gloo", timeout=patience), patience)
    try:
        yield
    finally:
        _meeting = None
        dist.destroy_process_group()


def meet() -> None:
    """Wait for the others after one's own part of a step; nothing where one is alone.

    Raises ModelError that names who did not come in time: a process that hangs would keep the others in a sum for
    LONGEST_WAIT, and they could not say why.
    """
    if _meeting is None:
        return
    group, patience = _meeting
    try:
        dist.monitored_barrier(group, timeout=patience, wait_all_ranks=True)
    except RuntimeError as error:
        wanted = f"every process at its step within {patience.total_seconds():g} s of the others"
        raise ModelError(f"training.hang_seconds: expected {wanted}, found: {error}") from error


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients; one that is missing counts as zero."""
    if world_size() == 1:
        return
    meet()
    flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters])
    dist.all_reduce(flat)
    start = 0
    for p in parameters:
        p.grad = flat[start : start + p.numel()].view_as(p) / world_size()
        start += p.numel()


def shared_rows(texts: Sequence[str], function: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    """The rows (M, D) that `function` gives for M texts, each computed by one process and then known to all.

    Shares are dealt out by length, so that long texts burden none alone.
    """
    if world_size() == 1 or len(texts) < world_size():
        return function(texts)
    order = np.argsort([len(t) for t in texts], kind="stable")
    mine = function([texts[i] for i in order[rank() :: world_size()]])
    size = -(-len(texts) // world_size())
    padded = torch.zeros(size, mine.shape[1], device=device())
    padded[: len(mine)] = torch.from_numpy(mine)
    gathered = [torch.empty_like(padded) for _ in range(world_size())]
    dist.all_gather(gathered, padded)
    rows = np.empty((len(texts), mine.shape[1]), np.float32)
    for number, share in enumerate(gathered):
        places = order[number :: world_size()]
        rows[places] = share[: len(places)].cpu().numpy()
    return rows


def agree(is_so: bool) -> bool:
    """Whether it is so in any process: one that stopped or went back alone would leave the others waiting."""
    if world_size() == 1:
        return is_so
    meet()
    flag = torch.tensor([float(is_so)], device=device())
    dist.all_reduce(flag)
    return bool(flag.item() > 0)


def mean(value: float) -> float:
    """The mean over the processes; no number where it is none in any of them."""
    if world_size() == 1:
        return value
    meet()
    total = torch.tensor([value], dtype=torch.float64, device=device())
    dist.all_reduce(total)
    return float(total.item()) / world_size()
