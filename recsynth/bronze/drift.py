"""Drift: how the columns of a file differ from those of its source before, and what the settings say of that."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsynth.bronze.columns import TEXT, UNKNOWN, Form
from recsynth.errors import InputError
from recsynth.mapping import read_columns
from recsynth.source import Policy, SourceSettings, spelling

log = logging.getLogger(__name__)

MOST_COLUMNS = 2000


@dataclass(frozen=True)
class Change:
    """One column of a file in another form than before; fields as in bronze.column_changes."""

    column: str
    change: str
    was: str | None = None
    found: str | None = None


@dataclass
class Known:
    """The columns of a source as its files had them so far, in their order, those that are gone, and later names."""

    kinds: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def learn(self, change: Change) -> None:
        """Take a change as the form from now on."""
        name = change.column
        if change.change == "retyped" or (change.change == "first" and name in self.kinds):
            self.kinds[name] = change.found or UNKNOWN
        elif change.change in ("first", "new"):
            self._insert(name, change.was, change.found or UNKNOWN)
        elif change.change == "renamed" and change.found is not None:
            self.aliases.setdefault(name, []).append(change.found)
            if name not in self.kinds:
                self._insert(name, change.was, UNKNOWN)
        elif change.change == "missing":
            self.kinds.pop(name, None)
            self.gone.add(name)
        elif change.change == "reordered" and change.found is not None:
            order = [c for c in json.loads(change.found) if c in self.kinds]
            self.kinds = {c: self.kinds[c] for c in (*order, *(c for c in self.kinds if c not in order))}

    def _insert(self, name: str, after: str | None, kind: str) -> None:
        self.gone.discard(name)
        names = [c for c in self.kinds if c != name]
        at = names.index(after) + 1 if after in names else len(names) if after else 0
        names.insert(at, name)
        self.kinds = {c: kind if c == name else self.kinds[c] for c in names}


def known_of(source: SourceSettings, changes: Sequence[Any]) -> Known:
    """What the rows of bronze.column_changes, oldest first, tell of a source."""
    known = Known(aliases={c: [*names] for c, names in source.aliases.items()})
    for row in changes:
        if row.source == source.name and row.policy == "evolve":
            known.learn(Change(row.column, row.change, row.was, row.found))
    return known


def check_count(where: str, columns: int) -> None:
    """Raise InputError for more than MOST_COLUMNS columns: every one is a row of bronze.column_changes."""
    if columns > MOST_COLUMNS:
        raise InputError(where, f"at most {MOST_COLUMNS} columns", str(columns))


def judged(form: Form, source: SourceSettings, known: Known) -> Iterator[tuple[Change, Policy]]:
    """Each change of a file that is written down, and what is done: `evolve` or `quarantine`; `known` learns of it.

    Raises InputError where the settings refuse one, or for more than MOST_COLUMNS columns.
    """
    check_count(form.where, len(form.kinds))
    read = read_columns(source)
    found = changes(form.kinds, source, known, read)
    refused = [c for c in found if _policy(c, source, read) == "refuse"]
    if refused:
        raise InputError(form.where, *_refusal(refused, form, source))
    for change in found:
        policy = _policy(change, source, read)
        if policy == "ignore":
            continue
        if change.change != "first":
            log.warning("%s: column %s of source %s is %s (%s)", form.where, change.column, source.name, change.change,
                        policy)  # fmt: skip
        if policy == "evolve":
            known.learn(change)
        yield change, policy


def changes(kinds: dict[str, str], source: SourceSettings, known: Known, read: set[str]) -> list[Change]:
    """How a file's columns differ from the known ones: gone, of another kind, in another order, renamed, new."""
    own = {alias: name for name, names in known.aliases.items() for alias in names}
    # A column under a later name of its own counts as itself, unless both names are there.
    form = {own[c] if c in own and own[c] not in kinds else c: kind for c, kind in kinds.items()}
    # A source's first file is compared with what the expressions read: all else in it is as it should be.
    expected = [*known.kinds, *sorted(read - set(known.kinds) - known.gone)]
    absent = [c for c in expected if c not in form and c not in source.optional]
    extra = {spelling(c): c for c in form if c not in known.kinds and c not in read}
    renamed = {extra[spelling(c)]: c for c in absent if spelling(c) in extra}
    found = [Change(c, "missing", known.kinds.get(c)) for c in absent if c not in renamed.values()]
    named = {renamed.get(c, c): kind for c, kind in form.items()}
    both = [c for c in known.kinds if c in named]
    # Text takes anything: a column of item ids is numbers until the first one with a letter.
    found += [Change(c, "retyped", known.kinds[c], named[c]) for c in both
              if named[c] not in (known.kinds[c], UNKNOWN) and known.kinds[c] not in (TEXT, UNKNOWN)]  # fmt: skip
    # The first value in a column that had none so far is no change.
    found += [Change(c, "first", None, named[c]) for c in both if known.kinds[c] == UNKNOWN != named[c]]
    order = [c for c in named if c in known.kinds]
    if order != both and source.format != "jsonl":
        moved = next(was for was, now in zip(both, order, strict=True) if was != now)
        found.append(Change(moved, "reordered", json.dumps(both), json.dumps(order)))
    word, before = "new" if known.kinds else "first", None
    for name, kind in form.items():
        if name in renamed:
            found.append(Change(renamed[name], "renamed", before, name))
        elif name not in known.kinds:
            found.append(Change(name, word, before, kind))
        before = renamed.get(name, name)
    return found


def _policy(change: Change, source: SourceSettings, read: set[str]) -> Policy:
    """What is done about a change: what the settings say, but where nobody reads the column nothing is at stake."""
    if change.change == "first":
        return "evolve"
    policy = source.policy(change.change)
    harmless = change.change in ("missing", "renamed", "retyped") and change.column not in read
    return "evolve" if harmless and policy in ("refuse", "quarantine") else policy


def _refusal(refused: Sequence[Change], form: Form, source: SourceSettings) -> tuple[str, str]:
    """What was expected and what was found: of all that is missing, else of the first change."""
    names, change = ", ".join(form.kinds)[:200], refused[0]
    missing = [c.column for c in refused if c.change == "missing"]
    if missing:
        return f"the columns {', '.join(missing)} (delimiter {source.delimiter!r})", names
    if change.change == "renamed":
        return f"the column {change.column}", f"{change.found} (if it is the same: aliases or drift.renamed)"
    if change.change == "retyped":
        return f"{change.was} in column {change.column}", str(change.found)
    if change.change == "reordered":
        return f"the columns in the order {change.was}", str(change.found)
    return f"no new column (drift.new of source {source.name})", change.column
