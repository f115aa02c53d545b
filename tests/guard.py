"""Turns the guard of `common.scope` on for every request and task of the tests."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from common.scope import guarding


class ScopeGuard:
    """No request reads rows of a scoped model without a scope."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with guarding():
            return self.get_response(request)


def _unguarded(validate: Callable[..., None]) -> Callable[..., None]:
    @wraps(validate)
    def looked_for_doubles(*args: Any, **kwargs: Any) -> None:
        with guarding(on=False):
            validate(*args, **kwargs)

    return looked_for_doubles


# Django looks for doubles among all rows, and tells nobody which it found.
for _name in ("validate_unique", "validate_constraints"):
    setattr(Model, _name, _unguarded(getattr(Model, _name)))


_running: dict[str, ExitStack] = {}


@task_prerun.connect(weak=False)
def _guard_task(task_id: str, **kwargs: Any) -> None:
    stack = _running[task_id] = ExitStack()
    stack.enter_context(guarding())


@task_postrun.connect(weak=False)
def _release_task(task_id: str, **kwargs: Any) -> None:
    _running.pop(task_id).close()
