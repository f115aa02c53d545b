"""Who holds which role in the own subtree, and who stands in for whom: to look at, to give, to end."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import granting
from accounts.filters import GrantFilter
from accounts.forms.people import TOO_OFTEN, GrantForm, NamesPeople, SubstitutionForm
from accounts.models import BUREAU_ROLES, Grant, Role, Substitution, User
from common import formats
from common.listing import Column, Day, ListPage, Title, Words
from common.steps import refusals_told


def _refuse_others(user: User) -> None:
    if not granting.may_give(user):
        raise PermissionDenied(_("人员与授权由经办人员和管理员办理。"))


def grants_under(user: User) -> QuerySet[Grant]:
    """Bureau grants that are not over, of what the user oversees."""
    rows = Grant.objects.judged("what one oversees")
    return rows.not_over(timezone.localdate()).filter(granting.under(user))


def substitutions_under(user: User) -> QuerySet[Substitution]:
    """Substitutions that are not over: the user's own, and of the officers whom it oversees."""
    principals = grants_under(user).filter(role__in=granting.LENDABLE_ROLES).values("user")
    mine = Q(principal=user) | Q(substitute=user) | Q(principal__in=principals)
    rows = Substitution.objects.judged("one's own, or overseen")
    rows = rows.not_over(timezone.localdate()).filter(mine)
    return rows.select_related("principal", "substitute").order_by("starts_on", "pk")


class PeoplePage(ListPage):
    """The bureau roles of the own subtree, and the substitutes below them."""

    model = Grant
    filterset_class = GrantFilter
    template_name = "accounts/people.html"
    heading = gettext_lazy("人员与授权")
    default_sort = "bureau"
    filter_lead = "q,bureau,chain"
    columns = (
        Title(
            "name",
            gettext_lazy("姓名"),
            "user__name",
            url="accounts:grant_end",
            key="pk",
            blank=gettext_lazy("未填姓名"),
            sub=Column("username", gettext_lazy("登录名"), "user__username", css="code"),
        ),
        Words(
            "role",
            gettext_lazy("角色"),
            "role",
            choices=[(role, Role(role).label) for role in BUREAU_ROLES],
            css="tight",
        ),
        Column(
            "bureau",
            gettext_lazy("单位（含下级）"),
            "bureau__short_name",
            order=("bureau__path", "user__name"),
        ),
        Column("chain", gettext_lazy("限于产业链"), "chain__name"),
        Day("starts", gettext_lazy("生效"), "starts_on"),
        Day("expires", gettext_lazy("失效"), "expires_on"),
        Column("by", gettext_lazy("授权人"), "granted_by__name", shown=False),
    )
    empty_title = gettext_lazy("这里将列出本单位和下级单位的人员")
    empty_text = gettext_lazy("账号由管理员在后台建立，角色在这里授予。")
    empty_symbol = "user"

    def get_queryset(self) -> QuerySet:
        _refuse_others(self.request.user)
        return grants_under(self.request.user)

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"substitutions": substitutions_under(self.request.user)}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def grant_new(request: HttpRequest) -> HttpResponse:
    """Give a role to somebody."""
    user: User = request.user  # type: ignore[assignment]
    _refuse_others(user)
    initial = {"role": granting.roles_to_give(user)[0], "starts_on": timezone.localdate()}
    return _in_two_steps(
        request,
        GrantForm,
        initial=initial,
        form_page="accounts/grant_new.html",
        check_page="accounts/grant_check.html",
        service=granting.grant_role,
        facts=lambda row, typed: [
            (_("姓名"), row.user),
            (_("登录名或邮箱"), typed("user")),
            (_("登录名"), row.user.username),
            (_("邮箱"), _proof(row.user)),
            (_("您可查看的现有授权"), _held(user, row.user)),
            (_("角色"), row.get_role_display()),
            (_("单位（含下级）"), row.bureau.name),
            (_("限于产业链"), row.chain.name if row.chain else _("不限")),
            (_("生效"), formats.day(row.starts_on)),
            (_("失效"), formats.day(row.expires_on) if row.expires_on else _("长期有效")),
        ],
        said=lambda row: _("已授权：%(person)s，%(what)s。") % {"person": row.user, "what": row},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def substitute_new(request: HttpRequest) -> HttpResponse:
    """Name who acts in an officer's place: in the own, or as administrator in that of somebody else."""
    user: User = request.user  # type: ignore[assignment]
    _refuse_others(user)
    return _in_two_steps(
        request,
        SubstitutionForm,
        initial={"starts_on": timezone.localdate()},
        form_page="accounts/substitute_new.html",
        check_page="accounts/substitute_check.html",
        service=granting.appoint_substitute,
        facts=lambda row, typed: [
            (_("代理人"), row.substitute),
            (_("代理人登录名或邮箱"), typed("substitute")),
            (_("登录名"), row.substitute.username),
            (_("邮箱"), _proof(row.substitute)),
            (_("您可查看的现有授权"), _held(user, row.substitute)),
            (_("被代理人"), row.principal),
            (_("可代为办理"), formats.listed(map(str, granting.lendable(row.principal)))),
            (_("开始"), formats.day(row.starts_on)),
            (_("结束"), formats.day(row.ends_on)),
            (_("事由"), row.reason),
        ],
        said=lambda row: (
            _("%(start)s 至 %(end)s 由%(name)s代%(principal)s办理。")
            % {
                "start": formats.day(row.starts_on),
                "end": formats.day(row.ends_on),
                "name": row.substitute,
                "principal": row.principal,
            }
        ),
    )


def _proof(person: User) -> str:
    """What is known of the address; which one it is, is the person's own."""
    if not person.email:
        return ""
    if person.has_unproven_address:
        return _("由本人填写，未经验证，不能说明是何人；请按已知的电话向对方核对登录名")
    return _("已验证，或由管理员登记")


def _held(by: User, person: User) -> str:
    return formats.listed(map(str, granting.known_grants(by, person))) or _("没有")


# Of a row to be stored and what was typed into a field: pairs of label and value.
Facts = Callable[[Any, Callable[[str], str]], list[tuple[str, Any]]]


def _in_two_steps(
    request: HttpRequest,
    form_class: type[NamesPeople],
    *,
    initial: dict[str, Any],
    form_page: str,
    check_page: str,
    service: Callable[[User, Any], Any],
    facts: Facts,
    said: Callable[[Any], str],
) -> HttpResponse:
    """Ask; show what is going to be done, and to whom; do it when that is confirmed."""
    user: User = request.user  # type: ignore[assignment]
    if request.method != "POST":
        return render(request, form_page, {"form": form_class(request=request, initial=initial)})
    if "change" in request.POST:
        typed = form_class(request=request, initial=initial | request.POST.dict())
        return render(request, form_page, {"form": typed})
    form = form_class(request.POST, request=request)
    if form.is_valid():
        row = form.instance
        shown = ":".join(str(getattr(row, f"{name}_id")) for name in form.people())
        try:
            if request.POST.get("confirm") == shown:
                service(user, row)
                messages.success(request, said(row))
                return redirect("accounts:people")
            granting.rehearse(service, user, row)
        except ValidationError as fault:
            form.add_error(None, fault)
        else:
            context = {"form": form, "shown": shown, "facts": facts(row, lambda name: form[name].value())}
            return render(request, check_page, context)
    status = 429 if form.has_error("__all__", TOO_OFTEN) else 400
    return render(request, form_page, {"form": form}, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def grant_end(request: HttpRequest, pk: int) -> HttpResponse:
    """One grant, and the button that ends it."""
    user: User = request.user  # type: ignore[assignment]
    _refuse_others(user)
    rows = grants_under(user).select_related("user", "bureau", "chain", "granted_by")
    grant = get_object_or_404(rows, pk=pk)
    facts = [
        (_("登录名"), grant.user.username),
        (_("角色"), grant.get_role_display()),
        (_("单位（含下级）"), grant.bureau),
        (_("限于产业链"), grant.chain and grant.chain.name),
        (_("生效"), formats.day(grant.starts_on)),
        (_("失效"), formats.day(grant.expires_on) if grant.expires_on else _("长期有效")),
        (_("授权人"), grant.granted_by),
    ]
    return _end_page(
        request,
        "accounts/grant_end.html",
        {"grant_shown": grant, "facts": facts, "refusal": granting.refusal_to_end(user, grant)},
        lambda: granting.end_grant(user, grant),
        _("已终止%(person)s的授权：%(what)s。") % {"person": grant.user, "what": grant},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def substitute_end(request: HttpRequest, pk: int) -> HttpResponse:
    """One substitution, and the button that ends it."""
    user: User = request.user  # type: ignore[assignment]
    _refuse_others(user)
    row = get_object_or_404(substitutions_under(user), pk=pk)
    facts = [
        (_("被代理人"), row.principal),
        (_("代理人"), row.substitute),
        (_("开始"), formats.day(row.starts_on)),
        (_("结束"), formats.day(row.ends_on)),
        (_("事由"), row.reason),
    ]
    return _end_page(
        request,
        "accounts/substitute_end.html",
        {"substitution": row, "facts": facts, "refusal": granting.refusal_to_end_substitution(user, row)},
        lambda: granting.end_substitution(user, row),
        _("已结束%(name)s的代理。") % {"name": row.substitute},
    )


def _end_page(
    request: HttpRequest, template: str, context: dict[str, Any], end: Callable[[], Any], said: str
) -> HttpResponse:
    if request.method == "POST":
        with refusals_told(request):
            end()
            messages.success(request, said)
        return redirect("accounts:people")
    return render(request, template, context)
