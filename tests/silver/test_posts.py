"""Posts: states of one post are one row, in whatever order they land; what is broken is set aside and counted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession

from recsynth.source import SourceSettings
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, event, settings, write_csv, write_jsonl

POSTS: dict[str, Any] = {
    "name": "posts", "kind": "posts", "format": "jsonl", "path": "events/p*.jsonl", "time_zone": "Europe/Berlin",
    "columns": {c: c for c in ("post_id", "user_id", "ts", "text", "topic", "sentiment", "labelled_at", "entity")},
}  # fmt: skip
CLICKS = EVENTS | {"path": "events/e*.jsonl"}


def said(post_id: str, **fields: Any) -> dict[str, Any]:
    return {"post_id": post_id, "ts": "2024-03-01T12:00:00", "text": "Late again, write to me@b.io"} | fields


BROKEN = {
    "malformed row": '{"post_id": "x',
    "missing post_id": said(" "),
    "missing ts": said("x1", ts=None),
    "unparsable ts": said("x2", ts="soon"),
    "ts out of range": said("x3", ts="1970-01-01T00:00:00"),
    "unparsable labelled_at": said("x4", labelled_at="later"),
    "unknown sentiment": said("x5", sentiment="angry"),
    "neither text nor sentiment": said("x6", text=" "),
}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_post_is_one_row_as_its_labelled_state_tells_it(
    spark: SparkSession, tmp_path: Path, order: tuple[int, int]
) -> None:
    states = [
        [said("p1", entity="Ora"), said("p2"), *BROKEN.values()],
        [said("p1", entity="Ora", topic="delivery", sentiment="Negative", labelled_at="2024-03-02T12:00:00"),
         said("p2"), said("p3", text=None, sentiment="positive")],
    ]  # fmt: skip
    write_jsonl(tmp_path, "e.jsonl", [event("e")])
    lake = Lake(spark, settings(tmp_path, CLICKS, POSTS))
    for n in order:
        write_jsonl(tmp_path, f"p{n}.jsonl", states[n])
        lake.run()
    rows = {r.post_id: r for r in lake.tables["posts"].collect()}
    assert set(rows) == {"p1", "p2", "p3"}
    one = rows["p1"]
    assert (one.topic, one.sentiment, one.entity, one.copies) == ("delivery", "negative", "Ora", 2)
    assert one.text == "Late again, write to [mail]"
    # Midday in Berlin in winter.
    assert one.ts.astimezone(UTC) == datetime(2024, 3, 1, 11, tzinfo=UTC)
    assert (rows["p2"].topic, rows["p2"].copies, rows["p3"].text) == (None, 2, None)
    assert {r.reason: r.copies for r in lake.tables["quarantine"].collect()} == dict.fromkeys(BROKEN, 1)
    lake.account()  # Landed is kept, duplicates and quarantined, else this raises.


def test_posts_without_a_name_are_known_by_their_content(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "e.jsonl", [event("e")])
    write_csv(tmp_path, "said.csv", "day,words\n" + 2 * "2024-03-01,Late again\n" + "2024-03-02,Late again\n")
    nameless = {"name": "tweets", "kind": "posts", "format": "csv", "path": "said.csv",
                "columns": {"ts": "day", "text": "words"}}  # fmt: skip
    lake = Lake(spark, settings(tmp_path, CLICKS, nameless))
    lake.run()
    rows = sorted((r.ts.day, r.copies, len(r.post_id)) for r in lake.tables["posts"].collect())
    assert rows == [(1, 2, 64), (2, 1, 64)]
    lake.account()


def test_a_source_of_posts_must_map_time_and_text() -> None:
    with pytest.raises(ValidationError, match="expected an expression for text"):
        SourceSettings.model_validate(POSTS | {"columns": {"ts": "ts"}})
    with pytest.raises(ValidationError, match="expected columns of posts"):
        SourceSettings.model_validate(POSTS | {"columns": POSTS["columns"] | {"rating": "stars"}})
