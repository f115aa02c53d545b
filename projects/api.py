"""Projects, participations, consortia, key projects and problems to read; the moves of a problem to make."""

from dataclasses import asdict
from datetime import date
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as Refused
from django.db.models import BigIntegerField, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import FILING_ROLES, User
from common import formats
from common.api import CodeChoice, CodeList, DetailView, MomentField, RowSerializer, RowsView, TextField
from common.forms import Phone
from common.prepared import Prepared
from common.scope import note_miss
from enterprises.models import Bureau, ChainSegment, IndustryChain, NqiElement, Organization
from projects import listed, maps, services
from projects.field_classes import FieldClass, is_open
from projects.filters import (
    BottleneckFilter,
    ConsortiumFilter,
    DemandFilter,
    InstrumentFilter,
    KeyProjectFilter,
    ParticipationFilter,
    ProjectFilter,
    PublishedFilter,
    QualityListFilter,
    QualityMapFilter,
    ReportFilter,
    SharedFilter,
)
from projects.forms.filing import MAX_MEASURES, chains_for
from projects.forms.moves import GAPS, find_master
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    ConsortiumMembership,
    Evidence,
    InspectionReport,
    Investment,
    KeyProject,
    Measure,
    Milestone,
    Participation,
    PolicyInstrument,
    ProjectGoal,
    ProjectResult,
    QualityList,
    QualityMap,
    SpecDemand,
    SpecStep,
    SpecWait,
    Transition,
)
from projects.models.projects import refuse_future
from projects.workflow import MOVES, RejectReason, choices_for
from record.services import looked_at


class CountedView(DetailView):
    """Rows that count, as the lists show them."""

    def visible(self, rows):
        return super().visible(rows).counted()


# --- Projects ------------------------------------------------------------------------------------------


class ProjectSerializer(RowSerializer):
    code = serializers.CharField()
    name = serializers.CharField()
    chain = serializers.CharField(source="chain.code")
    tier = serializers.CharField()
    status = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    is_cross_region = serializers.BooleanField()
    start_on = serializers.DateField()
    end_on = serializers.DateField()
    closed_on = serializers.DateField(allow_null=True)
    consortium = serializers.CharField(source="consortium.code", allow_null=True, default=None)
    budget_gov = serializers.DecimalField(18, 2)
    budget_own = serializers.DecimalField(18, 2)


class GoalSerializer(serializers.ModelSerializer):
    class Meta:
        model = ProjectGoal
        fields = ["indicator", "unit", "base", "target", "reached", "due_on"]


class ProjectDetailSerializer(ProjectSerializer):
    summary = serializers.CharField()
    regions = serializers.SerializerMethodField(help_text="Codes of the bureaus that take part.")
    goals = GoalSerializer(many=True)

    def get_regions(self, row: ChainProject) -> list[str]:
        return [bureau.code for bureau in row.regions.all()]


class ProjectViewSet(CountedView):
    """Chain projects; who takes part in them: `participations/?project=`."""

    model = ChainProject
    serializer_class = ProjectSerializer
    detail_serializer_class = ProjectDetailSerializer
    filterset_class = ProjectFilter
    lookup_field = "code"
    sorts = {"code": "code", "name": "name", "start": "start_on"}

    def detailed(self, queryset):
        return queryset.select_related("chain", "bureau", "consortium").prefetch_related("regions", "goals")


class ParticipationSerializer(RowSerializer):
    project = serializers.CharField(source="project.code")
    organization = serializers.CharField(source="organization.uscc")
    organization_name = serializers.CharField(source="organization.name")
    role = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    joined_on = serializers.DateField()
    left_on = serializers.DateField(allow_null=True)


class ParticipationViewSet(RowsView):
    """One organisation in one role on one project of the user's scope."""

    model = Participation
    serializer_class = ParticipationSerializer
    filterset_class = ParticipationFilter


# --- Consortia and key projects --------------------------------------------------------------------------


class ConsortiumSerializer(RowSerializer):
    code = serializers.CharField()
    name = serializers.CharField()
    local_type = serializers.CharField()
    chain = serializers.CharField(source="chain.code")
    bureau = serializers.CharField(source="bureau.code")
    lead = serializers.CharField(source="lead.uscc")
    lead_name = serializers.CharField(source="lead.name")
    founded_on = serializers.DateField(allow_null=True)
    founding_doc_no = serializers.CharField()
    dissolved_on = serializers.DateField(allow_null=True)
    status = serializers.CharField()


class MembershipSerializer(serializers.ModelSerializer):
    organization = serializers.CharField(source="organization.uscc")
    organization_name = serializers.CharField(source="organization.name")

    class Meta:
        model = ConsortiumMembership
        fields = ["organization", "organization_name", "role", "joined_on", "left_on"]


class ConsortiumDetailSerializer(ConsortiumSerializer):
    purpose = serializers.CharField()
    memberships = MembershipSerializer(many=True)


class ConsortiumViewSet(CountedView):
    model = Consortium
    serializer_class = ConsortiumSerializer
    detail_serializer_class = ConsortiumDetailSerializer
    filterset_class = ConsortiumFilter
    lookup_field = "code"
    sorts = {"code": "code", "name": "name"}

    def detailed(self, queryset):
        return queryset.select_related("chain", "bureau", "lead").prefetch_related(
            "memberships__organization"
        )


class KeyProjectSerializer(RowSerializer):
    code = serializers.CharField()
    name = serializers.CharField()
    project = serializers.CharField(source="project.code")
    bureau = serializers.CharField(source="project.bureau.code")
    kind = serializers.CharField()
    route = serializers.CharField()
    lead = serializers.CharField(source="lead.uscc")
    lead_name = serializers.CharField(source="lead.name")
    nqi_elements = CodeList()
    status = serializers.CharField()
    contract_on = serializers.DateField(allow_null=True)
    start_on = serializers.DateField()
    end_on = serializers.DateField()
    accepted_on = serializers.DateField(allow_null=True)
    budget_gov = serializers.DecimalField(18, 2)
    budget_own = serializers.DecimalField(18, 2)


class MilestoneSerializer(serializers.ModelSerializer):
    class Meta:
        model = Milestone
        fields = ["title", "due_on", "weight", "done_on"]


class ProjectResultSerializer(serializers.ModelSerializer):
    class Meta:
        model = ProjectResult
        fields = ["kind", "title", "due_on", "number", "published_on"]


class InvestmentSerializer(serializers.ModelSerializer):
    organization = serializers.CharField(source="organization.uscc")

    class Meta:
        model = Investment
        fields = ["organization", "amount", "booked_on"]


class KeyProjectDetailSerializer(KeyProjectSerializer):
    technical_path = serializers.CharField()
    milestones = MilestoneSerializer(many=True)
    results = ProjectResultSerializer(many=True)
    investments = InvestmentSerializer(many=True, help_text="Those that this user may read.")
    invested = serializers.SerializerMethodField(
        help_text="What all firms paid; null where that would tell what a single other firm paid."
    )

    @extend_schema_field(serializers.DecimalField(18, 2, allow_null=True))
    def get_invested(self, row: KeyProject) -> str | None:
        # Not `row.investments`, of which only those are at hand that the user may read.
        paid = Investment.objects.filter(key_project=row)
        total = paid.sum_for(self.context["request"].user)
        return None if total is None else f"{total:.2f}"


class KeyProjectViewSet(CountedView):
    model = KeyProject
    serializer_class = KeyProjectSerializer
    detail_serializer_class = KeyProjectDetailSerializer
    filterset_class = KeyProjectFilter
    lookup_field = "code"
    sorts = {"code": "code", "name": "name", "start": "start_on"}

    def detailed(self, queryset):
        # Results are parts of the project, which not everybody sees who sees its key project; what a firm
        # paid is read by itself and its bureaus.
        user = self.request.user
        results = ProjectResult.objects.visible_to(user)
        investments = Investment.objects.visible_to(user).select_related("organization")
        return queryset.select_related("project__bureau", "lead").prefetch_related(
            "milestones", Prefetch("results", results), Prefetch("investments", investments)
        )


# --- Problems ----------------------------------------------------------------------------------------------


class BottleneckSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    code = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    status = serializers.CharField()
    version = serializers.IntegerField()
    organization = serializers.CharField(source="organization.uscc")
    organization_name = serializers.CharField(source="organization.name")
    bureau = serializers.CharField(source="bureau.code")
    handler = serializers.CharField(source="handler.code")
    chain = serializers.CharField(source="chain.code", allow_null=True, default=None)
    product = serializers.CharField()
    cause = serializers.CharField()
    choke = serializers.CharField()
    nqi_elements = CodeList()
    nqi_gap = serializers.CharField()
    urgency = serializers.CharField()
    grade = serializers.CharField()
    is_common = serializers.BooleanField()
    route = serializers.CharField()
    assigned_to = serializers.CharField(source="assigned_to.uscc", allow_null=True, default=None)
    project = serializers.CharField(source="project.code", allow_null=True, default=None)
    due_on = serializers.DateField(allow_null=True)
    clock_due_on = serializers.DateField(allow_null=True)
    result = serializers.CharField()
    submitted_at = MomentField(allow_null=True)
    accepted_at = MomentField(allow_null=True)
    listed_at = MomentField(allow_null=True)
    resolved_at = MomentField(allow_null=True)


class MeasureSerializer(serializers.ModelSerializer):
    class Meta:
        model = Measure
        fields = [
            "id",
            "metric",
            "unit",
            "value_now",
            "method",
            "measured_on",
            "comparison",
            "target",
            "value_after",
            "method_after",
            "measured_after_on",
        ]


class EvidenceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Evidence
        fields = [
            "id",
            "kind",
            "element",
            "title",
            "number",
            "issuer",
            "issuer_uscc",
            "cma_no",
            "issued_on",
            "holder",
            "sample",
            "verify_state",
            "verified_at",
            "verified_via",
        ]
        read_only_fields = ["verify_state", "verified_at", "verified_via"]


class TransitionSerializer(serializers.ModelSerializer):
    """A step of the record; who acted is said by unit or organisation, not by person."""

    at = MomentField()
    bureau = serializers.CharField(source="bureau.code", allow_null=True, default=None)
    organization = serializers.CharField(source="organization.uscc", allow_null=True, default=None)
    handler = serializers.CharField(source="handler.code")
    details = serializers.DictField()

    class Meta:
        model = Transition
        fields = [
            "sequence",
            "at",
            "move",
            "source",
            "target",
            "bureau",
            "organization",
            "handler",
            "clock_due_on",
            "reason",
            "details",
        ]


class BottleneckDetailSerializer(BottleneckSerializer):
    segment = serializers.CharField(source="segment.name", allow_null=True, default=None)
    symptom = serializers.CharField()
    effect = serializers.CharField()
    loss_estimate = serializers.DecimalField(18, 2, allow_null=True)
    expected_by = serializers.DateField(allow_null=True)
    cause_analysis = serializers.CharField()
    help_wanted = CodeList()
    solution = serializers.CharField()
    merged_into = serializers.CharField(source="merged_into.code", allow_null=True, default=None)
    measures = MeasureSerializer(many=True)
    evidence = EvidenceSerializer(many=True)
    transitions = TransitionSerializer(many=True)
    moves = serializers.SerializerMethodField(help_text="What this user may do now.")

    def to_representation(self, row: Bottleneck) -> dict[str, Any]:
        """The number of the problem into which it was merged is told to readers who see that problem."""
        said = super().to_representation(row)
        seen = Bottleneck.objects.visible_to(self.context["request"].user)
        if said.get("merged_into") and not seen.filter(pk=row.merged_into_id).exists():
            said["merged_into"] = None
            for step in said["transitions"]:
                step["details"].pop("master", None)
        return said

    def get_moves(self, row: Bottleneck) -> list[str]:
        return [
            choice.move.name for choice in choices_for(row, self.context["request"].user) if choice.allowed
        ]


class GapSerializer(serializers.Serializer):
    field = CodeChoice(
        GAPS,
        allow_blank=True,
        default="",
        help_text="The field of the filing; blank for the problem as a whole.",
    )
    text = TextField(max_length=1000)


class AfterSerializer(serializers.Serializer):
    measure = serializers.IntegerField(help_text="The id of a measure of this problem.")
    value_after = serializers.DecimalField(14, 4)
    measured_after_on = serializers.DateField()
    method_after = TextField(max_length=100, allow_blank=True, default="")


class ProofSerializer(serializers.Serializer):
    kind = CodeChoice(Evidence.Kind.choices)
    element = CodeChoice(NqiElement.choices)
    title = TextField(max_length=100)
    number = TextField(max_length=60)
    issuer = TextField(max_length=100)
    issued_on = serializers.DateField()
    issuer_uscc = TextField(max_length=18, allow_blank=True, default="")
    cma_no = TextField(max_length=12, allow_blank=True, default="")
    holder = TextField(max_length=200, allow_blank=True, default="")
    sample = TextField(max_length=100, allow_blank=True, default="")


class MoveSerializer(serializers.Serializer):
    """What moves need and take; which keys a move needs is in the transition table and in its refusals."""

    version = serializers.IntegerField(help_text="The version that the caller has read.")
    reason = TextField(max_length=1000, required=False)
    gaps = GapSerializer(many=True, required=False)
    reason_code = CodeChoice(RejectReason.choices, required=False)
    turn_to = TextField(max_length=200, required=False, help_text="Who else may help the firm.")
    master = TextField(max_length=30, required=False, help_text="The code of the problem it is merged into.")
    grade = CodeChoice(Bottleneck.Grade.choices, required=False)
    route = CodeChoice(Bottleneck.Route.choices, required=False)
    due_on = serializers.DateField(required=False)
    is_common = serializers.BooleanField(required=False)
    assigned_to = TextField(max_length=30, required=False, help_text="The credit code of an institution.")
    solution = TextField(max_length=3000, required=False)
    after = AfterSerializer(many=True, required=False)
    evidence = ProofSerializer(many=True, required=False)
    result = CodeChoice(Bottleneck.Result.choices, required=False)
    checked = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BigIntegerField.MAX_BIGINT),
        required=False,
        help_text="The ids of the evidence that matched.",
    )

    def validate_assigned_to(self, uscc: str) -> Organization:
        institutions = Organization.objects.institutions().judged("the officer who dispatches")
        able = institutions.filter(status=Organization.Status.ACTIVE)
        institution = able.filter(uscc=uscc.strip().upper()).first()
        if institution is None:
            raise ValidationError(_("没有信用代码为“%(value)s”的存续赋能机构。") % {"value": uscc})
        return institution

    def validate_master(self, code: str) -> Bottleneck:
        master = find_master(code, self.context["request"].user, self.context["bottleneck"])
        if master is None:
            raise ValidationError(_("在您的范围内没有这个编号的问题。编号形如 DK-2024-320505-00001。"))
        return master


class MeasureToFileSerializer(serializers.Serializer):
    metric = TextField(max_length=40)
    unit = CodeChoice(Measure.Unit.choices)
    value_now = serializers.DecimalField(14, 4)
    comparison = CodeChoice(Measure.Comparison.choices)
    target = serializers.DecimalField(14, 4)
    method = TextField(max_length=100, allow_blank=True, default="")
    measured_on = serializers.DateField(allow_null=True, default=None, validators=[refuse_future])


# As the form of the pages judges it.
PHONE = Phone(max_length=30)


class FilingSerializer(serializers.Serializer):
    """A whole filing; what each field means and when it is needed stands in the form of the pages."""

    public_id = serializers.UUIDField(
        help_text="Made up by the caller: what is sent again under the same one is filed once."
    )
    organization = serializers.CharField(help_text="The credit code of the firm for which the user files.")
    chain = serializers.CharField(help_text="The code of a chain in the catalogues of the firm's bureaus.")
    segment = serializers.CharField(help_text="The name of a segment of that chain.")
    product = TextField(max_length=60)
    title = TextField(max_length=60)
    choke = CodeChoice(Bottleneck.Choke.choices)
    symptom = TextField(max_length=1000)
    effect = TextField(max_length=500)
    loss_estimate = serializers.DecimalField(18, 2, allow_null=True, default=None, help_text="Yuan a year.")
    loss_basis = TextField(max_length=200, allow_blank=True, default="")
    urgency = CodeChoice(Bottleneck.Urgency.choices)
    expected_by = serializers.DateField(allow_null=True, default=None)
    measures = MeasureToFileSerializer(many=True, max_length=MAX_MEASURES)
    cause = CodeChoice(Bottleneck.Cause.choices)
    cause_analysis = TextField(max_length=1000, allow_blank=True, default="")
    nqi_elements = serializers.ListField(child=CodeChoice(NqiElement.choices), default=list)
    nqi_gap = CodeChoice(Bottleneck.Gap.choices, allow_blank=True, default="")
    tried_already = TextField(max_length=1000, allow_blank=True, default="")
    help_wanted = serializers.ListField(child=CodeChoice(Bottleneck.Route.choices))
    help_text = TextField(max_length=500, allow_blank=True, default="")
    contact_name = TextField(max_length=60)
    contact_phone = TextField(max_length=30)
    visibility = CodeChoice(Bottleneck.Visibility.choices)
    consent_publish = serializers.BooleanField(default=False)

    def validate_contact_phone(self, number: str) -> str:
        try:
            return PHONE.clean(number)
        except Refused as fault:
            raise ValidationError(fault.messages) from fault

    def validate_measures(self, measures: list[dict[str, Any]]) -> list[dict[str, Any]]:
        metrics = {measure["metric"] for measure in measures}
        if len(metrics) < len(measures):
            raise ValidationError(_("同一问题的指标不能重复。"))
        return measures


def firm_to_file_for(uscc: str, user: User) -> Organization:
    """The firm with this credit code; raises ValidationError with those for which the user files."""
    own = {grant.organization.uscc: grant.organization for grant in user.grants_of(*FILING_ROLES)}
    uscc = uscc.upper()
    if found := own.get(uscc):
        return found
    note_miss(Organization, uscc=uscc)
    sentence = _("您没有为“%(value)s”填报的权限，可填：%(accepted)s。")
    named = {"value": formats.excerpt(uscc), "accepted": formats.listed(own)}
    raise ValidationError({"organization": [sentence % named]})


def segment_of(code: str, name: str, bureau: Bureau) -> ChainSegment:
    """The segment with this name of the chain with this code; raises ValidationError with those there are."""
    if found := segments_of(codes=bureau.line, today=timezone.localdate(), chain=code, name=name):
        return found[0]
    segments = ChainSegment.objects.filter(chain__in=chains_for(bureau), chain__code=code)
    if known := formats.listed(segments.values_list("name", flat=True)):
        sentence = _("产业链“%(chain)s”没有环节“%(value)s”，可选：%(accepted)s。")
        named = {"chain": code, "value": formats.excerpt(name), "accepted": known}
    else:
        sentence, named = _("现行目录中没有代码为“%(value)s”的产业链。"), {"value": formats.excerpt(code)}
    raise ValidationError({"segment": [sentence % named]})


@Prepared
def segments_of(codes: list[str], today: date, chain: str, name: str) -> QuerySet:
    """The segment of this name, of the chain with this code in the catalogues of these bureaus."""
    chains = IndustryChain.objects.offered(codes, today).filter(code=chain)
    return ChainSegment.objects.filter(chain__in=chains, name=name).select_related("chain").order_by()


class FilingReceiptSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    code = serializers.CharField()
    status = serializers.CharField()
    version = serializers.IntegerField()
    submitted_at = MomentField()
    clock_due_on = serializers.DateField(allow_null=True)


def _open(serializer: type[BottleneckSerializer], reader: FieldClass) -> type[BottleneckSerializer]:
    """The serializer without the fields that are closed to a reader."""
    closed = {
        name: None
        for name, field in serializer._declared_fields.items()
        if not is_open([(field.source or name).replace(".", "__")], reader)
    }
    return type(f"{reader.name.title()}{serializer.__name__}", (serializer,), closed)


class SharedBottleneckViewSet(CountedView):
    """Problems that firms anywhere opened to bureaus, in the fields that are open to them; for bureaus."""

    model = Bottleneck
    serializer_class = _open(BottleneckSerializer, FieldClass.GOVERNMENT)
    detail_serializer_class = _open(BottleneckDetailSerializer, FieldClass.GOVERNMENT)
    filterset_class = SharedFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def visible(self, rows):
        return services.shared_for(self.request.user)

    def get_object(self) -> Bottleneck:
        row = cast(Bottleneck, super().get_object())
        looked_at(row, row.organization_id, self.request.user)
        return row

    def detailed(self, queryset):
        return queryset.select_related(
            "organization", "bureau", "handler", "chain", "segment", "assigned_to", "project"
        ).prefetch_related("measures")


class PublishedBottleneckViewSet(CountedView):
    """Solved problems that the firms agreed to publish, without the name of the firm."""

    model = Bottleneck
    serializer_class = _open(BottleneckSerializer, FieldClass.PUBLIC)
    detail_serializer_class = _open(BottleneckDetailSerializer, FieldClass.PUBLIC)
    filterset_class = PublishedFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def visible(self, rows):
        return rows.published()

    def detailed(self, queryset):
        return queryset.select_related("chain")


class Stale(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "stale"


# Neither keeps a trace of what it is given; copying their fields for each request costs more than their work.
FILING, RECEIPT = FilingSerializer(), FilingReceiptSerializer()


class BottleneckViewSet(CountedView):
    """Problems of the user's scope, with their record. Names and numbers of contacts are left out."""

    model = Bottleneck
    serializer_class = BottleneckSerializer
    detail_serializer_class = BottleneckDetailSerializer
    filterset_class = BottleneckFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def get_object(self) -> Bottleneck:
        row = cast(Bottleneck, super().get_object())
        looked_at(row, row.organization_id, self.request.user)
        return row

    def detailed(self, queryset):
        return queryset.select_related(
            "organization",
            "bureau",
            "handler__parent",
            "chain",
            "segment",
            "assigned_to",
            "project",
            "merged_into",
        ).prefetch_related(
            "measures",
            "evidence",
            "transitions__bureau",
            "transitions__organization",
            "transitions__handler",
        )

    @extend_schema(
        request=FilingSerializer, responses={201: FilingReceiptSerializer, 200: FilingReceiptSerializer}
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Files a problem at once; 200 when this filing had been received before."""
        if not request.user.grants_of(*FILING_ROLES):
            raise PermissionDenied(_("只有企业的填报人和链主联络人可以填报问题。"))
        data = FILING.run_validation(request.data)
        firm, public_id = firm_to_file_for(data.pop("organization"), request.user), data.pop("public_id")
        try:
            data["segment"] = segment_of(data.pop("chain"), data["segment"], firm.bureau)
            data["chain"] = data["segment"].chain
            row, is_new = services.file(
                firm,
                public_id,
                by=request.user,
                measures=data.pop("measures"),
                contact={"name": data.pop("contact_name"), "phone": data.pop("contact_phone")},
                values=data,
            )
        except (Refused, ValidationError) as fault:
            # What was right when it was received may be so no more: a day is over, a chain is closed.
            known = services.filed_as(public_id, firm)
            if known is None:
                raise ValidationError(serializers.as_serializer_error(fault)) from fault
            row, is_new = known, False
        told = RECEIPT.to_representation(row)
        return Response(told, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    @extend_schema(request=MoveSerializer, responses=TransitionSerializer)
    @action(detail=True, methods=["post"], url_path="moves/<slug:name>", filterset_class=None)
    def moves(self, request: Request, name: str, **kwargs) -> Response:
        """Makes a move of the transition table; answers with the event that it wrote."""
        if name not in MOVES:
            raise NotFound(_("没有名为“%(name)s”的办理动作。") % {"name": name})
        row = self.get_object()
        serializer = MoveSerializer(data=request.data, context={"request": request, "bottleneck": row})
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        version = data.pop("version")
        try:
            event = services.move(row, name, by=request.user, data=data, version=version)
        except services.StaleRow as fault:
            raise Stale(str(fault)) from fault
        except Refused as fault:
            raise ValidationError(serializers.as_serializer_error(fault)) from fault
        return Response(TransitionSerializer(event).data, status=status.HTTP_201_CREATED)


# --- Inspection reports ------------------------------------------------------------------------------------


class InspectionReportSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    verification_code = serializers.CharField()
    institution = serializers.CharField(source="institution.uscc")
    institution_name = serializers.CharField(source="institution.name")
    report_no = serializers.CharField()
    national_code = serializers.CharField()
    client = serializers.CharField()
    sample = serializers.CharField()
    model = serializers.CharField()
    batch = serializers.CharField()
    method = serializers.CharField()
    conclusion = serializers.CharField()
    issued_on = serializers.DateField()
    sha256 = serializers.CharField()
    status = serializers.CharField()
    replaced_by = serializers.CharField(source="replaced_by.report_no", allow_null=True, default=None)


class InspectionReportViewSet(DetailView):
    """Reports as the institutions lodged them; anybody checks one by its code at `/verify/`."""

    model = InspectionReport
    serializer_class = InspectionReportSerializer
    filterset_class = ReportFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    sorts = {"issued": "issued_on", "number": "report_no"}

    def detailed(self, queryset):
        return queryset.select_related("institution", "replaced_by")

    def get_object(self):
        report = super().get_object()
        looked_at(report, report.institution_id, self.request.user)
        return report


# --- Demands for standards and metrology specifications ----------------------------------------------------


class SpecDemandSerializer(RowSerializer):
    code = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.CharField()
    range = serializers.CharField()
    uncertainty = serializers.CharField()
    object = serializers.CharField()
    users = serializers.CharField()
    urgency = serializers.CharField()
    committee = serializers.CharField(source="committee.code")
    committee_name = serializers.CharField(source="committee.name")
    chain = serializers.CharField(source="chain.code")
    bureau = serializers.CharField(source="bureau.code")
    status = serializers.CharField()
    status_changed_at = MomentField()
    plan_no = serializers.CharField()
    published_no = serializers.CharField()
    published_on = serializers.DateField(allow_null=True)
    version = serializers.IntegerField()


class SpecStepSerializer(serializers.ModelSerializer):
    at = MomentField()
    bureau = serializers.CharField(source="bureau.code")

    class Meta:
        model = SpecStep
        fields = ["sequence", "at", "move", "source", "target", "bureau", "reason"]


class SpecDemandDetailSerializer(SpecDemandSerializer):
    end_reason = serializers.CharField()
    steps = SpecStepSerializer(many=True)
    waiting = serializers.SerializerMethodField(
        help_text="Codes of the problems that wait, or have waited, and that this user may read."
    )

    def get_waiting(self, row: SpecDemand) -> list[str]:
        waits = SpecWait.objects.visible_to(self.context["request"].user).on(row)
        return list(waits.values_list("bottleneck__code", flat=True))


class SpecDemandViewSet(DetailView):
    """Demands of the user's bureaus and of those above them."""

    model = SpecDemand
    serializer_class = SpecDemandSerializer
    detail_serializer_class = SpecDemandDetailSerializer
    filterset_class = DemandFilter
    lookup_field = "code"
    sorts = {"code": "code", "title": "title", "changed": "status_changed_at"}

    def detailed(self, queryset):
        return queryset.select_related("committee", "chain", "bureau").prefetch_related("steps__bureau")


# --- Quality maps ------------------------------------------------------------------------------------------


class QualityMapSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    chain = serializers.CharField(source="chain.code")
    bureau = serializers.CharField(source="bureau.code")
    version = serializers.IntegerField()
    status = serializers.CharField()
    drawn_on = serializers.DateField()
    drawn_by = serializers.CharField(source="drawn_by.uscc")
    drawn_by_name = serializers.CharField(source="drawn_by.name")
    sheet_count = serializers.IntegerField()
    is_counted_copy = serializers.BooleanField()
    is_public = serializers.BooleanField()
    red_below = serializers.IntegerField()
    green_from = serializers.IntegerField()
    published_at = MomentField(allow_null=True)
    superseded_at = MomentField(allow_null=True)


class NodeSerializer(serializers.Serializer):
    """A segment as this reader is told of it: numbers, or for those outside the scope bands of five."""

    segment = serializers.IntegerField(source="node.segment")
    parent = serializers.IntegerField(source="node.parent", allow_null=True)
    stream = serializers.CharField(source="node.stream")
    name = serializers.CharField(source="node.name")
    localisation = serializers.CharField(source="node.localisation")
    state = serializers.CharField(help_text="red, yellow, green, none; empty when it is not told.")
    open = serializers.CharField()
    solved = serializers.CharField()
    gaps = serializers.DictField(child=serializers.CharField(), help_text="MET, STD, TST, CER_ACC.")


class QualityMapDetailSerializer(QualityMapSerializer):
    note = serializers.CharField()
    nodes = serializers.SerializerMethodField()

    @extend_schema_field(NodeSerializer(many=True))
    def get_nodes(self, row: QualityMap) -> list[dict[str, Any]]:
        shown = maps.shown_to(self.context["request"].user, row)
        return [NodeSerializer({**asdict(one), "gaps": dict(one.gaps)}).data for one in shown]


class QualityMapViewSet(DetailView):
    """Versions of quality maps: those of the user's scope, and what was published for everybody."""

    model = QualityMap
    serializer_class = QualityMapSerializer
    detail_serializer_class = QualityMapDetailSerializer
    filterset_class = QualityMapFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    sorts = {"drawn": "drawn_on", "version": "version"}

    def detailed(self, queryset):
        return queryset.select_related("chain", "bureau", "drawn_by")


# --- Lists ------------------------------------------------------------------------------------------------


class QualityListSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    kind = serializers.CharField()
    chain = serializers.CharField(source="chain.code")
    chain_name = serializers.CharField(source="chain.name")
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    version = serializers.IntegerField()
    status = serializers.CharField()
    effective_on = serializers.DateField()
    published_at = MomentField(allow_null=True)
    digest = serializers.CharField()


class QualityListDetailSerializer(QualityListSerializer):
    """With its lines, as far as the reader reads them; days and codes as they are stored."""

    code = serializers.CharField()
    notes = serializers.CharField()
    lines = serializers.SerializerMethodField()
    hidden = serializers.SerializerMethodField()

    def _reading(self, row: QualityList) -> listed.Reading:
        if not hasattr(self, "_read"):
            self._read = listed.read(row, self.context["request"].user)
        return self._read

    def get_lines(self, row: QualityList) -> list[dict[str, Any]]:
        reading = self._reading(row)
        return [{fact.name: line.value(fact) for fact in reading.columns} for line in reading.lines]

    def get_hidden(self, row: QualityList) -> str:
        """About how many lines are withheld, in words; blank for who reads all of them."""
        return self._reading(row).hidden


class QualityListViewSet(DetailView):
    """Published versions of the three lists, and drafts for the bureau line."""

    model = QualityList
    serializer_class = QualityListSerializer
    detail_serializer_class = QualityListDetailSerializer
    filterset_class = QualityListFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    sorts = {"effective": "effective_on", "version": "version"}

    def detailed(self, queryset):
        return queryset.select_related("chain", "bureau", "supersedes")


class PolicyInstrumentSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    title = serializers.CharField()
    kind = serializers.CharField()
    department = serializers.CharField()
    doc_no = serializers.CharField()
    target = serializers.CharField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)
    link = serializers.CharField()
    contact = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")


class PolicyInstrumentDetailSerializer(PolicyInstrumentSerializer):
    """With the codes of the chains for which it is; none means all."""

    chains = serializers.SerializerMethodField()

    def get_chains(self, row: PolicyInstrument) -> list[str]:
        return [chain.code for chain in row.chains.all()]


class PolicyInstrumentViewSet(CountedView):
    """Policies, funds, awards and loans that firms of a chain may apply for."""

    model = PolicyInstrument
    serializer_class = PolicyInstrumentSerializer
    detail_serializer_class = PolicyInstrumentDetailSerializer
    filterset_class = InstrumentFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    sorts = {"from": "valid_from", "title": "title"}

    def detailed(self, queryset):
        return queryset.select_related("bureau").prefetch_related("chains")
