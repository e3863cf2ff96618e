"""Remove what [retention] no longer keeps, compact small files: jobs/tidy.py --config FILE."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from recsynth import cli
from recsynth.nightly import held_lake, tidy_lake
from recsynth.session import session
from recsynth.stage import Night


def main() -> None:
    """Parse, tidy, and say what was removed."""
    settings, now = cli.settings_of(cli.arguments(__doc__ or "", is_dated=False).parse_args()), datetime.now(UTC)
    night = Night(uuid.uuid4().hex[:8], now.date(), now, settings)
    with held_lake(session("recsynth tidy", settings.spark), night) as ledger:
        print(tidy_lake(ledger, night))


if __name__ == "__main__":
    cli.run(main)
