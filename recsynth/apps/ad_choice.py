"""Texts that may be shown of an item, made of templates, and which of them are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from recsynth.apps.ad_texts import Record, Template, is_spaceless, told, trimmed
from recsynth.apps.ad_words import THING
from recsynth.apps.answer_templates import SLOT


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
    if is_spaceless(text):
        return text[:longest]
    return trimmed(text[: longest + 1].rsplit(None, 1)[0].split()) if " " in text[: longest + 1] else ""


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
                if not t.is_first and s not in said and len(joined([*said, s])) <= longest
            ]
            gain, _, best, sentence = max(gains, key=lambda g: g[:2], default=(0.0, 0, first, ""))
            if gain <= 0:
                break
            said.append(sentence)
            slots |= best.slots
        if len(joined(said)) <= longest:
            yield joined(said)


def joined(sentences: Sequence[str]) -> str:
    """Sentences as one text, a space between them but after a full stop that needs none.

    >>> joined(["A café mug.", "It is red."]), joined(["这是马克杯。", "红色。"])
    ('A café mug. It is red.', '这是马克杯。红色。')
    """
    return "".join(s if s.endswith(("。", "！", "？")) else f"{s} " for s in sentences).strip()


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


def score(slots: frozenset[str], record: Record, weights: Mapping[str, float]) -> float:
    """Share of what customers look for in such an item that a text tells, 0 to 1; weights: of each slot."""
    known = sum(weights.get(slot, 0.0) for slot in record.facts)
    return sum(weights.get(slot, 0.0) for slot in slots) / known if known else 0.0


def repeats(text: str, record: Record) -> int:
    """How many values a text says once more; the thing itself may be named again."""
    patterns = [pattern for slot, pattern in record.patterns.items() if slot != THING]
    return sum(max(0, len(pattern.findall(text)) - 1) for pattern in patterns)


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
