"""Giving memory back: freed pages leave the process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from recsynth.memory import give_back


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library has no malloc_trim")
def test_what_was_freed_leaves_the_process() -> None:
    # Small pieces, each below the size from which the library asks the system itself.
    pieces = [np.ones(10_000) for _ in range(2_000)]
    kept = pieces[-1]
    full = resident()
    del pieces
    give_back()
    assert full - resident() > 100e6
    assert kept.sum() == 10_000
