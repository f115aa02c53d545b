"""The history of a row, and who looked at it, for the pages of rows."""

from typing import Any

from django import template

from common.scope import HasPath
from record import access
from record.telling import lines

register = template.Library()


@register.inclusion_tag("record/_history.html", takes_context=True)
def history(
    context: template.Context, row: Any, bureau: HasPath | None = None, chain_id: int | None = None
) -> dict[str, Any]:
    """What became of a row, for those over its bureau; nothing for everybody else."""
    user = context["request"].user
    if not user.is_authenticated:
        return {}
    found = list(access.history_for(user, row, bureau, chain_id)[: access.HISTORY_SHOWN + 1])
    return {
        "lines": lines(found[: access.HISTORY_SHOWN]),
        "has_more": len(found) > access.HISTORY_SHOWN and access.may_search(user),
        "topic": f"{row._meta.label_lower}:{row.pk}",
    }


@register.inclusion_tag("record/_lookers.html", takes_context=True)
def lookers(context: template.Context, row: Any, organization_id: int) -> dict[str, Any]:
    """Who looked at a row lately, for the people of the organisation whose it is."""
    user = context["request"].user
    if organization_id not in user.scope.organization_ids:
        return {}
    found = access.lookers_for(user).about(row).with_people()
    return {
        "own": True,
        "lines": lines(found[: access.LOOKERS_SHOWN]),
        "topic": f"{row._meta.label_lower}:{row.pk}",
    }
