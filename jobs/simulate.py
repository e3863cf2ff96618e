"""Simulate a shop into the landing folder: jobs/simulate.py --config conf/default.toml --set shop.users=100000."""

from __future__ import annotations

from pathlib import Path

from recsynth import cli
from recsynth.session import session
from recsynth.shop.landing import simulate, truth_folder


def main() -> None:
    """Parse, simulate, and say where the files are."""
    settings = cli.settings_of(cli.arguments(__doc__ or "", is_dated=False).parse_args())
    landing = Path(settings.paths.landing)
    simulate(session("recsynth simulate", settings.spark), settings.shop, settings.seed, landing)
    print(f"files: {landing}\ntruth: {truth_folder(landing)}")


if __name__ == "__main__":
    cli.run(main)
