"""Bureaus, chains, organisations and institutions to read. Contact data is not given out here."""

from rest_framework import serializers

from common.api import CodeList, DetailView, RowSerializer
from enterprises.filters import BureauRowFilter, ChainRowFilter, InstitutionFilter, OrganizationFilter
from enterprises.models import Bureau, IndustryChain, Organization


class BureauSerializer(RowSerializer):
    code = serializers.CharField()
    name = serializers.CharField()
    short_name = serializers.CharField()
    level = serializers.IntegerField()
    parent = serializers.CharField(source="parent.code", allow_null=True, default=None)
    is_separately_planned = serializers.BooleanField()
    valid_from = serializers.DateField(allow_null=True, help_text="Null: since before dates were kept.")
    valid_to = serializers.DateField(
        allow_null=True, help_text="From this day on it is no bureau of now; `parent` is its successor."
    )


class BureauViewSet(DetailView):
    """Market-supervision bureaus: the reporting line, open to every user."""

    model = Bureau
    serializer_class = BureauSerializer
    filterset_class = BureauRowFilter
    lookup_field = "code"
    sorts = {"code": "code"}

    def visible(self, rows):
        return rows

    def detailed(self, queryset):
        return queryset.select_related("parent")


class ChainSerializer(RowSerializer):
    code = serializers.CharField()
    name = serializers.CharField()
    klass = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    steward = serializers.CharField()
    gbt4754_classes = serializers.ListField(child=serializers.CharField())
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)


class ChainViewSet(DetailView):
    """Industrial chains of the bureaus' catalogues, open to every user."""

    model = IndustryChain
    serializer_class = ChainSerializer
    filterset_class = ChainRowFilter
    lookup_field = "code"
    sorts = {"code": "code"}

    def visible(self, rows):
        return rows

    def detailed(self, queryset):
        return queryset.select_related("bureau")


class OrganizationSerializer(RowSerializer):
    uscc = serializers.CharField()
    name = serializers.CharField()
    legal_form = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    registered_division = serializers.CharField(
        source="registered_division.code", allow_null=True, default=None
    )
    operating_division = serializers.CharField(
        source="operating_division.code", allow_null=True, default=None
    )
    address = serializers.CharField()
    founded_on = serializers.DateField(allow_null=True)
    gbt4754_class = serializers.CharField()
    size = serializers.CharField()
    tags = CodeList()
    annual_output = serializers.DecimalField(18, 2, allow_null=True)
    employees = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
    source = serializers.CharField()


class OrganizationViewSet(DetailView):
    """Organisations of the user's scope."""

    model = Organization
    serializer_class = OrganizationSerializer
    filterset_class = OrganizationFilter
    lookup_field = "uscc"
    sorts = {"uscc": "uscc", "name": "name"}

    def detailed(self, queryset):
        return queryset.select_related("bureau", "registered_division", "operating_division")


class InstitutionSerializer(RowSerializer):
    uscc = serializers.CharField()
    name = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    status = serializers.CharField()
    kinds = CodeList(source="institution_profile.kinds")
    nqi_elements = CodeList(source="institution_profile.nqi_elements")
    cma_no = serializers.CharField(source="institution_profile.cma_no")
    cma_valid_to = serializers.DateField(source="institution_profile.cma_valid_to", allow_null=True)
    cnas_no = serializers.CharField(source="institution_profile.cnas_no")
    is_lighthouse_lab = serializers.BooleanField(source="institution_profile.is_lighthouse_lab")


class InstitutionViewSet(DetailView):
    """Enabling institutions: open to every bureau and organisation."""

    model = Organization
    serializer_class = InstitutionSerializer
    filterset_class = InstitutionFilter
    lookup_field = "uscc"
    sorts = {"uscc": "uscc", "name": "name"}

    def visible(self, rows):
        return rows.readable_by(self.request.user).institutions()

    def detailed(self, queryset):
        return queryset.select_related("bureau", "institution_profile")
