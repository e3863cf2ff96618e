"""Java regular expressions of words, whatever is in them, in languages with spaces between words and without."""

from __future__ import annotations

from collections.abc import Sequence

_LETTER = r"[\p{L}\p{N}]"


def literal(text: str) -> str:
    """A text as it stands, whatever is in it."""
    return "\\Q" + text.replace("\\E", "") + "\\E"


def whole_words(words: Sequence[str]) -> str:
    """Finds any of the words: whole ones where words have spaces between them.

    >>> whole_words(["fit", "尺寸"])
    '(?i)(?<![\\\\p{L}\\\\p{N}])(?:\\\\Qfit\\\\E)(?![\\\\p{L}\\\\p{N}])|\\\\Q尺寸\\\\E'
    """
    return _any_of(words, rf"(?!{_LETTER})")


def word_beginnings(words: Sequence[str]) -> str:
    """Finds a word that begins with any of these; anywhere, where words have no spaces between them.

    >>> word_beginnings(["diabet"])
    '(?i)(?<![\\\\p{L}\\\\p{N}])(?:\\\\Qdiabet\\\\E)'
    """
    return _any_of(words, "")


def _any_of(words: Sequence[str], end: str) -> str:
    spaced = [literal(w) for w in words if w.isascii()]
    parts = [rf"(?i)(?<!{_LETTER})(?:{'|'.join(spaced)}){end}"] if spaced else []
    return "|".join([*parts, *(literal(w) for w in words if not w.isascii())])
