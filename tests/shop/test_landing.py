"""Landing: the same files whatever the partitions; what was planted, and nothing else, is found by land and clean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.bronze.land import land
from recsynth.errors import InputError
from recsynth.settings import Settings
from recsynth.shop import landing
from recsynth.shop.dirt import BREAKS
from recsynth.shop.landing import simulate, truth_folder
from recsynth.shop.remarks import NEW_TOPIC
from recsynth.shop.settings import DirtSettings, ShopSettings
from recsynth.silver.accounting import account
from recsynth.silver.clean import clean
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from recsynth.tables.ops import ERASURES, EXPIRED
from recsynth.tables.silver import CLEANED_FILES, EVENTS, ITEM_RECORDS, POLICIES, POSTS, PROMOTIONS, TICKETS
from tests.rows import night, table

TINY = Path(__file__).parents[2] / "conf" / "tiny.toml"
SMALL = ShopSettings(users=30, items=40, days=9, sessions_per_day=0.5, files_per_day=2)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_files_are_the_same_whatever_the_partitions(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(spark, SMALL, 1, tmp_path / "first")
    monkeypatch.setattr(landing, "USERS_PER_TASK", 5)
    monkeypatch.setattr(landing, "LINES_PER_BATCH", 7)
    monkeypatch.setattr(SparkContext, "defaultParallelism", 3)
    simulate(spark, SMALL, 1, tmp_path / "again")
    first = contents(tmp_path / "first")
    assert first == contents(tmp_path / "again")
    days = [f"2025-01-0{day}" for day in range(1, 10)]
    events = {f"events/{day}/0000{file}.jsonl" for day in days for file in (0, 1)}
    tickets = {name for name in first if name.startswith(("tickets/", "posts/"))}
    weekly = {f"{kind}/2025-01-{day}.csv" for kind in ("items", "promotions") for day in ("01", "08")}
    assert set(first) - tickets == events | weekly | {"policies/2025-01-01.csv"}
    assert tickets


def test_another_seed_gives_another_shop(spark: SparkSession) -> None:
    one, other = ({r.line for r in landing.event_lines(spark, SMALL, seed).collect()} for seed in (1, 2))
    # Bots' and users' numbers are the same; no line is.
    assert not one & other


def test_a_landing_folder_with_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "theirs.csv").write_text("a\n")
    with pytest.raises(InputError, match="expected no landing folder, or an empty one"):
        simulate(spark, SMALL, 1, tmp_path / "landing")
    assert contents(tmp_path / "landing") == {"theirs.csv": b"a\n"}


class Found:
    """A simulated shop, what land and clean made of it, and the truth; small enough for pandas."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.settings, self.folder = settings, Path(settings.paths.landing)
        simulate(spark, settings.shop, settings.seed, self.folder)
        made = night(date(2025, 3, 1), settings)
        bronze = {t.short: table(spark, t, []) for t in (LANDED_FILES, ROWS, COLUMN_CHANGES)}
        bronze = kept(land(**bronze, night=made))
        kinds = (CLEANED_FILES, EVENTS, ITEM_RECORDS, TICKETS, POLICIES, POSTS, PROMOTIONS)
        silver = {t.short: table(spark, t, []) for t in kinds}
        silver = kept(clean(**bronze, **silver, night=made))
        spark.catalog.clearCache()
        read = ("events", "item_records", "tickets", "policies", "posts", "promotions", "quarantine")
        gone = [table(spark, t, []) for t in (ERASURES, EXPIRED)]
        metrics = account(bronze["landed_files"], *(silver[name] for name in read), *gone, night=made)
        self.counts = metrics.toPandas().pivot(index="segment", columns="metric", values="value")
        self.events, self.tickets = silver["events"].toPandas(), silver["tickets"].toPandas()
        self.posts, self.promotions = (silver[name].toPandas() for name in ("posts", "promotions"))
        self.quarantine = silver["quarantine"].groupBy("source", "reason").agg(F.sum("copies").alias("n")).toPandas()

    def truth(self, name: str) -> pd.DataFrame:
        """A table of what was planted."""
        return pd.read_parquet(truth_folder(self.folder) / name)

    def set_aside(self, source: str) -> dict[str, int]:
        """Rows of a source by the reason for which they were set aside."""
        rows = self.quarantine[self.quarantine["source"] == source]
        return dict(zip(rows["reason"], rows["n"], strict=True))


def kept(frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    return {name: rows.localCheckpoint() for name, rows in frames.items()}


@pytest.fixture(scope="module")
def found(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, dirty: DirtSettings) -> Found:
    root = tmp_path_factory.mktemp("shop")
    tiny = Settings.load(TINY, [f"paths.landing={root / 'landing'}", f"paths.lake={root / 'lake'}"])
    shop = tiny.shop.model_copy(update={"users": 120, "dirt": dirty})
    return Found(spark, tiny.model_copy(update={"shop": shop}))


def test_every_planted_defect_is_set_aside_for_its_reason(found: Found) -> None:
    planted = found.truth("defects")["defect"].value_counts()
    reasons = planted.drop(["late", "duplicate", "near_duplicate"]).to_dict()
    assert found.set_aside("clickstream") == reasons
    assert set(reasons) == set(BREAKS)


def test_every_defect_of_the_catalogue_files_is_set_aside_for_its_reason(found: Found) -> None:
    planted = found.truth("item_defects")["defect"].value_counts()
    assert found.set_aside("catalogue") == planted.drop("duplicate").to_dict()
    assert found.counts.loc["catalogue", "rows_duplicates"] == planted["duplicate"]


def test_every_ticket_is_one_row_and_its_broken_rows_are_set_aside(found: Found) -> None:
    planted = found.truth("tickets")
    assert sorted(found.tickets["ticket_id"]) == sorted(planted["ticket_id"])
    assert len(planted) > 10
    assert found.set_aside("service") == found.truth("ticket_defects")["defect"].value_counts().to_dict()
    answered = found.tickets[found.tickets["answered_at"].notna()]
    assert (answered["copies"] == 2).all()
    gaps = found.truth("item_gaps")
    assert set(gaps["field"]) == {"category", "brand", "colour", "material", "size"}


def test_every_good_event_is_kept_once(found: Found) -> None:
    defects = found.truth("defects")
    again = defects.loc[defects["defect"] == "near_duplicate", "event_id"]
    assert sorted(found.events["event_id"]) == sorted([*found.truth("sessions")["event_id"], *again])


def test_duplicates_are_counted_one_by_one(found: Found) -> None:
    defects = found.truth("defects")
    planted = defects.loc[defects["defect"] == "duplicate", "event_id"].value_counts().to_dict()
    more = found.events[found.events["copies"] > 1]
    assert dict(zip(more["event_id"], more["copies"] - 1, strict=True)) == planted
    assert found.counts.loc["clickstream", "rows_duplicates"] == sum(planted.values())


def test_near_duplicates_are_marked_and_nothing_else_is(found: Found) -> None:
    defects = found.truth("defects")
    planted = set(defects.loc[defects["defect"] == "near_duplicate", "event_id"])
    assert set(found.events.loc[found.events["is_near_duplicate"], "event_id"]) == planted
    assert len(planted) > 50


def test_bots_are_found_and_no_person_is_taken_for_one(found: Found) -> None:
    bots = found.truth("bots")
    marked = found.events.groupby("user_id")["is_bot"].agg(["min", "max"])
    assert set(marked.index[marked["min"]]) == set(marked.index[marked["max"]]) == set(bots["user_id"])
    assert (bots["events"] == 300).all()


def test_late_events_land_all_the_same_on_their_own_day(found: Found) -> None:
    defects = found.truth("defects")
    late = defects[defects["defect"] == "late"].merge(found.events, on="event_id", how="left")
    file_date = pd.Timestamp(found.settings.shop.start) + pd.to_timedelta(late["file_day"], unit="D")
    delay = (file_date - pd.to_datetime(late["event_date"])).dt.days
    assert set(delay) == {1, 2, 3}


def test_sessions_are_found_again(found: Found) -> None:
    """Of pairs of events in one planted session, and in one found, 99 % are so in the other too."""
    both = found.truth("sessions").merge(found.events, on=["event_id", "user_id"])
    people = both[~both["is_bot"]]
    in_planted, in_found, in_both = (
        sum(n * (n - 1) / 2 for n in people.groupby(names).size())
        for names in (["session"], ["session_id"], ["session", "session_id"])
    )
    assert in_both / in_planted > 0.99
    assert in_both / in_found > 0.99


def test_schema_drift_loses_no_item(found: Found) -> None:
    """From day 20 files have a field more, from day 40 `sku` stands for `item_id`."""
    about = found.events[found.events["event_type"] != "search"]
    assert set(about["item_id"]) <= set(found.truth("items")["item_id"])
    start = pd.Timestamp(found.settings.shop.start)
    days = (pd.to_datetime(about["event_date"]) - start).dt.days
    assert (days < 20).any()
    assert (days > 40).any()


def test_a_planted_taste_is_recovered_from_purchases(found: Found) -> None:
    """Who buys 4 times buys most of one of the 3 foremost of 20 kinds: by chance 3 / 20 = 15 % of users would."""
    items = found.truth("items").set_index("item_id")["category"]
    bought = found.events[(found.events["event_type"] == "purchase") & ~found.events["is_bot"]]
    categories = bought.assign(category=bought["item_id"].map(items)).groupby("user_id")["category"]
    kinds = found.truth("users").set_index("user_id")["kinds"].map(dict)
    hits = [
        category in sorted(kinds[user], key=kinds[user].get)[-3:]
        for user, category in categories.agg(lambda c: c.mode().iloc[0])[categories.size() >= 4].items()
    ]
    assert len(hits) > 30
    assert np.mean(hits) > 0.7


def test_the_truth_names_tastes_searches_and_promotions(found: Found) -> None:
    users, items, searches = (found.truth(name) for name in ("users", "items", "searches"))
    assert len(users) == 120
    assert users["brands"].map(len).eq(2).all()
    assert set(users["colours"].explode()) <= set(items["colour"])
    assert set(users["materials"].map(lambda m: dict(m)["Kitchen > Mugs"])) <= {"stoneware", "porcelain", "glass"}
    sent = found.events[found.events["event_type"] == "search"]
    assert set(searches["event_id"]) == set(sent["event_id"])
    assert set(searches["target"]) <= set(items["item_id"])
    planned, told = found.truth("promotions"), found.promotions
    assert set(planned["item_id"]) <= set(items["item_id"])
    days = ["item_id", "first_day", "last_day"]
    assert set(told[days].itertuples(index=False)) == set(planned[days].itertuples(index=False))
    # Every week but the first is announced a week ahead.
    ahead = (pd.to_datetime(told["first_day"]) - pd.to_datetime(told["seen_date"])).dt.days
    assert set(ahead) == {0, 7}
    batches = found.truth("bad_batches")
    assert set(batches["category"]) <= set(items["category"])
    assert (batches["first_day"] < batches["last_day"]).all()


def test_every_good_post_is_kept_with_its_latest_label_and_the_broken_ones_are_set_aside(found: Found) -> None:
    planted = found.truth("posts").set_index("post_id")
    posts = found.posts.set_index("post_id")
    assert sorted(posts.index) == sorted(planted.index)
    assert found.set_aside("posts") == found.truth("post_defects")["defect"].value_counts().to_dict()
    noted = posts[posts["sentiment"].notna()]
    assert 0.2 < len(noted) / len(posts) < 0.6
    assert (noted["sentiment"] == planted.loc[noted.index, "sentiment"]).all()
    named = noted[noted["topic"].notna()]
    assert (named["topic"] == planted.loc[named.index, "topic"]).all()
    new = planted[planted["topic"] == NEW_TOPIC]
    assert len(new) > 10
    assert posts.loc[new.index, "topic"].isna().all()
    again = planted[planted["is_repost"]]
    assert len(again)
    assert posts.loc[again.index, "text"].str.startswith("RT @").all()
    surge = found.truth("post_surges").iloc[0]
    complaints = planted.join(posts["ts"]).query("sentiment == 'negative' and topic == @surge.topic and not is_repost")
    of_day = complaints["ts"].dt.date.value_counts()
    on = [day for day in of_day.index if surge.first_day <= day <= surge.last_day]
    assert of_day[on].mean() > 4 * of_day.drop(on).mean()
