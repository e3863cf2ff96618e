"""The page of all settings, made from their declarations: python -m recsynth.settings_page > conf/README.md."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic.fields import FieldInfo

from recsynth.checks.settings import WORDS, RuleSettings
from recsynth.section import Section
from recsynth.settings import Settings
from recsynth.source import COLUMNS, REQUIRED, SourceSettings
from recsynth.tables.silver import EVENT_TYPES

# What the examples say is checked by tests/test_conf.py; words in angle brackets are filled in by `page`.
HEAD = """\
# Settings

Made by `python -m recsynth.settings_page > conf/README.md` from the declarations in `recsynth/**/settings.py` and
`recsynth/source.py`; edit those, not this page.

## How a night is configured

One TOML file says everything: `--config FILE`. What the file leaves out has the default of the tables below. An
unknown key, a wrong type or a value out of range ends the job with exit code 2 and one line that names the file, the
key, what was expected and what was found; nothing is read or written before.

`--set section.key=value` changes one setting for one run and may be given many times; it wins over the file. The
value is read as TOML, and as plain text where it is no TOML: `--set seed=7`, `--set training.enabled=false`,
`--set paths.lake=data/other_lake`, `--set gold.event_weights='{ purchase = 1.0, cart = 0.3 }'`. A list such as
`sources` can be replaced whole, not entry by entry. Keys of `spark.extra` have dots, so give the table whole:
`--set 'spark.extra={ "spark.ui.enabled" = "false" }'`.

Relative paths are taken from the folder in which the job is started. Paths are of a file system that the driver and
every executor see under the same name. `paths` and `spark` shape no table, `checks` only judge them; a change of any
other setting makes the next run do the stages of a date anew.

| file | what it is |
|---|---|
| `default.toml` | the simulated shop at the scale of `make nightly`; the landing folder is simulated if it is absent |
| `tiny.toml` | the same shop with few users and little training, for tests and a first look |
| `online_retail.toml` | a real shop's invoices (Online Retail, UCI, CC BY 4.0), a CSV a day: a worked example |
| `models/minilm.toml` | no shop: the space in which `jobs/tune.py` searches for settings of `[training]` |

## How to map a source

Each `[[sources]]` entry is one kind of file or table that the shop delivers. Every field arrives as text, whatever its
type was; `columns` gives each of our columns a Spark SQL expression over theirs. The job then parses times, numbers
and prices itself and sets aside, with a reason, a row whose value cannot be parsed.

```toml
shop_time_zone = "Europe/London"

[[sources]]
name = "orders"
kind = "events"
format = "csv"
path = "orders/*.csv"            # a glob below paths.landing
time_zone = "Europe/London"      # of times without an offset
optional = ["Voucher"]           # a file may lack this column; it reads as null
drift = { renamed = "evolve", retyped = "quarantine" }

[sources.columns]
user_id = "CustomerID"
item_id = "upper(trim(StockCode))"
event_type = "Action"
ts = "OrderedAt"
price = "UnitPrice"
currency = "coalesce(Voucher, 'GBP')"
order_id = "OrderNo"

[sources.event_types]            # their word = "ours"; a word not listed stands for itself
BUY = "purchase"
RETURNED = "return"

[sources.filters]                # a row for which the condition is not true is set aside as `filtered: <name>`
not_postage = "StockCode <> 'POST'"

[sources.item_columns]           # an order line also describes its item
title = "Description"
```

- `kind = "events"`: needs <events>. All columns: <events columns>. `event_type` is, after `event_types`, one of
  <event_types>. Without `event_id` a row is known by its content: the same row twice is one event with `copies` = 2.
- `kind = "items"`: needs <items>. All columns: <items columns>. `category` is an array, `image_vector` one of
  `silver.image_size` numbers, `attributes` a map:
  `split(category, ' > ')`, `map('colour', colour)`. `seen_date` is the day on which the record held; without it, the
  day on which the run started that cleaned the file, so a backfill does not see it.
- `kind = "tickets"`: needs <tickets>. All columns: <tickets columns>. A later row of the same ticket, say with its
  answer, takes the place of the earlier one. `answer` and `intent` count as known from `answered_at` on; without it,
  from `ts` on, so map it if an agent writes them later.
- `kind = "policies"`: needs <policies>. All columns: <policies columns>. What the shop tells everybody; `seen_date` as
  for items.
- `kind = "promotions"`: needs <promotions>. All columns: <promotions columns>. Which items are, were or will be on
  promotion, both days included; `seen_date` as for items. A later row of the same promotion and item takes the place of
  the earlier one, so days can be moved, and `is_cancelled = true` calls it off. A shop with such a source names all its
  promotions in it: without one, a price far below the usual one counts as a promotion.
- `kind = "posts"`: needs <posts>. All columns: <posts columns>. What people write in public, or a complaint; `text`
  may be null where `sentiment` (positive, neutral, negative) is told, so `sentiment = "'negative'"` makes complaints of
  all rows. `topic` and `sentiment` count as known from `labelled_at` on; without it, from `ts` on. A later row of the
  same post takes the place of the earlier one; without `post_id` a row is known by its content.
- `item_columns` (events only): the same item columns, from event rows; the record is dated by its event.
- `_path` in an expression is the file's path below the landing folder: `regexp_extract(_path, '([0-9-]{10})', 1)`.
- CSV and Parquet files must have every column that an expression names, unless `optional` lists it; else the run ends
  with exit code 3 before anything is written. A JSON Lines row says its own fields, and those it lacks are null.
- `aliases` gives a column its other names: `aliases = { UnitPrice = ["Price"] }`. `[sources.drift]` says what becomes
  of a file whose columns are new, missing, renamed, retyped or reordered against the files before; each change is
  written to `bronze.column_changes` and told in the page of the night.
- `format = "delta"` takes an absolute folder and `format = "table"` a catalogue name in `path`; each night lands the
  rows that are new since the last.
- `ts` is ISO 8601 unless `time_format` gives a Spark datetime pattern. An offset in the text wins over `time_zone`.

## How to say what a night must keep

`check`, the last stage, judges rules on the finished tables of the night before readers see them, and writes what it
found to `ops.checks`. A night that breaks a rule of `on_failure = "hold"` is done but not published: readers stay on
the night before, the job ends with exit code 9 and names the rules, the page says what was found. Our own rules stand
in `recsynth/checks/rules.toml`; `checks.without` leaves some of them out, and a rule of the same name takes the place
of one. Run the date again with `--set checks.hold=false` to publish it all the same: only `check` is done anew.

```toml
[[checks.rules]]
name = "prices_are_plausible"    # no more than one purchase in a thousand
table = "silver.events"
kind = "range"
columns = ["price"]
where = "event_type = 'purchase'"
days = 7
min = 0.01
max = 5000
at_most = 0.001

[[checks.rules]]
name = "sellers_keep_their_share"
table = "output.recommendations"
kind = "figure"
expression = "avg(if(item_id like 'M%', 1, 0))"
fall = 0.5                       # no less than half of what it mostly is
on_failure = "hold"
```

<rule kinds>

Rules on rows (the first seven) fail where the share of broken rows is above `at_most`, and `ops.checks` gives the SQL
condition that finds them. A figure may lie within fixed bounds, or near the median of the last `checks.nights` good
nights: those of which no rule that holds failed. What has no rows, or too few nights before it, is `not judged`.

## Every setting
"""


# Sections of which a file has any number.
ENTRIES: dict[type[Section], str] = {SourceSettings: "sources", RuleSettings: "checks.rules"}


def page() -> str:
    """The whole of conf/README.md: how configuration works, then a table of each section."""
    words = {
        **{kind: _code(required) for kind, required in REQUIRED.items()},
        **{f"{kind} columns": _code(get_args(columns)) for kind, columns in COLUMNS.items()},
        "event_types": _code(EVENT_TYPES),
        "rule kinds": "\n".join(_kind(kind, *words) for kind, words in WORDS.items()),
    }
    head = HEAD
    for word, text in words.items():
        head = head.replace(f"<{word}>", text)
    sections: list[tuple[str, type[Section]]] = [*_sections(Settings, "")]
    for section, name in ENTRIES.items():
        sections += [(f"[{name}]", section), *list(_sections(section, name))[1:]]
    return "\n".join([head, *(_section(name, section) for name, section in sections)])


def _kind(kind: str, needed: set[str], further: set[str]) -> str:
    may = f"; may have {_code(tuple(sorted(further)))}" if further else ""
    return f"- `{kind}`: needs {_code(tuple(sorted(needed)))}{may}."


def _sections(section: type[Section], prefix: str) -> Iterator[tuple[str, type[Section]]]:
    yield prefix, section
    for name, field in section.model_fields.items():
        if (inner := _inner(field)) is not None:
            yield from _sections(inner, f"{prefix}.{name}".strip("."))


def _section(name: str, section: type[Section]) -> str:
    title = f"### `[{name}]`" if name else "### Outside any section"
    head = [
        title,
        "",
        (section.__doc__ or "").strip(),
        "",
        "| setting | type | default | meaning |",
        "|---|---|---|---|",
    ]
    rows = [_row(key, field) for key, field in section.model_fields.items() if _inner(field) is None]
    # A section of sections alone has no table.
    return "\n".join([*(head if rows else head[:3]), *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    limits = "".join(f", {limit}" for limit in _limits(field))
    cells = (f"`{name}`", f"{_type(field.annotation)}{limits}", _default(field), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _inner(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds; None where it holds a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _type(kind: Any) -> str:
    """A type in the words of TOML.

    >>> _type(dict[str, float]), _type(list[str]), _type(Literal["en", "zh"])
    ('table of numbers', 'list of text', '`"en"` or `"zh"`')
    """
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{_toml(value)}`" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(one) for one in inside if one is not types.NoneType)
    if origin is dict:
        return f"table of {_plural(inside[1])}"
    if origin is list:
        return f"list of {_plural(inside[0])}"
    return {str: "text", int: "integer", float: "number", bool: "true or false", date: "date"}[kind]


def _plural(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Section):
        return f"`[[{ENTRIES[kind]}]]` entries"
    return {"text": "text", "number": "numbers", "integer": "integers"}.get(_type(kind), _type(kind))


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        match limit:
            case Ge(ge=value):
                yield f">= {value}"
            case Gt(gt=value):
                yield f"> {value}"
            case Le(le=value):
                yield f"<= {value}"
            case Lt(lt=value):
                yield f"< {value}"
            case MinLen(min_length=1):
                yield "not empty"
            case _ if getattr(limit, "pattern", None):
                yield f"like `{limit.pattern}`"
            case _:
                raise ValueError(f"expected a limit that the page can say, found {limit!r}")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    return "none" if default is None else f"`{_toml(default)}`"


def _toml(value: Any) -> str:
    r"""A value as TOML writes it.

    >>> _toml(True), _toml(20000), _toml(0.5), _toml({"a": 1.0, "色": 2}), _toml("\\d")
    ('true', '20_000', '0.5', '{ a = 1.0, "色" = 2 }', "'\\d'")
    """
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:_}" if value < 10_000_000 else str(value)  # a seed is a name, not a quantity
        case dict():
            return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }" if value else "{}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return _text(value)
        case _:
            return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    if "\\" not in value and '"' not in value:
        return f'"{value}"'
    return f"'''{value}'''" if "'" in value else f"'{value}'"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(page(), end="")
