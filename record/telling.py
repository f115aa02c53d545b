"""Events in plain sentences."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import formats
from common.fields import CodeSetField
from record import names
from record.models import Event
from record.recording import HIDDEN, WATCHED

SENTENCES = {
    Event.Kind.CREATED: gettext_lazy("新建%(what)s"),
    Event.Kind.CHANGED: gettext_lazy("修改%(what)s"),
    Event.Kind.DELETED: gettext_lazy("删除%(what)s"),
    Event.Kind.READ: gettext_lazy("查看%(what)s"),
    Event.Kind.SIGNED_IN: gettext_lazy("登录"),
    Event.Kind.SIGNED_OUT: gettext_lazy("退出"),
    Event.Kind.REFUSED: gettext_lazy("操作被拒绝：%(what)s"),
}


@dataclass(frozen=True)
class Change:
    """One field of an event; blank where it was or became empty, both when the record does not hold it."""

    label: str
    before: str
    after: str
    is_hidden: bool = False


@dataclass(frozen=True)
class Line:
    """An event as it is read."""

    event: Event
    sentence: str
    who: str
    office: str
    changes: list[Change]

    @property
    def at(self) -> datetime:
        return self.event.at


def lines(events: Iterable[Event]) -> list[Line]:
    """The events with all names looked up, in a few queries however many events there are."""
    events = list(events)
    offices = names.of_offices(event.office for event in events)
    rows = _names_of_rows(events)
    return [
        Line(
            event=event,
            sentence=sentence(event.kind, event.entity, event.label),
            who=who(event),
            office=offices.get(event.office, event.office),
            changes=_changes(event, rows),
        )
        for event in events
    ]


def who(event: Event) -> str:
    """The person, and whose substitute; of work that nobody asked for, the job."""
    if event.actor is None:
        return event.job or _("未登录")
    if event.principal:
        return _("%(actor)s（代%(principal)s）") % {"actor": event.actor, "principal": event.principal}
    return str(event.actor)


def sentence(kind: str, entity: str, label: str) -> str:
    """修改量化指标“台架寿命达标率”"""
    what = word_for(entity)
    if label:
        # A refused page is called by its address alone.
        is_page = kind == Event.Kind.REFUSED and _model(entity) is None
        what = label if is_page else _("%(what)s“%(label)s”") % {"what": what, "label": label}
    return SENTENCES[Event.Kind(kind)] % {"what": what}


def word_for(entity: str) -> str:
    """What rows of a model are called; the bare name of one that is no more, or of a page."""
    model = _model(entity)
    if model is None:
        return entity
    watched = WATCHED.get(model)
    return str((watched and watched.called) or model._meta.verbose_name)


def words_for(entity: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """The names of the fields of an event."""
    return formats.listed(_label(entity, name) for name in _fields(entity, before, after))


def _fields(entity: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed, in the order of the model: PostgreSQL keeps no order of the keys in JSON."""
    model = _model(entity)
    fields = [*model._meta.fields, *model._meta.many_to_many] if model else []
    places = {field.name: place for place, field in enumerate(fields)}
    return sorted({**after, **before}, key=lambda name: places.get(name, len(places)))


def _model(entity: str) -> type[models.Model] | None:
    try:
        return apps.get_model(entity)
    except (LookupError, ValueError):
        return None


def _field(entity: str, name: str) -> Any:
    model = _model(entity)
    try:
        return model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        return None


def _label(entity: str, name: str) -> str:
    field = _field(entity, name)
    if field is None:
        return _("行数") if name == "rows" else name
    return str(field.verbose_name)


Names = dict[tuple[type[models.Model], Any], str]


def _names_of_rows(events: Sequence[Event]) -> Names:
    """What the rows are called to which the events refer by key."""
    wanted: dict[type[models.Model], set[Any]] = {}
    for event in events:
        for name, value in [*event.before.items(), *event.after.items()]:
            field = _field(event.entity, name)
            if field is not None and field.is_relation:
                keys = value if isinstance(value, list) else [value]
                wanted.setdefault(field.related_model, set()).update(
                    key for key in keys if key not in (None, HIDDEN)
                )
    return {
        (model, row.pk): str(row)
        for model, keys in wanted.items()
        for row in _with_wholes(model).filter(pk__in=keys)
    }


def _with_wholes(model: type[models.Model]) -> models.QuerySet:
    """Rows with those that they belong to: many are called by these as well."""
    rows, fields = model._base_manager.all(), model._meta.concrete_fields
    wholes = [field.name for field in fields if field.is_relation and not field.null]
    return rows.select_related(*wholes) if wholes else rows


def _changes(event: Event, rows: Names) -> list[Change]:
    changes = []
    for name in _fields(event.entity, event.before, event.after):
        before, after = event.before.get(name), event.after.get(name)
        field = _field(event.entity, name)
        changes.append(
            Change(
                label=_label(event.entity, name),
                before=_word(field, before, rows),
                after=_word(field, after, rows),
                is_hidden=HIDDEN in (before, after),
            )
        )
    return changes


def _word(field: Any, value: Any, rows: Names) -> str:
    """A stored value as people read it."""
    if value is None or value == HIDDEN:
        return ""
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if field is not None and field.is_relation:
        keys = value if isinstance(value, list) else [value]
        return formats.listed(rows.get((field.related_model, key), f"#{key}") for key in keys)
    if getattr(field, "choices", None) and not isinstance(field, CodeSetField):
        return str(dict(field.flatchoices).get(value, value))
    match field:
        case CodeSetField():
            value = formats.listed(field.labels(value.split(",")))
        case models.DateTimeField():
            value = formats.moment(parse_datetime(value))
        case models.DateField():
            value = formats.day(parse_date(value))
        case models.DecimalField() if "." in value:
            value = value.rstrip("0").rstrip(".")
        case models.JSONField():
            value = formats.listed(value) if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    return str(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
