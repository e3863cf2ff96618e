"""Search for better settings of [training]: jobs/tune.py --config FILE --as-of YYYY-MM-DD --trials 20."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from recsynth import cli
from recsynth.nightly import held_lake
from recsynth.session import session
from recsynth.stage import Night
from recsynth.training.space import Space
from recsynth.training.tune import tune


def main() -> None:
    """Parse, search, and print the best settings as TOML."""
    parser = cli.arguments(__doc__ or "")
    parser.add_argument("--trials", type=int, required=True, metavar="N", help="trials that end, earlier ones included")
    parser.add_argument(
        "--space", default="conf/models/minilm.toml", metavar="FILE", help="TOML with the fields that are searched"
    )
    options = parser.parse_args()
    settings, as_of, space = cli.settings_of(options), cli.day(options.as_of), Space.load(Path(options.space))
    night = Night(f"tune-{as_of}-{uuid.uuid4().hex[:8]}", as_of, datetime.now(UTC), settings)
    with held_lake(session("recsynth tune", settings.spark), night) as ledger:
        print(tune(ledger, night, space, options.trials))


if __name__ == "__main__":
    cli.run(main)
