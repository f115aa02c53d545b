"""The record in the admin site: to be looked at by administrators, never typed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from common.admin import BigTable, ReadOnlyAdmin
from record.models import DayRoot, Event, Seal
from record.services import event_looked_at


@admin.register(Event)
class EventAdmin(BigTable, ReadOnlyAdmin):
    list_display = ["at", "kind", "entity", "label", "actor", "principal", "office", "address"]
    list_filter = ["kind"]
    list_select_related = ["actor", "principal"]
    search_fields = ["label", "actor__name"]

    def opened(self, row: Event, by: Any) -> None:
        event_looked_at(row, by)


@admin.register(Seal)
class SealAdmin(BigTable, ReadOnlyAdmin):
    list_display = ["position", "event", "at", "hash"]
    list_select_related = ["event"]

    def in_scope(self, rows: QuerySet, administrator: Any) -> QuerySet:
        return rows.filter(event__in=Event.objects.visible_to(administrator))


@admin.register(DayRoot)
class DayRootAdmin(ReadOnlyAdmin):
    list_display = ["day", "position", "hash"]
