"""Which events: the named questions."""

from typing import TYPE_CHECKING, Any, NoReturn, Self

from django.db import models
from django.db.models import Q

from common.scope import Scoped, Viewer, right

if TYPE_CHECKING:
    from record.models import Event  # noqa: F401 (the base)


class EventQuerySet(Scoped["Event"]):
    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """Events on rows of the bureau subtrees that the viewer covers."""
        scope = viewer.scope
        return self if scope.everything else self.filter(scope.within("path"))

    @right
    def about(self, row: models.Model) -> Self:
        """What happened to a row and to all that belongs to it, newest first."""
        return self.filter(topic_entity=row._meta.label_lower, topic_row=str(row.pk))

    def with_people(self) -> Self:
        return self.select_related("actor", "principal")

    def search(self, text: str) -> Self:
        """Events whose row is called so or has this key, and those of people of this name."""
        return self.filter(
            Q(label__icontains=text)
            | Q(row=text)
            | Q(actor__name__icontains=text)
            | Q(actor__username=text)
            | Q(principal__name__icontains=text)
        )

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are only ever appended.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are only ever appended.")
