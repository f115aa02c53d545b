"""What every page of the admin site has in common: scope, rights, and no needless counting."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from common.scope import Scoped


class PortalAdmin(ModelAdmin):
    """Rows of the administrator's scope; a row that would leave it is not saved."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows.judged("superuser") if isinstance(rows, Scoped) else rows
        return self.in_scope(rows, request.user.administered)

    @admin.display(description=gettext_lazy("测试数据"), ordering="is_test")
    def test_mark(self, row: Any) -> str:
        """A word where there is something to say; the theme's red cross would look like a fault."""
        return _("测试") if row.is_test else ""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """A number that is too large for a key is absent like any other."""
        field: Any = self.opts.get_field(from_field) if from_field else self.opts.pk
        while field.remote_field:  # a reference does not know the range of what it refers to
            field = field.target_field
        try:
            field.run_validators(field.to_python(object_id))
        except ValidationError:
            return None
        return super().get_object(request, object_id, from_field)

    def in_scope(self, rows: Any, administrator: Any) -> QuerySet:
        """The rows of an administrator; reference tables, which have no scope, stay whole."""
        return rows.visible_to(administrator) if hasattr(rows, "visible_to") else rows

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not self.get_queryset(request).filter(pk=form.instance.pk).exists():
            # Inside the transaction of the admin view: nothing of it stays.
            raise PermissionDenied(_("保存后，这条记录将不在您的管理范围内，因此没有保存。"))


class ReadOnly:
    """Written by services alone: to be looked at, never typed."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, PortalAdmin):
    pass


class BigTable:
    """Pages without a total, which would cost more than the page."""

    paginator = InfinitePaginator


class Inline(TabularInline):
    extra = 0
    tab = True
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Parts of the row on the page, which is in the administrator's scope."""
        rows = super().get_queryset(request)
        return rows.judged("parts of the row") if isinstance(rows, Scoped) else rows


class ReadOnlyInline(ReadOnly, Inline):
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return list(self.fields or [field.name for field in self.opts.fields if field.name != "id"])
