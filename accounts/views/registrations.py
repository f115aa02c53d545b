"""The bureau's desk of applications: who wants to act for which organisation, to verify or to refuse."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import joining
from accounts.forms.joining import RefusalForm
from accounts.models import Registration, Role
from common.privacy import mask_email, mask_phone
from record.services import looked_at

PER_PAGE = 25


@require_safe
@login_required
def registration_list(request: HttpRequest) -> HttpResponse:
    """What waits, the oldest first, or what was decided, the newest first."""
    user: Any = request.user
    if not user.scope.is_of_bureau:
        raise PermissionDenied(_("入驻申请由市场监管部门办理。"))
    rows = Registration.objects.visible_to(user)
    decided = request.GET.get("status") == "decided"
    listed = (
        rows.exclude(status=Registration.Status.PENDING).order_by("-decided_at", "-pk")
        if decided
        else rows.pending()
    )
    listed = listed.select_related("user", "organization__bureau", "bureau", "decided_by")
    page = Paginator(listed, PER_PAGE).get_page(request.GET.get("page"))
    here = reverse("accounts:registration_list")
    tabs = [
        {"label": _("待核实"), "href": here, "current": not decided, "number": rows.pending().count()},
        {"label": _("已办理"), "href": f"{here}?status=decided", "current": decided},
    ]
    return render(request, "accounts/registrations.html", {"page": page, "tabs": tabs, "decided": decided})


def _registration(request: HttpRequest, pk: int) -> Registration:
    rows = Registration.objects.visible_to(request.user).select_related(  # type: ignore[arg-type]
        "user", "organization__bureau", "bureau", "division__parent__parent", "decided_by"
    )
    return get_object_or_404(rows, pk=pk)


@require_safe
@login_required
def registration_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _registration(request, pk))


def _page(request: HttpRequest, row: Registration, status: int = 200, **more: Any) -> HttpResponse:
    user: Any = request.user
    in_full = user.holds_over(row.desk, Role.OFFICER)
    phone, email = (str, str) if in_full else (mask_phone, mask_email)
    if in_full:
        looked_at(row, row.organization_id, user)
    facts = [
        (_("统一社会信用代码"), row.organization.uscc),
        (_("名称"), row.name),
        (_("申请角色"), row.get_role_display()),
    ]
    if row.status == Registration.Status.PENDING:
        facts.append((_("情形"), _("认领台账中的组织") if row.is_claim else _("台账中没有，核实后登记")))
    if row.division:
        facts += [
            (_("组织形式"), row.get_legal_form_display()),
            (_("登记地"), f"{joining.place_of(row.division)} {row.division.name}".strip()),
        ]
    if row.role == Role.INSTITUTION:
        facts += [
            (_("机构类型"), row.get_kinds_display()),
            (_("质量基础设施要素"), row.get_nqi_elements_display()),
            (_("资质认定（CMA）编号"), row.cma_no),
        ]
    context = {
        "registration": row,
        "facts": facts,
        "person": [
            (_("联系人"), row.user.name),
            (_("联系电话"), phone(row.phone)),
            (_("邮箱"), email(row.user.email)),
            (_("用户名"), row.user.username),
        ],
        "warnings": joining.warnings_about(row) if row.status == Registration.Status.PENDING else [],
        "refusal": joining.refusal_to_decide(row, user),
        "refusal_to_verify": joining.refusal_to_verify(row),
    }
    return render(request, "accounts/registration.html", context | more, status=status)


@require_POST
@login_required
def registration_verify(request: HttpRequest, pk: int) -> HttpResponse:
    row = _registration(request, pk)
    try:
        joining.verify(row, by=request.user)  # type: ignore[arg-type]
    except joining.DecidedAlready as fault:
        return _page(request, _registration(request, pk), 409, stale=str(fault))
    except ValidationError as fault:
        return _page(request, row, 422, faults=fault.messages)
    messages.success(
        request, _("已核实：%(person)s可以代表%(name)s办理。") % {"person": row.user, "name": row.name}
    )
    return redirect("accounts:registration_list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def registration_refuse(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the reason, then refuse."""
    row = _registration(request, pk)
    if refusal := joining.refusal_to_decide(row, request.user):  # type: ignore[arg-type]
        raise PermissionDenied(refusal)
    form = RefusalForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            joining.refuse(row, by=request.user, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        except joining.DecidedAlready as fault:
            return _page(request, _registration(request, pk), 409, stale=str(fault))
        messages.success(request, _("%(name)s的入驻申请已办理：未通过。") % {"name": row.name})
        return redirect("accounts:registration_list")
    context = {
        "registration": row,
        "form": form,
        "cancel_url": reverse("accounts:registration_detail", args=[pk]),
        "danger": True,
    }
    return render(request, "accounts/registration_refuse.html", context, status=422 if form.is_bound else 200)
