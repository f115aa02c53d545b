"""How the bureaus of the country stand to a period whose figures they confirm, from the counties up.

A bureau's turn comes when all right below it are approved or excused; who is excused is so with all below.
What they do stands in `bulletins.collecting`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from bulletins import figures
from bulletins.models import Excuse, Period, Snapshot, Submission
from common import formats
from enterprises.models import Bureau

# The nation freezes what the others confirm; outposts have no figures of their own.
CONFIRMING = (Bureau.Level.PROVINCE, Bureau.Level.CITY, Bureau.Level.COUNTY)
NAMED = 10
Status = Submission.Status


class Standing(models.TextChoices):
    """How a bureau stands to a period."""

    NOT_YET = "not_yet", gettext_lazy("未截止")
    WAITING = "waiting", gettext_lazy("等待下级")
    READY = "ready", gettext_lazy("待提交")
    SUBMITTED = "submitted", pgettext_lazy("figures", "待上级审核")
    RETURNED = "returned", pgettext_lazy("figures", "已退回")
    APPROVED = "approved", pgettext_lazy("figures", "已通过")
    EXCUSED = "excused", gettext_lazy("免报")


SETTLED = (Standing.APPROVED, Standing.EXCUSED)


@dataclass(frozen=True)
class Rung:
    """A bureau on the ladder; ``since`` is when it came to stand so, ``below`` how many of those that report
    to it are settled, and how many there are."""

    bureau: Bureau
    standing: Standing
    submission: Submission | None
    excuse: Excuse | None
    since: datetime | None
    below: tuple[int, int]

    @property
    def is_settled(self) -> bool:
        return self.standing in SETTLED

    @property
    def round(self) -> int:
        """How often it has handed in."""
        return self.submission.round if self.submission else 0


class Ladder:
    """How the bureaus of a subtree stand to a period, of the whole country unless a unit is named."""

    def __init__(self, period: Period, unit: Bureau | None = None, day: date | None = None) -> None:
        self.period, self.day = period, day or timezone.localdate()
        bureaus = Bureau.objects.in_force().filter(level__in=CONFIRMING)
        submissions = Submission.objects.judged("the ladder").filter(period=period)
        if unit is not None:
            bureaus = bureaus.filter(path__startswith=unit.path)
            submissions = submissions.filter(bureau__path__startswith=unit.path)
        self.bureaus = {bureau.pk: bureau for bureau in bureaus.order_by("code")}
        self.children: dict[int | None, list[Bureau]] = defaultdict(list)
        for bureau in self.bureaus.values():
            self.children[bureau.parent_id].append(bureau)
        # The figures are as long as the tree is wide, and are read of one bureau at a time.
        self.submissions = {row.bureau_id: row for row in submissions.defer("figures")}
        excuses = Excuse.objects.judged("the ladder").in_force(period, self.day).select_related("bureau")
        self.excuses = {excuse.bureau.path: excuse for excuse in excuses.order_by("-given_at")}

    def excuse_of(self, bureau: Bureau) -> Excuse | None:
        """Whoever is excused is so with all below it."""
        return next((excuse for path, excuse in self.excuses.items() if bureau.path.startswith(path)), None)

    def is_settled(self, bureau: Bureau) -> bool:
        """Nothing more is expected of it."""
        row = self.submissions.get(bureau.pk)
        return bool(row and row.status == Status.APPROVED) or self.excuse_of(bureau) is not None

    def waiting_for(self, bureau: Bureau) -> list[Bureau]:
        """Those right below that are neither approved nor excused."""
        return [child for child in self.children[bureau.pk] if not self.is_settled(child)]

    def rung(self, bureau: Bureau) -> Rung:
        row, excuse = self.submissions.get(bureau.pk), self.excuse_of(bureau)
        children = self.children[bureau.pk]
        settled = len(children) - len(self.waiting_for(bureau))
        if row and (row.status == Status.APPROVED or not excuse):
            standing, since = Standing(row.status), row.decided_at or row.submitted_at
        elif excuse:
            standing, since = Standing.EXCUSED, excuse.given_at
        elif timezone.now() < self.period.cut_off:
            standing, since = Standing.NOT_YET, None
        elif settled < len(children):
            standing, since = Standing.WAITING, self.period.cut_off
        else:
            standing, since = Standing.READY, self._ready_since(children)
        return Rung(bureau, standing, row, excuse, since, (settled, len(children)))

    def _ready_since(self, children: Iterable[Bureau]) -> datetime:
        decided = [row.decided_at for child in children if (row := self.submissions.get(child.pk))]
        return max([self.period.cut_off, *(moment for moment in decided if moment)])

    def below(self, bureau: Bureau) -> list[Rung]:
        """Those that report to a bureau, in code order."""
        return [self.rung(child) for child in self.children[bureau.pk]]

    @cached_property
    def missing(self) -> list[Bureau]:
        """Those of whom something is still expected, the highest first."""
        found = [bureau for bureau in self.bureaus.values() if not self.is_settled(bureau)]
        return sorted(found, key=lambda bureau: (bureau.level, bureau.code))

    def changed(self, snapshot: Snapshot) -> list[Bureau]:
        """Those whose figures in a snapshot are others than those that were approved."""
        approved = [bureau for bureau in self.bureaus.values() if self._is_approved(bureau)]
        now = figures.values(snapshot, approved)
        rows = Submission.objects.judged("the ladder").filter(period=self.period, status=Status.APPROVED)
        kept = dict(rows.values_list("bureau", "figures"))
        return [
            bureau
            for bureau in approved
            if any(
                list(now[bureau.pk][code].stated) != stated
                for code, stated in kept[bureau.pk].items()
                if code in now[bureau.pk]
            )
        ]

    def coverage(self, snapshot: Snapshot) -> dict[str, Any]:
        """What a frozen snapshot says of it: who was excused and why, who was missing, and whose figures are
        no longer those that were approved."""
        excused = [excuse for excuse in self.excuses.values() if excuse.bureau_id in self.bureaus]
        return {
            "excused": [
                {
                    "bureau": excuse.bureau.code,
                    "reason": excuse.reason,
                    "until": excuse.until.isoformat() if excuse.until else "",
                }
                for excuse in sorted(excused, key=lambda excuse: excuse.bureau.code)
                if not self._is_approved(excuse.bureau)
            ],
            "missing": [bureau.code for bureau in self.missing],
            "changed": [bureau.code for bureau in self.changed(snapshot)],
        }

    def _is_approved(self, bureau: Bureau) -> bool:
        row = self.submissions.get(bureau.pk)
        return bool(row and row.status == Status.APPROVED)


def named(bureaus: list[Bureau]) -> str:
    """The first of them by name, and how many there are."""
    names = formats.listed([bureau.short_name for bureau in bureaus[:NAMED]])
    return _("%(names)s等") % {"names": names} if len(bureaus) > NAMED else names


def why_not_freeze(period: Period) -> str:
    """Why a collected period is not complete enough to be frozen today; empty when it is, or is due."""
    if not period.is_collected or timezone.localdate() >= period.freeze_due:
        return ""
    missing = Ladder(period).missing
    if not missing:
        return ""
    return _("还有 %(n)d 个单位没有通过审核：%(units)s。到 %(day)s 可以带着缺报冻结。") % {
        "n": len(missing),
        "units": named(missing),
        "day": formats.day_weekday(period.freeze_due),
    }


def turns(ladder: Ladder) -> Iterator[Rung]:
    """Those whose figures wait for somebody: for themselves to hand them in, or for the superior to judge."""
    for bureau in ladder.bureaus.values():
        rung = ladder.rung(bureau)
        if rung.standing in (Standing.READY, Standing.RETURNED, Standing.SUBMITTED):
            yield rung
