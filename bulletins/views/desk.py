"""The bulletin desk: wording in blocks beside the paper, and the steps from draft to signature."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import circular, paper, services
from bulletins.circular import EditorBlock
from bulletins.forms import SendBackForm, WordingForm, posted
from bulletins.models import Bulletin
from bulletins.views.papers import address_of, done, manageable
from common.steps import refusals_told


def _edit_address(bulletin: Bulletin) -> str:
    return reverse("bulletins:bulletin_edit", args=[bulletin.public_id])


def _anchor(key: str) -> str:
    return f"block-{key.replace('.', '-')}"


def _no_such_block(request: HttpRequest, bulletin: Bulletin) -> HttpResponse:
    messages.error(request, _("没有这一段，请刷新后再看。"))
    return redirect(_edit_address(bulletin))


def _block(bulletin: Bulletin, block: EditorBlock, **more: Any) -> dict[str, Any]:
    """A block with its form: what is typed already, or what stands."""
    return {
        "block": block,
        "typed": block.shown,
        "href": reverse("bulletins:bulletin_block", args=[bulletin.public_id, block.key]),
        "anchor": _anchor(block.key),
    } | more


def _paper(bulletin: Bulletin) -> dict[str, Any]:
    """The paper as it was printed last, and whether the next one is on its way."""
    pdf = reverse("bulletins:bulletin_pdf", args=[bulletin.public_id]) if bulletin.pdf else ""
    return {
        "bulletin": bulletin,
        "pdf_href": pdf,
        "under_way": bulletin.is_under_way,
        "failed": bulletin.job_state == Bulletin.State.FAILED,
        "paper_href": reverse("bulletins:bulletin_paper", args=[bulletin.public_id]),
    }


def _page(request: HttpRequest, bulletin: Bulletin, refused: dict[str, Any] | None = None) -> HttpResponse:
    rows = [_block(bulletin, block) for block in circular.blocks(bulletin)]
    if refused:
        rows = [refused if row["anchor"] == refused["anchor"] else row for row in rows]
    context = _paper(bulletin) | {
        "rows": rows,
        "outdated": sum(row["block"].is_outdated for row in rows),
        "newest": services.frozen_snapshot(bulletin.period),
        "cancel_url": address_of(bulletin),
    }
    return render(request, "bulletins/bulletin_edit.html", context, status=400 if refused else 200)


@login_required
@require_safe
def bulletin_edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The paper at the left, its blocks at the right."""
    bulletin = manageable(request, public_id)
    if bulletin.status != Bulletin.Status.DRAFT:
        messages.info(request, _("只有草稿可以修改；送审后的请先退回。"))
        return redirect(address_of(bulletin))
    return _page(request, bulletin)


@login_required
@require_POST
def bulletin_block(request: HttpRequest, public_id: uuid.UUID, block: str) -> HttpResponse:
    """Store a block, or take it back to the draft; what was typed is shown again when it is refused."""
    bulletin = manageable(request, public_id)
    form = WordingForm(request.POST)
    if not form.is_valid():
        return _no_such_block(request, bulletin)
    back = "restore" in request.POST
    typed, seen = None if back else form.cleaned_data["text"], form.cleaned_data["seen"]
    try:
        bulletin = services.reword(bulletin, block, typed, seen, request.user)
    except ValidationError as error:
        return _refused(request, bulletin, block, error, typed=typed, seen=seen)
    if not request.htmx:  # type: ignore[attr-defined]
        messages.success(request, _("已恢复原稿。") if back else _("已保存，正在按新文字排版。"))
        return redirect(f"{_edit_address(bulletin)}#{_anchor(block)}")
    fresh = circular.block(bulletin, block)
    if fresh is None:
        return _no_such_block(request, bulletin)
    row = _block(bulletin, fresh, saved=_("已恢复原稿") if back else _("已保存"))
    return render(request, "bulletins/_block_saved.html", _paper(bulletin) | row)


def _refused(
    request: HttpRequest,
    bulletin: Bulletin,
    key: str,
    error: ValidationError,
    *,
    typed: str | None,
    seen: str,
) -> HttpResponse:
    """The block with what was typed and why it does not stand; the bulletin's page once it is no draft."""
    if bulletin.status != Bulletin.Status.DRAFT:
        messages.error(request, " ".join(error.messages))
        return redirect(address_of(bulletin))
    found = circular.block(bulletin, key)
    if found is None:
        return _no_such_block(request, bulletin)
    typed = found.drafted.shown if typed is None else typed
    row = _block(bulletin, found, typed=typed, errors=error.messages, moved=found.digest != seen)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "bulletins/_block.html", row)
    return _page(request, bulletin, row)


@login_required
@require_safe
def bulletin_paper(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The part of the desk that shows the paper; it asks again until the next print is there."""
    bulletin = manageable(request, public_id)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(_edit_address(bulletin))
    return render(request, "bulletins/_paper.html", _paper(bulletin))


@login_required
@require_safe
def bulletin_docx(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The same content for a word processor; what counts is the PDF."""
    bulletin = manageable(request, public_id)
    with translation.override("zh-hans"):
        document = paper.render_docx(circular.compose(bulletin))
    response = HttpResponse(
        document, content_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    )
    name = f"{bulletin.number or bulletin.title}.docx"
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-cache"
    return response


# --- Steps ------------------------------------------------------------------------------------------------


def _step(
    request: HttpRequest,
    public_id: uuid.UUID,
    service: Callable[[Bulletin, Any], Bulletin],
    said: str,
) -> HttpResponse:
    bulletin = manageable(request, public_id)
    return done(request, bulletin, lambda: service(bulletin, request.user), lambda _row: said)


@login_required
@require_POST
def bulletin_submit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _step(request, public_id, services.submit, _("已送审，审核人会收到消息。"))


@login_required
@require_POST
def bulletin_approve(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _step(request, public_id, services.approve, _("已审核通过，等管理员签发。"))


@login_required
@require_POST
def bulletin_renew(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _step(request, public_id, services.renew, _("已换用最新冻结的数据，正在重新生成草稿。"))


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_send_back(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    bulletin = manageable(request, public_id)
    form = SendBackForm(posted(request))
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        return done(
            request,
            bulletin,
            lambda: services.send_back(bulletin, request.user, reason),
            lambda _row: _("已退回，改稿人会看到原因。"),
        )
    context = {"bulletin": bulletin, "form": form, "cancel_url": address_of(bulletin)}
    return render(request, "bulletins/bulletin_send_back.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def bulletin_discard(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    bulletin = manageable(request, public_id)
    if request.method == "POST":
        with refusals_told(request):
            services.discard(bulletin, request.user)
            messages.success(request, _("草稿已删除。"))
            return redirect("bulletins:bulletin_list")
        return redirect(address_of(bulletin))
    context = {"bulletin": bulletin, "danger": True, "cancel_url": address_of(bulletin)}
    return render(request, "bulletins/bulletin_discard.html", context)
