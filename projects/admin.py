from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin import (
    BigTable,
    Inline,
    LinkedForm,
    PortalAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ScopedSelectFilter,
)
from enterprises.standing import hold
from projects import services
from projects.models import (
    Attachment,
    Beneficiary,
    Bottleneck,
    ChainProject,
    Consortium,
    ConsortiumMembership,
    Evidence,
    EvidenceAlarm,
    ExpertOpinion,
    FollowUp,
    InspectionReport,
    Investment,
    KeyProject,
    ListedRow,
    Measure,
    Milestone,
    Participation,
    PolicyInstrument,
    ProjectGoal,
    ProjectRegion,
    ProjectResult,
    QualityList,
    QualityMap,
    SpecDemand,
    SpecStep,
    SpecWait,
    TechnicalCommittee,
    Transition,
    TwinJudgement,
)
from record.services import looked_at

# Kept by services and by the database itself.
KEPT = ["version", "created_by", "created_at", "updated_at", "voided_at", "void_reason"]


class VoidForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("作废原因"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class LedgerAdmin(PortalAdmin):
    """Rows of the ledger: struck out with a reason instead of deleted."""

    readonly_fields = KEPT
    actions = ["void"]

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.action(description=gettext_lazy("作废所选记录"), permissions=["change"])
    def void(self, request: HttpRequest, queryset) -> HttpResponse | None:
        """Asks for the reason once, names every row, and strikes out those that are not struck out yet."""
        form = VoidForm(request.POST if "confirm" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": _("作废记录"),
                "opts": self.opts,
                "form": form,
                "rows": queryset,
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/void.html", context)
        done = 0
        for row in queryset:
            try:
                services.void(row, by=request.user, reason=form.cleaned_data["reason"])
            except (PermissionDenied, ValidationError, services.StaleRow) as refusal:
                sentence = refusal.messages[0] if isinstance(refusal, ValidationError) else refusal
                messages.error(request, _("%(label)s：%(why)s") % {"label": row, "why": sentence})
                continue
            self.log_change(request, row, _("作废：%s") % form.cleaned_data["reason"])
            done += 1
        if done:
            messages.success(request, ngettext("已作废 %d 条记录。", "已作废 %d 条记录。", done) % done)
        return None


class HoldingForm(forms.ModelForm):
    """Of a row whose bureau the database lets end; checked and stored in one transaction."""

    def clean_bureau(self):
        hold(self.instance, self.cleaned_data["bureau"])
        return self.cleaned_data["bureau"]


class RegionInline(Inline):
    model = ProjectRegion
    form = HoldingForm
    autocomplete_fields = ["bureau"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("bureau")


class GoalInline(Inline):
    model = ProjectGoal


@admin.register(ChainProject)
class ChainProjectAdmin(LedgerAdmin):
    list_display = ["code", "name", "chain", "tier", "bureau", "status", "start_on", "test_mark", "voided_at"]
    list_filter = [
        "tier",
        "status",
        ["chain", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        "is_cross_region",
        ["start_on", RangeDateFilter],
        "is_test",
        ["voided_at", admin.EmptyFieldListFilter],
    ]
    list_filter_submit = True
    list_select_related = ["chain", "bureau"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["chain", "bureau", "consortium"]
    readonly_fields = [*KEPT, "status", "closed_on"]
    inlines = [RegionInline, GoalInline]


@admin.register(Participation)
class ParticipationAdmin(BigTable, PortalAdmin):
    list_display = ["project", "organization", "role", "bureau", "joined_on", "left_on"]
    list_filter = ["role", ["project", ScopedSelectFilter], ["bureau", AutocompleteSelectFilter]]
    list_filter_submit = True
    list_select_related = ["project", "organization", "bureau"]
    search_fields = ["project__code__startswith", "organization__uscc__exact", "organization__name"]
    autocomplete_fields = ["project", "organization", "bureau"]
    ordering = ["-id"]


class MembershipInline(Inline):
    model = ConsortiumMembership
    autocomplete_fields = ["organization"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("organization")


@admin.register(Consortium)
class ConsortiumAdmin(LedgerAdmin):
    list_display = [
        "code",
        "name",
        "chain",
        "bureau",
        "lead",
        "status",
        "founded_on",
        "test_mark",
        "voided_at",
    ]
    list_filter = [
        "status",
        "local_type",
        ["chain", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        ["founded_on", RangeDateFilter],
        "is_test",
        ["voided_at", admin.EmptyFieldListFilter],
    ]
    list_filter_submit = True
    list_select_related = ["chain", "bureau", "lead"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["chain", "bureau", "lead"]
    readonly_fields = [*KEPT, "status", "dissolved_on"]
    inlines = [MembershipInline]


class MilestoneInline(Inline):
    model = Milestone


@admin.register(KeyProject)
class KeyProjectAdmin(LedgerAdmin):
    form = LinkedForm
    list_display = [
        "code",
        "name",
        "project",
        "kind",
        "lead",
        "status",
        "contract_on",
        "test_mark",
        "voided_at",
    ]
    list_filter = [
        "status",
        "kind",
        "route",
        ["project__chain", AutocompleteSelectFilter],
        ["contract_on", RangeDateFilter],
        ["accepted_on", RangeDateFilter],
        "is_test",
        ["voided_at", admin.EmptyFieldListFilter],
    ]
    list_filter_submit = True
    list_select_related = ["project", "lead"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["project", "lead", "bottlenecks"]
    readonly_fields = [*KEPT, "status", "accepted_on"]
    inlines = [MilestoneInline]


class MeasureInline(ReadOnlyInline):
    model = Measure
    fields = ["metric", "unit", "value_now", "comparison", "target", "value_after", "measured_after_on"]


class EvidenceInline(ReadOnlyInline):
    model = Evidence
    fields = ["kind", "element", "title", "number", "issuer", "issued_on", "sample", "verify_state"]


class FollowUpInline(ReadOnlyInline):
    model = FollowUp
    fields = ["resolved_on", "months", "asked_on", "answer", "text", "answered_at"]


class OpinionInline(ReadOnlyInline):
    model = ExpertOpinion
    fields = ["asked_at", "bureau", "asked_by", "expert", "answer", "no_conflict", "text", "answered_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("bureau", "asked_by", "expert")


class AlarmInline(ReadOnlyInline):
    model = EvidenceAlarm
    fields = ["at", "number", "state"]


class AttachmentInline(ReadOnlyInline):
    model = Attachment
    fields = ["name", "size", "mime", "sha256", "uploaded_by", "uploaded_at"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("uploaded_by")


class TransitionInline(ReadOnlyInline):
    model = Transition
    fields = ["sequence", "at", "move", "source", "target", "actor", "bureau", "organization", "reason"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("actor", "bureau", "organization")


@admin.register(Bottleneck)
class BottleneckAdmin(LedgerAdmin):
    """What a firm filed and what was decided changes by moves alone; here one marks, links and strikes out.

    Who may see it is the firm's choice.
    """

    list_display = [
        "code",
        "title",
        "organization",
        "chain",
        "handler",
        "status",
        "submitted_at",
        "voided_at",
    ]
    list_filter = [
        "status",
        "grade",
        "cause",
        "urgency",
        "result",
        ["chain", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        ["submitted_at", RangeDateFilter],
        "is_test",
        ["voided_at", admin.EmptyFieldListFilter],
    ]
    list_filter_submit = True
    list_select_related = ["organization", "chain", "handler"]
    search_fields = ["code", "title", "organization__name"]
    autocomplete_fields = ["project"]
    inlines = [
        MeasureInline,
        EvidenceInline,
        AlarmInline,
        OpinionInline,
        FollowUpInline,
        AttachmentInline,
        TransitionInline,
    ]

    def get_readonly_fields(self, request, obj=None):
        changeable = {"is_test", "project"}
        return [field.name for field in self.opts.fields if field.name not in changeable]

    def get_exclude(self, request, obj=None):
        return ["id", *self._many_to_many()]

    def _many_to_many(self) -> list[str]:
        return [field.name for field in self.opts.many_to_many]

    def has_add_permission(self, request):
        return False

    def opened(self, row, by):
        looked_at(row, row.organization_id, by)


class OfBottleneck(BigTable):
    """Parts of a problem."""

    list_select_related = ["bottleneck"]
    search_fields = ["bottleneck__code__startswith"]
    ordering = ["-pk"]

    def opened(self, row, by):
        looked_at(row.bottleneck, row.bottleneck.organization_id, by)


@admin.register(Transition)
class TransitionAdmin(OfBottleneck, ReadOnlyAdmin):
    list_display = [
        "bottleneck",
        "sequence",
        "at",
        "move",
        "source",
        "target",
        "actor",
        "bureau",
        "organization",
    ]
    list_filter = ["target", ["at", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["bottleneck", "actor", "bureau", "organization"]


@admin.register(Evidence)
class EvidenceAdmin(OfBottleneck, ReadOnlyAdmin):
    list_display = ["number", "title", "kind", "element", "issuer", "issued_on", "verify_state", "bottleneck"]
    list_filter = ["kind", "element", "verify_state"]
    search_fields = ["number__startswith", "bottleneck__code__startswith"]


@admin.register(InspectionReport)
class InspectionReportAdmin(BigTable, ReadOnlyAdmin):
    list_display = ["report_no", "institution", "sample", "client", "issued_on", "status"]
    list_filter = ["status", ["issued_on", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["institution"]
    search_fields = ["report_no__startswith", "institution__uscc__exact", "verification_code__exact"]
    ordering = ["-pk"]

    def opened(self, row, by):
        looked_at(row, row.institution_id, by)


@admin.register(Attachment)
class AttachmentAdmin(OfBottleneck, ReadOnlyAdmin):
    list_display = ["name", "size", "mime", "bottleneck", "uploaded_by", "uploaded_at"]
    list_filter = ["mime"]
    list_select_related = ["bottleneck", "uploaded_by"]
    exclude = ["file"]


@admin.register(Measure)
class MeasureAdmin(OfBottleneck, ReadOnlyAdmin):
    list_display = ["metric", "unit", "value_now", "comparison", "target", "value_after", "bottleneck"]
    list_filter = ["unit"]


class OfProject:
    """Parts of a project, key project or consortium."""

    ordering = ["-pk"]


@admin.register(ProjectGoal)
class ProjectGoalAdmin(OfProject, PortalAdmin):
    list_display = ["indicator", "project", "unit", "base", "target", "reached", "due_on"]
    list_filter = [["due_on", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["project"]
    search_fields = ["indicator", "project__code__startswith"]
    autocomplete_fields = ["project"]


@admin.register(ProjectRegion)
class ProjectRegionAdmin(OfProject, PortalAdmin):
    form = HoldingForm
    list_display = ["project", "bureau"]
    list_filter = [["bureau", AutocompleteSelectFilter]]
    list_filter_submit = True
    list_select_related = ["project", "bureau"]
    search_fields = ["project__code__startswith", "project__name"]
    autocomplete_fields = ["project", "bureau"]


@admin.register(ConsortiumMembership)
class ConsortiumMembershipAdmin(OfProject, PortalAdmin):
    list_display = ["consortium", "organization", "role", "joined_on", "left_on"]
    list_filter = ["role"]
    list_select_related = ["consortium", "organization"]
    search_fields = ["consortium__code__startswith", "consortium__name", "organization__name"]
    autocomplete_fields = ["consortium", "organization"]


@admin.register(Milestone)
class MilestoneAdmin(OfProject, PortalAdmin):
    list_display = ["title", "key_project", "weight", "due_on", "done_on"]
    list_filter = [["due_on", RangeDateFilter], ["done_on", admin.EmptyFieldListFilter]]
    list_filter_submit = True
    list_select_related = ["key_project"]
    search_fields = ["title", "key_project__code__startswith"]
    autocomplete_fields = ["key_project"]


@admin.register(ProjectResult)
class ProjectResultAdmin(OfProject, PortalAdmin):
    list_display = ["title", "kind", "number", "published_on", "due_on", "project"]
    list_filter = ["kind", ["published_on", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["project"]
    search_fields = ["number__startswith", "title", "project__code__startswith"]
    autocomplete_fields = ["project", "key_project"]


@admin.register(Investment)
class InvestmentAdmin(OfProject, PortalAdmin):
    list_display = ["key_project", "organization", "amount", "booked_on", "voucher"]
    list_filter = [["booked_on", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["key_project", "organization"]
    search_fields = ["voucher__startswith", "key_project__code__startswith", "organization__uscc__exact"]
    autocomplete_fields = ["key_project", "organization"]


@admin.register(Beneficiary)
class BeneficiaryAdmin(OfBottleneck, PortalAdmin):
    list_display = ["organization", "bottleneck", "agreed_on"]
    list_filter = [["agreed_on", RangeDateFilter]]
    list_filter_submit = True
    list_select_related = ["bottleneck", "organization"]
    search_fields = ["organization__uscc__exact", "bottleneck__code__startswith"]
    autocomplete_fields = ["bottleneck", "organization"]


@admin.register(TwinJudgement)
class TwinJudgementAdmin(BigTable, ReadOnlyAdmin):
    list_display = ["first", "second", "verdict", "by", "bureau", "at", "undone_at"]
    list_filter = ["verdict", ["at", RangeDateFilter], ["undone_at", admin.EmptyFieldListFilter]]
    list_filter_submit = True
    list_select_related = ["first", "second", "by", "bureau"]
    search_fields = ["first__code__startswith", "second__code__startswith"]
    ordering = ["-pk"]

    def opened(self, row, by):
        for problem in (row.first, row.second):
            looked_at(problem, problem.organization_id, by)


class PublishedAdmin(ReadOnlyAdmin):
    """What is published is told in part on the pages; here it stands whole, for its own subtree alone."""

    def in_scope(self, rows, administrator):
        scope = administrator.scope
        if not scope.everything:
            rows = rows.filter(scope.within("bureau__path", "chain"))
        return rows.judged("the administrator's subtree")


@admin.register(QualityMap)
class QualityMapAdmin(PublishedAdmin):
    list_display = [
        "chain",
        "bureau",
        "version",
        "status",
        "drawn_on",
        "drawn_by",
        "sheet_count",
        "is_public",
    ]
    list_filter = [
        "status",
        ["chain", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        ["drawn_on", RangeDateFilter],
        "is_public",
    ]
    list_filter_submit = True
    list_select_related = ["chain", "bureau", "drawn_by"]
    search_fields = ["chain__name", "bureau__name"]
    ordering = ["-pk"]
    exclude = ["file"]


@admin.register(TechnicalCommittee)
class TechnicalCommitteeAdmin(PortalAdmin):
    list_display = ["code", "name", "kind", "domain", "is_active"]
    list_filter = ["kind", "is_active"]
    search_fields = ["code", "name", "domain"]


class WaitInline(ReadOnlyInline):
    model = SpecWait
    fields = ["bottleneck", "since"]

    def get_queryset(self, request):
        """Of the problems that wait, those of the administrator's own scope."""
        rows = super().get_queryset(request).select_related("bottleneck")
        return rows if request.user.is_superuser else rows.visible_to(request.user.administered)


class StepInline(ReadOnlyInline):
    model = SpecStep
    fields = ["sequence", "at", "move", "source", "target", "actor", "bureau", "reason"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("actor", "bureau")


@admin.register(SpecDemand)
class SpecDemandAdmin(ReadOnlyAdmin):
    list_display = ["code", "title", "kind", "committee", "bureau", "status", "plan_no", "published_no"]
    list_filter = [
        "kind",
        "status",
        ["committee", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
    ]
    list_filter_submit = True
    list_select_related = ["committee", "bureau"]
    search_fields = ["code__startswith", "title", "plan_no__startswith", "published_no__startswith"]
    inlines = [WaitInline, StepInline]


@admin.register(PolicyInstrument)
class PolicyInstrumentAdmin(LedgerAdmin):
    form = HoldingForm
    list_display = [
        "title",
        "kind",
        "department",
        "bureau",
        "valid_from",
        "valid_to",
        "test_mark",
        "voided_at",
    ]
    list_filter = [
        "kind",
        ["bureau", AutocompleteSelectFilter],
        ["valid_from", RangeDateFilter],
        "is_test",
        ["voided_at", admin.EmptyFieldListFilter],
    ]
    list_filter_submit = True
    list_select_related = ["bureau"]
    search_fields = ["title", "doc_no", "department"]
    autocomplete_fields = ["bureau", "chains"]


class ListedRowInline(ReadOnlyInline):
    model = ListedRow
    fields = ["position", "bottleneck", "key_project", "instrument", "note", "is_excluded", "is_public"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("bottleneck", "key_project", "instrument")


@admin.register(QualityList)
class QualityListAdmin(PublishedAdmin):
    list_display = ["kind", "chain", "bureau", "version", "status", "effective_on", "published_at"]
    list_filter = [
        "kind",
        "status",
        ["chain", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        ["effective_on", RangeDateFilter],
    ]
    list_filter_submit = True
    list_select_related = ["chain", "bureau"]
    search_fields = ["chain__name", "chain__code__exact", "bureau__name"]
    inlines = [ListedRowInline]
