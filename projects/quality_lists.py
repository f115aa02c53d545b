"""What happens to a list: drafted from live rows, edited, submitted, approved, published, superseded.

Called alike by page, interface, command and demo. ``by`` is the officer who asks. Every function locks the
list and judges what it reads under the lock, so of two officers who do the same one is told what happened.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Grant, Role, User
from common import formats
from common.saving import save_checked
from enterprises.models import Bureau, IndustryChain
from projects import listed, notices
from projects.listed import THING, Kind
from projects.models import ListedRow, QualityList
from projects.services import StaleRow
from record.acting import by_whom
from record.models import Event
from record.recording import accounted, write

Status = QualityList.Status


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a list: out of which states, and its name on buttons."""

    label: Any
    sources: tuple[str, ...]


STEPS = {
    "submit": Step(gettext_lazy("提交批准"), (Status.DRAFT,)),
    "approve": Step(gettext_lazy("批准清单"), (Status.SUBMITTED,)),
    "publish": Step(gettext_lazy("发布清单"), (Status.APPROVED,)),
    "send_back": Step(gettext_lazy("退回修改"), (Status.SUBMITTED, Status.APPROVED)),
    "discard": Step(gettext_lazy("放弃草案"), (Status.DRAFT,)),
}


# --- Who may ----------------------------------------------------------------------------------------------


def grants_over(user: User, bureau: Bureau, chain_id: int) -> list[Grant]:
    """The grants by which somebody keeps the lists of a bureau for a chain; own before lent."""
    return [grant for grant in user.grants_of(Role.OFFICER) if grant.covers(bureau, chain_id)]


def keeps(quality_list: QualityList, user: Any) -> bool:
    return user.is_authenticated and bool(grants_over(user, quality_list.bureau, quality_list.chain_id))


def refusal(quality_list: QualityList, name: str, user: User) -> str:
    """Why the user may not make this step now; empty when it may."""
    if not keeps(quality_list, user):
        return _("清单由清单单位或上级单位的经办人员办理。")
    if quality_list.status not in STEPS[name].sources:
        return _("清单现在的状态是“%(status)s”。") % {"status": quality_list.get_status_display()}
    if name == "approve" and _approving(quality_list, user) is None:
        return _("批准人不能是拟稿、修改或提交的人，请由另一名经办人批准。")
    return ""


def _approving(quality_list: QualityList, user: User) -> Grant | None:
    """By which grant the user approves what others wrote; a substitute counts as whom it stands for."""
    writers = quality_list.writers
    if user.pk in writers:
        return None
    grants = grants_over(user, quality_list.bureau, quality_list.chain_id)
    return next((one for one in grants if not one.principal or one.principal.pk not in writers), None)


# --- Drafting ---------------------------------------------------------------------------------------------


@by_whom
def draft(
    chain: IndustryChain,
    bureau: Bureau,
    kind: str,
    *,
    by: User,
    effective_on: dt.date | None = None,
    notes: str = "",
    at: dt.datetime | None = None,
) -> QualityList:
    """The next version of a list, with the live rows that belong on it.

    Raises PermissionDenied for whoever does not keep the lists of the bureau, ValidationError when a version
    is under way already or begins before the one in force.
    """
    grants = grants_over(by, bureau, chain.pk)
    if not grants:
        raise PermissionDenied(_("清单由清单单位或上级单位的经办人员办理。"))
    with transaction.atomic():
        known = QualityList.objects.judged("the officer of the list").of(chain, bureau, kind)
        former = known.filter(status=Status.PUBLISHED).first()
        quality_list = QualityList(
            chain=chain,
            bureau=bureau,
            kind=kind,
            version=(former.version if former else 0) + 1,
            supersedes=former,
            effective_on=effective_on or timezone.localdate(),
            notes=notes,
            drafted_by=by,
            drafted_for=grants[0].principal,
            drafted_at=at or timezone.now(),
        )
        _refuse_early(quality_list)
        save_checked(quality_list)
        _bring_up_to_date(quality_list)
    return quality_list


def _refuse_early(quality_list: QualityList) -> None:
    former = quality_list.supersedes
    if former and quality_list.effective_on < former.effective_on:
        sentence = _("实施日期不能早于第 %(version)d 版的 %(day)s。")
        values = {"version": former.version, "day": formats.day(former.effective_on)}
        raise ValidationError({"effective_on": sentence % values})


@by_whom
def refresh(quality_list: QualityList, *, by: User, revision: int | None = None) -> list[str]:
    """Bring a draft up to date with the live rows; notes, order and what was left out stay.

    Says in sentences what came and what had to go.
    """
    with transaction.atomic():
        locked = _editable(quality_list, by, revision)
        added, dropped = _bring_up_to_date(locked)
        _count_edit(locked, by)
    quality_list.refresh_from_db()
    if added:
        dropped.insert(0, ngettext("新列入 %(n)d 条。", "新列入 %(n)d 条。", added) % {"n": added})
    return dropped


def _bring_up_to_date(quality_list: QualityList) -> tuple[int, list[str]]:
    name = THING[Kind(quality_list.kind)]
    dropped = drop_ineligible(quality_list)
    rows = {getattr(row, f"{name}_id"): row for row in _rows(quality_list)}
    wanted = list(listed.proposed(quality_list).values_list("pk", flat=True))
    gone = {key: rows[key] for key in rows.keys() - set(wanted) if not rows[key].is_added}
    dropped += _drop(quality_list, gone)
    last = max((row.position for row in rows.values()), default=0)
    new = [
        ListedRow(quality_list=quality_list, position=place, **{f"{name}_id": key})
        for place, key in enumerate((key for key in wanted if key not in rows), start=last + 1)
    ]
    if new:
        with accounted(ListedRow):
            ListedRow.objects.bulk_create(new, batch_size=500)
            write(Event.Kind.CHANGED, quality_list, after={"rows": len(new)})
    return len(new), dropped


def drop_ineligible(quality_list: QualityList) -> list[str]:
    """Take out what may no longer stand on the list; a sentence for each line that the editor had kept."""
    name = THING[Kind(quality_list.kind)]
    rows = {getattr(row, f"{name}_id"): row for row in _rows(quality_list)}
    allowed = set(listed.eligible(quality_list).filter(pk__in=rows).values_list("pk", flat=True))
    return _drop(quality_list, {key: rows[key] for key in rows.keys() - allowed})


def _drop(quality_list: QualityList, rows: Mapping[int, ListedRow]) -> list[str]:
    """Take out rows, given by the keys of what they speak of; a sentence for each that was to be printed."""
    sentences = []
    for thing in listed.things(quality_list.kind).filter(pk__in=rows):
        key = thing.pk
        if not rows[key].is_excluded:
            what = listed.name_of(quality_list.kind, listed.facts_of(quality_list.kind, thing))
            why = listed.why_out(quality_list, thing)
            sentences.append(_("“%(what)s”已移出：%(why)s。") % {"what": what, "why": why})
        rows[key].delete()
    return sentences


@by_whom
def add(quality_list: QualityList, key: int, *, by: User, revision: int | None = None) -> ListedRow:
    """Put a live row on a draft by hand."""
    name = THING[Kind(quality_list.kind)]
    with transaction.atomic():
        locked = _editable(quality_list, by, revision)
        thing = listed.eligible(locked).filter(pk=key).first()
        if thing is None:
            raise ValidationError(_("这一条不属于本清单的产业链和单位，或现在的状态不能列入。"))
        last = _rows(locked).aggregate(last=Max("position"))["last"] or 0
        row = ListedRow(quality_list=locked, position=last + 1, is_added=True, **{name: thing})
        save_checked(row)
        _count_edit(locked, by)
    quality_list.refresh_from_db()
    return row


@by_whom
def edit(
    quality_list: QualityList,
    *,
    by: User,
    revision: int | None = None,
    effective_on: dt.date | None = None,
    notes: str | None = None,
    rows: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Change day and notes of a draft, and by the keys of its rows their ``note``, ``position`` and
    ``is_excluded``; the lines are numbered anew in the order given."""
    with transaction.atomic():
        locked = _editable(quality_list, by, revision)
        if effective_on is not None:
            locked.effective_on = effective_on
        if notes is not None:
            locked.notes = notes
        _refuse_early(locked)
        _order(locked, rows or {})
        _count_edit(locked, by)
    quality_list.refresh_from_db()


def _order(quality_list: QualityList, wanted: Mapping[int, Mapping[str, Any]]) -> None:
    rows = list(_rows(quality_list))
    places = {row.pk: (wanted.get(row.pk, {}).get("position") or row.position, row.position) for row in rows}
    # Of two with one number, what moves up stands before, and what moves down behind, what stays.
    rows.sort(key=lambda row: (places[row.pk][0], _sign(places[row.pk]), row.position))
    for position, row in enumerate(rows, start=1):
        said = {name: value for name, value in wanted.get(row.pk, {}).items() if name != "position"}
        changed = {name: value for name, value in said.items() if getattr(row, name) != value}
        if changed or row.position != position:
            for name, value in changed.items():
                setattr(row, name, value)
            row.position = position
            row.clean_fields(exclude=("quality_list", "bottleneck", "key_project", "instrument"))
            row.save(update_fields=["position", *changed])


def _sign(place: tuple[int, int]) -> int:
    """-1 for what moves up, 1 for what moves down."""
    wanted, present = place
    return (wanted > present) - (wanted < present)


# --- Steps ------------------------------------------------------------------------------------------------


@by_whom
def submit(quality_list: QualityList, *, by: User, revision: int | None = None, at: Any = None) -> None:
    """Ask for approval."""
    with transaction.atomic():
        locked = _locked(quality_list, "submit", by, revision)
        if not _rows(locked).filter(is_excluded=False).exists():
            raise ValidationError(_("清单里一条也没有，不能提交。"))
        locked.status, locked.submitted_at = Status.SUBMITTED, at or timezone.now()
        locked.submitted_by, locked.submitted_for = by, _principal(locked, by)
        locked.returned_by, locked.returned_at, locked.return_reason = None, None, ""
        _count_change(locked)
        notices.tell_of_list(locked)
    quality_list.refresh_from_db()


@by_whom
def send_back(quality_list: QualityList, *, by: User, reason: str, revision: int | None = None) -> None:
    """Back to drafting, for a reason that the drafter is told."""
    if not reason.strip():
        raise ValidationError({"reason": _("退回要写明原因。")})
    with transaction.atomic():
        locked = _locked(quality_list, "send_back", by, revision)
        locked.status, locked.returned_by, locked.returned_at = Status.DRAFT, by, timezone.now()
        locked.return_reason = reason.strip()
        locked.approved_by = locked.approved_for = locked.approved_at = None
        _fix(locked, {row.pk: None for row in _rows(locked)})
        _count_change(locked)
        notices.tell_of_list(locked)
    quality_list.refresh_from_db()


@by_whom
def approve(
    quality_list: QualityList,
    *,
    by: User,
    revision: int | None = None,
    seen: str | None = None,
    at: Any = None,
) -> None:
    """Somebody who had no hand in it agrees to what every line says now; no other words are published.

    ``seen`` is the mark of what was looked at: raises StaleRow when the lines say something else since.
    """
    with transaction.atomic():
        locked = _locked(quality_list, "approve", by, revision)
        grant = _approving(locked, by)
        locked.status, locked.approved_at = Status.APPROVED, at or timezone.now()
        locked.approved_by, locked.approved_for = by, grant and grant.principal
        lines = _to_be_kept(locked)
        if seen is not None and _mark(lines) != seen:
            raise StaleRow(_("条目的内容在您打开清单后有变化，没有批准。请回到清单页核对后再办理。"))
        _fix(locked, {line.row.pk: line.facts for line in lines})
        _count_change(locked)
    quality_list.refresh_from_db()


@by_whom
def publish(quality_list: QualityList, *, by: User, revision: int | None = None, at: Any = None) -> list[str]:
    """Publish what was approved, and supersede the version before; says which lines had to go."""
    with transaction.atomic():
        locked = _locked(quality_list, "publish", by, revision)
        dropped = drop_ineligible(locked)
        rows = _freeze(locked)
        if not rows:
            raise ValidationError(_("清单里的每一条都已不能列入，请退回重新起草。"))
        if former := locked.supersedes:
            former.status = Status.SUPERSEDED
            former.save(update_fields=["status"])
        locked.status, locked.published_by, locked.published_at = Status.PUBLISHED, by, at or timezone.now()
        locked.heading = {"chain": locked.chain.name, "bureau": locked.bureau.name}
        locked.digest = listed.digest(locked, rows)
        _count_change(locked)
    quality_list.refresh_from_db()
    return dropped


def _freeze(quality_list: QualityList) -> list[ListedRow]:
    """What was left out goes; what stays is numbered without gaps, and judged for outsiders."""
    for row in _rows(quality_list).filter(is_excluded=True):
        row.delete()
    lines = listed.lines_of(quality_list)
    public = listed.open_to_public(quality_list, [line.key for line in lines])
    rows = []
    for line in lines:
        line.row.position, line.row.is_public = line.number, line.key in public
        rows.append(line.row)
    _write_rows(quality_list, rows, "position", "is_public")
    return rows


def _to_be_kept(quality_list: QualityList) -> list[listed.Line]:
    """What would be published; words of the day, such as those of units, are Chinese in what is kept."""
    with translation.override(settings.LANGUAGE_CODE):
        return [line for line in listed.lines_of(quality_list) if not line.row.is_excluded]


def mark_of(quality_list: QualityList) -> str:
    """Another one whenever a line says something else: who approves says by it what was looked at."""
    return _mark(_to_be_kept(quality_list))


def _mark(lines: list[listed.Line]) -> str:
    content = orjson.dumps([[line.key, line.row.note, line.facts] for line in lines])
    return hashlib.blake2s(content, digest_size=8).hexdigest()


def _fix(quality_list: QualityList, facts: Mapping[int, listed.Facts | None]) -> None:
    """Store what rows say, by their keys; None leaves them to say what the live row does."""
    rows = [row for row in _rows(quality_list) if row.pk in facts]
    for row in rows:
        row.facts = facts[row.pk]
    _write_rows(quality_list, rows, "facts")


def _write_rows(quality_list: QualityList, rows: list[ListedRow], *names: str) -> None:
    with accounted(ListedRow):
        ListedRow.objects.judged("under the lock").bulk_update(rows, names, batch_size=200)
        write(Event.Kind.CHANGED, quality_list, after={"rows": len(rows)})


@by_whom
def discard(quality_list: QualityList, *, by: User, revision: int | None = None) -> None:
    """Throw a draft away; its number is given to the next one."""
    with transaction.atomic():
        locked = _locked(quality_list, "discard", by, revision)
        locked.delete()


# --- Under the lock ---------------------------------------------------------------------------------------


def _rows(quality_list: QualityList) -> Any:
    rows = ListedRow.objects.judged("under the lock").filter(quality_list=quality_list)
    return rows.order_by("position", "pk")


def _locked(quality_list: QualityList, name: str, by: User, revision: int | None) -> QualityList:
    """The list, locked for a step; raises StaleRow when somebody else was quicker."""
    rows = QualityList.objects.judged("under the lock").select_for_update(of=("self",))
    found = rows.select_related("chain", "bureau", "supersedes").filter(pk=quality_list.pk).first()
    if found is None:
        raise StaleRow(_("这份草案已被放弃。"))
    if not keeps(found, by):
        raise PermissionDenied(_("清单由清单单位或上级单位的经办人员办理。"))
    if found.status not in STEPS[name].sources or (revision is not None and revision != found.revision):
        raise StaleRow(why_stale(found))
    if why := refusal(found, name, by):
        raise PermissionDenied(why)
    return found


def _editable(quality_list: QualityList, by: User, revision: int | None) -> QualityList:
    return _locked(quality_list, "submit", by, revision)


def why_stale(quality_list: QualityList) -> str:
    """What happened since the page was opened."""
    last: dict[str, tuple[Any, Any]] = {
        Status.SUBMITTED: (quality_list.submitted_by, quality_list.submitted_at),
        Status.APPROVED: (quality_list.approved_by, quality_list.approved_at),
        Status.PUBLISHED: (quality_list.published_by, quality_list.published_at),
    }
    who, when = last.get(quality_list.status, (None, None))
    if who and when:
        return _("%(who)s 已在 %(when)s 办理，清单现在的状态是“%(status)s”。请刷新页面再看。") % {
            "who": who,
            "when": formats.moment(when),
            "status": quality_list.get_status_display(),
        }
    return _("清单刚刚有人改过，您的这次修改没有保存。请刷新页面，核对后再办理。")


def _principal(quality_list: QualityList, by: User) -> User | None:
    """For whom the user keeps the list as a substitute; none by an own grant."""
    return grants_over(by, quality_list.bureau, quality_list.chain_id)[0].principal


def _count_edit(quality_list: QualityList, by: User) -> None:
    quality_list.edited_by, quality_list.edited_for = by, _principal(quality_list, by)
    _count_change(quality_list)


def _count_change(quality_list: QualityList) -> None:
    quality_list.revision += 1
    save_checked(quality_list)
