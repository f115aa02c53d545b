"""What is recorded of changes to periods, frozen figures and bulletins.

Working roll-ups come and go by themselves and decide nothing; the figures follow from their snapshot.
"""

from bulletins.models import Bulletin, Edition, Excuse, Period, Series, Snapshot, Submission, Wording
from common.jobs import Job
from record.recording import watch

JOB = [field.name for field in Job._meta.get_fields()]


def declare() -> None:
    watch(Period)
    watch(
        Snapshot,
        topic="period",
        ignored=[*JOB, "created_at", "created_by", "is_live", "basis"],
        when=_is_frozen,
    )
    watch(Submission, path=["bureau__path"], ignored=["figures", "counted_at"])
    watch(Excuse, path=["bureau__path"])
    watch(Bulletin, path=["bureau__path"], ignored=[*JOB, "public_id", "created_at", "created_by", "hands"])
    watch(Wording, topic="bulletin", ignored=["edited_at"])
    watch(Series, path=["bureau__path"], ignored=["created_at", "created_by"])
    watch(Edition, topic="series", ignored=[*JOB, "created_at"])


def _is_frozen(snapshot: Snapshot) -> bool:
    return snapshot.version > 0
