"""Clean rows again that were set aside, after the settings were mended: jobs/replay.py --config FILE --source NAME."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from recsynth import cli
from recsynth.nightly import held_lake
from recsynth.session import session
from recsynth.silver.replay import replay
from recsynth.stage import Night


def main() -> None:
    """Parse, replay, and say how many rows are kept now."""
    parser = cli.arguments(__doc__ or "", is_dated=False)
    parser.add_argument("--source", required=True, metavar="NAME", help="the [[sources]] entry whose rows they are")
    parser.add_argument("--reason", default="", metavar="TEXT", help="only rows that were set aside for this reason")
    options = parser.parse_args()
    settings, now = cli.settings_of(options), datetime.now(UTC)
    night = Night(f"replay-{uuid.uuid4().hex[:8]}", now.date(), now, settings)
    with held_lake(session("recsynth replay", settings.spark), night) as ledger:
        print(replay(ledger, night, options.source, options.reason))


if __name__ == "__main__":
    cli.run(main)
