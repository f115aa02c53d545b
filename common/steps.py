"""A step that somebody takes on a page, and that may be refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest


@contextmanager
def refusals_told(request: HttpRequest, *others: type[Exception]) -> Iterator[None]:
    """The block takes a step and says what was done; where it is refused, the next page says why, and what
    stands after the block follows. ``others`` are refusals besides ValidationError."""
    refusals: tuple[type[Exception], ...] = (ValidationError, *others)
    try:
        yield
    except refusals as refused:
        messages.error(request, " ".join(getattr(refused, "messages", [str(refused)])))
