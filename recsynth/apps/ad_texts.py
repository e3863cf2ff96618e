"""Texts of an advertisement: made of facts that stand in an item's record, and refused where they say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from recsynth.apps.ad_words import JOINING
from recsynth.apps.answer_templates import SLOT
from recsynth.texts import SENTENCE_END

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# What ends a Latin word: narrow, as a class with Chinese in it takes long to compile, and Chinese may stand beside it.
_LATIN = "[A-Za-z0-9\u00c0-\u00ff]"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_SPACELESS = re.compile(f"[{_CJK}]")
_GAP, WORDS = " | ", "words"
"""WORDS: the field of a claim that is no field of the record, but stands in the item's own title or description."""


class Fact(NamedTuple):
    """A value of a field, and where it stands: `record`, `title` or `description`."""

    value: str
    found_in: str


@dataclass(frozen=True)
class Record:
    """All that may be told of an item.

    facts: by slot; title: its pieces; sentences: of the item's own description, in lower case, which may be said word
    for word; disputed: values of which record and words disagree, told by nobody.
    """

    facts: Mapping[str, Fact]
    title: frozenset[str] = frozenset()
    sentences: frozenset[str] = frozenset()
    disputed: tuple[str, ...] = ()

    @cached_property
    def values(self) -> dict[str, str]:
        """Slot to value."""
        return {slot: fact.value for slot, fact in self.facts.items()}

    @cached_property
    def patterns(self) -> dict[str, re.Pattern[str]]:
        """Slot to what finds its value."""
        return {slot: re.compile(whole(value)) for slot, value in self.values.items()}

    @cached_property
    def any_value(self) -> re.Pattern[str] | None:
        """What finds any of the values, the longest first."""
        return any_of(self.values.values())

    @cached_property
    def any_disputed(self) -> re.Pattern[str] | None:
        """What finds any of the disputed values."""
        return any_of(self.disputed)

    def rest(self, text: str) -> str:
        """A text without the values."""
        return self.any_value.sub(_GAP, text) if self.any_value else text


class Claim(NamedTuple):
    """What a text says of an item, of which field, and where it stands."""

    text: str
    field: str
    found_in: str


class Template(NamedTuple):
    """A sentence with slots. rare: pieces that say something of an item, told only of one whose own words say it."""

    text: str
    is_first: bool
    slots: frozenset[str]
    rare: frozenset[str]


def pieces(text: str) -> list[str]:
    """What a text is compared by: words in lower case, and pairs of characters of a language without spaces.

    >>> pieces("Red mug, 马克杯")
    ['red', 'mug', '马克', '克杯']
    """
    found = []
    for run in _RUN.findall(text.lower()):
        found += [run] if not is_spaceless(run) or len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]
    return found


def whole(value: str) -> str:
    """A pattern that finds a value: whole words where words have spaces between them, a letter or two as written.

    >>> [bool(re.search(whole(v), t)) for v, t in (("red", "Redwood"), ("red", "红red"), ("кот", "который"))]
    [False, True, False]
    """
    before, after = _edge(value[:1]), _edge(value[-1:])
    start, end = (f"(?<!{before})" if before else "", f"(?!{after})" if after else "")
    return f"{start}(?{'i' if len(value) > 2 else ''}:{re.escape(value)}){end}"


def _edge(character: str) -> str:
    """What may not stand beside this end of a word; nothing in a language without spaces."""
    if is_spaceless(character):
        return ""
    return _LATIN if character.isascii() or re.match(_LATIN, character) else r"\w"


def is_spaceless(text: str) -> bool:
    """Whether a text begins in a script without spaces between words."""
    return _SPACELESS.match(text) is not None


def any_of(values: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of the values, the longest first; None where there are none."""
    ordered = sorted({v for v in values if v}, key=lambda v: (-len(v), v))
    return re.compile("|".join(map(whole, ordered))) if ordered else None


def thing_of(title: str, values: Iterable[str], forbidden: re.Pattern[str] | None = None) -> str:
    """What a title names once the values are taken out of it: its longest part, without joining words at its ends.

    >>> thing_of("Ora red stoneware mug, small", ["Ora", "red", "stoneware", "small"])
    'mug'
    >>> thing_of("WHITE HANGING HEART T-LIGHT HOLDER", [])
    'white hanging heart t-light holder'
    """
    parts = []
    taken = any_of(values)
    for part in re.split(r"[^\w\s'’&/-]+", taken.sub(_GAP, title) if taken else title):
        if forbidden is None or not forbidden.search(part):
            parts.append(trimmed(part.split()))
    best = max(parts, key=len, default="")
    return best.lower() if len(best) > 4 and best.isupper() else best


def trimmed(words: list[str]) -> str:
    """Words without those at the ends that only join them to others."""
    while words and (words[0].lower() in JOINING or not re.search(r"\w", words[0])):
        words = words[1:]
    while words and (words[-1].lower() in JOINING or not re.search(r"\w", words[-1])):
        words = words[:-1]
    return " ".join(words)


class Lexicon:
    """Which words may be in a text: plain ones, which say nothing of an item; no forbidden ones, no other's values."""

    def __init__(self, plain: Iterable[str], known: Mapping[str, Sequence[str]], forbidden: Sequence[str]) -> None:
        """plain: pieces; known: for each slot the values of any item; forbidden: beginnings of words."""
        self.plain = frozenset(plain)
        self.forbidden = forbidden_pattern(forbidden)
        self._values: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
        for slot, values in sorted(known.items()):
            for value in values:
                parts = tuple(pieces(value))
                # A letter or two, as in sizes, is by chance in any text.
                if parts and (len(value) > 2 or not value.isascii()):
                    self._values.setdefault(parts[0], []).append((parts, slot, value))
        # A character alone is a piece only where no other stands beside it.
        self._single = sorted(c for c in self._values if len(c) == 1 and not c.isascii())

    def values_in(self, text: str) -> list[tuple[str, str]]:
        """(slot, value) for each known value of any item in a text."""
        found, there = [], pieces(text)
        for at, piece in enumerate(there):
            for parts, slot, value in self._values.get(piece, ()):
                if tuple(there[at : at + len(parts)]) == parts:
                    found.append((slot, value))
        return found + [(self._values[c][0][1], c) for c in self._single if c in text]

    def rare(self, text: str) -> frozenset[str]:
        """Pieces of a text that say something of an item."""
        return frozenset(pieces(text)) - self.plain

    def template(self, text: str, is_first: bool) -> Template | None:
        """A sentence as a template; None where it may be told of no item."""
        said = SLOT.sub(_GAP, text)
        if (self.forbidden and self.forbidden.search(said)) or self.values_in(said):
            return None
        return Template(text, is_first, frozenset(SLOT.findall(text)), self.rare(said))


def forbidden_pattern(words: Sequence[str]) -> re.Pattern[str] | None:
    """Finds a word that begins with any of these, anywhere where words have no spaces between them."""
    edges = [(_edge(w[0]), w) for w in words if w]
    parts = [(f"(?<!{edge})" if edge else "") + re.escape(w) for edge, w in edges]
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def faults(text: str, record: Record, lexicon: Lexicon) -> list[str]:
    """What is wrong with a text: forbidden words, values of other items, numbers and words that stand nowhere.

    Whoever wrote it: a sentence of the shop's own, a pattern, or a language model. Words of the title may be used as
    they are; those of the description only in its own sentence, word for word: `not dishwasher safe` has the words
    of its contrary.
    """
    found = [f"forbidden: {w}" for w in lexicon.forbidden.findall(text)] if lexicon.forbidden else []
    found += [f"disputed: {w}" for w in record.any_disputed.findall(text)] if record.any_disputed else []
    for sentence in SENTENCE_END.split(text):
        rest, is_own = record.rest(sentence), sentence.strip().lower() in record.sentences
        found += [
            f"{slot} is not {value}"
            for slot, value in lexicon.values_in(rest)
            if slot in record.facts or not (is_own or set(pieces(value)) <= record.title)
        ]
        if not is_own:
            found += [f"stands nowhere: {w}" for w in sorted(lexicon.rare(rest) - record.title)]
    return found


def claims(text: str, record: Record, lexicon: Lexicon) -> list[Claim]:
    """All that a text without faults says of the item, each with where it stands."""
    held = {slot: record.facts[slot] for slot in told(text, record)}
    rest = lexicon.rare(record.rest(text))
    return [*(Claim(f.value, slot, f.found_in) for slot, f in sorted(held.items())),
            *(Claim(w, WORDS, "title" if w in record.title else "description") for w in sorted(rest))]  # fmt: skip


def is_sound(text: str, record: Record, lexicon: Lexicon) -> bool:
    """Whether a text says something of the item, and nothing that is at fault."""
    return bool(text) and not faults(text, record, lexicon) and bool(claims(text, record, lexicon))


def told(text: str, record: Record) -> frozenset[str]:
    """Slots whose values a text holds."""
    return frozenset(slot for slot, pattern in record.patterns.items() if pattern.search(text))
