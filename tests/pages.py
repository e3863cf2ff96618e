"""Nights that end with an empty page: reading forty tables for the real one takes longer than a few small stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recsynth.stage import Night


@contextmanager
def blank_pages() -> Iterator[None]:
    """Within it, the page of a night says nothing."""

    def blank(frames: object, night: Night, folder: Path) -> Path:
        path = folder / str(night.as_of) / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<html></html>")
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsynth.nightly.write_page", blank)
        yield
