"""Where the number of a piece of evidence can be looked up; one class for each place.

The reports that institutions lodge here are the first. An external platform is one more class with a name and
`look_up`, put into `REGISTRIES`; the first that knows a number answers.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from django.db.models import Min, Q
from django.utils import timezone

from enterprises.models import Organization
from projects.models import Evidence, InspectionReport
from projects.numbers import tidy

State = Evidence.VerifyState
# Reports reach registers late: one that is not found so soon after its issue is waited for (`domain.md` 7).
LAG = timedelta(days=90)
# Brackets as Chinese names are written with them.
_FULL_WIDTH = {ord("("): 0xFF08, ord(")"): 0xFF09}


@dataclass(frozen=True)
class Answer:
    """What a place says. ``why`` is the code of a sentence, ``values`` what stands in it."""

    state: str
    why: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def detail(self) -> dict[str, Any]:
        return {"why": self.why, **self.values}


class Registry(Protocol):
    name: str

    def look_up(self, evidence: Evidence) -> Answer | None:
        """None when this place cannot know: somebody else has to look."""


class Portal:
    """The reports that institutions lodged on this portal."""

    name = "portal"

    def look_up(self, evidence: Evidence) -> Answer | None:
        if evidence.kind != Evidence.Kind.TEST_REPORT:
            return None
        reports = InspectionReport.objects.judged("compared with evidence")
        lodged = reports.filter(institution__in=list(self._institutions(evidence)))
        known = lodged.select_related("replaced_by", "institution")
        if report := known.filter(report_no__iexact=evidence.number).first():
            return self._compared(evidence, report)
        began = lodged.aggregate(first=Min("lodged_at"))["first"]
        if began is None or evidence.issued_on < timezone.localdate(began):
            # It lodges none, or has begun after this report was issued.
            return None
        if evidence.issued_on > timezone.localdate() - LAG:
            return Answer(State.PENDING, "not_yet")
        return Answer(State.NOT_FOUND, "not_found")

    def _institutions(self, evidence: Evidence) -> Any:
        """By credit code, else by CMA number, else by the very name."""
        rows = Organization.objects.judged("named by evidence").filter(institution_profile__isnull=False)
        if evidence.issuer_uscc:
            return rows.filter(uscc=evidence.issuer_uscc)
        by_name = Q(name=evidence.issuer)
        if evidence.cma_no:
            by_number = rows.filter(institution_profile__cma_no=evidence.cma_no)
            return by_number.filter(by_name) or by_number
        return rows.filter(by_name)

    def _compared(self, evidence: Evidence, report: InspectionReport) -> Answer:
        issuer = report.institution
        is_named = any(same(evidence.issuer, name) for name in (issuer.name, *issuer.former_names))
        if refuted := self._refuted(evidence, report, is_named=is_named):
            return refuted
        copy = evidence.attachment
        is_copy = copy is not None and copy.sha256 == report.sha256
        if InspectionReport.objects.judged("compared with evidence").rivals_of(report).exists():
            return Answer(State.UNVERIFIED, "disputed")
        if not is_copy and not is_named:
            # A short name, a new one: whether the paper bears it, only eyes can tell.
            return Answer(State.UNVERIFIED, "other_issuer", {"issuer": issuer.name})
        if not is_copy and copy and copy.mime == "application/pdf":
            # A scan of the true paper is another file as well: only eyes can tell.
            return Answer(State.UNVERIFIED, "other_file")
        return Answer(State.MATCHED, "same_file" if is_copy else "same_words")

    def _refuted(self, evidence: Evidence, report: InspectionReport, *, is_named: bool) -> Answer | None:
        """What is not as it was said to be, if anything."""
        differs = [
            name
            for name, said, lodged in (
                ("holder", evidence.holder, report.client),
                ("sample", evidence.sample, report.sample),
                ("issued_on", evidence.issued_on.isoformat(), report.issued_on.isoformat()),
            )
            if not same(said, lodged)
        ]
        if not is_named and self._is_another(evidence.issuer, report.institution):
            differs.insert(0, "issuer")
        if differs:
            return Answer(State.MISMATCH, "differs", {"fields": differs})
        if report.status == InspectionReport.Status.REPLACED and report.replaced_by:
            return Answer(State.REPLACED, "replaced", {"number": report.replaced_by.report_no})
        if report.status == InspectionReport.Status.WITHDRAWN:
            return Answer(State.REPLACED, "withdrawn", {"reason": report.end_reason})
        return None

    def _is_another(self, name: str, issuer: Organization) -> bool:
        """Whether another institution of the portal is called so: then code or number and name contradict."""
        plain = tidy(name)
        spellings = {name.strip(), plain, plain.translate(_FULL_WIDTH)}
        rows = Organization.objects.institutions().judged("named by evidence")
        return rows.filter(name__in=spellings).exclude(pk=issuer.pk).exists()


def same(said: str, lodged: str) -> bool:
    """Whether both are the same words, however they are spaced, bracketed and capitalised."""
    return _bare(said) == _bare(lodged)


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFKC", tidy(text)).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


REGISTRIES: Sequence[Registry] = (Portal(),)


def look_up(evidence: Evidence) -> tuple[str, Answer]:
    """The name of the place that knows, and what it says; of none: nothing, and that it was asked."""
    for registry in REGISTRIES:
        if answer := registry.look_up(evidence):
            return registry.name, answer
    return "", Answer(State.UNVERIFIED, "unknown")
