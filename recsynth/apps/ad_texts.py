"""Texts of an advertisement: made of facts that stand in an item's record, and refused where they say anything else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from recsynth.apps.ad_words import JOINING, THING
from recsynth.apps.answer_templates import SLOT
from recsynth.apps.passages import SENTENCE_END

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# A letter that a word with spaces around it ends before: narrow, as a class with Chinese in it takes long to compile.
_LETTER = "[A-Za-z0-9\u00c0-\u00ff]"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
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
        is_spaced = not re.match(rf"[{_CJK}]", run)
        found += [run] if is_spaced or len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]
    return found


def whole(value: str) -> str:
    """A pattern that finds a value: whole words where words have spaces between them, a letter or two as written."""
    before, after = (f"(?<!{_LETTER})" if value[:1].isascii() else "", f"(?!{_LETTER})" if value[-1:].isascii() else "")
    return f"{before}(?{'i' if len(value) > 2 else ''}:{re.escape(value)}){after}"


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
            parts.append(_trimmed(part.split()))
    best = max(parts, key=len, default="")
    return best.lower() if len(best) > 4 and best.isupper() else best


def _trimmed(words: list[str]) -> str:
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
    parts = [(f"(?<!{_LETTER})" if w.isascii() else "") + re.escape(w) for w in words if w]
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


def score(slots: frozenset[str], record: Record, weights: Mapping[str, float]) -> float:
    """Share of what customers look for in such an item that a text tells, 0 to 1; weights: of each slot."""
    known = sum(weights.get(slot, 0.0) for slot in record.facts)
    return sum(weights.get(slot, 0.0) for slot in slots) / known if known else 0.0


def can_be_told(template: Template, record: Record) -> bool:
    """Whether the record fills a template, and the item's own title or sentence says what else it says."""
    if not template.slots <= record.facts.keys():
        return False
    return template.rare <= record.title or filled(template.text, record.values).lower() in record.sentences


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with values, as a sentence is written.

    >>> filled("a {colour} {thing} for you.", {"colour": "orange", "thing": "mug"})
    'An orange mug for you.'
    """
    text = SLOT.sub(lambda found: values[found.group(1)], template)
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIO][a-z])(?!eu|uni|us)", r"\1n ", text)
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def short_texts(templates: Sequence[Template], record: Record, longest: int) -> Iterator[str]:
    """Templates that the record fills, of at most `longest` characters; what the title names is cut to fit."""
    for template in templates:
        if can_be_told(template, record):
            text = filled(template.text, record.values)
            if len(text) > longest and THING in template.slots:
                room = len(record.values[THING]) - (len(text) - longest)
                cut = cut_at_word(record.values[THING], room)
                text = filled(template.text, {**record.values, THING: cut}) if cut else text
            if 0 < len(text) <= longest:
                yield text


def cut_at_word(text: str, longest: int) -> str:
    """The beginning of a text, whole words alone where it has spaces.

    >>> cut_at_word("white hanging heart of glass", 23)
    'white hanging heart'
    """
    if len(text) <= longest or longest < 1:
        return text if longest >= 1 else ""
    if not text.isascii() and " " not in text:
        return text[:longest]
    return _trimmed(text[: longest + 1].rsplit(None, 1)[0].split()) if " " in text[: longest + 1] else ""


def descriptions(
    templates: Sequence[Template], record: Record, weights: Mapping[str, float], most: int, longest: int, starts: int
) -> Iterator[str]:
    """Texts of at most `most` sentences: each of the first `starts` that may begin one, then what tells most anew."""
    usable = [(t, filled(t.text, record.values)) for t in templates if can_be_told(t, record)]
    for first, text in [pair for pair in usable if pair[0].is_first][:starts]:
        said, slots = [text], set(first.slots)
        while len(said) < most:
            gains = [
                (_gain(t, slots, weights), -place, t, s)
                for place, (t, s) in enumerate(usable)
                if not t.is_first and s not in said and len(" ".join([*said, s])) <= longest
            ]
            gain, _, best, sentence = max(gains, key=lambda g: g[:2], default=(0.0, 0, first, ""))
            if gain <= 0:
                break
            said.append(sentence)
            slots |= best.slots
        joined = (" " if said[0].isascii() else "").join(said)
        if len(joined) <= longest:
            yield joined


def _gain(template: Template, slots: set[str], weights: Mapping[str, float]) -> float:
    """What a further sentence tells anew, less half of what it tells again; naming the thing again costs nothing."""
    new = sum(weights.get(s, 0.0) for s in template.slots - slots)
    return new - 0.5 * sum(weights.get(s, 0.0) for s in (template.slots & slots) - {THING})


def chosen(
    texts: Iterable[str], record: Record, weights: Mapping[str, float], most: int, is_spread: bool = False
) -> list[tuple[str, float]]:
    """At most `most` texts with their scores: the best, then each that is best but unlike those before it.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) by the facts told, half and half; a fact that is
    told again counts against a text. Of equals the longer one, then by alphabet; where `is_spread`, one that differs
    from item to item, so that not all are told of in the same words.
    """
    left = {text: told(text, record) for text in texts}
    own = "/".join(record.values.values())
    order = {
        t: hashlib.sha256(f"{own}/{t}".encode()).hexdigest() if is_spread else f"{10**6 - len(t):07d}" for t in left
    }
    picked: list[tuple[str, float]] = []
    while left and len(picked) < most:

        def worth(text: str) -> float:
            alike = max((_overlap(left[text], told(t, record)) for t, _ in picked), default=0.0)
            return score(left[text], record, weights) - 0.5 * alike - 0.1 * repeats(text, record)

        best = min(left, key=lambda t: (-round(worth(t), 9), order[t], t))
        picked.append((best, round(score(left.pop(best), record, weights), 6)))
    return picked


def repeats(text: str, record: Record) -> int:
    """How many values a text says once more; the thing itself may be named again."""
    patterns = [pattern for slot, pattern in record.patterns.items() if slot != THING]
    return sum(max(0, len(pattern.findall(text)) - 1) for pattern in patterns)


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
