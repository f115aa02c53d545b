"""In whose name the code at hand works, from where, and why; every event is written with it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from inspect import signature
from ipaddress import ip_address
from pathlib import PurePath
from typing import Any, ParamSpec, TypeVar

from celery import current_task

from common.scope import current_job

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Acting:
    """``office`` is the code of the bureau or the credit code of the organisation in whose name somebody
    acts, ``path`` where it stands in the tree; ``principal_id`` whose substitute the actor is."""

    actor_id: int | None = None
    principal_id: int | None = None
    office: str = ""
    path: str = ""
    address: str | None = None
    job: str = ""
    reason: str = ""

    def as_(self, user: Any, grant: Any = None) -> "Acting":
        """The same, done by a user (None: by nobody) under a grant, from which place and reason are kept."""
        return Acting(
            actor_id=user and user.pk,
            principal_id=getattr(getattr(grant, "principal", None), "pk", None),
            address=self.address,
            reason=self.reason,
            **(_place(grant) if grant else {}),
        )


_current: ContextVar[Callable[[], Acting]] = ContextVar("acting", default=Acting)


def _place(grant: Any) -> dict[str, str]:
    if grant.bureau:
        return {"office": grant.bureau.code, "path": grant.bureau.path}
    return {"office": grant.organization.uscc, "path": grant.organization.bureau.path}


def now() -> Acting:
    """Who acts at this moment; where nobody is named, the name of the job."""
    acting = _current.get()()
    return acting if acting.actor_id or acting.job else replace(acting, job=_process())


def _process() -> str:
    """The system job that runs here, or else the task of the worker or the command of `manage.py`."""
    if job := current_job() or (current_task and current_task.name):
        return str(job)[:60]
    program, *words = sys.argv or [""]
    return f"manage.py {words[0]}"[:60] if PurePath(program).name == "manage.py" and words else ""


@contextmanager
def as_told_by(resolve: Callable[[], Acting]) -> Iterator[None]:
    """Ask ``resolve`` who acts, and only when somebody writes: most requests read."""
    token = _current.set(resolve)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def on_behalf(user: Any, grant: Any = None, reason: str | None = None) -> Iterator[None]:
    """The block is the work of ``user``; a user who acts already keeps the office that was told."""
    acting = _current.get()()
    if grant is not None or acting.actor_id != (user and user.pk):
        acting = acting.as_(user, grant)
    if reason is not None:
        acting = replace(acting, reason=reason)
    with as_told_by(lambda: acting):
        yield


@contextmanager
def because(reason: str) -> Iterator[None]:
    """What the block writes has this reason."""
    acting = now()
    with as_told_by(lambda: replace(acting, reason=reason)):
        yield


def by_whom(service: Callable[P, R]) -> Callable[P, R]:
    """For services: what they write is recorded as the work of their argument ``by``, whoever calls them."""
    place = list(signature(service).parameters).index("by")

    @wraps(service)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        by = args[place] if len(args) > place else kwargs.get("by")
        if by is None:
            return service(*args, **kwargs)
        with on_behalf(by):
            return service(*args, **kwargs)

    return recorded


def address(text: str) -> str | None:
    """An address as it is stored; None for what is none, such as a socket of the machine."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
