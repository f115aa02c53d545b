"""Organisations and institutions: the lists, and the page of one of them."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from common import formats
from common.listing import CodeWords, Column, Day, ListPage, Number, Title, Wan, Words
from common.privacy import mask_email, mask_name, mask_phone
from common.scope import Viewer
from enterprises.filters import InstitutionFilter, OrganizationFilter
from enterprises.models import InstitutionProfile, NqiElement, Organization, OrganizationContact
from record.services import looked_at

# Rows of each part of a page; beyond them a link leads to the list.
SHOWN = 10

NAME = Title(
    "name",
    gettext_lazy("名称"),
    "name",
    url="enterprises:organization_detail",
    key="uscc",
    sub=Column("uscc", gettext_lazy("统一社会信用代码"), "uscc"),
)
UNIT = Column(
    "bureau", gettext_lazy("所属单位"), "bureau__short_name", order=("bureau__code", "name"), css="tight"
)
STATUS = Words("status", gettext_lazy("登记状态"), "status", choices=Organization.Status.choices, css="tight")


class DirectoryPage(ListPage):
    def tabs(self) -> list[dict[str, Any]]:
        lists = (("organization_list", OrganizationList), ("institution_list", InstitutionList))
        return [
            {
                "label": page.heading,
                "href": reverse(f"enterprises:{name}"),
                "current": isinstance(self, page),
            }
            for name, page in lists
        ]


class OrganizationList(DirectoryPage):
    model = Organization
    filterset_class = OrganizationFilter
    heading = gettext_lazy("企业和机构")
    default_sort = "name"
    filter_lead = "q,bureau,size,status"
    columns = (
        NAME,
        UNIT,
        Words("size", gettext_lazy("规模"), "size", choices=Organization.Size.choices, css="tight"),
        STATUS,
        CodeWords("tags", gettext_lazy("企业称号"), "tags", choices=Organization.Tag.choices),
        Day("founded", gettext_lazy("成立日期"), "founded_on"),
        Words(
            "form",
            gettext_lazy("组织形式"),
            "legal_form",
            choices=Organization.LegalForm.choices,
            shown=False,
        ),
        Column("industry", gettext_lazy("行业小类"), "gbt4754_class", css="code", shown=False),
        Number("employees", gettext_lazy("从业人数"), "employees", shown=False),
        Wan("output", gettext_lazy("年产值（万元）"), "annual_output", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的企业和机构")
    empty_text = gettext_lazy("由管理员在后台导入。")
    empty_symbol = "organization"


class InstitutionList(DirectoryPage):
    """Open to every bureau and organisation: it is where one looks for help."""

    model = Organization
    filterset_class = InstitutionFilter
    heading = gettext_lazy("赋能机构")
    default_sort = "name"
    filter_lead = "q,bureau,element,kind"
    columns = (
        NAME,
        UNIT,
        CodeWords(
            "kinds",
            gettext_lazy("机构类型"),
            "institution_profile__kinds",
            choices=InstitutionProfile.Kind.choices,
        ),
        CodeWords(
            "elements",
            gettext_lazy("质量基础设施要素"),
            "institution_profile__nqi_elements",
            choices=NqiElement.choices,
        ),
        Column("cma", gettext_lazy("CMA 编号"), "institution_profile__cma_no", css="code"),
        Day("cma_until", gettext_lazy("CMA 有效期至"), "institution_profile__cma_valid_to", shown=False),
        Column("cnas", gettext_lazy("CNAS 注册号"), "institution_profile__cnas_no", css="code", shown=False),
        STATUS,
    )
    empty_title = gettext_lazy("这里将列出赋能机构")
    empty_text = gettext_lazy("由管理员在后台登记机构能力。")
    empty_symbol = "organization"

    def get_queryset(self) -> QuerySet:
        return Organization.objects.readable_by(self.request.user).institutions()


@login_required
@require_safe
def organization_detail(request: HttpRequest, uscc: str) -> HttpResponse:
    """Facts, contact, parts in projects and consortia, and the problems that the reader may see."""
    user = request.user
    organization = get_object_or_404(
        Organization.objects.readable_by(user).select_related(
            "bureau", "registered_division", "operating_division", "contact", "institution_profile"
        ),
        uscc=uscc,
    )
    is_party = user.may_call(organization, organization.bureau)
    if is_party:
        looked_at(organization, organization.pk, user)
    context = {
        "organization": organization,
        "facts": _facts(organization),
        "profile": _profile_facts(organization),
        "contact": _contact(organization, in_full=is_party),
        "contact_is_masked": not is_party,
        "has_board": user.scope.is_of_bureau or organization.pk in user.scope.organization_ids,
        "participations": _part(
            _within(organization.participations, "project", user).select_related("project__chain"),
            "-joined_on",
            reverse("projects:project_list") + f"?q={uscc}",
        ),
        "memberships": _part(
            _within(organization.consortium_memberships, "consortium", user).select_related("consortium"),
            "-joined_on",
        ),
        "key_projects": _part(
            organization.led_key_projects.visible_to(user).counted(),
            "-start_on",
            reverse("projects:key_project_list") + f"?q={uscc}",
        ),
        "filed": _part(
            organization.bottlenecks.visible_to(user),
            "-created_at",
            reverse("projects:bottleneck_list") + f"?organization={uscc}",
        ),
        "assigned": _part(
            organization.assigned_bottlenecks.visible_to(user),
            "-created_at",
            reverse("projects:bottleneck_list") + f"?institution={uscc}",
        ),
    }
    return render(request, "enterprises/organization_detail.html", context)


def _within(rows: QuerySet, name: str, user: Viewer) -> QuerySet:
    """Rows whose ``name`` (a project, a consortium) the reader may open."""
    target = rows.model._meta.get_field(name).related_model
    open_wholes = target.objects.visible_to(user).counted()
    return rows.filter(**{f"{name}__in": open_wholes}).judged("parts of what is open")


def _part(rows: QuerySet, order: str, href: str = "") -> dict[str, Any]:
    """The newest rows of one part of the page, how many there are, and where all of them stand."""
    shown = list(rows.order_by(order, "-pk")[: SHOWN + 1])
    total = len(shown) if len(shown) <= SHOWN else rows.count()
    return {"rows": shown[:SHOWN], "total": total, "href": href if total > SHOWN else ""}


def _facts(row: Organization) -> list[tuple[Any, Any]]:
    return [
        (_("统一社会信用代码"), row.uscc),
        (_("曾用名"), formats.listed(row.former_names)),
        (_("组织形式"), row.get_legal_form_display()),
        (_("所属市场监管部门"), row.bureau),
        (_("登记地"), row.registered_division and row.registered_division.name),
        (_("经营地"), row.operating_division and row.operating_division.name),
        (_("地址"), row.address),
        (_("法定代表人"), row.legal_rep),
        (_("成立日期"), row.founded_on and formats.day(row.founded_on)),
        (_("行业小类（GB/T 4754）"), row.gbt4754_class),
        (_("企业规模"), row.get_size_display()),
        (_("企业称号"), row.get_tags_display()),
        (_("从业人数"), row.employees and formats.count(row.employees)),
        (_("年产值"), formats.money(row.annual_output)),
    ]


def _profile_facts(row: Organization) -> list[tuple[Any, Any]]:
    profile = getattr(row, "institution_profile", None)
    if profile is None:
        return []
    valid = profile.cma_valid_to
    expired = valid is not None and valid < timezone.localdate()
    return [
        (_("机构类型"), profile.get_kinds_display()),
        (_("质量基础设施要素"), profile.get_nqi_elements_display()),
        (_("资质认定（CMA）编号"), profile.cma_no),
        (
            _("资质认定有效期至"),
            valid and (_("%(day)s（已过期）") if expired else "%(day)s") % {"day": formats.day(valid)},
        ),
        (_("认可（CNAS）注册号"), profile.cnas_no),
    ]


def _contact(row: Organization, *, in_full: bool) -> list[tuple[Any, Any]]:
    """Whom to call: in full for the organisation and its bureau line, masked for everybody else."""
    contact = getattr(row, "contact", None) or OrganizationContact()
    name, phone, email = (str, str, str) if in_full else (mask_name, mask_phone, mask_email)
    return [
        (_("联系人"), name(contact.contact_name)),
        (_("联系电话"), phone(contact.contact_phone)),
        (_("联系邮箱"), email(contact.contact_email)),
        (_("首席质量官"), name(contact.cqo_name)),
        (_("首席质量官电话"), phone(contact.cqo_phone)),
    ]
