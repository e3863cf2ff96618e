"""Points at which a test plants a fault, to prove that a night survives it; without one they cost a comparison.

    RECSYNTH_FAULT="write.gold.histories.committed=kill"     # in every process of the job, workers included
    RECSYNTH_FAULT_ONCE=/some/file                           # only in the first process that comes there

Points: `night.<begun|published|paged>`, `stage.<stage>.<computed|finished>`, `write.<table>.<begun|committed>`,
`restore.<table>`, `udf.<candidates|encode>` in Spark's Python workers and `training.step` in a training process.
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
    if _planted and _planted[0] == name and _is_first():
        KINDS[_planted[1]](name)


@contextmanager
def planted(point: str, kind: str) -> Iterator[None]:
    """Plant a fault in this process alone. Raises ValueError for a kind that there is not."""
    global _planted
    before, _planted = _planted, _of_environment(f"{point}={kind}")
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


def _is_first() -> bool:
    once = os.environ.get("RECSYNTH_FAULT_ONCE")
    if once is None:
        return True
    try:
        Path(once).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _of_environment(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    point, _, kind = text.partition("=")
    if kind not in KINDS:
        raise ValueError(f"RECSYNTH_FAULT: expected POINT=KIND with a kind of {', '.join(KINDS)}, found {text!r}")
    return point, kind


_planted = _of_environment(os.environ.get("RECSYNTH_FAULT"))
