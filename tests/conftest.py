"""Fixtures that every test shares: one Spark session a process, the real data where they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.session import session
from tests.pages import blank_pages
from tests.spark import COLLECTOR, small

# A program of the benchmarks' other environment, whose packages are not in this one.
collect_ignore = ["benchmarks/peers.py"]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A small local session with Delta, shared by all tests of a process."""
    warehouse = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    spark = session("tests", small("local[2]", "4g", COLLECTOR, **warehouse))
    yield spark
    spark.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real data sets; in CI their absence is a failure, elsewhere a skip."""
    folder = Path(os.environ.get("RECSYNTH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        message = f"the real data are not at {folder}; set RECSYNTH_DATA to their folder"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return folder


@pytest.fixture(scope="module")
def without_pages() -> Iterator[None]:
    """The nights of a module, from where this is first asked for, end with an empty page."""
    with blank_pages():
        yield
