"""The pages on which somebody asks to act for an organisation, each on its own address."""

import uuid
from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import Login, perform_login
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts import joining
from accounts.forms.joining import (
    AbilitiesForm,
    AccountForm,
    ClaimForm,
    CodeForm,
    OrganizationForm,
    PersonForm,
    PhoneForm,
    StartForm,
)
from accounts.models import Registration, Role
from common import formats
from common.forms import readable
from common.throttle import too_often
from enterprises.models import Bureau, Division, InstitutionProfile, NqiElement, Organization

SESSION_KEY = "joining"
# Asking whether a code is known, and searching for units, per address and minute.
CODES_PER_MINUTE = 6
SEARCHES_PER_MINUTE = 120
# Units offered at a time.
OFFERED = 30

FORMS: dict[str, Any] = {
    "start": StartForm,
    "code": CodeForm,
    "claim": ClaimForm,
    "organization": OrganizationForm,
    "abilities": AbilitiesForm,
    "person": PersonForm,
    "account": AccountForm,
}
Said = dict[str, Any]


def steps_of(said: Said, *, has_account: bool) -> list[str]:
    """The pages of this journey, in order; which they are follows from what was said so far."""
    about = ["claim"] if said.get("known") else ["organization", "division", "bureau"]
    abilities = ["abilities"] if said.get("role") == Role.INSTITUTION else []
    account = [] if has_account else ["account"]
    return ["start", "code", *about, *abilities, "person", *account, "check"]


def headings() -> dict[str, str]:
    return {
        "start": _("注册企业或机构"),
        "code": _("统一社会信用代码是多少？"),
        "claim": _("是这家吗？"),
        "organization": _("组织叫什么名称？"),
        "division": _("在哪个县（市、区）登记？"),
        "bureau": _("由哪个市场监管部门服务？"),
        "abilities": _("机构能提供什么？"),
        "person": _("核实时怎样联系您？"),
        "account": _("设置用户名和密码"),
        "check": _("核对并提交"),
    }


def missing_step(said: Said, *, has_account: bool) -> str:
    """The first page that has not been answered yet."""
    answered = said.get("answered", [])
    return next(step for step in [*steps_of(said, has_account=has_account)] if step not in answered)


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, step: str = "start") -> HttpResponse:
    """One page of the journey; whoever jumps ahead is led to the first page without an answer."""
    said: Said = request.session.get(SESSION_KEY, {})
    has_account = request.user.is_authenticated
    if has_account and request.user.scope.is_of_bureau:
        raise PermissionDenied(_("市场监管部门的人员由本单位授权，不需要注册。"))
    steps = steps_of(said, has_account=has_account)
    if step not in headings():
        raise Http404
    first = missing_step(said, has_account=has_account)
    if step not in steps or steps.index(step) > steps.index(first):
        return redirect(address(first))
    if step == "check":
        return _check(request, said)
    if step in ("division", "bureau"):
        return _unit(request, said, step)
    form = _form(request, said, step)
    if request.method != "POST" or not form.is_valid():
        return _page(request, said, step, {"form": form}, 422 if form.is_bound else 200)
    if step == "code" and too_often(request, "join", CODES_PER_MINUTE):
        form.add_error("uscc", _("查询过于频繁，请一分钟后再试。"))
        return _page(request, said, step, {"form": form}, 429)
    return _keep(request, said, step, ANSWERS.get(step, dict)(form.cleaned_data))


def _form(request: HttpRequest, said: Said, step: str) -> Any:
    kind: Any = FORMS[step]
    more = {}
    if step == "person" and request.user.is_authenticated:
        kind = PhoneForm
    if step == "account":
        more = {"person": said["person"], "email": said["email"]}
    initial = {name: value for name, value in said.items() if name in kind.base_fields}
    return kind(request.POST if request.method == "POST" else None, initial=initial, **more)


def _code(cleaned: Said) -> Said:
    known = joining.in_ledger(cleaned["uscc"])
    return cleaned | {"known": known is not None, "ledger_name": known.name if known else ""}


def _account(cleaned: Said) -> Said:
    """The password is kept as it will be stored."""
    return {"username": cleaned["username"], "password": make_password(cleaned["password1"])}


ANSWERS: dict[str, Callable[[Said], Said]] = {"code": _code, "account": _account}


def _keep(request: HttpRequest, said: Said, step: str, answers: Said) -> HttpResponse:
    """Remember what was answered, and go on; what follows from another answer is asked again."""
    if step == "claim" and answers["is_ours"] == "no":
        request.session[SESSION_KEY] = {"role": said["role"], "answered": ["start"]}
        return redirect(address("code"))
    answered = [*said.get("answered", [])]
    changed = any(said.get(name) != value for name, value in answers.items())
    if changed and step in FOLLOWERS:
        answered = [name for name in answered if name not in FOLLOWERS[step]]
    said |= answers | {"answered": [*dict.fromkeys([*answered, step])]}
    request.session[SESSION_KEY] = said
    steps = steps_of(said, has_account=request.user.is_authenticated)
    if request.GET.get("back") == "check":
        return redirect(address(missing_step(said, has_account=request.user.is_authenticated)))
    return redirect(address(steps[steps.index(step) + 1]))


# Answers that another answer makes void.
FOLLOWERS = {"code": ("claim", "organization", "division", "bureau"), "division": ("bureau",)}


def address(step: str) -> str:
    return reverse("accounts:join") if step == "start" else reverse("accounts:join_step", args=[step])


def _page(
    request: HttpRequest, said: Said, step: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    steps = steps_of(said, has_account=request.user.is_authenticated)
    parts = (
        (_("组织"), [name for name in steps if name not in ("person", "account", "check")]),
        (_("联系人和账户"), ["person", "account"]),
        (_("核对并提交"), ["check"]),
    )
    here = next(number for number, (_label, names) in enumerate(parts) if step in names)
    words = [
        {"label": label, "state": "done" if number < here else "current" if number == here else "todo"}
        for number, (label, _names) in enumerate(parts)
    ]
    before = steps[steps.index(step) - 1] if step != "start" else ""
    back = "check" if request.GET.get("back") == "check" else before
    context = {
        "step": step,
        "heading": headings()[step],
        "steps": words,
        "said": said,
        "back": address(back) if back else "",
        "days": settings.REGISTRATION_WORKING_DAYS,
    } | context
    return render(request, f"accounts/join/{PAGES.get(step, 'step')}.html", context, status=status)


PAGES = {
    "start": "start",
    "code": "code",
    "claim": "claim",
    "division": "unit",
    "bureau": "unit",
    "check": "check",
}


@require_GET
def code_check(request: HttpRequest) -> HttpResponse:
    """What is wrong with the credit code as far as it has been typed; says nothing of who is known."""
    form = CodeForm(request.GET)
    typed = readable(request.GET.get("uscc", "")).strip()
    context = {"typed": typed, "form": form, "code": form.cleaned_data["uscc"] if form.is_valid() else ""}
    return render(request, "accounts/join/_code_check.html", context)


# --- Division and bureau ------------------------------------------------------------------------------------


def found_divisions(words: str) -> QuerySet[Division]:
    """Counties in force, and cities without any, of which or above which all the words are said."""
    rows = Division.objects.valid_on(timezone.localdate()).filter(
        Q(level=Division.Level.COUNTY) | Q(level=Division.Level.CITY, children__isnull=True)
    )
    for word in words.split():
        rows = rows.filter(
            Q(name__contains=word) | Q(parent__name__contains=word) | Q(parent__parent__name__contains=word)
        )
    return rows.select_related("parent__parent").order_by("code")


def found_bureaus(words: str, division: Division | None) -> list[Bureau]:
    """The bureau of the division and those around it; with words, those that are called so."""
    rows = (
        Bureau.objects.in_force()
        .exclude(level=Bureau.Level.NATIONAL)
        .select_related("parent")
        .order_by("level", "code")
    )
    if words:
        for word in words.split():
            rows = rows.filter(Q(name__contains=word) | Q(parent__name__contains=word))
        return list(rows[:OFFERED])
    proposed = joining.proposed_bureau(division) if division else None
    if proposed is None:
        return []
    near = rows.filter(Q(parent=proposed) | Q(division=division) | Q(pk=proposed.parent_id)).exclude(
        pk=proposed.pk
    )
    return [proposed, *near[:OFFERED]]


def units(request: HttpRequest, said: Said, step: str) -> dict[str, Any]:
    """What the search on these two pages offers: code, name and where it lies."""
    words = readable(request.GET.get("q", "")).strip()[:60]
    chosen = said.get(step, "")
    if step == "division":
        rows: list[Any] = list(found_divisions(words)[:OFFERED]) if words else []
        if chosen and not words:
            rows = list(Division.objects.filter(code=chosen).select_related("parent__parent"))
        offered = [(row.code, row.name, joining.place_of(row)) for row in rows]
    else:
        division = Division.objects.filter(code=said.get("division")).select_related("parent__parent").first()
        found = found_bureaus(words, division)
        if chosen and not words and chosen not in {row.code for row in found}:
            found = [*Bureau.objects.select_related("parent").filter(code=chosen), *found]
        offered = [(row.code, row.name, row.parent.name if row.parent else "") for row in found]
        chosen = chosen or (offered[0][0] if offered and not words else "")
    return {
        "words": words,
        "offered": offered,
        "chosen": chosen,
        "step": step,
        "full": len(offered) >= OFFERED,
    }


@require_GET
def unit_choices(request: HttpRequest, step: str) -> HttpResponse:
    """The units that fit the typed words, while typing."""
    if step not in ("division", "bureau"):
        raise Http404
    if too_often(request, "join-units", SEARCHES_PER_MINUTE):
        return HttpResponse(status=429)
    said = request.session.get(SESSION_KEY, {})
    return render(request, "accounts/join/_units.html", units(request, said, step))


def _unit(request: HttpRequest, said: Said, step: str) -> HttpResponse:
    context = units(request, said, step)
    if request.method == "POST":
        rows: Any = Division.objects if step == "division" else Bureau.objects.in_force()
        code = request.POST.get(step, "")
        if len(code) <= 12 and code.isalnum() and rows.filter(code=code).exists():
            return _keep(request, said, step, {step: code})
        context["fault"] = _("请从列表中选择。") if step == "bureau" else _("请先查找，再从列表中选择。")
    return _page(request, said, step, context, 422 if request.method == "POST" else 200)


# --- The end ------------------------------------------------------------------------------------------------


def answers_of(said: Said) -> list[tuple[str, str, str]]:
    """What was answered, as (label, text, address of its page)."""
    lines = [(_("类型"), Role(said["role"]).label, "start"), (_("统一社会信用代码"), said["uscc"], "code")]
    if said["known"]:
        lines.append((_("名称"), said["ledger_name"], "code"))
    else:
        division, bureau = _units_of(said)
        lines += [
            (_("名称"), said["name"], "organization"),
            (_("组织形式"), Organization.LegalForm(said["legal_form"]).label, "organization"),
            (_("登记地"), f"{joining.place_of(division)} {division.name}".strip(), "division"),
            (_("核实单位"), bureau.name, "bureau"),
        ]
    if said["role"] == Role.INSTITUTION:
        kinds, elements = dict(InstitutionProfile.Kind.choices), dict(NqiElement.choices)
        lines += [
            (_("机构类型"), formats.listed(kinds[code] for code in said["kinds"]), "abilities"),
            (
                _("质量基础设施要素"),
                formats.listed(elements[code] for code in said["nqi_elements"]),
                "abilities",
            ),
            (_("资质认定（CMA）编号"), said["cma_no"], "abilities"),
        ]
    if "person" in said:
        lines += [(_("联系人姓名"), said["person"], "person"), (_("邮箱"), said["email"], "person")]
    lines.append((_("联系电话"), said["phone"], "person"))
    if "username" in said:
        lines.append((_("用户名"), said["username"], "account"))
    return [(str(label), str(text), f"{address(step)}?back=check") for label, text, step in lines]


def _units_of(said: Said) -> tuple[Division, Bureau]:
    division = Division.objects.select_related("parent__parent").get(code=said["division"])
    return division, Bureau.objects.get(code=said["bureau"])


def _check(request: HttpRequest, said: Said) -> HttpResponse:
    said.setdefault("key", str(uuid.uuid4()))
    if request.method == "POST":
        return _submit(request, said)
    request.session[SESSION_KEY] = said
    return _page(request, said, "check", {"answers": answers_of(said)})


def _submit(request: HttpRequest, said: Said) -> HttpResponse:
    user: Any = request.user if request.user.is_authenticated else None
    try:
        registration = joining.apply(_application(said, with_account=user is None), user)
    except ValidationError as fault:
        errors = fault.message_dict if hasattr(fault, "error_dict") else {"": fault.messages}
        faults = [
            {"text": text, "href": f"{address('account')}?back=check" if name == "username" else ""}
            for name, texts in errors.items()
            for text in texts
        ]
        return _page(request, said, "check", {"answers": answers_of(said), "faults": faults}, 422)
    del request.session[SESSION_KEY]
    done = reverse("accounts:join_done")
    if user is None:
        return perform_login(request, Login(user=registration.user, redirect_url=done))
    return redirect(done)


def _application(said: Said, *, with_account: bool) -> joining.Application:
    division, bureau = (None, None) if said["known"] else _units_of(said)
    abilities = {name: said[name] for name in ("kinds", "nqi_elements", "cma_no") if name in said}
    return joining.Application(
        key=uuid.UUID(said["key"]),
        uscc=said["uscc"],
        role=said["role"],
        phone=said["phone"],
        name=said["ledger_name"] if said["known"] else said["name"],
        legal_form=said.get("legal_form", Organization.LegalForm.ENTERPRISE),
        division=division,
        bureau=bureau,
        abilities=abilities if said["role"] == Role.INSTITUTION else {},
        account={
            "username": said["username"],
            "password": said["password"],
            "name": said["person"],
            "email": said["email"],
        }
        if with_account
        else None,
    )


@login_required
@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """The receipt: who verifies until when, and what one can do meanwhile."""
    user: Any = request.user
    last: Registration | None = user.registrations.select_related("organization__bureau", "bureau").last()
    if last is None:
        raise Http404
    return render(request, "accounts/join/done.html", {"registration": last})
