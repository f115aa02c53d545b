"""The inbox of a person, how the person wants to hear of things, and the link that stops the mails."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, F, QuerySet
from django.db.models.lookups import IsNull
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts import mailing, notices
from accounts.forms.notices import ChoicesForm
from accounts.models import Notice, NoticeChoice

PER_PAGE = 25


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """One's own notices, the unread first; a posted form marks one, or all that are listed."""
    user: Any = request.user
    own: QuerySet[Notice] = user.notices.all()
    kind = request.GET.get("kind", "")
    rows = own.filter(kind=kind) if kind in Notice.Kind.values else own
    if request.method == "POST":
        _mark(request, rows)
        return redirect(request.get_full_path())
    ordered = rows.order_by(IsNull(F("read_at"), True).desc(), "-at", "-pk")
    page = Paginator(ordered, PER_PAGE).get_page(request.GET.get("page"))
    unread = dict(own.filter(read_at=None).order_by().values_list("kind").annotate(n=Count("pk")))
    tabs = [("", _("全部"), sum(unread.values()))]
    tabs += [(value, label, unread.get(value, 0)) for value, label in Notice.Kind.choices]
    return render(
        request,
        "accounts/notices.html",
        {
            "page": page,
            "lines": [{"row": row, "sentence": notices.sentence(row)} for row in page],
            "unread": next(number for value, _label, number in tabs if value == kind or not value),
            "filtered": kind in Notice.Kind.values,
            "tabs": [
                {
                    "label": label,
                    "href": f"?kind={value}" if value else request.path,
                    "number": number or None,
                    "current": value == (kind if kind in Notice.Kind.values else ""),
                }
                for value, label, number in tabs
            ],
        },
    )


def _mark(request: HttpRequest, rows: QuerySet[Notice]) -> None:
    chosen = request.POST.get("read", "") or request.POST.get("unread", "")
    if chosen:
        if not chosen.isdecimal():
            raise Http404
        get_object_or_404(rows, pk=chosen)
        rows = rows.filter(pk=chosen)
    if "unread" in request.POST:
        rows.update(read_at=None)
        return
    number = rows.filter(read_at=None).update(read_at=timezone.now())
    if not chosen:
        sentence = ngettext("%(n)s 条消息已标为已读。", "%(n)s 条消息已标为已读。", number)
        messages.success(request, sentence % {"n": number})


@require_safe
@login_required
def message(request: HttpRequest, pk: int) -> HttpResponse:
    """To the page that a notice is about; whoever goes there has read it."""
    user: Any = request.user
    notice = get_object_or_404(user.notices, pk=pk)
    if notice.read_at is None:
        user.notices.filter(pk=pk).update(read_at=timezone.now())
    return redirect(notices.page(notice))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def choices(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = ChoicesForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("消息设置已保存。"))
        return redirect("accounts:message_choices")
    return render(request, "accounts/notice_choices.html", {"form": form})


@csrf_exempt  # mail programs post to it by themselves (RFC 8058); the signed address is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stops all mails of notices. Asks first: programs that look through mails open every link."""
    user = mailing.user_of(token)
    if user is None:
        raise Http404
    if request.method == "POST":
        mailing.choose(user, dict.fromkeys(Notice.Kind.values, NoticeChoice.Mail.OFF))
    return render(request, "accounts/unsubscribe.html", {"done": request.method == "POST"})
