"""Which people are for training, which for validation, which for testing, where a release does not say.

A person's split is a function of the id alone: other people, their order, the machine and the day do not
change it, so a data folder that grows never moves anybody.
"""

from __future__ import annotations

import hashlib

from pipeline.config import SplitShares

_ONE = 1 << 64


def split_of(subject: str, shares: SplitShares) -> str:
    """The split of a subject: the first 8 bytes of its id's SHA-256, as a part of 1, among shares."""
    digest = hashlib.sha256(subject.encode("utf-8", "surrogateescape")).digest()
    place = int.from_bytes(digest[:8], "big") / _ONE
    if place < shares.train:
        return "train"
    return "val" if place < shares.train + shares.val or not shares.test else "test"
