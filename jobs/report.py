"""Write the page of a night again from its tables: jobs/report.py --config FILE --as-of YYYY-MM-DD."""

from __future__ import annotations

from datetime import UTC, datetime

from recsynth import cli
from recsynth.nightly import page
from recsynth.session import session
from recsynth.stage import Night
from recsynth.store import Store


def main() -> None:
    """Parse, read, and say where the page is."""
    options = cli.arguments(__doc__ or "").parse_args()
    settings, as_of = cli.settings_of(options), cli.day(options.as_of)
    store = Store(session("recsynth report", settings.spark), settings.paths.lake, settings.paths.catalog)
    print(page(store, Night("report", as_of, datetime.now(UTC), settings)))


if __name__ == "__main__":
    cli.run(main)
