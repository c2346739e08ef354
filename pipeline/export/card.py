"""What an export says of itself, in its README.md: what is there, and how it is to be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Protocol

from pipeline.export.chosen import SPLITS, Choice, Row
from pipeline.export.plan import Plan, Shard


class Form(Protocol):
    """How shards are called, what is in them, and what is said of them."""

    def name(self, shard: Shard) -> str:
        """A shard's place in the export's folder."""

    def write(self, stream: BinaryIO, rows: Iterable[Row]) -> None:
        """One shard."""

    def header(self, shards: Iterable[Shard]) -> str:
        """What programs read at the start of the card."""

    def card(self, shards: Iterable[Shard]) -> str:
        """What its readers must know."""


def card_of(form: Form, choice: Choice, planned: Plan) -> str:
    """The card: what programs read, counts, the form's own words, how depth is to be read, the licence."""
    facts = choice.manifest.facts
    rows = "".join(
        f"| {split} | {planned.views(split)} | {sum(s.split == split for s in planned.shards)} |\n"
        for split in SPLITS
    )
    note = " ".join(facts.licence.split()) or "nothing"
    return (
        f"{form.header(planned.shards)}# {facts.dataset}\n\n"
        f"Views of human scans, drawn by scan2k {facts.code_version}.\n\n"
        f"| split | views | shards |\n|---|---|---|\n{rows}\n"
        f"{form.card(planned.shards)}\n{_READING}\n"
        f"## Licence\n\nNoted in the manifest:\n\n> {note}\n{_LICENCE}"
    )


_READING = """\
## Numbers

Where `depth_coding` is `uint16`, a stored value s > 0 is a length of
(s - depth_offset) / depth_scale + depth_near along the pixel's ray, and 0 is nothing. Matrices are lists of
their numbers, row by row. What every column means stands in the manifest's own metadata and in scan2k's
docs/manifests.md.
"""
_LICENCE = """
The images show the scans they were drawn from. Whether they may be passed on is for the scans' own terms to
say; this card grants nothing.
"""
