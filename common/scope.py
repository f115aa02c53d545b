"""What a user may see: whole bureau subtrees, chains of them, single organisations (design decision 3)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import reduce, wraps
from operator import or_
from typing import Any, NamedTuple, ParamSpec, Protocol, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q, QuerySet

P = ParamSpec("P")
Row = TypeVar("Row", bound=Model)
Rows = TypeVar("Rows", bound="Scoped[Any]")

NOTHING = Q(pk__in=[])


class HasPath(Protocol):
    path: Any


class Reach(NamedTuple):
    """A bureau subtree of which one industrial chain only is seen."""

    path: str
    chain_id: int


@dataclass(frozen=True)
class Scope:
    """``bureau_paths`` are the paths of the widest subtrees that a bureau role covers; ``reaches`` those
    that one covers for a single chain; ``organization_ids`` the organisations for which the user acts;
    ``everything`` stands for the whole tree with all its chains. ``person_id`` is the user's own key, for
    rows that belong to a person; people of bureaus have none such. ``expert_id`` is the key of an expert, for
    what it is asked to judge."""

    bureau_paths: tuple[str, ...] = ()
    organization_ids: frozenset[int] = field(default_factory=frozenset)
    everything: bool = False
    reaches: tuple[Reach, ...] = ()
    person_id: int | None = None
    expert_id: int | None = None

    @property
    def is_of_bureau(self) -> bool:
        """Whether any of it comes from a bureau role."""
        return self.everything or bool(self.bureau_paths or self.reaches)

    def within(self, path_lookup: str, chain_lookup: str = "") -> Q:
        """Rows whose bureau path, reached by ``path_lookup``, lies in one of the subtrees.

        Of a subtree seen for one chain, the rows of that chain; none where rows have no chain to look up.
        """
        seen = [Q(**{f"{path_lookup}__startswith": path}) for path in self.bureau_paths]
        if chain_lookup:
            seen += [
                Q(**{f"{path_lookup}__startswith": reach.path, chain_lookup: reach.chain_id})
                for reach in self.reaches
            ]
        return reduce(or_, seen, NOTHING)

    def covers(self, bureau: HasPath, chain_id: int | None = None) -> bool:
        """Whether all of the bureau's rows are seen, or all of its rows of a chain."""
        return (
            self.everything
            or any(bureau.path.startswith(path) for path in self.bureau_paths)
            or any(
                reach.chain_id == chain_id and bureau.path.startswith(reach.path) for reach in self.reaches
            )
        )


class Viewer(Protocol):
    """Whoever asks for rows; lower layers know no more of a user than this."""

    @property
    def scope(self) -> Scope: ...


def widest(paths: Iterable[str]) -> tuple[str, ...]:
    """Drop every path that lies under another one."""
    kept: list[str] = []
    for path in sorted(paths):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return tuple(kept)


def widest_reaches(reaches: Iterable[Reach], paths: Iterable[str]) -> tuple[Reach, ...]:
    """Drop what lies under one of the paths, which are seen for every chain, or under the same chain's."""
    whole = tuple(paths)
    by_chain: dict[int, set[str]] = {}
    for reach in reaches:
        if not reach.path.startswith(whole):
            by_chain.setdefault(reach.chain_id, set()).add(reach.path)
    return tuple(Reach(path, chain) for chain in sorted(by_chain) for path in widest(by_chain[chain]))


# --- The guard --------------------------------------------------------------------------------------------
# Which rows of a scoped model are read is decided by a right, and the queryset remembers by which. With the
# guard on, reading without one raises: what forgets the scope fails in the first test that touches it.


class Unscoped(RuntimeError):
    """Rows of a scoped model were about to be read although nobody had asked who may see them."""


_job: ContextVar[str] = ContextVar("system_job", default="")
_guard: ContextVar[bool] = ContextVar("scope_guard", default=False)


@contextmanager
def system_job(name: str) -> Iterator[None]:
    """The block, or the decorated function, works for nobody in particular and may read every row."""
    token = _job.set(name)
    try:
        yield
    finally:
        _job.reset(token)


def current_job() -> str:
    """The name of the system job that runs here; empty when somebody asks for rows."""
    return _job.get()


@contextmanager
def guarding(*, on: bool = True) -> Iterator[None]:
    """Turn the guard on, or off where Django itself looks for doubles."""
    token = _guard.set(on)
    try:
        yield
    finally:
        _guard.reset(token)


def right(method: Callable[P, Rows]) -> Callable[P, Rows]:
    """For methods of a queryset that answer which rows somebody may read."""

    @wraps(method)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> Rows:
        return method(*args, **kwargs).judged(method.__name__)

    return scoped


# --- Rows that were asked for and not shown ----------------------------------------------------------------


class Asked(NamedTuple):
    """A row that somebody asked for by a key, and did not get; whether there is one nobody knows yet.

    ``typed``: by a key that came from outside for certain, whatever the page then answered.
    """

    model: type[Model]
    conditions: tuple[Any, ...]
    key: dict[str, Any]
    typed: bool = False


_missed: ContextVar[list[Asked] | None] = ContextVar("missed", default=None)


@contextmanager
def noting_misses() -> Iterator[list[Asked]]:
    """What the block looks up by key and does not get, the last at the end."""
    missed: list[Asked] = []
    token = _missed.set(missed)
    try:
        yield missed
    finally:
        _missed.reset(token)


def note_miss(model: type[Model], *conditions: Any, **key: Any) -> None:
    """Somebody named a row by a key of its own choice, and is told that there is none."""
    _note(Asked(model, conditions, key, typed=True))


def _note(asked: Asked) -> None:
    if (missed := _missed.get()) is not None:
        missed.append(asked)


class Noting(QuerySet[Row]):
    """Notes which row was asked for in vain: it may exist, and be outside of what may be seen."""

    def get(self, *args: Any, **kwargs: Any) -> Row:
        try:
            return super().get(*args, **kwargs)
        except ObjectDoesNotExist:
            _note(Asked(self.model, args, kwargs))
            raise

    def find(self, **key: Any) -> Row | None:
        """The row with a key that came from outside; None, which is noted, where there is none to see."""
        row = self.filter(**key).first()
        if row is None:
            note_miss(self.model, **key)
        return row


class Scoped(Noting[Row]):
    """Rows that are read by right only: one of the methods marked as such, a row reached from the whole of
    which it is a part (``wholes`` are the fields that name it), ``judged()``, or a system job."""

    wholes: tuple[str, ...] = ()
    _right = ""

    def judged(self, by: str) -> Self:
        """The same rows; ``by`` says who has judged, or will judge one by one, that they may be read."""
        rows = self._chain()  # type: ignore[attr-defined]
        rows._right = by
        return rows

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]
        clone._right = self._right
        return clone

    def __or__(self, other: Any) -> Any:
        rows = super().__or__(other)
        # Together they are as much judged as the one that is less.
        rows._right = self._right and other._right
        return rows

    def _ask(self) -> None:
        if not _guard.get() or self._right or _job.get() or self.query.is_empty() or self._is_part():
            return
        raise Unscoped(
            f"{self.model.__name__} was read without a scope: ask visible_to() or another right, or say "
            "by whom it was judged()."
        )

    def _is_part(self) -> bool:
        whole = self._hints.get("instance")  # type: ignore[attr-defined]
        fields: list[Any] = [self.model._meta.get_field(name) for name in self.wholes]
        return any(isinstance(whole, field.related_model) for field in fields)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._ask()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Iterator[Row]:
        self._ask()
        return super().iterator(chunk_size)

    def count(self) -> int:
        self._ask()
        return super().count()

    def exists(self) -> bool:
        self._ask()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._ask()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self._ask()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._ask()
        return super().delete()


class Parts(Scoped[Row]):
    """Rows that are seen by those who see the whole; the first of ``wholes`` names it."""

    @right
    def visible_to(self, viewer: Viewer) -> Self:
        whole: Any = self.model._meta.get_field(self.wholes[0]).related_model
        return self.filter(**{f"{self.wholes[0]}__in": whole._default_manager.visible_to(viewer)})
