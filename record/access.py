"""Who reads the record: auditors and administrators search it, the bureau line reads the history of a row, a
firm reads who looked at what is its own."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from common.scope import HasPath, Scope, widest
from record.models import Event
from record.querysets import EventQuerySet

# By their codes: grants are the business of a layer above.
SEARCHING_ROLES = ("auditor", "administrator")
LOOKERS_SHOWN = 5
HISTORY_SHOWN = 20


@dataclass(frozen=True)
class Searcher:
    """A viewer with the scope of the grants that open the search."""

    scope: Scope


def may_search(user: Any) -> bool:
    return user.is_superuser or bool(_searched_units(user))


def _searched_units(user: Any) -> list[Any]:
    return [grant.bureau for grant in user.grants_of(*SEARCHING_ROLES) if not grant.chain_id]


def searched_by(user: Any) -> EventQuerySet:
    """The events of the subtrees for which the user may search; raises PermissionDenied where that is none.

    An event knows no chain, so whoever audits one chain reads the history of its rows and searches nothing.
    """
    if not may_search(user):
        raise PermissionDenied(_("操作记录由督查人员和管理员查阅。"))
    units = _searched_units(user)
    everything = user.is_superuser or any(unit.parent_id is None for unit in units)
    scope = Scope(bureau_paths=widest(unit.path for unit in units), everything=everything)
    return Event.objects.visible_to(Searcher(scope))


def history_for(user: Any, row: Any, bureau: HasPath | None, chain_id: int | None = None) -> EventQuerySet:
    """What became of a row, newest first, for those over its bureau; a national row has none."""
    scope = user.scope
    if not (scope.everything or (bureau and scope.covers(bureau, chain_id))):
        return Event.objects.none()
    became = Event.objects.about(row).exclude(kind__in=(Event.Kind.READ, Event.Kind.REFUSED))
    return became.with_people()


def firms_of(user: Any) -> set[str]:
    """The credit codes of the organisations for which the user acts."""
    return {grant.organization.uscc for grant in user.grants_in_force if grant.organization_id}


def lookers_for(user: Any) -> EventQuerySet:
    """Who looked at the detail of the user's organisations."""
    return Event.objects.judged("the firm itself").filter(firm__in=firms_of(user), kind=Event.Kind.READ)
