"""Which models are watched, and how a change of one of their rows becomes an event.

Django sends `post_save` after the transaction of a lone `save()`; row and event would not share one. Hence
the saving itself is wrapped. Deleting and many-to-many tables have their transaction and their signals.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property, wraps
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.core.files.base import File
from django.db import models, transaction
from django.db.models.signals import m2m_changed, pre_delete
from django.utils import timezone

from common.inserting import insert, sent_together
from common.prepared import Prepared
from record import acting
from record.models import Event

# In place of personal data and of drafts: that it changed, never what it was.
HIDDEN = "***"
BLANKS: tuple[Any, ...] = (None, "", [], {})
# The attribute of a row that was read under lock.
AS_READ = "_as_read"


@dataclass(frozen=True)
class Watched:
    """How rows of a model are recorded.

    ``topic`` names the foreign key to the row on whose page the event is told, none for the row itself.
    ``path`` and ``firm`` are lookups of the bureau path and the credit code to which the row belongs; of
    several the first that leads somewhere counts. ``hidden`` fields are personal data. ``ignored`` ones say
    nothing of their own: times of storing, revision numbers, progress of jobs. Rows that are ``nameless``
    are called by what belongs into no record, such as an address. ``when`` says which rows are recorded, all
    unless given. ``veiled`` is a lookup and the value by which a row is nobody else's business yet: its
    events say which fields changed and neither values nor name; the one that ends it tells all the row
    holds. ``called`` is the name of models that are not ours and have none in our language.
    """

    model: type[models.Model]
    topic: str = ""
    path: tuple[str, ...] = ()
    firm: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    nameless: bool = False
    when: Callable[[Any], bool] | None = None
    veiled: tuple[str, Any] | None = None
    called: Any = ""

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The fields told of, by the name of their column's attribute."""
        return {
            field.attname: field
            for field in self.model._meta.concrete_fields
            if field.name not in self.ignored and not (field.primary_key and not field.is_relation)
        }

    @cached_property
    def entity(self) -> str:
        return self.model._meta.label_lower

    @cached_property
    def topic_field(self) -> Any:
        return self.model._meta.get_field(self.topic) if self.topic else None

    @cached_property
    def topic_entity(self) -> str:
        return self.topic_field.related_model._meta.label_lower if self.topic else self.entity


WATCHED: dict[type[models.Model], Watched] = {}
_writing: ContextVar[tuple[type[models.Model], ...]] = ContextVar("writing", default=())
# Values of most columns stand in an event as they are.
PLAIN = {
    models.BigAutoField: int,
    models.BooleanField: bool,
    models.CharField: str,
    models.ForeignKey: int,
    models.TextField: str,
}
_gathered: ContextVar[list[Event] | None] = ContextVar("gathered", default=None)


def watch(
    model: type[models.Model],
    *,
    topic: str = "",
    path: Iterable[str] = (),
    firm: Iterable[str] = (),
    hidden: Iterable[str] = (),
    ignored: Iterable[str] = (),
    nameless: bool = False,
    when: Callable[[Any], bool] | None = None,
    veiled: tuple[str, Any] | None = None,
    called: Any = "",
) -> None:
    """Record every change of the model's rows; declared once, in `recorded.py` of its app."""
    WATCHED[model] = Watched(
        model=model,
        topic=topic,
        path=tuple(path),
        firm=tuple(firm),
        hidden=frozenset(hidden),
        ignored=frozenset(ignored),
        nameless=nameless,
        when=when,
        veiled=veiled,
        called=called,
    )
    model.save_base = _recorded(model.save_base)  # type: ignore[method-assign]
    for kind in apps.get_models():
        if _model(kind) is model:
            pre_delete.connect(_on_delete, sender=kind)
    for many in model._meta.many_to_many:
        through: Any = many.remote_field.through
        if through._meta.auto_created:
            m2m_changed.connect(_on_many, sender=through)


def being_written() -> tuple[type[models.Model], ...]:
    """Models that are written at this moment by somebody who records it."""
    return _writing.get()


@contextmanager
def accounted(*written: type[models.Model]) -> Iterator[None]:
    """The block writes rows of these models past `save()` and accounts for it itself."""
    token = _writing.set((*_writing.get(), *written))
    try:
        yield
    finally:
        _writing.reset(token)


# --- Events ------------------------------------------------------------------------------------------------


def write(
    kind: str,
    row: models.Model,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    belongs: tuple[str, str] | None = None,
    veiled: bool | None = None,
    once: str | None = None,
) -> None:
    """Append an event on a row of a watched model, as the work of whoever acts now.

    ``belongs`` are bureau path and credit code, and ``veiled`` says whether the row is, where these are known
    better than from the row in memory; an event with ``once`` is not written
    when one with the same text stands already.
    """
    watched = WATCHED[_model(row)]
    path, firm = belongs or _belongs(watched, row)
    if veiled is None:
        veiled = watched.veiled is not None and _walk(row, watched.veiled[0]) == watched.veiled[1]
    if veiled:
        before, after = dict.fromkeys(before or {}, HIDDEN), dict.fromkeys(after or {}, HIDDEN)
    store(
        kind,
        entity=watched.entity,
        row=str(row.pk),
        label="" if watched.nameless or veiled else str(row)[:200],
        topic_entity=watched.topic_entity,
        topic_row=str(getattr(row, watched.topic_field.attname) if watched.topic else row.pk),
        path=path,
        firm=firm,
        before=before or {},
        after=after or {},
        once=once,
    )


def store(kind: str, *, once: str | None = None, **values: Any) -> None:
    """Append an event, unless one with the same ``once`` stands already."""
    # Asked first: a reader who has been told of already need not wait for those who write.
    if once and Event.objects.judged("nothing of it is told").filter(once=once).exists():
        return
    event = event_of(kind, once=once, **values)
    gathered = _gathered.get()
    if gathered is None or once:
        insert([event], unless_there=once is not None)
    else:
        gathered.append(event)


@contextmanager
def one_change(*, blindly: Collection[type[models.Model]] = ()) -> Iterator[None]:
    """The block is one transaction, whose events are written by one statement at its end.

    For what changes many rows of some models at once. A block within a block leaves its events to the outer
    one, unless it fails. ``blindly``: the block looks for nothing that it stores, rows of these models among
    it, each as often as it stands there (`sent_together`).
    """
    events: list[Event] = []
    outer = _gathered.get()
    token = _gathered.set(events)
    try:
        with transaction.atomic(), sent_together(blindly) if blindly else nullcontext():
            yield
            if outer is None:
                insert(events)
    finally:
        _gathered.reset(token)
    if outer is not None:
        outer.extend(events)


def event_of(kind: str, *, path: str = "", **values: Any) -> Event:
    """What whoever acts now does; an event that belongs nowhere else belongs where the actor works."""
    who = acting.now()
    return Event(
        at=timezone.now(),
        kind=kind,
        path=path or who.path,
        actor_id=who.actor_id,
        principal_id=who.principal_id,
        office=who.office,
        job=who.job,
        address=who.address,
        reason=who.reason,
        **values,
    )


def loaded(model: type[models.Model], rows: int, label: str) -> None:
    """Append the one event of a bulk load: how many rows of the model came, and from where."""
    entity = WATCHED[model].entity
    store(
        Event.Kind.CREATED,
        entity=entity,
        row="",
        label=label,
        topic_entity=entity,
        topic_row="",
        after={"rows": rows},
    )


def _belongs(watched: Watched, row: models.Model) -> tuple[str, str]:
    return _first(_walk(row, lookup) for lookup in watched.path), _first(
        _walk(row, lookup) for lookup in watched.firm
    )


def _first(places: Iterable[Any]) -> str:
    return next((str(place) for place in places if place), "")


def _model(row: Any) -> type[models.Model]:
    """The model of a row or of a proxy, and of a user who is looked up only when asked for."""
    return row._meta.concrete_model


def _walk(row: Any, lookup: str) -> Any:
    for name in lookup.split("__"):
        row = getattr(row, name, None)
        if row is None:
            return None
    return row


# --- Saving ------------------------------------------------------------------------------------------------


class Stored(NamedTuple):
    """A row as the database holds it, where it belongs, and whether it is veiled."""

    values: dict[str, Any]
    belongs: tuple[str, str]
    veiled: bool


def read_under_lock(row: models.Model) -> None:
    """The row was read for update just now, with what it belongs to: its next saving need not ask for it."""
    watched = WATCHED[_model(row)]
    lookup, value = watched.veiled or ("pk", None)
    values = {name: row.__dict__[name] for name in watched.fields}
    row.__dict__[AS_READ] = Stored(values, _belongs(watched, row), _walk(row, lookup) == value)


def _recorded(save_base: Callable[..., None]) -> Callable[..., None]:
    @wraps(save_base)
    def save(self: models.Model, *args: Any, **kwargs: Any) -> None:
        model = _model(self)
        watched, only = WATCHED[model], kwargs.get("update_fields")
        names = [
            name
            for name, field in watched.fields.items()
            if only is None or field.name in only or name in only
        ]
        with transaction.atomic(savepoint=False), accounted(model):
            if not names or (watched.when and not watched.when(self)):
                return save_base(self, *args, **kwargs)
            known: Stored | None = self.__dict__.pop(AS_READ, None)
            before: Stored | None = None
            if known:
                names = [name for name in names if self.__dict__.get(name) != known.values[name]]
                was = _plain(watched, names, [known.values[name] for name in names])
                before = known._replace(values=was or {})
            elif self.pk is not None and not kwargs.get("force_insert"):
                before = _stored(watched, self.pk, names)
            save_base(self, *args, **kwargs)
            return _tell(watched, self, before, _now(watched, self, names), is_whole=only is None)

    return save


def add(rows: Sequence[models.Model]) -> None:
    """Store new rows of one watched model by one statement, without signals, with an event of each."""
    if not rows:
        return
    watched = WATCHED[_model(rows[0])]
    names = list(watched.fields)
    with transaction.atomic(savepoint=False), accounted(watched.model):
        insert(rows, told=True)
        for row in rows:
            if watched.when is None or watched.when(row):
                _tell(watched, row, None, _now(watched, row, names), is_whole=True)


def _now(watched: Watched, row: models.Model, names: list[str]) -> dict[str, Any]:
    """What the row holds after it was stored; read again where the database computes."""
    told = _plain(watched, names, [row.__dict__.get(name) for name in names])
    if told is not None:
        return told
    stored = _stored(watched, row.pk, names)
    return stored.values if stored else {}


def _tell(
    watched: Watched,
    row: models.Model,
    before: Stored | None,
    after: dict[str, Any],
    *,
    is_whole: bool,
) -> None:
    """``is_whole``: all columns were stored, so that the row says what the database holds."""
    if before is None:
        write(Event.Kind.CREATED, row, after=_shown(watched, after, after))
        return
    changed = [name for name, value in after.items() if value != before.values[name]]
    if not changed:
        return
    if before.veiled and watched.veiled and watched.veiled[0] in changed:
        names = list(watched.fields)
        told = _plain(watched, names, [row.__dict__.get(name) for name in names]) if is_whole else None
        whole = told or (_stored(watched, row.pk, names) or before).values
        write(Event.Kind.CHANGED, row, after=_shown(watched, whole, whole), veiled=False)
        return
    relations = any(watched.fields[name].is_relation for name in changed)
    write(
        Event.Kind.CHANGED,
        row,
        before=_shown(watched, before.values, changed),
        after=_shown(watched, after, changed),
        # A row that was moved belongs where it came to.
        belongs=None if relations else before.belongs,
        veiled=before.veiled,
    )


def _shown(watched: Watched, values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The values that say something, personal ones covered."""
    return {
        watched.fields[name].name: HIDDEN if watched.fields[name].name in watched.hidden else values[name]
        for name in names
        if values[name] not in BLANKS
    }


def _stored(watched: Watched, pk: Any, names: list[str]) -> Stored | None:
    """In one query."""
    lookup, value = watched.veiled or ("pk", None)
    rows = _columns(watched.model, (*names, *watched.path, *watched.firm, lookup))(pk=pk)
    if not rows:
        return None
    (row,) = rows
    values, places = row[: len(names)], row[len(names) : -1]
    paths = len(watched.path)
    return Stored(
        _plain(watched, names, values) or {},
        (_first(places[:paths]), _first(places[paths:])),
        row[-1] == value,
    )


@cache
def _columns(model: type[models.Model], lookups: tuple[str, ...]) -> Prepared:
    """They are asked for before every change."""
    return Prepared(lambda pk: model._base_manager.filter(pk=pk).values_list(*lookups))


def _plain(watched: Watched, names: list[str], values: Iterable[Any]) -> dict[str, Any] | None:
    """Values as they are stored in an event, the same for the same value; None when the database computes."""
    plain = {}
    for name, value in zip(names, values, strict=True):
        field = watched.fields[name]
        if value is None or PLAIN.get(type(field)) is type(value):
            plain[name] = value
        elif hasattr(value, "resolve_expression"):
            return None
        else:
            plain[name] = _as_stored(field, value)
    return plain


def _as_stored(field: Any, value: Any) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, File):
        value = value.name
    if not isinstance(field, models.JSONField):
        value = (field.target_field if field.is_relation else field).to_python(value)
    match value:
        case Decimal():
            return f"{value:.{field.decimal_places}f}"
        case datetime():
            return value.astimezone(timezone.get_default_timezone()).isoformat()
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case tuple():
            return field.get_prep_value(value)
    return value


# --- Deleting and many-to-many -----------------------------------------------------------------------------


def _on_delete(sender: type[models.Model], instance: models.Model, **kwargs: Any) -> None:
    watched = WATCHED[_model(sender)]
    if watched.when and not watched.when(instance):
        return
    if found := _stored(watched, instance.pk, list(watched.fields)):
        shown = _shown(watched, found.values, found.values)
        write(Event.Kind.DELETED, instance, before=shown, belongs=found.belongs, veiled=found.veiled)
    for pointer in _pointers(watched.model):
        for row in pointer.model._base_manager.filter(**{pointer.name: instance.pk}):
            write(Event.Kind.CHANGED, row, before={pointer.name: instance.pk})


def _pointers(model: type[models.Model]) -> list[Any]:
    """Fields of watched models that the database's deleting of a row empties without a signal."""
    return [
        relation.field
        for relation in model._meta.related_objects
        if relation.on_delete is models.SET_NULL
        and relation.related_model in WATCHED
        and relation.field.name not in WATCHED[relation.related_model].ignored
    ]


def _on_many(
    sender: type[models.Model],
    *,
    instance: models.Model,
    action: str,
    reverse: bool,
    model: type[models.Model],
    pk_set: set[int] | None,
    **kwargs: Any,
) -> None:
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    holder = model if reverse else type(instance)
    field = next(it for it in holder._meta.many_to_many if it.remote_field.through is sender)
    if action == "pre_clear":
        accessor = field.remote_field.get_accessor_name() if reverse else field.name
        pk_set = set(getattr(instance, str(accessor)).values_list("pk", flat=True))
    if not pk_set:
        return
    pairs = (
        [(row, [instance.pk]) for row in model._base_manager.filter(pk__in=pk_set)]
        if reverse
        else [(instance, sorted(pk_set))]
    )
    for row, others in pairs:
        told = {field.name: others}
        if action == "post_add":
            write(Event.Kind.CHANGED, row, after=told)
        else:
            write(Event.Kind.CHANGED, row, before=told)
