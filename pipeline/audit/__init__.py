"""Whether a dataset's manifest and its files agree, and what is up to date. Refuses to open an image."""

from __future__ import annotations

from pipeline.audit.files import CHECKSUM, LENGTH, MISSING, STRAY, Verdict, verify
from pipeline.audit.outlook import Status, status
from pipeline.audit.telling import status_json, status_lines, verdict_json, verdict_lines

__all__ = [
    "CHECKSUM",
    "LENGTH",
    "MISSING",
    "STRAY",
    "Status",
    "Verdict",
    "status",
    "status_json",
    "status_lines",
    "verdict_json",
    "verdict_lines",
    "verify",
]
