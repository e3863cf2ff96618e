"""One seed for the whole night, and named sub-seeds for whatever draws at random."""

from __future__ import annotations

import hashlib


def sub_seed(seed: int, *names: object) -> int:
    """Derive a seed for one purpose, the same on every machine and for every order of calls.

    >>> sub_seed(1, "als") == sub_seed(1, "als"), sub_seed(1, "als") == sub_seed(1, "ranker")
    (True, False)
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
