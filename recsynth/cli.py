"""What the jobs share: arguments, logging, and one clear line for a clear error."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from datetime import date

from recsynth.errors import InputError, RecsynthError
from recsynth.settings import Settings

log = logging.getLogger("recsynth")


def arguments(description: str, is_dated: bool = True) -> argparse.ArgumentParser:
    """The arguments of every job; `is_dated` adds `--as-of`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", required=True, metavar="FILE", help="TOML settings, see conf/README.md")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one setting")
    if is_dated:
        parser.add_argument(
            "--as-of", required=True, metavar="YYYY-MM-DD", help="only what happened before this day is seen"
        )
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """Load the settings that the options name."""
    return Settings.load(options.config, options.set)


def day(text: str) -> date:
    """Parse a date; raises InputError that says what was expected."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError("date", "YYYY-MM-DD", text) from error


def run(job: Callable[[], None]) -> None:
    """Run a job: progress goes to stderr; a clear error is one line and its own exit code."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        job()
    except RecsynthError as error:
        log.error("%s: %s", type(error).__name__, error)
        sys.exit(error.exit_code)
