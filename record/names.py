"""What the codes of offices stand for; the app that holds bureaus and firms says so when it starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import CharField, Expression, F, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce


@dataclass(frozen=True)
class Offices:
    """A model whose rows stand in the record by the code in ``key``."""

    model: type[Model]
    key: str
    name: str


_known: list[Offices] = []


def offices(model: type[Model], key: str, name: str) -> None:
    _known.append(Offices(model, key, name))


def office_name() -> Expression:
    """The name of the office of an event, its code where there is none any more."""
    names = [
        Subquery(it.model._base_manager.filter(**{it.key: OuterRef("office")}).values(it.name)[:1])
        for it in _known
    ]
    return Coalesce(*names, F("office"), output_field=CharField())


def of_offices(codes: Iterable[str]) -> dict[str, str]:
    codes = {code for code in codes if code}
    found: dict[str, str] = {}
    for it in _known if codes else ():
        found |= dict(it.model._base_manager.filter(**{f"{it.key}__in": codes}).values_list(it.key, it.name))
    return found
