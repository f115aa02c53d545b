from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportActionModelAdmin, ImportExportModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.import_export.forms import ImportForm, SelectableFieldsExportForm

from common.admin import Inline, PartsFormSet, PortalAdmin, ReadOnlyAdmin, ReadOnlyInline
from common.workbooks import refuse_oversize
from enterprises.models import (
    BoundaryChange,
    BoundaryPart,
    Bureau,
    ChainSegment,
    Division,
    Enterprise,
    IndustryChain,
    Institution,
    InstitutionProfile,
    NumberSeries,
    Organization,
    OrganizationContact,
)
from enterprises.resources import OrganizationResource
from record.services import looked_at


class WeighedImportForm(ImportForm):
    """Opens no workbook that would take the memory of the server."""

    def clean_import_file(self):
        upload = self.cleaned_data["import_file"]
        refuse_oversize(upload)
        return upload


class ExportForm(SelectableFieldsExportForm):
    """Offers the columns by their headings alone."""

    def _get_field_label(self, resource, field_name):
        return resource.fields[field_name].column_name


@admin.register(Division)
class DivisionAdmin(PortalAdmin):
    list_display = ["code", "name", "level", "parent", "valid_from", "valid_to"]
    list_filter = ["level", "valid_from"]
    list_select_related = ["parent"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent", "replaced_by"]


@admin.register(Bureau)
class BureauAdmin(PortalAdmin):
    list_display = ["code", "name", "short_name", "level", "parent", "is_separately_planned", "valid_to"]
    list_filter = ["level", "is_separately_planned"]
    list_select_related = ["parent"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent", "division"]
    readonly_fields = ["path", "valid_from", "valid_to"]

    def get_readonly_fields(self, request, obj=None):
        """Codes are never changed; names and superiors by a change of boundaries, which keeps what was."""
        fixed = ["code", "name", "short_name", "level", "parent"] if obj else []
        return [*super().get_readonly_fields(request, obj), *fixed]

    def get_search_results(self, request, queryset, search_term):
        """Grants are given for units under the own administration; other rows may name any unit of now."""
        if "model_name" in request.GET:
            queryset = queryset.in_force()
        if request.GET.get("model_name") == "grant":
            scope = request.user.administered.scope
            queryset = queryset if scope.everything else queryset.filter(scope.within("path"))
        return super().get_search_results(request, queryset, search_term)


class BoundaryPartInline(ReadOnlyInline):
    model = BoundaryPart
    fields = ["side", "bureau", "code", "name", "takes", "stays"]


@admin.register(BoundaryChange)
class BoundaryChangeAdmin(ReadOnlyAdmin):
    """Planned and cancelled on the pages of the portal, which say beforehand what follows."""

    list_display = ["effective_on", "kind", "document", "state", "planned_by"]
    list_filter = ["kind", "state"]
    search_fields = ["document"]
    # Numbers of a unit's records are for those who oversee it, on the page of the change.
    exclude = ["moved"]
    inlines = [BoundaryPartInline]


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    list_display = ["prefix", "last"]
    search_fields = ["prefix"]


class SegmentFormSet(PartsFormSet):
    def clean(self):
        """Each was judged beside the others as they are stored; this judges what is posted together."""
        super().clean()
        if any(self.errors):
            return
        kept = {
            form.instance.pk: form.instance for form in self.initial_forms if form not in self.deleted_forms
        }
        for segment in kept.values():
            above, seen = segment, set()
            while above is not None:
                if above.pk in seen:
                    raise ValidationError(_("“%s”成了自己的下级，请检查上级环节。") % segment)
                seen.add(above.pk)
                above = kept.get(above.parent_id)


class SegmentInline(Inline):
    model = ChainSegment
    formset = SegmentFormSet
    fields = ["stream", "name", "parent", "position", "localisation_rate"]
    autocomplete_fields = ["parent"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("parent")


@admin.register(IndustryChain)
class IndustryChainAdmin(PortalAdmin):
    list_display = ["code", "name", "klass", "bureau", "valid_from", "valid_to"]
    list_filter = ["klass"]
    list_select_related = ["bureau"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["bureau"]
    inlines = [SegmentInline]


@admin.register(ChainSegment)
class ChainSegmentAdmin(PortalAdmin):
    list_display = ["name", "stream", "chain", "parent", "position", "localisation_rate"]
    list_filter = ["stream", "chain"]
    list_select_related = ["chain", "parent"]
    search_fields = ["name", "chain__name"]
    autocomplete_fields = ["chain", "parent"]


class ContactInline(Inline):
    model = OrganizationContact


class ProfileInline(Inline):
    model = InstitutionProfile


@admin.register(Organization)
class OrganizationAdmin(ImportExportModelAdmin, ExportActionModelAdmin, PortalAdmin):
    """Import: known credit codes are changed, new ones added, after a dry run that names every fault."""

    resource_classes = [OrganizationResource]
    import_form_class = WeighedImportForm
    export_form_class = ExportForm
    list_display = ["name", "uscc", "bureau", "legal_form", "size", "status", "test_mark"]
    list_filter = ["legal_form", "size", "status", ["bureau", AutocompleteSelectFilter], "source", "is_test"]
    list_filter_submit = True
    list_select_related = ["bureau"]
    search_fields = ["name", "uscc"]
    search_help_text = _("名称的一部分，或统一社会信用代码")
    ordering = ["name", "id"]
    autocomplete_fields = ["bureau", "registered_division", "operating_division"]
    readonly_fields = ["source", "created_at", "updated_at"]
    inlines = [ContactInline, ProfileInline]

    def opened(self, row, by):
        """The contact stands here in full: it is maintained here."""
        looked_at(row, row.pk, by)

    def formfield_for_choice_field(self, db_field, request, **kwargs):
        if db_field.name == "status":
            kwargs["choices"] = Organization.Status.of_ledger()
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_search_results(self, request, queryset, search_term):
        """The search of the pages: the admin's own would look at lower-cased text and use no index."""
        return queryset.search(search_term), False

    def get_resource_kwargs(self, request, *args, **kwargs):
        return {
            **super().get_resource_kwargs(request, *args, **kwargs),
            "administrator": request.user.administered,
        }


@admin.register(Enterprise)
class EnterpriseAdmin(OrganizationAdmin):
    inlines = [ContactInline]


@admin.register(Institution)
class InstitutionAdmin(OrganizationAdmin):
    list_display = ["name", "uscc", "bureau", "kinds", "elements", "status"]
    list_select_related = ["bureau", "institution_profile"]
    inlines = [ProfileInline, ContactInline]

    @admin.display(description=_("机构类型"))
    def kinds(self, row):
        return row.institution_profile.get_kinds_display()

    @admin.display(description=_("质量基础设施要素"))
    def elements(self, row):
        return row.institution_profile.get_nqi_elements_display()
