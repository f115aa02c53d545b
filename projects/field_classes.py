"""Who reads which part of a problem that is not theirs (`domain.md` 3.0, design decision 12).

The one table behind the pages, lists, search, exports and endpoints of shared problems. What is in no class
here is for nobody but the parties; a test demands that every column and every kind of part is named.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import cache

from accounts.models import User


class FieldClass(IntEnum):
    """Who reads a field, each class all of those before it."""

    PUBLIC = 1  # everybody who is logged in, when the firm agreed and the problem is solved
    GOVERNMENT = 2  # bureaus everywhere, when the firm opened the problem to them
    PARTIES = 3  # the firm, the bureau line, the institution


PUBLIC, GOVERNMENT, PARTIES = FieldClass
# Columns of `Bottleneck`, and names of what stands in rows beside it.
FIELDS = {
    # What the firm agrees to publish: the title and how it was solved, without the name of the firm.
    "public_id": PUBLIC,
    "title": PUBLIC,
    "chain": PUBLIC,
    "choke": PUBLIC,
    "cause": PUBLIC,
    "nqi_elements": PUBLIC,
    "nqi_gap": PUBLIC,
    "status": PUBLIC,
    "result": PUBLIC,
    "solution": PUBLIC,
    "story": PUBLIC,
    "is_reusable": PUBLIC,
    "resolved_at": PUBLIC,
    # What lets a bureau elsewhere recognise a common problem and ask; a number names the county.
    "code": GOVERNMENT,
    "organization": GOVERNMENT,
    "bureau": GOVERNMENT,
    "handler": GOVERNMENT,
    "list_owner": GOVERNMENT,
    "assigned_to": GOVERNMENT,
    "project": GOVERNMENT,
    "segment": GOVERNMENT,
    "product": GOVERNMENT,
    "symptom": GOVERNMENT,
    "effect": GOVERNMENT,
    "urgency": GOVERNMENT,
    "expected_by": GOVERNMENT,
    "cause_analysis": GOVERNMENT,
    "tried_already": GOVERNMENT,
    "help_wanted": GOVERNMENT,
    "help_text": GOVERNMENT,
    "measures": GOVERNMENT,
    "contact": GOVERNMENT,  # masked
    "grade": GOVERNMENT,
    "is_common": GOVERNMENT,
    "route": GOVERNMENT,
    "due_on": GOVERNMENT,
    "clock_started_on": GOVERNMENT,
    "clock_amber_on": GOVERNMENT,
    "clock_due_on": GOVERNMENT,
    "extended_count": GOVERNMENT,
    "escalated_to": GOVERNMENT,
    "submitted_at": GOVERNMENT,
    "accepted_at": GOVERNMENT,
    "listed_at": GOVERNMENT,
    "status_changed_at": GOVERNMENT,
    "visibility": GOVERNMENT,
    "consent_publish": GOVERNMENT,
    # What could harm the firm or is the business of those who handle it.
    "loss_estimate": PARTIES,
    "loss_basis": PARTIES,
    "economic_effect": PARTIES,
    "economic_basis": PARTIES,
    "refiled_from": PARTIES,
    "refiled_as": PARTIES,
    "merged_into": PARTIES,
    "filer": PARTIES,
    "is_provisional": PARTIES,
    "evidence": PARTIES,
    "follow_ups": PARTIES,
    "spec_waits": PARTIES,
    "opinions": PARTIES,
    "alarms": PARTIES,
    "attachments": PARTIES,
    "transitions": PARTIES,
    "merged_children": PARTIES,
    "key_projects": PARTIES,
    "beneficiaries": PARTIES,
    "listed_rows": PARTIES,
    "id": PARTIES,
    "version": PARTIES,
    "created_at": PARTIES,
    "created_by": PARTIES,
    "updated_at": PARTIES,
    "is_test": PARTIES,
    "voided_at": PARTIES,
    "void_reason": PARTIES,
}


@cache
def open_to(reader: FieldClass) -> frozenset[str]:
    """The fields that a reader of this class reads."""
    return frozenset(name for name, needed in FIELDS.items() if needed <= reader)


def is_open(paths: Iterable[str], reader: FieldClass) -> bool:
    """Whether a reader may see something made of these columns (``organization__name``)."""
    return all(path.split("__")[0] in open_to(reader) for path in paths)


def reader_of(user: User) -> FieldClass:
    """As what the user reads a problem of which it is no party."""
    return GOVERNMENT if user.scope.is_of_bureau else PUBLIC
