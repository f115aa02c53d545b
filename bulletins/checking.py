"""Is this bulletin or inspection report genuine? Asked with a code or with a file (design decision 7)."""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

from django.db import IntegrityError, models, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from bulletins.models import Bulletin, Lookup
from common.verification import BULLETINS, REPORTS
from projects import reports
from projects.models import InspectionReport

CODE = re.compile(rb"ZLTB(?:-[0-9A-Z]{5}){3}")
STREAM = re.compile(rb"(?<!end)stream\r?\n")
# The metadata of a bulletin are a few kilobytes; reading on would only serve those who want to exhaust us.
PACKED_LIMIT = 64 * 1024
TEXT_LIMIT = 256 * 1024
STREAMS_LIMIT = 2_000
CODES_LIMIT = 100
State = Lookup.State


@dataclass(frozen=True)
class Verdict:
    """The answer, the bulletin or report it is about, the one in force when that one was replaced, and
    other valid reports that claim the same file."""

    state: State
    bulletin: Bulletin | None = None
    successor: Bulletin | None = None
    report: InspectionReport | None = None
    next_report: InspectionReport | None = None
    rivals: tuple[InspectionReport, ...] = ()

    @property
    def code(self) -> str:
        """That of the document; blank where none was found."""
        document = self.bulletin or self.report
        return document.verification_code if document else ""


def count(verdict: Verdict, *, by_file: bool) -> None:
    """Note that somebody looked; two at once are two."""
    which = {
        "day": timezone.localdate(),
        "code": verdict.code,
        "state": verdict.state,
        "by_file": by_file,
    }
    rows = Lookup.objects.filter(**which)
    if rows.update(number=F("number") + 1):
        return
    try:
        with transaction.atomic():
            Lookup.objects.create(**which)
    except IntegrityError:
        rows.update(number=F("number") + 1)


def counted(verdict: Verdict) -> dict[str, int]:
    """How often a document was checked, and how often a file was not the original."""
    return Lookup.objects.filter(code=verdict.code).aggregate(
        all=Sum("number", default=0), altered=Sum("number", filter=Q(state=State.ALTERED), default=0)
    )


def canonical(text: str) -> str:
    """A code as it is printed; typed without its prefix, that of the kind of document which has it."""
    if REPORTS.begins(text):
        return REPORTS.normalise(text)
    code = BULLETINS.normalise(text)
    of_report = REPORTS.normalise(text)
    if not BULLETINS.begins(text) and _find(code) is None and reports.of_code(of_report):
        return of_report
    return code


@dataclass(frozen=True)
class Copy:
    """What is known of a file that somebody received: its SHA-256 and the verification codes in it."""

    digest: str
    codes: Iterable[str]


def copy_of(file: IO[bytes]) -> Copy:
    """An uploaded file; codes are looked for only when they are asked for."""
    content = file.read()
    return Copy(hashlib.sha256(content).hexdigest(), _codes_in(content))


def verify(*, code: str = "", copy: Copy | None = None) -> Verdict:
    """Judge a code as somebody typed it, a file as somebody received it, or whether both belong together."""
    if copy is None:
        return _judge_code(canonical(code))
    if code and (report := reports.of_code(canonical(code))):
        verdict = _as_lodged(report)
        if copy.digest != report.sha256:
            return Verdict(State.ALTERED, report=report, next_report=verdict.next_report)
        return verdict
    return _judge_copy(copy)


def _judge_code(code: str) -> Verdict:
    if report := reports.of_code(code):
        return _as_lodged(report)
    return _as_issued(_find(code))


def _as_lodged(report: InspectionReport) -> Verdict:
    state = {
        InspectionReport.Status.REPLACED: State.REPLACED,
        InspectionReport.Status.WITHDRAWN: State.WITHDRAWN,
    }.get(InspectionReport.Status(report.status), State.GENUINE)
    if rivals := tuple(reports.rivals_of(report)):
        return Verdict(State.DISPUTED, report=report, rivals=rivals)
    newest = reports.in_force(report)
    return Verdict(state, report=report, next_report=newest if newest != report else None)


def _judge_copy(copy: Copy) -> Verdict:
    """The very file we issued is genuine; one that carries our code but other bytes was altered."""
    if same := _public().filter(sha256=copy.digest).first():
        return _as_issued(same)
    if report := reports.of_digest(copy.digest):
        return _as_lodged(report)
    codes = list(islice(dict.fromkeys(copy.codes), CODES_LIMIT))
    known = {row.verification_code: row for row in _public().filter(verification_code__in=codes)}
    bulletin = next((known[code] for code in codes if code in known), None)
    return Verdict(State.ALTERED, bulletin, _in_force(bulletin)) if bulletin else Verdict(State.UNKNOWN)


def _public() -> models.QuerySet[Bulletin]:
    return Bulletin.objects.public().select_related("bureau", "period", "replaced_by")


def _find(code: str) -> Bulletin | None:
    return _public().filter(verification_code=code).first()


def _as_issued(bulletin: Bulletin | None) -> Verdict:
    if bulletin is None:
        return Verdict(State.UNKNOWN)
    state = {
        Bulletin.Status.REPLACED: State.REPLACED,
        Bulletin.Status.WITHDRAWN: State.WITHDRAWN,
    }.get(Bulletin.Status(bulletin.status), State.GENUINE)
    return Verdict(state, bulletin, _in_force(bulletin))


def _in_force(bulletin: Bulletin) -> Bulletin | None:
    """The last of the chain of successors that were issued; None when there is none."""
    last = bulletin
    while last.replaced_by and not last.replaced_by.is_prepared:
        last = last.replaced_by
    return last if last != bulletin else None


def _codes_in(content: bytes) -> Iterator[str]:
    """Verification codes in the metadata of a PDF, plain or in compressed streams."""
    yield from (code.decode() for code in CODE.findall(content))
    for number, start in enumerate(STREAM.finditer(content)):
        if number == STREAMS_LIMIT:
            return
        try:
            packed = content[start.end() : start.end() + PACKED_LIMIT]
            text = zlib.decompressobj().decompress(packed, TEXT_LIMIT)
        except zlib.error:
            continue
        yield from (code.decode() for code in CODE.findall(text))
