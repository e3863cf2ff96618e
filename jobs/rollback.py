"""Make an earlier night the one that readers see: jobs/rollback.py --config FILE --to YYYY-MM-DD."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from recsynth import cli
from recsynth.nightly import held_lake
from recsynth.rollback import roll_back
from recsynth.session import session
from recsynth.stage import Night


def main() -> None:
    """Parse, take the later nights back, and say which."""
    parser = cli.arguments(__doc__ or "", is_dated=False)
    parser.add_argument(
        "--to", required=True, metavar="YYYY-MM-DD", help="a published night; later ones are taken back"
    )
    options = parser.parse_args()
    settings, to = cli.settings_of(options), cli.day(options.to)
    night = Night(f"rollback-{to}-{uuid.uuid4().hex[:8]}", to, datetime.now(UTC), settings)
    with held_lake(session("recsynth rollback", settings.spark), night) as ledger:
        taken_back = roll_back(ledger, to)
    print(f"night: {to}\ntaken back: {', '.join(map(str, taken_back)) or 'none'}")


if __name__ == "__main__":
    cli.run(main)
