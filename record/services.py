"""What is recorded besides changes: who looked, who signed in and out, and what was refused."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from common.scope import Asked, Viewer
from record import access, acting, recording
from record.models import Event, Untold

# Refusals of one person that are told one by one.
TOLD_PER_MINUTE = 20


def looked_at(row: models.Model, organization_id: int, by: Viewer) -> None:
    """Somebody reads restricted detail of an organisation: told to it, once per person, row and hour.

    Its own people look at what is theirs.
    """
    if organization_id not in by.scope.organization_ids:
        recording.write(Event.Kind.READ, row, once=_this_hour(_entity(row), row.pk))


def looked_up(person: models.Model) -> None:
    """Somebody was shown whose account a name or an address belongs to; told once per person and hour."""
    recording.write(Event.Kind.READ, person, once=_this_hour(_entity(person), person.pk))


def event_looked_at(event: Event, by: Any) -> None:
    """Somebody reads an event that holds what stood in a firm's row: the same as to read the row."""
    if event.firm and (event.before or event.after) and event.firm not in access.firms_of(by):
        recording.store(
            Event.Kind.READ,
            entity=event.entity,
            row=event.row,
            label=event.label,
            topic_entity=event.topic_entity,
            topic_row=event.topic_row,
            path=event.path,
            firm=event.firm,
            once=_this_hour(event.entity, event.row),
        )


def _entity(row: models.Model) -> str:
    """The model by which events name the row: an enterprise is an organisation, on whichever page."""
    model: Any = row._meta.concrete_model
    return model._meta.label_lower


def _this_hour(entity: str, row: Any) -> str:
    hour = timezone.localtime().strftime("%Y-%m-%dT%H")
    return f"read:{acting.now().actor_id}:{entity}:{row}:{hour}"


def kept_from(asked: Asked, by: Viewer) -> None:
    """Somebody asked for a row by its key and was told that there is none; recorded when there is one.

    Once per person, row and day. Not what the person sees elsewhere and only this page does not show.
    """
    rows = asked.model._base_manager
    try:
        row = rows.filter(*asked.conditions, **asked.key).first()
    except (ValueError, ValidationError):  # no key at all
        return
    if row is None:
        return
    seen: Any = asked.model._default_manager.all()
    if hasattr(seen, "visible_to") and seen.visible_to(by).filter(pk=row.pk).exists():
        return
    entity = _entity(row)
    day = timezone.localdate().isoformat()
    once = f"kept from:{acting.now().actor_id}:{entity}:{row.pk}:{day}"
    with acting.because(_("不在其查看范围内，按不存在答复。")):
        if row._meta.concrete_model in recording.WATCHED:
            recording.write(Event.Kind.REFUSED, row, once=once)
        else:
            key = {"entity": entity, "row": str(row.pk), "topic_entity": entity, "topic_row": str(row.pk)}
            recording.store(Event.Kind.REFUSED, label="", once=once, **key)


def signed(kind: str, user: Any) -> None:
    """The user has signed in or out."""
    grants = user.grants_in_force
    with acting.on_behalf(user, grants[0] if grants else None):
        recording.write(kind, user)


def refused(page: str, row: str, label: str, reason: str, *, apart: str = "") -> None:
    """Somebody was not let: ``page`` is the name of an address, ``row`` the key in it.

    The same refusal is told once a minute, and of one who is refused again and again the first
    `TOLD_PER_MINUTE`: keys are made up quickly, and the record must not be filled with them. Of whoever is
    not signed in one for each page is told. All others are counted. Refusals ``apart`` have places of their
    own, which cheaper ones do not use up.
    """
    who = acting.now()
    mine = f"refused:{who.actor_id or who.address}:{_this_minute()}:{apart}"
    slots = [f"{mine}{number}" for number in range(TOLD_PER_MINUTE)]
    events = Event.objects.judged("nothing of it is told").filter(once__in=slots)
    what = {"entity": page[:40]}
    if who.actor_id:
        what |= {"row": row[:40], "label": label[:200], "reason": reason}
    # Of two at once that want the same slot one gets it, and the other looks again.
    for _slot in slots:
        taken = events.count()
        if taken == TOLD_PER_MINUTE or events.filter(**what).exists():
            break
        with acting.because(reason):
            event = recording.event_of(
                Event.Kind.REFUSED,
                entity=page[:40],
                row=row[:40],
                label=label[:200],
                topic_entity=page[:40],
                topic_row=row[:40],
                once=slots[taken],
            )
        Event.objects.bulk_create([event], ignore_conflicts=True)
        if events.filter(once=event.once, at=event.at).exists():
            return
    _count(mine, who)


def _this_minute() -> str:
    return timezone.localtime().strftime("%Y-%m-%dT%H:%M")


def _count(key: str, who: acting.Acting) -> None:
    rows = Untold.objects.filter(key=key)
    if not rows.update(number=F("number") + 1):
        row = Untold(
            key=key,
            actor_id=who.actor_id,
            principal_id=who.principal_id,
            office=who.office,
            job=who.job,
            path=who.path,
            address=who.address,
            at=timezone.now(),
        )
        Untold.objects.bulk_create([row], ignore_conflicts=True)
        rows.update(number=F("number") + 1)


def tell_untold(now: datetime | None = None) -> None:
    """Of every minute that is over, one event that says how many refusals were not told one by one."""
    over = Untold.objects.filter(at__lt=(now or timezone.now()) - timedelta(minutes=2))
    for pk in over.values_list("pk", flat=True):
        with transaction.atomic():
            row = Untold.objects.select_for_update().filter(pk=pk).first()
            if row is None:  # another worker was quicker
                continue
            event = recording.event_of(
                Event.Kind.REFUSED,
                entity="refused",
                row="",
                label=_("另有 %(n)s 次未逐条记录") % {"n": row.number},
                topic_entity="refused",
                topic_row="",
                once=f"{row.key}more",
            )
            # Not the worker who tells of it: as it was when it was counted, down to nobody in particular.
            event.actor_id, event.principal_id, event.job = row.actor_id, row.principal_id, row.job
            event.office, event.path, event.address = row.office, row.path, row.address
            event.reason = _("同样的拒绝一分钟记一条，最多 %(most)s 条，其余只计次数。") % {
                "most": TOLD_PER_MINUTE
            }
            Event.objects.bulk_create([event], ignore_conflicts=True)
            row.delete()
