"""Bulletins: the list, drafting, one bulletin as printed, issue, replacement, withdrawal, the PDF."""

import uuid
from collections.abc import Callable
from typing import Any

from csp.constants import SELF
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views import View
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import access, agencies, dashboard, periods, services
from bulletins.filters import BulletinFilter
from bulletins.forms import BulletinForm, ReasonForm, posted
from bulletins.models import Bulletin, Period
from bulletins.views.jobs import progress_of, progress_response
from common import listing
from common.listing import Column, Day, ListPage, Row, Title, Write
from common.steps import refusals_told
from enterprises.models import Bureau

Status = Bulletin.Status
NOT_ALLOWED = gettext_lazy("通报由印发单位或其上级单位的管理员、统计员办理。")
NOT_SIGNING = gettext_lazy("签发和撤回由印发单位或其上级单位的管理员办理。")


def address_of(bulletin: Bulletin) -> str:
    return reverse("bulletins:bulletin_detail", args=[bulletin.public_id])


def _may_draft(user: Any) -> bool:
    return user.is_authenticated and bool(user.grants_of(*services.ISSUERS))


# --- List -------------------------------------------------------------------------------------------------


class Number(Column):
    """国质强链〔2025〕1号, or the issue of a brief; a draft has none yet."""

    @property
    def paths(self) -> tuple[str, ...]:
        unit = ("bureau__code", "bureau__level", "bureau__short_name")
        return (*unit, "kind", "doc_year", "doc_seq", "total_seq")

    def writer(self) -> Write:
        def write(row: Row) -> str:
            if not row["doc_year"]:
                return ""
            if row["kind"] == Bulletin.Kind.BRIEF:
                return agencies.issue(row["doc_year"], row["doc_seq"], row["total_seq"])
            unit = Bureau(
                code=row["bureau__code"], level=row["bureau__level"], short_name=row["bureau__short_name"]
            )
            return agencies.number(unit, row["doc_year"], row["doc_seq"])

        return write


class PeriodName(Column):
    def writer(self) -> Write:
        return lambda row: periods.name(row[self.path])


class BulletinList(ListPage):
    """Issued bulletins for everybody, drafts for those who work on them."""

    model = Bulletin
    template_name = "bulletins/bulletin_list.html"
    filterset_class = BulletinFilter
    heading = gettext_lazy("通报")
    default_sort = "-issued"
    filter_lead = "q,bureau,period,status"
    columns = (
        Title(
            "title",
            gettext_lazy("标题"),
            "title",
            url="bulletins:bulletin_detail",
            key="public_id",
            sub=Number("number", gettext_lazy("发文字号"), "doc_seq"),
        ),
        Column("unit", gettext_lazy("印发单位"), "bureau__short_name", order=("bureau__code",), css="tight"),
        PeriodName("period", gettext_lazy("期间"), "period__code", css="tight"),
        listing.State("status", gettext_lazy("状态"), "status", model=Bulletin),
        Day("issued", gettext_lazy("印发日期"), "issued_on", order=("issued_on", "pk")),
    )
    empty_title = gettext_lazy("还没有印发通报")
    empty_text = gettext_lazy("统计期冻结之后，由各级统计员印发；印发后任何人都可以在这里查看、下载和核验。")
    empty_symbol = "bulletin"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Unlike other lists, this one is public.
        return View.dispatch(self, request, *args, **kwargs)

    def get_queryset(self) -> QuerySet:
        return Bulletin.objects.visible_to(self.request.user)

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"may_draft": _may_draft(self.request.user)}


# --- Drafting ---------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_new(request: HttpRequest) -> HttpResponse:
    """A draft of one unit over one frozen period."""
    user = request.user
    if not _may_draft(user):
        raise PermissionDenied(NOT_ALLOWED)
    frozen = Period.objects.exclude(status=Period.Status.OPEN)
    grant = request.grant
    first = access.latest(frozen)
    initial = {
        "kind": request.GET.get("kind") or Bulletin.Kind.CIRCULAR,
        "period": request.GET.get("period") or (first.code if first else ""),
        "bureau": request.GET.get("bureau") or (grant.bureau.code if grant and grant.bureau_id else ""),
    }
    form = BulletinForm(posted(request), initial=initial, frozen=frozen, request=request)
    if request.method == "POST" and form.is_valid():
        period, bureau = form.cleaned_data["period"], form.cleaned_data["bureau"]
        asked_at = timezone.now()
        try:
            draft = services.draft_bulletin(
                period, bureau, user, kind=form.cleaned_data["kind"], again=form.cleaned_data["again"]
            )
        except ValidationError as error:
            form.refuse(error)
        else:
            if draft.created_at < asked_at:
                messages.info(request, _("这份通报正在办理，已为您打开。"))
            else:
                messages.success(request, _("已开始生成草稿，可以离开本页。"))
            return redirect(address_of(draft))
    return render(
        request,
        "bulletins/bulletin_new.html",
        {"form": form, "any_frozen": first is not None},
        status=400 if form.errors else 200,
    )


# --- One bulletin -----------------------------------------------------------------------------------------


def readable(request: HttpRequest, public_id: uuid.UUID) -> Bulletin:
    rows = Bulletin.objects.visible_to(request.user).select_related(
        "bureau", "period", "snapshot", "replaced_by__bureau",
        "issued_by", "created_by", "edited_by", "submitted_by", "reviewed_by",
    )  # fmt: skip
    return get_object_or_404(rows, public_id=public_id)


def _progress(bulletin: Bulletin) -> dict[str, Any] | None:
    href = reverse("bulletins:bulletin_progress", args=[bulletin.public_id])
    stages = ((30, _("正在取数")), (80, _("正在排版")), (101, _("正在保存")))
    return progress_of(bulletin, href, next(words for end, words in stages if bulletin.progress < end))


@require_safe
def bulletin_detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The document as printed, beside it how it stands and what may be done."""
    bulletin = readable(request, public_id)
    replaces = bulletin.replaces.public().select_related("bureau").first()
    context = {
        "bulletin": bulletin,
        "replaces": replaces,
        "progress": _progress(bulletin),
        "failed": bulletin.job_state == Bulletin.State.FAILED,
        "actions": _actions(request.user, bulletin),
        "figures_href": dashboard.address(bulletin.period, bulletin.bureau),
        "verify_href": reverse("bulletins:verify_code", args=[bulletin.verification_code]),
        "pdf_href": reverse("bulletins:bulletin_pdf", args=[bulletin.public_id]) if bulletin.pdf else "",
        "docx_href": _docx(request.user, bulletin),
    }
    return render(request, "bulletins/bulletin_detail.html", context)


def _docx(user: Any, bulletin: Bulletin) -> str:
    may = user.is_authenticated and services.may_issue(user, bulletin.bureau)
    return reverse("bulletins:bulletin_docx", args=[bulletin.public_id]) if may else ""


def _actions(user: Any, bulletin: Bulletin) -> list[dict[str, Any]]:
    """The buttons of a bulletin; readers from outside the bureaus get none."""
    if not user.is_authenticated or not user.scope.bureau_paths:
        return []
    why = "" if services.may_issue(user, bulletin.bureau) else NOT_ALLOWED
    judged = bulletin.status in (Status.REVIEW, Status.SIGNING)
    hand = why or (services.why_not_judge(bulletin, user) if judged else "")
    sign = "" if services.may_sign(user, bulletin.bureau) else NOT_SIGNING
    back = {"name": "send_back", "label": _("退回修改"), "why": why}
    offered: list[dict[str, Any]] = {
        Status.DRAFT: [
            {"name": "submit", "label": _("送审"), "post": True, "primary": True, "why": why},
            {"name": "edit", "label": _("改稿"), "why": why},
            {"name": "discard", "label": _("删除草稿"), "danger": True, "why": why},
        ],
        Status.REVIEW: [
            {"name": "approve", "label": _("审核通过"), "post": True, "primary": True, "why": hand},
            back,
        ],
        Status.SIGNING: [
            {"name": "issue", "label": pgettext("bulletin", "签发"), "primary": True, "why": sign or hand},
            back,
        ],
        Status.ISSUED: [
            {"name": "replace", "label": _("替换"), "why": why or _why_not_replace(bulletin)},
            {"name": "withdraw", "label": _("撤回"), "danger": True, "why": sign},
        ],
    }.get(Status(bulletin.status), [])
    if bulletin.job_state == Bulletin.State.FAILED:
        retry = {"name": "retry", "label": _("重新生成"), "post": True, "primary": True, "why": why}
        offered = [retry, *offered]
    return [
        action | {"href": reverse(f"bulletins:bulletin_{action['name']}", args=[bulletin.public_id])}
        for action in offered
    ]


def _why_not_replace(bulletin: Bulletin) -> str:
    return str(_("替换件正在办理。")) if bulletin.replaced_by_id else ""


@require_safe
def bulletin_progress(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    bulletin = readable(request, public_id)
    return progress_response(request, _progress(bulletin), address_of(bulletin))


@require_safe
def bulletin_pdf(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The document under its number; with ``?view=1`` for the frame of its own page."""
    bulletin = readable(request, public_id)
    if not bulletin.pdf:
        raise Http404(_("这份通报的 PDF 还没有生成。"))
    etag = f'"{bulletin.sha256}"'
    try:
        response = get_conditional_response(request, etag=etag) or FileResponse(
            bulletin.pdf.open("rb"),
            as_attachment=not request.GET.get("view"),
            filename=f"{bulletin.number or _('草稿 %(title)s') % {'title': bulletin.title}}.pdf",
            content_type="application/pdf",
        )
    except FileNotFoundError as error:
        raise Http404(_("这份通报的 PDF 不在存储中，请联系管理员。")) from error
    response["ETag"] = etag
    # A draft changes under the same address, and what is replaced must not come out of a cache unasked.
    response["Cache-Control"] = "private, no-cache" if bulletin.is_prepared else "no-cache"
    # The page of the bulletin frames it; older viewers are objects to the policy of what they show.
    response["X-Frame-Options"] = "SAMEORIGIN"
    response._csp_replace = {"frame-ancestors": [SELF], "object-src": [SELF]}
    return response


# --- Steps ------------------------------------------------------------------------------------------------


def manageable(request: HttpRequest, public_id: uuid.UUID) -> Bulletin:
    bulletin = readable(request, public_id)
    if not services.may_issue(request.user, bulletin.bureau):
        raise PermissionDenied(NOT_ALLOWED)
    return bulletin


def _signable(request: HttpRequest, public_id: uuid.UUID) -> Bulletin:
    bulletin = readable(request, public_id)
    if not services.may_sign(request.user, bulletin.bureau):
        raise PermissionDenied(NOT_SIGNING)
    return bulletin


def done(
    request: HttpRequest, bulletin: Bulletin, step: Callable[[], Bulletin], said: Callable[[Bulletin], str]
) -> HttpResponse:
    """Make the step and say what was done, or why it could not be; either way back to a bulletin."""
    with refusals_told(request):
        result = step()
        link = format_html('<a href="{}">{}</a>', address_of(result), result.number)
        messages.success(request, format_html(said(result), link))
        return redirect(address_of(result))
    return redirect(address_of(bulletin))


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_issue(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    bulletin = _signable(request, public_id)
    if request.method == "POST":
        return done(
            request,
            bulletin,
            lambda: services.issue(bulletin, request.user),
            lambda _row: _("已印发 {}，正在生成正式文件。"),
        )
    return render(
        request,
        "bulletins/bulletin_issue.html",
        {
            "bulletin": bulletin,
            "cancel_url": address_of(bulletin),
            "version": bulletin.snapshot.version,
        },
    )


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_replace(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _with_reason(
        request,
        manageable(request, public_id),
        "bulletins/bulletin_replace.html",
        services.replace,
        lambda _row: _("已起草替换件，签发后原通报注明由它替换。"),
    )


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_withdraw(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _with_reason(
        request,
        _signable(request, public_id),
        "bulletins/bulletin_withdraw.html",
        services.withdraw,
        lambda _row: _("已撤回 {}，核验页会注明撤回原因。"),
    )


def _with_reason(
    request: HttpRequest,
    bulletin: Bulletin,
    template: str,
    step: Callable[[Bulletin, Any, str], Bulletin],
    said: Callable[[Bulletin], str],
) -> HttpResponse:
    form = ReasonForm(posted(request))
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        return done(request, bulletin, lambda: step(bulletin, request.user, reason), said)
    newest = services.frozen_snapshot(bulletin.period)
    context = {
        "bulletin": bulletin,
        "form": form,
        "danger": True,
        "cancel_url": address_of(bulletin),
        "version": newest.version,
        "same_figures": newest == bulletin.snapshot,
        "in_force": bulletin.status == Status.ISSUED,
    }
    return render(request, template, context, status=400 if form.errors else 200)


@login_required
@require_POST
def bulletin_retry(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    bulletin = manageable(request, public_id)
    with refusals_told(request):
        services.retry(bulletin, request.user)
        messages.success(request, _("已重新开始生成。"))
    return redirect(address_of(bulletin))
