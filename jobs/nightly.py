"""Run one night: spark-submit jobs/nightly.py --config conf/default.toml --as-of 2025-04-17."""

from __future__ import annotations

from recsynth import cli
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.runner import Choice, describe
from recsynth.session import session


def main() -> None:
    """Parse, run, and say where the tables and the page are."""
    parser = cli.arguments(__doc__ or "")
    parser.add_argument("--from-stage", metavar="STAGE", help="do this stage and all after it anew")
    parser.add_argument("--only", metavar="STAGE", help="do this stage alone")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    options = parser.parse_args()
    settings, as_of = cli.settings_of(options), cli.day(options.as_of)
    if options.dry_run:
        print(describe(STAGES))
        return
    spark = session("recsynth", settings.spark)
    page = run_night(spark, settings, as_of, Choice(options.from_stage, options.only))
    print(f"tables: {settings.paths.lake}\npage:   {page}")


if __name__ == "__main__":
    cli.run(main)
