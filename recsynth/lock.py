"""One run at a time on a lake: a lock file that names its holder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsynth.errors import RecsynthError


class LakeBusyError(RecsynthError):
    """Another run holds the lake."""

    exit_code = 7


@contextmanager
def lake_lock(lake: str, run_id: str) -> Iterator[None]:
    """Hold the lake for one run.

    Delta on plain files is safe for one process only. The lock of a process that died on this host is
    taken over; one of another host must be removed by hand. Raises LakeBusyError that names the holder.
    """
    path = Path(lake) / "_lock.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _acquire(path, {"run_id": run_id, "host": socket.gethostname(), "pid": os.getpid()})
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _acquire(path: Path, holder: dict[str, object]) -> None:
    try:
        with path.open("x") as file:
            json.dump(holder, file)
    except FileExistsError:
        found = _holder(path)
        if not _is_dead(found):
            raise LakeBusyError(
                f"{path}: expected no other run, found run {found.get('run_id')} "
                f"on {found.get('host')}, process {found.get('pid')}"
            ) from None
        path.unlink(missing_ok=True)
        _acquire(path, holder)


def _holder(path: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(path.read_text())
    except (json.JSONDecodeError, FileNotFoundError):
        # Half written by a killed process, or just given back.
        return {"host": socket.gethostname(), "pid": None}
    return found


def _is_dead(holder: dict[str, object]) -> bool:
    if holder.get("host") != socket.gethostname():
        return False
    pid = holder.get("pid")
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return pid == os.getpid()
