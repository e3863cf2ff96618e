"""Do one stage of a night alone: jobs/stage.py interactions --config conf/default.toml --as-of 2025-04-17."""

from __future__ import annotations

from recsynth import cli
from recsynth.nightly import run_night
from recsynth.runner import Choice
from recsynth.session import session


def main() -> None:
    """Parse and run."""
    parser = cli.arguments(__doc__ or "")
    parser.add_argument("stage", help="a name in recsynth/pipeline.py")
    options = parser.parse_args()
    settings, as_of = cli.settings_of(options), cli.day(options.as_of)
    run_night(session("recsynth", settings.spark), settings, as_of, Choice(only=options.stage))


if __name__ == "__main__":
    cli.run(main)
