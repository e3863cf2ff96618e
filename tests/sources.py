"""Sources and settings for tests that land files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recsynth.settings import Settings

EVENTS: dict[str, Any] = {
    "name": "clicks", "kind": "events", "format": "jsonl", "path": "events/*.jsonl", "time_zone": "Europe/Berlin",
    "columns": {c: c for c in ("event_id", "user_id", "event_type", "ts", "query", "quantity", "price", "rating",
                               "order_id")}
    | {"item_id": "coalesce(item_id, sku)"},
}  # fmt: skip
INVOICES: dict[str, Any] = {
    "name": "invoices", "kind": "events", "format": "csv", "path": "*.csv", "time_zone": "UTC",
    "columns": {"user_id": "user", "item_id": "item", "event_type": "'purchase'", "ts": "at", "price": "price"},
    "item_columns": {"title": "title"},
    "filters": {"not_a_product": "item not like 'POST%'"},
}  # fmt: skip


def settings(tmp_path: Path, *sources: dict[str, Any], **changes: Any) -> Settings:
    """Settings with a landing folder and a lake below a temporary folder."""
    paths = {"landing": str(tmp_path / "landing"), "lake": str(tmp_path / "lake"), "report": str(tmp_path / "report")}
    return Settings.model_validate(
        {"sources": list(sources), "paths": paths, "shop_time_zone": "Europe/Berlin"} | changes
    )


def write_jsonl(tmp_path: Path, name: str, rows: list[dict[str, Any] | str]) -> Path:
    """A JSON Lines file of the landing folder; a row that is text is written as it stands."""
    path = tmp_path / "landing" / "events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def write_csv(tmp_path: Path, name: str, text: str) -> Path:
    """A CSV file of the landing folder."""
    path = tmp_path / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def event(event_id: str, ts: str = "2024-03-01T12:00:00", **fields: Any) -> dict[str, Any]:
    """A good view, changed as asked."""
    return {"event_id": event_id, "user_id": "u", "item_id": "i", "event_type": "view", "ts": ts} | fields
