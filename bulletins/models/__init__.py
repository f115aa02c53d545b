"""Periods, frozen figures and the bulletins that print them (`domain.md` 5.5, 3.14, chapter 6)."""

from .figures import (
    CountedRow,
    Excuse,
    PartOfSnapshot,
    Period,
    Snapshot,
    SnapshotUnit,
    StatValue,
    Submission,
)
from .papers import Bulletin, Edition, Lookup, Series, Wording

__all__ = [
    "Bulletin",
    "CountedRow",
    "Edition",
    "Excuse",
    "Lookup",
    "PartOfSnapshot",
    "Period",
    "Series",
    "Snapshot",
    "SnapshotUnit",
    "StatValue",
    "Submission",
    "Wording",
]
