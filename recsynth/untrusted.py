"""Texts of strangers, as a person or a model may be shown them."""

from __future__ import annotations

import re

# Controls but tab and line feed; what turns the direction of reading; what has no width, the joiners of emoji, Arabic
# and Indic writing apart; and the tag characters, which only a model reads (Unicode Technical Standards 39 and 55).
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)

# Ends of lines that are none in most editors and logs.
_LINES = str.maketrans("\x85\u2028\u2029", "   ")


def visible(text: str) -> str:
    """The text without the characters that hide a part of it or show it in another order than it has.

    >>> visible("mug\\u202e exe.gpj"), visible("a\\u200bb\\x00"), visible("👩\\u200d🚀 杯")
    ('mug exe.gpj', 'ab', '👩\\u200d🚀 杯')
    """
    return _HIDDEN.sub("", text.translate(_LINES))
