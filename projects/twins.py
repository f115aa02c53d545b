"""Problems that may be the same, and what officers of the city and above judge of them (`domain.md` 4.4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Role, User
from common import formats
from common.saving import save_checked
from enterprises.models import Bureau, Organization
from projects import services
from projects.field_classes import FieldClass, open_to, reader_of
from projects.models import Beneficiary, Bottleneck, TwinJudgement
from projects.querysets import BottleneckQuerySet
from projects.similar import Match, Question, Said
from projects.workflow import Party, grants_for
from record.acting import on_behalf

S = Bottleneck.Status
Verdict = TwinJudgement.Verdict
# Two filings of one firm are one when they lie no further apart (`domain.md` 4.4).
REPEATED_WITHIN_MONTHS = 24
PAIRS_SHOWN = 10


# --- While filing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Related:
    """A problem like the one that is being filed, as far as the reader may read it."""

    row: Bottleneck
    likeness: float
    readable: frozenset[str]

    @property
    def is_solved(self) -> bool:
        return self.row.status in Bottleneck.SOLVED

    @property
    def how(self) -> str:
        return self.row.solution if "solution" in self.readable else ""

    @property
    def by_whom(self) -> str:
        institution = self.row.assigned_to if "assigned_to" in self.readable else None
        return institution.name if institution else ""

    @property
    def code(self) -> str:
        return (self.row.code or "") if "code" in self.readable else ""


def _telling(rows: BottleneckQuerySet) -> BottleneckQuerySet:
    """Problems in hand, and solved ones."""
    filed = rows.counted().exclude(status=S.DRAFT)
    telling = filed.filter(~Q(status__in=Bottleneck.ENDED) | Q(status__in=Bottleneck.SOLVED))
    return telling.select_related("assigned_to", "chain")


def related_to(said: Said, reader: User, but: int | None = None, limit: int = 5) -> list[Related]:
    """The closest problems that the reader may see, solved ones first, then the likest.

    Those of others are compared by the fields that are open to the reader and by no more: what it may not
    read, it may not find out by trying either.
    """
    question, rows = Question(said), Bottleneck.objects.all()
    if but:
        rows = rows.exclude(pk=but)
    everything, opened = open_to(FieldClass.PARTIES), open_to(reader_of(reader))
    found = [
        Related(match.row, match.likeness, readable)
        for seen, readable in (
            (rows.visible_to(reader), everything),
            (rows.shared_with(reader), opened),
        )
        for match in question.among(
            _telling(seen), at_least=settings.RELATED_FROM, limit=limit, fields=readable
        )
    ]
    return sorted(found, key=lambda it: (not it.is_solved, -it.likeness, it.row.pk))[:limit]


# --- Pairs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two problems that say nearly the same; ``row`` is in review, ``other`` in hand."""

    row: Bottleneck
    other: Bottleneck
    likeness: float

    @property
    def percent(self) -> int:
        return int(self.likeness * 100)

    @property
    def earlier(self) -> Bottleneck:
        return min(self.row, self.other, key=lambda it: it.pk)

    @property
    def later(self) -> Bottleneck:
        return max(self.row, self.other, key=lambda it: it.pk)

    @property
    def is_probable_repeat(self) -> bool:
        """Same firm, product and gap, within two years."""
        one, two = self.earlier, self.later
        return (
            (one.organization_id, one.product, one.nqi_gap) == (two.organization_id, two.product, two.nqi_gap)
            and one.submitted_at is not None
            and two.submitted_at is not None
            and abs(_months(two.submitted_at) - _months(one.submitted_at)) <= REPEATED_WITHIN_MONTHS
        )

    @property
    def may_be_common(self) -> bool:
        """Different firms, same chain and gap."""
        one, two = self.row, self.other
        return (
            one.organization_id != two.organization_id
            and bool(one.nqi_gap)
            and (one.chain_id, one.nqi_gap) == (two.chain_id, two.nqi_gap)
        )


def _months(at: Any) -> int:
    day = timezone.localdate(at)
    return day.year * 12 + day.month


def in_review(user: User, grant: Grant) -> BottleneckQuerySet:
    """Accepted problems that the bureau or one below it reviews, the newest first."""
    rows = Bottleneck.objects.visible_to(user).counted().filter(status=S.ACCEPTED)
    if grant.chain_id:
        rows = rows.filter(chain=grant.chain_id)
    if grant.bureau and grant.level != Bureau.Level.NATIONAL:
        rows = rows.filter(handler__in=Bureau.objects.within(grant.bureau))
    return rows.for_lists().select_related("bureau").order_by("-pk")


def pairs_of(row: Bottleneck, user: User) -> list[Pair]:
    """The problems in hand that say nearly the same as one in review and are not judged yet, likest first.

    Another filing of the same firm for the same product and gap is one of them whatever it says.
    """
    judged = TwinJudgement.objects.judged("pairs that are done").filter(undone_at__isnull=True)
    done = [
        *judged.filter(first=row).values_list("second", flat=True),
        *judged.filter(second=row).values_list("first", flat=True),
    ]
    seen = Bottleneck.objects.visible_to(user).counted().open().filter(accepted_at__isnull=False)
    rows = seen.exclude(pk__in=[row.pk, *done]).for_lists().select_related("bureau")
    question = Question(Said.by(row))
    found = question.among(
        rows, at_least=settings.TWINS_FROM, of_best=settings.TWINS_OF_BEST, limit=PAIRS_SHOWN
    )
    again = rows.filter(organization=row.organization_id, product=row.product, nqi_gap=row.nqi_gap)
    known = {match.row.pk for match in found}
    others = again.exclude(pk__in=known)[:PAIRS_SHOWN]
    found += [Match(other, question.likeness_to(other)) for other in others]
    pairs = (Pair(row, match.row, match.likeness) for match in found)
    return [pair for pair in pairs if pair.likeness >= settings.TWINS_FROM or pair.is_probable_repeat][
        :PAIRS_SHOWN
    ]


def pairs_among(rows: Iterable[Bottleneck], user: User, grant: Grant) -> Iterator[list[Pair]]:
    """The pairs of each row in review; one of two rows in review comes with the later one only."""

    def comes_with_the_other(pair: Pair) -> bool:
        other = pair.other
        reviewed = other.status == S.ACCEPTED and grant.covers(other.handler, other.chain_id)
        return reviewed and other.pk > pair.row.pk

    for row in rows:
        yield [pair for pair in pairs_of(row, user) if not comes_with_the_other(pair)]


# --- Verdicts ---------------------------------------------------------------------------------------------


def grant_to_judge(rows: Iterable[Bottleneck], user: User) -> Grant | None:
    """The grant by which the user judges one of the problems: as its officer, of a city or above."""
    grants = (grant for row in rows for grant in grants_for(row, Party.OFFICER, user))
    return next((grant for grant in grants if grant.level <= Bureau.Level.CITY), None)


def masters_for(pair: Iterable[Bottleneck], user: User) -> list[Bottleneck]:
    """Into which of the two the other may be merged by this user, the one filed first before the other."""
    one, two = sorted(pair, key=lambda it: it.pk)
    return [
        master
        for master, child in ((one, two), (two, one))
        if child.status == S.ACCEPTED and grant_to_judge([child], user)
    ]


def judge(
    one: Bottleneck,
    two: Bottleneck,
    verdict: str,
    *,
    by: User,
    reason: str = "",
    master: Bottleneck | None = None,
) -> TwinJudgement:
    """Keep what an officer decides of two problems, and do what follows from it.

    Both rows are locked first, so of two officers who decide at once one wins. Raises StaleRow when somebody
    has decided already, PermissionDenied when the user may not, ValidationError when something is missing.
    """
    with transaction.atomic():
        first, second = _both_locked(one, two)
        if done := _open_judgement(first, second):
            raise services.StaleRow(why_stale(done))
        reviewed = [row for row in (first, second) if row.status == S.ACCEPTED]
        if not reviewed:
            raise services.StaleRow(_("两个问题都已不在复核中，您的操作没有执行。"))
        grant = grant_to_judge(reviewed, by)
        seen = Bottleneck.objects.visible_to(by).filter(pk__in=[first.pk, second.pk]).count()
        if grant is None or seen < 2:
            raise PermissionDenied(_("相似问题由办理这些问题的市级及以上单位的经办人判断。"))
        judgement = TwinJudgement(
            first=first,
            second=second,
            verdict=verdict,
            reason=reason.strip(),
            by=by,
            principal=grant.principal,
            bureau=grant.bureau,
            at=timezone.now(),
        )
        if verdict in TwinJudgement.MERGING:
            if master is None:
                raise ValidationError({"master": _("请选择以哪一个为主问题。")})
            judgement.master = first if master.pk == first.pk else second
        with on_behalf(by, grant, judgement.reason):
            if verdict == Verdict.COMMON:
                judgement.marked = [row.pk for row in (first, second) if _mark(row, common=True)]
            save_checked(judgement)
            if judgement.master:
                child = second if judgement.master.pk == first.pk else first
                kind = "repeat" if verdict == Verdict.REPEAT else "same"
                data = {"master": judgement.master, "reason": judgement.reason, "kind": kind}
                services.move(child, "merge", by=by, data=data)
    return judgement


def undo(judgement: TwinJudgement, *, by: User) -> None:
    """Take a verdict back with what followed from it; the pair stands on the desk again.

    Raises StaleRow when it was taken back already or the problems have moved on, PermissionDenied when the
    user may not.
    """
    with transaction.atomic():
        first, second = _both_locked(judgement.first, judgement.second)
        locked = TwinJudgement.objects.judged("under the lock").get(pk=judgement.pk)
        if locked.undone_at:
            raise services.StaleRow(_("这个结论已由%(who)s撤销。") % {"who": locked.undone_by})
        grant = grant_to_judge([first, second], by)
        if grant is None:
            raise PermissionDenied(_("撤销由办理这些问题的市级及以上单位的经办人办理。"))
        why = _("撤销结论：%(verdict)s。") % {"verdict": locked.get_verdict_display()}
        with on_behalf(by, grant, why):
            if locked.master_id:
                child = second if locked.master_id == first.pk else first
                services.move(child, "unmerge", by=by, data={"reason": why})
            for row in (first, second):
                if row.pk in locked.marked:
                    _mark(row, common=False)
            locked.undone_at, locked.undone_by = timezone.now(), by
            locked.save()


def why_stale(done: TwinJudgement) -> str:
    """Who has decided what, in a sentence."""
    return _("%(bureau)s的%(who)s已于 %(when)s 判断这两个问题：%(verdict)s。您的操作没有执行。") % {
        "bureau": done.bureau,
        "who": done.by,
        "when": formats.moment(done.at),
        "verdict": done.get_verdict_display(),
    }


def _both_locked(one: Bottleneck, two: Bottleneck) -> list[Bottleneck]:
    """In one order, whoever asks; without joins, as in `services.move`."""
    keys = sorted((one.pk, two.pk))
    rows = Bottleneck.objects.judged("under the lock")
    list(rows.select_for_update().only("pk").filter(pk__in=keys).order_by("pk"))
    return list(rows.select_related("handler", "bureau").filter(pk__in=keys).order_by("pk"))


def _open_judgement(first: Bottleneck, second: Bottleneck) -> TwinJudgement | None:
    known = TwinJudgement.objects.judged("under the lock of both problems")
    return known.filter(first=first, second=second, undone_at__isnull=True).first()


def _mark(row: Bottleneck, *, common: bool) -> bool:
    """Whether the mark of a common problem had to be changed."""
    if row.is_common == common:
        return False
    row.is_common = common
    row.version += 1
    row.save()
    return True


def officer_of_city(grant: Grant) -> bool:
    """Whether the merge desk is kept for the holder of this grant."""
    return grant.role == Role.OFFICER and grant.level <= Bureau.Level.CITY


def waiting(row: Bottleneck, user: User) -> int:
    """How many similar problems an officer has to judge before it lists this one (`domain.md` V10)."""
    reviews = row.status == S.ACCEPTED and grant_to_judge([row], user) is not None
    return len(pairs_of(row, user)) if reviews else 0


def beneficiaries(master: Bottleneck) -> int:
    """How many firms have filed a problem or one that was merged into it, or are entered as helped by one of
    them; those that I21 counts once it is solved."""
    judged = "a number only"
    filed = Bottleneck.objects.judged(judged).counted().filter(Q(pk=master.pk) | Q(merged_into=master))
    entered = entered_beneficiaries(Beneficiary.objects.judged(judged), master)
    firms = Q(pk__in=filed.order_by().values("organization"))
    firms |= Q(pk__in=entered.order_by().values("organization"))
    return Organization.objects.judged(judged).filter(firms, is_test=False).count()


def entered_beneficiaries(rows: QuerySet[Beneficiary], master: Bottleneck) -> QuerySet[Beneficiary]:
    """Of the rows those of the problem and of what was merged into it, without firms of tests."""
    of_master = rows.filter(Q(bottleneck=master) | Q(bottleneck__merged_into=master))
    return of_master.exclude(organization__is_test=True)
