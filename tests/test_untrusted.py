"""What strangers write is data: in pages, in prompts, in tables, in what is deleted; nothing runs what it reads."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.model.text_generator import fenced
from recsynth.report.page import templates
from recsynth.store import Store
from recsynth.tables.silver import QUARANTINE
from recsynth.untrusted import visible
from tests.references.hostile import HOSTILE
from tests.rows import table
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, event, settings, write_jsonl

ROOT = Path(__file__).parents[1]
CODE = sorted(p for folder in ("recsynth", "jobs") for p in (ROOT / folder).rglob("*.py"))
AS_OF = date(2024, 4, 1)
HIDING = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00\x1b\U000e0000-\U000e007f]")


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text, self.others = "", 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.others += 1


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 200


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_in_a_page_it_is_text_and_no_markup_and_hides_nothing(hostile: str) -> None:
    page = templates().from_string('<b title="{{ text }}">{{ text }}</b>').render(text=hostile)
    found, said = Parsed(page), visible(hostile)
    assert found.tags == [("b", [("title", said)])]
    assert (found.text, found.others) == (said, 0)
    assert not HIDING.search(page)


def test_the_template_switches_no_escaping_off_and_quotes_every_attribute() -> None:
    source = (ROOT / "recsynth/report/page.html.jinja").read_text()
    assert not re.search(r"\|\s*safe|autoescape|=\s*\{\{", source)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_in_a_prompt_it_stays_within_the_fence(hostile: str) -> None:
    before, opened, told, closed = fenced({"note": hostile}).split("\n")
    assert (opened, closed) == ("<record>", "</record>")
    assert "no instructions" in before
    assert not re.search(r"[<>\[\]]", told)
    assert not HIDING.search(told)
    assert json.loads(told).keys() == {"note"}


def test_as_user_item_and_query_it_lands_as_it_is_and_every_row_is_accounted_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [event(f"e{i}", user_id=text, item_id=text) for i, text in enumerate(HOSTILE)]
    rows += [event(f"q{i}", event_type="search", query=text, item_id=None) for i, text in enumerate(HOSTILE)]
    write_jsonl(tmp_path, "hostile.jsonl", list(rows))
    lake = Lake(spark, settings(tmp_path, EVENTS, silver={"mask_texts": False}))
    lake.run()
    counts = lake.account()
    assert counts["rows_landed"] == len(rows) == counts["rows_kept"] + counts["rows_quarantined"]
    found = {r.event_id: r for r in lake.tables["events"].collect()}
    for i, text in enumerate(HOSTILE):
        said = text.strip(" ")
        assert not said or (found[f"e{i}"].user_id, found[f"e{i}"].item_id) == (said, said)
    assert {r.reason for r in lake.tables["quarantine"].collect()} <= {"missing user_id", "missing query"}


def test_what_is_deleted_is_what_is_named_whatever_the_name(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, str(tmp_path / "lake"))
    made = [{"file_id": text, "row_hash": "h", "source": "s", "raw": text, "reason": "r", "copies": 1,
             "first_seen": datetime(2024, 3, 1, tzinfo=UTC)} for text in HOSTILE]  # fmt: skip
    store.write(QUARANTINE, table(spark, QUARANTINE, made), AS_OF)
    asked = [text for text in HOSTILE if "'" in text or "`" in text]
    gone = store.delete_matching(
        QUARANTINE, spark.createDataFrame([(t,) for t in asked], "file_id string"), ["file_id"]
    )
    left = {row.file_id for row in store.read(QUARANTINE).collect()}
    assert (gone, left) == (len(asked), set(HOSTILE) - set(asked))


# What runs what it reads, or reads what can run.
FORBIDDEN = {"eval", "exec", "compile", "__import__", "pickle", "cPickle", "dill", "joblib", "shelve", "marshal",
             "torch.load", "pandas.read_pickle", "yaml.load", "os.system", "os.popen"}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls of a module with the full name of what they call, as its imports say."""
    tree, names = ast.parse(path.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(a.asname or a.name).split(".")[0]: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield names.get(first, first) + dot + rest, node


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_code_runs_what_it_reads(path: Path) -> None:
    for name, call in calls(path):
        assert not {name, name.split(".")[0]} & FORBIDDEN, ast.unparse(call)
        given = {k.arg: ast.unparse(k.value) for k in call.keywords if k.arg}
        assert given.get("trust_remote_code", "False") == "False", ast.unparse(call)
        assert given.get("allow_pickle", "False") == "False", ast.unparse(call)
        assert given.get("shell", "False") == "False", ast.unparse(call)
        if name.endswith(".from_pretrained"):
            # Named or in `trusted`: nothing of a hub's, no code of the folder's own.
            assert "**trusted" in ast.unparse(call), ast.unparse(call)


def test_the_walk_sees_what_it_looks_for(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("import torch as t\nfrom os import system\nt.load(x)\nsystem('ls')\n")
    assert [name for name, _ in calls(module)] == ["torch.load", "os.system"]
