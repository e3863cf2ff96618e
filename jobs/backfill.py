"""Run the nights of a span of dates, oldest first: jobs/backfill.py --config FILE --first DATE --last DATE."""

from __future__ import annotations

from recsynth import cli
from recsynth.errors import HeldError, InputError
from recsynth.nightly import nights, run_night
from recsynth.session import session


def main() -> None:
    """Parse and run each night; one that is published costs seconds, one that is held back does not end the others."""
    parser = cli.arguments(__doc__ or "", is_dated=False)
    parser.add_argument("--first", required=True, metavar="YYYY-MM-DD", help="first as-of date")
    parser.add_argument("--last", required=True, metavar="YYYY-MM-DD", help="last as-of date")
    parser.add_argument("--step-days", type=int, default=1, help="days from one night to the next")
    options = parser.parse_args()
    settings, first, last = cli.settings_of(options), cli.day(options.first), cli.day(options.last)
    if options.step_days < 1 or last < first:
        raise InputError("span of dates", "--first up to --last by --step-days of at least 1", f"{first} to {last}")
    spark = session("recsynth", settings.spark)
    held = []
    for as_of in nights(first, last, options.step_days):
        try:
            print(f"{as_of}: {run_night(spark, settings, as_of)}")
        except HeldError as error:
            held.append(str(error))
    if held:
        raise HeldError("; ".join(held))


if __name__ == "__main__":
    cli.run(main)
