"""Rooms meet in tables: which module may import what, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import recsynth

ROOT = Path(recsynth.__file__).parent
FOUNDATION = {"model", "tables", "measure"}
ROOMS = {p.name for p in ROOT.iterdir() if (p / "__init__.py").is_file()} - FOUNDATION
# They put the rooms together: the list of stages, the night around it, the sections of the settings and their page.
ASSEMBLY = {"pipeline", "nightly", "settings", "settings_page"}
TORCH_AND_SPARK = {"training/distributed.py", "training/train.py", "inference/encoder.py", "inference/embed_users.py"}
MODULES = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob("*.py"))


def imports(source: str) -> Iterator[str]:
    """Absolute names of all that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(module: str) -> set[str]:
    return set(imports((ROOT / module).read_text()))


def packages(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported(module)}


def own(module: str) -> set[str]:
    """The second part of each import of the package's own: a room or a top-level module."""
    return {name.split(".")[1] for name in imported(module) if name.startswith("recsynth.")}


@pytest.mark.parametrize("module", [m for m in MODULES if m.split("/")[0] in ROOMS])
def test_a_room_imports_the_foundation_and_no_other_room(module: str) -> None:
    assert own(module) & ROOMS <= {module.split("/")[0]}
    assert not own(module) & {"pipeline", "nightly", "cli"}


@pytest.mark.parametrize("module", [m for m in MODULES if m.split("/")[0] not in ROOMS])
def test_the_foundation_imports_no_room(module: str) -> None:
    assert module.removesuffix(".py") in ASSEMBLY or not own(module) & ROOMS


def test_measures_are_numpy_alone() -> None:
    measures = [m for m in MODULES if m.startswith("measure/")]
    assert set().union(*map(packages, measures)) - {"__future__", "collections", "numpy"} == set()


def test_only_the_store_touches_delta() -> None:
    assert {m for m in MODULES if packages(m) & {"delta", "deltalake"}} == {"store.py"}


def test_torch_and_spark_meet_in_the_launcher_and_the_inference_wrappers_alone() -> None:
    assert {m for m in MODULES if {"torch", "pyspark"} <= packages(m)} <= TORCH_AND_SPARK


def test_imports_are_found_inside_functions_too() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n"
    assert set(imports(source)) == {"a.b", "c.d.e"}
