"""Every job says how it is called, without starting Spark."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.py"))


def help_of(job: Path) -> str:
    """What `job --help` prints."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(sys, "argv", [str(job), "--help"])
        patch.setattr("argparse.ArgumentParser.print_help", lambda parser, file=None: said.append(parser.format_help()))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(job), run_name="__main__")
    assert ended.value.code == 0
    return said[0]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_help_names_the_job_and_its_settings(job: Path) -> None:
    text = help_of(job)
    assert "--config FILE" in text
    assert "--set SECTION.KEY=VALUE" in text
    assert f"jobs/{job.name}" in text


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_job_stays_short(job: Path) -> None:
    assert len(job.read_text().splitlines()) <= 40
