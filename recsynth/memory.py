"""Memory that a process no longer needs, given back to the machine."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Collect what nothing refers to, and return freed pages to the system where the C library can (glibc).

    Models come and go in processes that live all night: the driver that taught them, workers that wait for their next
    task. Without this their freed pages stay with them while the language model is trained beside them.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
