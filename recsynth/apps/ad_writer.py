"""Who writes an advertisement: sentences of the shop's own, patterns, a language model; the best of them stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recsynth.apps.ad_choice import chosen, descriptions, short_texts
from recsynth.apps.ad_texts import (
    Claim,
    Fact,
    Lexicon,
    Record,
    Template,
    claims,
    forbidden_pattern,
    is_sound,
    pieces,
    thing_of,
)  # fmt: skip
from recsynth.apps.ad_words import PATTERNS, THING, Patterns
from recsynth.apps.answer_templates import SLOT, delexicalised
from recsynth.apps.text_settings import AdSettings
from recsynth.texts import SENTENCE_END

TITLE, DESCRIPTION, HEADLINE, BODY = SLOTS = ("title", "description", "headline", "body")
SENTENCES, BY_PATTERN, BY_MODEL = "sentences", "patterns", "generator"
STARTS = 20
"""Sentences that a description may begin with, of which the best description is kept."""
Write = Callable[[str, int], list[str]]


class Text(NamedTuple):
    """A text that may be shown; see output.ad_copy."""

    slot: str
    variant: int
    text: str
    score: float
    claims: list[Claim]
    written_by: str


@dataclass(frozen=True)
class Book:
    """All that a writer needs beside the record: templates, which words are plain, and what customers look for."""

    lexicon: Lexicon
    titles: list[Template]
    headlines: list[Template]
    bodies: list[Template]
    sentences: list[Template]
    weights: Mapping[str, float]

    @classmethod
    def of(
        cls,
        settings: AdSettings,
        sentences: Sequence[tuple[str, bool]],
        plain: Sequence[str],
        known: Mapping[str, Sequence[str]],
        weights: Mapping[str, float],
    ) -> Book:
        """sentences: (text with slots, whether it began a description), those of the most items first."""
        said = patterns_of(settings)
        plain_text = [SLOT.sub(" | ", text) for text in (*said.titles, *said.headlines, *said.bodies)]
        common = {*plain, "a", "an", *(piece for text in plain_text for piece in pieces(text))}
        lexicon = Lexicon(common, known, settings.forbidden)
        compiled = [[lexicon.template(text, True) for text in texts] for texts in said]
        own = sentences if settings.own_sentences else ()
        found = [lexicon.template(text, is_first) for text, is_first in own if SLOT.search(text)]
        titles, headlines, bodies, shared = ([t for t in some if t] for some in (*compiled, found))
        if shared:
            # A pattern may go on where the shop's own sentences would say again what was said.
            shared += [t._replace(is_first=False) for t in bodies]
        return cls(lexicon, titles, headlines, bodies, shared, weights)


def patterns_of(settings: AdSettings) -> Patterns:
    """The patterns of a shop's settings, the built-in ones where it has none of its own."""
    own = PATTERNS.get((settings.language, settings.tone), Patterns((), (), ()))
    return Patterns(*(tuple(given) or built_in for given, built_in in zip(
        (settings.titles, settings.headlines, settings.bodies), own, strict=True)))  # fmt: skip


def record_of(row: Mapping[Any, Any], settings: AdSettings) -> Record:
    """What may be told of an item, from a row as `records` makes it.

    A value with a forbidden word is left out, so is the part of the title that has one, and so are disputed values.
    """
    forbidden = forbidden_pattern(settings.forbidden)
    title, disputed = row["title"], () if row["disputed"] is None else tuple(row["disputed"])
    facts: dict[str, Fact] = {}
    for field, fact in (
        *((f, Fact(v.strip(), "record")) for f, v in sorted(dict(row["fields"]).items())),
        *((f, Fact(v["value"].strip(), v["found_in"])) for f, v in sorted(dict(row["inferred"] or {}).items())),
    ):
        if fact.value and not (forbidden and forbidden.search(fact.value)):
            facts.setdefault(slot_of(field, settings), fact)
    facts.pop(THING, None)
    thing = thing_of(title, [*disputed, *(f.value for f in facts.values())], forbidden)
    leaf = (row["category"] or "").split(" > ")[-1].strip().lower()
    if thing:
        facts[THING] = Fact(thing, TITLE)
    elif leaf and not (forbidden and forbidden.search(leaf)):
        facts[THING] = Fact(leaf, "record")
    sentences = frozenset(s.strip().lower() for s in SENTENCE_END.split(row["description"]) if s.strip())
    return Record(facts, frozenset(pieces(title)), sentences, disputed)


def slot_of(field: str, settings: AdSettings) -> str:
    """The slot that an attribute fills.

    >>> slot_of("sleeve length", AdSettings())
    'sleeve_length'
    """
    return re.sub(r"\W+", "_", settings.slots.get(field, field))


def sentences_of(description: str, record: Record) -> list[str]:
    """The sentences of a description with the item's facts taken out."""
    whole = [delexicalised(s.strip(), record.values) for s in SENTENCE_END.split(description) if s.strip()]
    return [re.sub(r"\b([Aa])n (?=\{)", r"\1 ", sentence) for sentence in whole]


def texts_of(record: Record, book: Book, settings: AdSettings, write: Write | None = None) -> list[Text]:
    """All texts of an item, the best of each slot first. write: (slot, most characters) to texts of a language model.

    Each is checked, whoever wrote it; a slot for which nothing without fault was written has no text.
    """
    by_pattern = {TITLE: book.titles, HEADLINE: book.headlines, BODY: book.bodies, DESCRIPTION: book.bodies}
    made: list[Text] = []
    for slot, longest in settings.longest.items():
        # Beside a description stands the title, which names the thing.
        is_named = slot == DESCRIPTION and record.facts.keys() != {THING}
        weights = {**book.weights, THING: 0.0} if is_named else book.weights
        written = dict.fromkeys(write(slot, longest) if write else (), BY_MODEL)
        if slot == DESCRIPTION:
            own = descriptions(book.sentences, record, weights, settings.sentences, longest, STARTS)
            written |= dict.fromkeys(own, SENTENCES)
        kept = _sound(written, longest, record, book)
        if slot != DESCRIPTION or not kept:
            # A description of a single pattern is for items of which nobody has written anything that fits.
            kept |= _sound(
                dict.fromkeys(short_texts(by_pattern[slot], record, longest), BY_PATTERN), longest, record, book
            )
        most = settings.variants if slot in (HEADLINE, BODY) else 1
        picked = chosen(kept, record, weights, most, is_spread=slot == DESCRIPTION)
        for variant, (text, worth) in enumerate(picked, 1):
            made.append(Text(slot, variant, text, worth, claims(text, record, book.lexicon), kept[text]))
    return made


def _sound(written: Mapping[str, str], longest: int, record: Record, book: Book) -> dict[str, str]:
    return {t: by for t, by in written.items() if len(t) <= longest and is_sound(t, record, book.lexicon)}
