"""Erase users, items or reviews from tables, history, models and pages: jobs/erase.py --config FILE --user-id ID."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from recsynth import cli
from recsynth.erasure import erase, requested
from recsynth.nightly import held_lake
from recsynth.session import session
from recsynth.stage import Night
from recsynth.traces import ITEM, REVIEW, USER


def main() -> None:
    """Parse, erase, and say what was deleted and what the scan found."""
    parser = cli.arguments(__doc__ or "", is_dated=False)
    parser.add_argument("--user-id", action="append", default=[], metavar="ID", help="a user; may be given again")
    parser.add_argument("--item-id", action="append", default=[], metavar="ID", help="an item, with all its events")
    parser.add_argument("--review-id", action="append", default=[], metavar="ID", help="event_id of silver.reviews")
    parser.add_argument("--request-file", metavar="FILE", help="users, one id a line")
    parser.add_argument(
        "--keep-models", action="store_true", help="leave models that learned from them in use, and say which"
    )
    options = parser.parse_args()
    settings, now = cli.settings_of(options), datetime.now(UTC)
    given = {
        USER: [*options.user_id, *requested(options.request_file)],
        ITEM: options.item_id,
        REVIEW: options.review_id,
    }
    night = Night(f"erase-{uuid.uuid4().hex[:8]}", now.date(), now, settings)
    with held_lake(session("recsynth erase", settings.spark), night) as ledger:
        for kind in [k for k, ids in given.items() if ids] or [USER]:
            print(erase(ledger, settings, given[kind], kind, withdraw=not options.keep_models))


if __name__ == "__main__":
    cli.run(main)
