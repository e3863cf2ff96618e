"""One run at a time on a lake: a lease in a file that names its holder and is renewed while the holder lives."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsynth.errors import RecsynthError

log = logging.getLogger(__name__)

# Who has not renewed for so long is dead or asleep; thirty renewals must be missed for it.
RENEW_SECONDS, STALE_SECONDS = 30.0, 900.0


class LakeBusyError(RecsynthError):
    """Another run holds the lake."""

    exit_code = 7


class Lease:
    """A run's hold on a lake, for as long as the lock file names it."""

    def __init__(self, path: Path, run_id: str) -> None:
        self.path, self.run_id = path, run_id

    def check(self) -> None:
        """Raise LakeBusyError if another run has taken the lake over, as after a pause longer than the lease.

        The store asks before each commit. What was on its way when the run was paused is left to Delta, which refuses
        a commit to files that another has changed since it began.
        """
        holder = _holder(self.path)
        if holder.get("run_id") != self.run_id:
            raise LakeBusyError(
                f"{self.path}: expected this run {self.run_id} to hold the lake still, found {_named(holder)}; "
                "it took over because this one was not heard of"
            )


@contextmanager
def lake_lock(
    lake: str, run_id: str, renew_seconds: float = RENEW_SECONDS, stale_seconds: float = STALE_SECONDS
) -> Iterator[Lease]:
    """Hold the lake for one run.

    Delta on plain files is safe for one process only. The lock of a process that died on this host is taken over at
    once; any other after `stale_seconds` without a renewal, by the clock of the file system. Raises LakeBusyError that
    names the holder.
    """
    path = Path(lake) / "_lock.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _acquire(path, {"run_id": run_id, "host": socket.gethostname(), "pid": os.getpid()}, stale_seconds)
    lease, ended = Lease(path, run_id), threading.Event()
    threading.Thread(target=_renew, args=(lease, ended, renew_seconds), name="lease", daemon=True).start()
    try:
        yield lease
    finally:
        ended.set()
        if _holder(path).get("run_id") == run_id:
            path.unlink(missing_ok=True)


def _renew(lease: Lease, ended: threading.Event, every: float) -> None:
    while not ended.wait(every):
        try:
            lease.check()
            os.utime(lease.path)
        except (LakeBusyError, OSError) as error:
            log.warning("the lake's lock was not renewed: %s", error)


def _acquire(path: Path, holder: dict[str, object], stale_seconds: float) -> None:
    try:
        with path.open("x") as file:
            json.dump(holder, file)
    except FileExistsError:
        found = _holder(path)
        if found:
            if not _is_dead(found) and _age(path) < stale_seconds:
                raise LakeBusyError(f"{path}: expected no other run, found {_named(found)}") from None
            log.warning("taking the lake over from %s, which is not heard of", _named(found))
            _set_aside(path, found)
        _acquire(path, holder, stale_seconds)


def _set_aside(path: Path, dead: dict[str, object]) -> None:
    """Take a dead holder's lock away, and no other's: of two that find it dead, one may have taken over already."""
    aside = path.with_name(f"_lock.{os.getpid()}.{threading.get_ident()}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _holder(aside) != dead:
        with path.open("x") as file:
            file.write(aside.read_text())
    aside.unlink()


def _age(path: Path) -> float:
    """Seconds since the lock was renewed, by the clock of the file system: hosts' own clocks may differ."""
    probe = path.with_name(f"_lock.now.{os.getpid()}.{threading.get_ident()}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # just given back: the next attempt finds it free
    finally:
        probe.unlink()


def _holder(path: Path) -> dict[str, object]:
    """Who holds the lake; nothing where it was just given back, nobody known where the file is half written."""
    try:
        found: dict[str, object] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError:
        return {"host": None}
    return found


def _named(holder: dict[str, object]) -> str:
    return f"run {holder.get('run_id')} on {holder.get('host')}, process {holder.get('pid')}"


def _is_dead(holder: dict[str, object]) -> bool:
    if holder.get("host") != socket.gethostname():
        return False
    pid = int(str(holder.get("pid")))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A container that is started again has the same numbers.
    return pid == os.getpid()
