"""Points at which a test plants a fault, to prove that a night survives it; without one they cost next to nothing.

    RECSYNTH_FAULT="udf.encode=memory;stage.train.finished=kill"   # in every process of the job, workers included
    RECSYNTH_FAULT_ONCE=/some/folder                               # each only the first time; a file there says so

Points: `night.<begun|published|paged>`, `stage.<stage>.<computed|finished>`,
`write.<table>.<begun|grown|committed>`, `restore.<table>`, `expire.deleted`, `tidy.<forgotten|models|nights>`,
`udf.<candidates|encode>` in Spark's Python workers and `training.step` and `training.validated.<step>` in a training
process.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


class FaultError(Exception):
    """A fault that a test planted: no RecsynthError, for it stands for what nobody expects."""


def fault_point(name: str) -> None:
    """Do here what was planted for this point, if anything was."""
    log.debug("%s", name)
    if name in _planted and _is_first(name):
        KINDS[_planted[name]](name)


@contextmanager
def planted(point: str, kind: str) -> Iterator[None]:
    """Plant a fault in this process alone. Raises ValueError for a kind that there is not."""
    global _planted
    before, _planted = _planted, _read(f"{point}={kind}")
    try:
        yield
    finally:
        _planted = before


def _raise(name: str) -> None:
    raise FaultError(name)


def _memory(name: str) -> None:
    raise MemoryError(name)


def _full(name: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def _hang(name: str) -> None:
    while True:
        time.sleep(3600)


KINDS: dict[str, Callable[[str], None]] = {
    "raise": _raise,
    "memory": _memory,
    "full": _full,
    "hang": _hang,
    "kill": lambda name: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda name: os.kill(os.getpid(), signal.SIGTERM),
}


def _is_first(name: str) -> bool:
    once = os.environ.get("RECSYNTH_FAULT_ONCE")
    if once is None:
        return True
    try:
        Path(once, name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _read(text: str) -> dict[str, str]:
    """Points and kinds of `point=kind;point=kind`."""
    found = {point: kind for point, _, kind in (one.partition("=") for one in text.split(";") if one)}
    if not set(found.values()) <= KINDS.keys():
        raise ValueError(f"RECSYNTH_FAULT: expected POINT=KIND with a kind of {', '.join(KINDS)}, found {text!r}")
    return found


_planted = _read(os.environ.get("RECSYNTH_FAULT", ""))
