"""Erase users from every table, its history, models and pages: jobs/erase.py --config FILE --user-id ID."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from recsynth import cli
from recsynth.erasure import erase
from recsynth.errors import InputError
from recsynth.nightly import held_lake
from recsynth.session import session
from recsynth.stage import Night


def main() -> None:
    """Parse, erase, and say what was deleted and what the scan found."""
    parser = cli.arguments(__doc__ or "", is_dated=False)
    parser.add_argument("--user-id", action="append", default=[], metavar="ID", help="a user; may be given again")
    parser.add_argument("--request-file", metavar="FILE", help="users, one id a line")
    parser.add_argument(
        "--keep-models", action="store_true", help="leave models that learned from them in use, and say which"
    )
    options = parser.parse_args()
    settings, users = cli.settings_of(options), list(options.user_id)
    if options.request_file:
        try:
            users += Path(options.request_file).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(options.request_file, "a text file of ids, one a line", str(error)) from error
    users = [user for user in users if user.strip()]
    now = datetime.now(UTC)
    night = Night(f"erase-{uuid.uuid4().hex[:8]}", now.date(), now, settings)
    with held_lake(session("recsynth erase", settings.spark), night) as ledger:
        done = erase(ledger, settings, users, withdraw=not options.keep_models)
    for table, rows in sorted(done.rows.items()):
        print(f"{table}: {rows} rows deleted")
    print(f"models that had learned from them: {', '.join(done.models) or 'none'}", end="")
    print(" (still in use)" if options.keep_models and done.models else "")
    print(f"pages written anew: {', '.join(map(str, done.pages)) or 'none'}")
    print(f"files read: {done.files}; places with an id: {len(done.left)}")
    if done.landing:
        print(f"the landing folder still has {len(done.landing)} such places; erase there too: {done.landing[0].path}")


if __name__ == "__main__":
    cli.run(main)
