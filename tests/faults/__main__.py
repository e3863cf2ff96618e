"""The whole matrix: `make faults`, for a release; it takes hours, and stopped it goes on where it was.

    make faults                                   # every fault, then the table of what was tried
    make faults ARGS="--only kill executor"       # faults whose names begin so
    make faults ARGS="--folder data/faults --anew"

The night of conf/tiny.toml is run once undisturbed. Then faults of one sort go through one night on a lake of their
own, each next run beginning with what the last one left. At the end every table must hold the same rows as the
undisturbed night's. Exit code 1 where one does not.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from recsynth.faults import FaultError, planted
from recsynth.nightly import run_night
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables import TABLES
from tests.faults.night import ROOT, command, content, ended, job, points_passed
from tests.faults.readers import poll_through

log = logging.getLogger("faults")

CONFIG, AS_OF = "conf/tiny.toml", date(2025, 2, 18)
SMALL = ("spark.driver_memory=1g", "spark.shuffle_partitions=4")
RANDOM_KILLS, SEED = 6, 20250218
PUBLISHES = 1000
# Off by default, for training says nothing for long: jobs/README.md.
IDLE = "spark.extra={'spark.python.worker.idleTimeoutSeconds' = '40', 'spark.python.worker.killOnIdleTimeout' = 'true'}"


@dataclass(frozen=True)
class Result:
    """What a fault came to: how often it was planted, how many runs of the job it took, and what differs."""

    fault: str
    points: int
    runs: int
    seconds: float
    wrong: list[str]


class Matrix:
    """Faults on lakes below one folder, each beside the undisturbed night that lies there too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spark = session("faults", self.settings("whole").spark)
        self.points: list[str] = []
        self.whole: dict[str, tuple[int, int]] = {}

    def changes(self, name: str) -> list[str]:
        """The settings of a lake of its own on the landing folder of all."""
        own = self.folder / name
        paths = {"landing": self.folder / "landing", "lake": own / "lake", "report": own / "report"}
        return [*SMALL, *(f"paths.{key}={path}" for key, path in paths.items())]

    def settings(self, name: str) -> Settings:
        """The same, loaded."""
        return Settings.load(ROOT / CONFIG, self.changes(name))

    def store(self, name: str) -> Store:
        """A lake's tables."""
        return Store(self.spark, self.settings(name).paths.lake)

    def undisturbed(self) -> None:
        """Run the night that all others must come to, and note the points that it passes; or read what it came to."""
        noted = self.folder / "points.json"
        if not noted.exists():
            shutil.rmtree(self.folder / "whole", ignore_errors=True)
            with points_passed() as passed:
                run_night(self.spark, self.settings("whole"), AS_OF)
            noted.write_text(json.dumps(passed))
        self.points = json.loads(noted.read_text())
        self.whole = content(self.store("whole"))

    def differences(self, name: str) -> list[str]:
        """Tables of a lake that do not hold what the undisturbed night holds."""
        found = content(self.store(name))
        return sorted(t for t in self.whole.keys() | found.keys() if self.whole.get(t) != found.get(t))

    def run(self, name: str, faults: str = "", *changes: str) -> int:
        """Run the job on a lake to its end, with faults each in its first process that comes by; the exit code."""
        own, points = self.folder / name, [one.partition("=")[0] for one in faults.split(";") if one]
        once = own / "once"
        shutil.rmtree(once, ignore_errors=True)
        once.mkdir(parents=True)
        given = {"RECSYNTH_FAULT": faults, "RECSYNTH_FAULT_ONCE": str(once)}
        words = command(CONFIG, AS_OF, [*self.changes(name), *changes])
        code = ended(words, own / "said.txt", **given)
        missed = [point for point in points if not (once / point).exists()]
        if missed:
            raise RuntimeError(f"{name}: nothing came by {missed}, exit code {code}; see {own / 'said.txt'}")
        return code

    def left(self, name: str, chain: list[str]) -> Iterator[str]:
        """The points of a chain that have not had their turn on a lake; each is noted after it."""
        noted = self.folder / name / "tried.json"
        tried: list[str] = json.loads(noted.read_text()) if noted.exists() else []
        for number, point in enumerate(chain, start=1):
            if point not in tried:
                log.info("%s %d of %d: %s", name, number, len(chain), point)
                yield point
                tried.append(point)
                noted.parent.mkdir(exist_ok=True)
                noted.write_text(json.dumps(tried))

    def last(self, name: str) -> list[str]:
        """Run the job on a lake without a fault; what is wrong then."""
        code = self.run(name)
        return [f"exit code {code}"] if code else self.differences(name)


def raised(matrix: Matrix) -> tuple[int, int, list[str]]:
    """An exception at every point, the answer of every commit lost among them, in one process."""
    # Once published it is not published again: of the two points after that commit one can be tried.
    left_out = ("udf.", "training.", "write.ops.published.committed")
    chain = [p for p in matrix.points if not p.startswith(left_out) and not p.endswith(".begun")]
    for point in matrix.left("raise", chain):
        with planted(point, "raise"):
            try:
                run_night(matrix.spark, matrix.settings("raise"), AS_OF)
            except FaultError:
                continue
        raise RuntimeError(f"nothing came by {point}")
    run_night(matrix.spark, matrix.settings("raise"), AS_OF)
    return len(chain), len(chain) + 1, matrix.differences("raise")


def killed(matrix: Matrix) -> tuple[int, int, list[str]]:
    """SIGKILL of the driver at every stage's end and at the commits within it."""
    chain = [p for p in matrix.points if p.endswith(".committed") and not p.startswith("write.ops.")]
    ends = [p for p in matrix.points if p.startswith("stage.") and p.endswith(".finished")]
    chain = sorted([*chain, *ends, "night.published", "night.paged"], key=matrix.points.index)
    for point in matrix.left("kill", chain):
        code = matrix.run("kill", f"{point}=kill")
        if code != -signal.SIGKILL:
            raise RuntimeError(f"{point}: expected the job to be killed, found exit code {code}")
    return len(chain), len(chain) + 1, matrix.last("kill")


def at_random(matrix: Matrix) -> tuple[int, int, list[str]]:
    """SIGKILL of the whole process group at random moments of one night."""
    dice, words = random.Random(SEED), command(CONFIG, AS_OF, matrix.changes("random"))
    (matrix.folder / "random").mkdir(parents=True, exist_ok=True)
    for _ in range(RANDOM_KILLS):
        with job(words, matrix.folder / "random/said.txt"):
            time.sleep(dice.uniform(20, 120))
    return RANDOM_KILLS, RANDOM_KILLS + 1, matrix.last("random")


def every_other(matrix: Matrix) -> tuple[int, int, list[str]]:
    """What else may happen to a process, one after the other along one night; each with the exit code it must have."""
    wrong = []
    for faults, expected, *changes in OTHERS:
        log.info("%s", faults)
        code = matrix.run("others", faults, *changes)
        wrong += [] if code == expected else [f"{faults}: expected exit code {expected}, found {code}"]
    return sum(f.count("=") for f, *_ in OTHERS), len(OTHERS) + 1, wrong + matrix.last("others")


OTHERS: tuple[tuple[Any, ...], ...] = (
    ("training.step=kill", 1),
    ("udf.encode=memory;stage.embed_texts.finished=terminate", -signal.SIGTERM),
    ("udf.candidates=kill;write.rank.candidates.committed=kill", -signal.SIGKILL),
    ("udf.candidates=hang;write.rank.candidates.committed=terminate", -signal.SIGTERM, IDLE),
    ("write.output.recommendations.begun=full", 1),
    ("stage.evaluate.computed=memory", 1),
)


def executor_killed(matrix: Matrix) -> tuple[int, int, list[str]]:
    """SIGKILL of one of two executors of a cluster while candidates are made: its tasks are done by the other."""
    said, words = (
        matrix.folder / "executor/said.txt",
        command(CONFIG, AS_OF, matrix.changes("executor"), "local-cluster[2,1,2048]"),
    )
    said.parent.mkdir(parents=True, exist_ok=True)
    with job(words, said) as process:
        while "candidates: running" not in (said.read_text() if said.exists() else ""):
            if process.poll() is not None:
                raise RuntimeError(f"the job ended before its executor was killed; see {said}")
            time.sleep(1)
        os.kill(next(_executors(process.pid)), signal.SIGKILL)
        code = process.wait(3600)
    return 1, 1, ([] if code == 0 else [f"exit code {code}"]) + matrix.differences("executor")


def _executors(group: int) -> Iterator[int]:
    """Processes of executors in a process group."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if os.getpgid(pid) == group and b"CoarseGrainedExecutorBackend" in (folder / "cmdline").read_bytes():
                yield pid
        except (ProcessLookupError, FileNotFoundError):
            continue


def removed(matrix: Matrix) -> tuple[int, int, list[str]]:
    """Each table in turn removed by hand after a night, what landed apart; the date run again each time."""
    settings, wrong = matrix.settings("removed"), []
    run_night(matrix.spark, settings, AS_OF)
    store = Store(matrix.spark, settings.paths.lake)
    names = [n for n in matrix.whole if TABLES[n].layer not in ("bronze", "ops")]
    for number, name in enumerate(names, start=1):
        log.info("removed %d of %d: %s", number, len(names), name)
        shutil.rmtree(store.path(TABLES[name]))
        run_night(matrix.spark, settings, AS_OF)
        wrong += [f"{name} removed: {found}" for found in matrix.differences("removed")]
    return len(names), len(names) + 1, wrong


def read_through(matrix: Matrix) -> tuple[int, int, list[str]]:
    """A reader that polls through a thousand publishes; none of this has a fault but its moment."""
    polled = poll_through(matrix.store("readers"), PUBLISHES)
    log.info("%d polls saw %d nights", polled.polls, len(polled.nights))
    return PUBLISHES, 1, polled.wrong[:10]


Tried = Callable[[Matrix], tuple[int, int, list[str]]]
# Each with its lake.
FAULTS: dict[str, tuple[str, Tried]] = {
    "other ends of processes": ("others", every_other),
    "executor killed": ("executor", executor_killed),
    "kill at random moments": ("random", at_random),
    "kill at every commit and end of a stage": ("kill", killed),
    "raise at every point": ("raise", raised),
    "table removed by hand": ("removed", removed),
    "reader through publishes": ("readers", read_through),
}
# The others take one night each: stopped in it, they begin it again.
RESUMABLE = ("kill", "raise")


def main() -> int:
    """Try what is asked for and not yet noted as survived; print the table; 1 where a fault left a trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="faults whose names begin so")
    parser.add_argument("--folder", type=Path, default=Path("data/faults"), help="lakes, and what was found so far")
    parser.add_argument("--anew", action="store_true", help="begin again, whatever was found before")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    if options.anew:
        shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = options.folder.resolve()
    matrix, noted = Matrix(folder), folder / "results.jsonl"
    matrix.undisturbed()
    found = _read(noted)
    for name, (lake, tried) in FAULTS.items():
        if not name.startswith(tuple(options.only)) or (name in found and not found[name].wrong):
            continue
        if name in found or lake not in RESUMABLE:
            shutil.rmtree(folder / lake, ignore_errors=True)
        result = _tried(matrix, name, tried)
        found[name] = result
        with noted.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
    print(_table(found))
    return 1 if any(result.wrong for result in found.values()) else 0


def _tried(matrix: Matrix, name: str, tried: Tried) -> Result:
    log.info("fault: %s", name)
    started = time.monotonic()
    try:
        points, runs, wrong = tried(matrix)
    except Exception as error:  # one fault that cannot be tried must not keep the others from it
        log.exception("%s", name)
        points, runs, wrong = 0, 0, [f"{type(error).__name__}: {error}"]
    return Result(name, points, runs, time.monotonic() - started, wrong)


def _read(noted: Path) -> dict[str, Result]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    return {row["fault"]: Result(**row) for row in rows}


def _table(found: dict[str, Result]) -> str:
    lines = ["| fault | points | runs | minutes | result |", "|---|---|---|---|---|"]
    for r in found.values():
        said = "; ".join(r.wrong) or "the same as undisturbed"
        lines.append(f"| {r.fault} | {r.points} | {r.runs} | {r.seconds / 60:.1f} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
