"""Which events: the named questions."""

from typing import TYPE_CHECKING, Any, NoReturn, Self

from django.db import models

from common.scope import Viewer

if TYPE_CHECKING:
    from record.models import Event


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Events on rows of the bureau subtrees that the viewer covers."""
        scope = viewer.scope
        return self if scope.everything else self.filter(scope.within("path"))

    def about(self, row: models.Model) -> Self:
        """What happened to a row and to all that belongs to it, newest first."""
        return self.filter(topic_entity=row._meta.label_lower, topic_row=str(row.pk))

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are only ever appended.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are only ever appended.")
