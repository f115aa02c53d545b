"""What every page of the admin site has in common: scope, rights, and no needless counting."""

from typing import Any, NoReturn

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.forms.models import _get_foreign_key
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm
from unfold.forms import PaginationInlineFormSet
from unfold.paginator import InfinitePaginator

from common.scope import Scoped, note_miss, system_job


class ScopedChoices:
    """Relations lead to rows that the administrator sees, and to what stands in the row already.

    The list of choices shows no others; this refuses the guessed keys of others.
    """

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        if field:
            stored = self._stored(db_field.model, request).values(db_field.attname)
            field.queryset = _choices(field.queryset, request, stored)
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if field:
            linked = db_field.remote_field.through._base_manager.filter(
                **{f"{db_field.m2m_field_name()}__in": self._stored(db_field.model, request)}
            )
            stored = linked.values(db_field.m2m_reverse_field_name())
            field.queryset = _choices(field.queryset, request, stored)
        return field

    def _stored(self, model: type[Model], request: HttpRequest) -> QuerySet:
        """The row of the page, or of an inline its rows."""
        key = request.resolver_match and request.resolver_match.kwargs.get("object_id")
        name = self.fk_of(model)
        try:
            return model._base_manager.filter(**{name: key}) if key else model._base_manager.none()
        except (ValueError, ValidationError):
            return model._base_manager.none()

    def fk_of(self, model: type[Model]) -> str:
        return "pk"


def _choices(rows: QuerySet, request: HttpRequest, stored: QuerySet) -> QuerySet:
    page = admin.site._registry.get(rows.model)
    if request.user.is_superuser or page is None:
        seen = rows
    else:
        seen = rows.filter(Q(pk__in=page.get_queryset(request).values("pk")) | Q(pk__in=stored))
    return seen.judged("the administrator's choices") if isinstance(seen, Scoped) else seen


class _FilterForm(AutocompleteDropdownForm):
    def __init__(self, request: HttpRequest, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, name, *args, **kwargs)
        field: Any = self.fields[name]
        rows = field.queryset.all()
        field.queryset = _choices(rows, request, rows.none().values("pk"))


class ScopedSelectFilter(AutocompleteSelectFilter):
    """Filters by a related row; the name of one outside the scope is not told to who guesses its key."""

    form_class = _FilterForm


class LinkedForm(ModelForm):
    """Of a row that names others: what it names already is shown, wherever that belongs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with system_job("read the links of a row"):
            super().__init__(*args, **kwargs)


class PortalAdmin(ScopedChoices, ModelAdmin):
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

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        """A row outside the scope is absent here as on the pages."""
        note_miss(self.model, pk=object_id)
        raise Http404

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, obj: Any = None, **kwargs: Any
    ) -> Any:
        if obj is not None:
            self.opened(obj, request.user)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def opened(self, row: Any, by: Any) -> None:
        """Somebody reads the row in full; pages of rows that belong to a firm tell it so."""

    def in_scope(self, rows: Any, administrator: Any) -> QuerySet:
        """The rows of an administrator; reference tables, which have no scope, stay whole."""
        return rows.visible_to(administrator) if hasattr(rows, "visible_to") else rows

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        # By the column: `pk` of a token's proxy says something else.
        key = self.opts.pk.attname
        if not self.get_queryset(request).filter(**{key: getattr(form.instance, key)}).exists():
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


class PartsFormSet(PaginationInlineFormSet):
    """Knows of no other rows than those of the row on the page."""

    def add_fields(self, form: ModelForm, index: int | None) -> None:
        super().add_fields(form, index)
        key: Any = form.fields[self._pk_field.name]
        if hasattr(key, "queryset"):
            key.queryset = self.queryset


class Inline(ScopedChoices, TabularInline):
    formset = PartsFormSet
    extra = 0
    tab = True
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Parts of the row on the page, which is in the administrator's scope."""
        rows = super().get_queryset(request)
        return rows.judged("parts of the row") if isinstance(rows, Scoped) else rows

    def fk_of(self, model: type[Model]) -> str:
        """The field by which the rows belong to the row of the page."""
        return _get_foreign_key(self.parent_model, model, self.fk_name).name


class ReadOnlyInline(ReadOnly, Inline):
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return list(self.fields or [field.name for field in self.opts.fields if field.name != "id"])
