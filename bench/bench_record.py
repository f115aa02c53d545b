"""Filing a problem as it is done: draft, answers and submission, each in a transaction of its own."""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

from accounts.models import FILING_ROLES, User
from bench.harness import Sides, benchmark
from projects import services
from projects.models import Bottleneck, Measure
from record import recording

FILINGS = 20


def filings(filer: User, pattern: Bottleneck) -> None:
    """What a firm does for a new problem, with the answers of one that it has filed before."""
    firm = next(grant.organization for grant in filer.grants_of(*FILING_ROLES))
    names = ("chain", "segment", "product", "title", "choke", "symptom", "effect", "urgency", "cause",
             "nqi_elements", "help_wanted")  # fmt: skip
    values = {name: getattr(pattern, name) for name in names}
    measures = list(Measure.objects.filter(bottleneck=pattern).values(
        "metric", "unit", "value_now", "comparison", "target"))  # fmt: skip
    contact = {"name": pattern.contact.name, "phone": pattern.contact.phone}
    for _n in range(FILINGS):
        row = services.draft_for(filer, firm, uuid.uuid4())
        row = services.revise(row, by=filer, version=row.version, values=values)
        row = services.revise(row, by=filer, version=row.version, values={}, measures=measures)
        row = services.revise(row, by=filer, version=row.version, values={}, contact=contact)
        services.move(row, "submit", by=filer)


def in_silence(work: Callable[[], None]) -> None:
    """The same without record and without notices."""
    with ExitStack() as silence:
        for watched in recording.WATCHED.values():
            plain = watched.model.save_base.__wrapped__  # type: ignore[attr-defined]
            silence.enter_context(patch.object(watched.model, "save_base", plain))
        silence.enter_context(patch.object(recording, "store", lambda *args, **kwargs: None))
        silence.enter_context(patch.object(services.notices, "tell_of_move", lambda *args: None))
        work()


@benchmark(most=1.25, rounds=7)
def filing_recorded() -> Sides:
    """With record and notices against without."""
    filer = User.objects.get(username="filer")
    firm = next(grant.organization for grant in filer.grants_of(*FILING_ROLES))
    pattern = Bottleneck.objects.filter(organization=firm).exclude(status="draft")[0]

    def work() -> None:
        filings(filer, pattern)

    return Sides(subject=work, floor=lambda: in_silence(work), units=FILINGS)
