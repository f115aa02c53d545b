from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def sentences(handle: Callable[..., None]) -> Callable[..., None]:
    """Print what a service refuses as a sentence and not as a traceback."""

    @wraps(handle)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            handle(*args, **options)
        except ValidationError as error:
            raise CommandError("\n".join(error.messages)) from error

    return wrapped
