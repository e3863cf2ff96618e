"""Tickets and policies: states of one ticket are one row, in whatever order they land; what is broken is set aside."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession

from recsynth.source import SourceSettings
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, event, settings, write_csv, write_jsonl

TICKETS: dict[str, Any] = {
    "name": "service", "kind": "tickets", "format": "jsonl", "path": "events/t*.jsonl", "time_zone": "Europe/Berlin",
    "columns": {c: c for c in ("ticket_id", "user_id", "ts", "question", "answer", "answered_at", "intent")},
}  # fmt: skip
POLICIES: dict[str, Any] = {
    "name": "rules", "kind": "policies", "format": "csv", "path": "rules*.csv",
    "columns": {"policy_id": "id", "title": "title", "text": "text", "seen_date": "day"},
}  # fmt: skip
CLICKS = EVENTS | {"path": "events/e*.jsonl"}


def asked(ticket_id: str, **fields: Any) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "user_id": "u", "ts": "2024-03-01T12:00:00", "question": "Where is it?"} | fields


BROKEN = {
    "malformed row": '{"ticket_id": "x',
    "missing ticket_id": asked(" "),
    "missing ts": asked("x1", ts=None),
    "unparsable ts": asked("x2", ts="soon"),
    "ts out of range": asked("x3", ts="1970-01-01T00:00:00"),
    "unparsable answered_at": asked("x4", answered_at="later"),
    "answered before it was asked": asked("x5", answered_at="2024-03-01T11:59:59"),
    "missing question": asked("x6", question=" "),
}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_ticket_is_one_row_as_its_answered_state_tells_it(
    spark: SparkSession, tmp_path: Path, order: tuple[int, int]
) -> None:
    states = [
        [asked("t1"), asked("t2"), *BROKEN.values()],
        [asked("t1", answer="On its way.", answered_at="2024-03-02T12:00:00", intent="where"), asked("t2")],
    ]
    write_jsonl(tmp_path, "e.jsonl", [event("e")])
    lake = Lake(spark, settings(tmp_path, CLICKS, TICKETS))
    for n in order:
        write_jsonl(tmp_path, f"t{n}.jsonl", states[n])
        lake.run()
    rows = {r.ticket_id: r for r in lake.tables["tickets"].collect()}
    assert set(rows) == {"t1", "t2"}
    assert (rows["t1"].answer, rows["t1"].intent, rows["t1"].copies) == ("On its way.", "where", 2)
    # Midday in Berlin in winter.
    assert rows["t1"].ts.astimezone(UTC) == datetime(2024, 3, 1, 11, tzinfo=UTC)
    assert (rows["t2"].answer, rows["t2"].copies) == (None, 2)
    assert {r.reason: r.copies for r in lake.tables["quarantine"].collect()} == dict.fromkeys(BROKEN, 1)
    lake.account()  # Landed is kept, duplicates and quarantined, else this raises.


def test_a_policy_has_a_row_for_each_day_and_wording(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "e.jsonl", [event("e")])
    head = "id,title,text,day\n"
    write_csv(tmp_path, "rules1.csv", head + 2 * "p,Returns,Within 30 days.,2024-01-01\n")
    broken = ",No id,x,2024-02-01\nq,Empty, ,2024-02-01\nr,When,x,someday\n"
    write_csv(tmp_path, "rules2.csv", head + "p,Returns,Within 14 days.,2024-02-01\n" + broken)
    lake = Lake(spark, settings(tmp_path, CLICKS, POLICIES))
    lake.run()
    found = sorted((r.seen_date, r.text, r.copies) for r in lake.tables["policies"].collect())
    assert found == [(date(2024, 1, 1), "Within 30 days.", 2), (date(2024, 2, 1), "Within 14 days.", 1)]
    assert sorted(r.reason for r in lake.tables["quarantine"].collect()) == [
        "missing policy_id", "missing text", "unparsable seen_date"
    ]  # fmt: skip
    lake.account()


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"source service: expected columns of tickets \(.*\), found rating"):
        SourceSettings.model_validate(TICKETS | {"columns": TICKETS["columns"] | {"rating": "stars"}})
    with pytest.raises(ValidationError, match="expected an expression for text, found none"):
        SourceSettings.model_validate(POLICIES | {"columns": {"policy_id": "id"}})
