"""Real invoices through the first stages, compared with plain pandas on the same files."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.ledger import Ledger
from recsynth.pipeline import STAGES
from recsynth.runner import Choice, Runner
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import TABLES
from tests.references.online_retail import kept_units, purchases

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Two weeks around the day on which London's clocks go forward, and three days that land but come after the date.
FIRST, AS_OF, LAST = "2011-03-21", date(2011, 4, 4), "2011-04-06"
CUTOFF = datetime(2011, 4, 3, 23)
CHANGES = ["gold.windows.count=2", "gold.windows.days=5", "gold.windows.step_days=5"]
NAMES = ("land", "clean", "account", "interactions")
EXPECTED_REASONS = {"filtered: not_a_product", "filtered: free_of_charge", "missing user_id"}


@pytest.fixture(scope="module")
def landing(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("invoices") / "landing"
    folder.mkdir()
    days = [p for p in sorted((real_data / "online_retail").glob("*.csv")) if FIRST <= p.stem <= LAST]
    assert len(days) > 12, f"{real_data}/online_retail lacks the files of {FIRST} to {LAST}"
    for path in days:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def store(spark: SparkSession, landing: Path) -> Store:
    """The lake after the stages up to R."""
    paths = [f"paths.{name}={landing.parent / name}" for name in ("landing", "lake", "report")]
    settings = Settings.load(ROOT / "conf/online_retail.toml", [*paths, *CHANGES])
    store = Store(spark, settings.paths.lake)
    night = Night("retail", AS_OF, datetime.now(UTC), settings)
    stages = [stage for stage in STAGES if stage.name in NAMES]
    assert tuple(stage.name for stage in stages) == NAMES
    Runner(store, Ledger(store), night, stages).run(Choice())
    return store


def raw(landing: Path) -> pd.DataFrame:
    return pd.concat([pd.read_csv(f, dtype=str) for f in sorted(landing.glob("*.csv"))])


def test_every_row_that_landed_is_kept_or_a_duplicate_or_set_aside(store: Store, landing: Path) -> None:
    found = {r.metric: int(r.value) for r in store.read(TABLES["ops.metrics"]).where("stage = 'account'").collect()}
    rows = raw(landing)
    is_product = rows["StockCode"].str.strip().str.match(r"^[0-9]{5}[A-Za-z]*$")
    good = rows[is_product & rows["CustomerID"].notna() & (rows["UnitPrice"].astype(float) > 0)]
    assert found["rows_landed"] == len(rows)
    assert found["rows_quarantined"] == len(rows) - len(good)
    assert found["rows_duplicates"] == int(good.duplicated().sum()) > 0
    assert found["rows_kept"] == len(good.drop_duplicates())
    assert found["rows_bots"] == found["rows_near_duplicates"] == 0  # a large basket is a shopkeeper's


def test_rows_are_set_aside_for_the_reasons_that_these_data_give(store: Store, landing: Path) -> None:
    counted = store.read(TABLES["silver.quarantine"]).groupBy("reason").agg(F.sum("copies").alias("n")).collect()
    found = {r.reason: r.n for r in counted}
    rows = raw(landing)
    is_other = ~rows["StockCode"].str.strip().str.match(r"^[0-9]{5}[A-Za-z]*$")
    is_free = ~is_other & (rows["UnitPrice"].astype(float) <= 0)
    is_nobody = ~is_other & ~is_free & rows["CustomerID"].isna()
    assert set(found) == EXPECTED_REASONS
    assert [found[r] for r in sorted(found)] == [int(is_free.sum()), int(is_other.sum()), int(is_nobody.sum())]


def test_the_purchases_are_those_of_plain_pandas(store: Store, landing: Path) -> None:
    bought = store.read(TABLES["silver.events"]).where("event_type = 'purchase'").groupBy("user_id", "item_id")
    found = {(r.user_id, r.item_id): r.n for r in bought.agg(F.sum("copies").alias("n")).collect()}
    twin = purchases(landing)
    assert found == Counter(zip(twin["user_id"], twin["item_id"], strict=True))


def test_a_time_of_london_is_stored_as_utc_on_both_sides_of_the_change(store: Store, landing: Path) -> None:
    events = store.read(TABLES["silver.events"]).where("event_type = 'purchase'")
    seconds = {r[0]: r.n for r in events.groupBy(F.unix_timestamp("ts")).agg(F.sum("copies").alias("n")).collect()}
    ts = purchases(landing)["ts"].dt.tz_localize("Europe/London")
    assert seconds == Counter(int(t.timestamp()) for t in ts)


def test_cancellations_take_off_what_they_cancel(store: Store, landing: Path) -> None:
    pairs = store.read_night(TABLES["gold.interactions"], AS_OF).collect()
    twin = purchases(landing)
    before = set(zip(*(twin.loc[twin["ts"] < str(AS_OF), c] for c in ("user_id", "item_id")), strict=True))
    kept = kept_units(landing, str(AS_OF))
    assert {(r.user_id, r.item_id): r.quantity for r in pairs} == kept
    # Some pairs were cancelled whole, and no pair came from anywhere else.
    assert set(kept) < before


def test_nothing_of_the_as_of_date_or_after_reaches_gold(store: Store, landing: Path) -> None:
    assert store.read(TABLES["silver.events"]).where(F.col("ts") >= F.lit(CUTOFF)).count() > 500
    latest = {
        name: store.read_night(TABLES[name], AS_OF).agg(F.max(column).alias("ts")).collect()[0].ts
        for name, column in (
            ("gold.interactions", "last_ts"),
            ("gold.window_interactions", "last_ts"),
            ("gold.window_labels", "first_ts"),
        )
    }
    assert max(latest.values()) < CUTOFF
    # What is left is all of it, up to the last purchase before the date.
    ts = purchases(landing)["ts"]
    assert latest["gold.window_labels"].date() == ts[ts < str(AS_OF)].max().date()
