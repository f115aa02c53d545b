"""Where anyone checks a printed or received bulletin or inspection report (`domain.md` fact 8, 3.13)."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from bulletins import behind, checking, circular, dashboard
from bulletins.behind import Place
from bulletins.forms import VerifyForm
from bulletins.models import Bulletin
from common.privacy import mask_organization
from common.throttle import too_often
from common.verification import BULLETINS, LENGTH, REPORTS
from projects.models import InspectionReport

CHECKS_PER_MINUTE = 30


@require_http_methods(["GET", "HEAD", "POST"])
def verify_page(request: HttpRequest, code: str = "") -> HttpResponse:
    """One box for a code or a file; the answer stands above it."""
    if (code or request.method == "POST") and too_often(request, "verify", CHECKS_PER_MINUTE):
        response = render(request, "bulletins/verify_later.html", status=429)
        response["Retry-After"] = "60"
        return response
    if request.method == "POST":
        return _sent(request)
    return _asked(request, code) if code else _page(request, VerifyForm())


def _sent(request: HttpRequest) -> HttpResponse:
    """A file, or what the browser made of it, is answered at once; a code has an address of its own, the one
    that the QR code holds."""
    form = VerifyForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    if copy := form.received():
        verdict = checking.verify(code=form.cleaned_data["code"], copy=copy)
        return _page(request, VerifyForm(), verdict=verdict, by_file=True)
    return _asked(request, form.cleaned_data["code"])


def _asked(request: HttpRequest, code: str) -> HttpResponse:
    canonical = checking.canonical(code)
    if not (BULLETINS.is_well_formed(canonical) or REPORTS.is_well_formed(canonical)):
        form = VerifyForm({"code": code})
        form.add_error("code", _misread(canonical))
        return _page(request, form, status=400)
    if request.method == "POST" or code != canonical:
        return redirect("bulletins:verify_code", canonical)
    return _page(request, VerifyForm(), verdict=checking.verify(code=canonical))


def _misread(canonical: str) -> ValidationError:
    """What is wrong with a code that was never given out to anyone."""
    prefix = next((kind.prefix for kind in (REPORTS, BULLETINS) if canonical.startswith(kind.prefix)), "")
    letters = canonical.removeprefix(prefix)
    if prefix and len(letters.replace("-", "")) == LENGTH:
        return ValidationError(
            _("核验码“%(code)s”的校验位不符，有一位看错或输错了。请逐位核对，注意 8 和 B、5 和 S、2 和 Z。"),
            params={"code": canonical},
        )
    return ValidationError(
        _(
            "核验码由 ZLTB（通报）或 ZLBG（检验检测报告）和 15 位字母、数字组成，"
            "形如 ZLTB-7K3M9-QXD2F-HA4TC；现在除去开头四个字母有 %(n)d 位。"
        ),
        params={"n": len(letters)},
    )


def _page(
    request: HttpRequest,
    form: VerifyForm,
    *,
    verdict: checking.Verdict | None = None,
    by_file: bool = False,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "by_file": by_file, "upload_limit": settings.UPLOAD_LIMIT}
    if verdict:
        if request.method != "HEAD":
            checking.count(verdict, by_file=by_file)
        context |= {"verdict": verdict, "state": str(verdict.state)}
        if verdict.bulletin:
            context |= _facts(verdict.bulletin)
        if verdict.successor:
            context["successor_href"] = reverse(
                "bulletins:bulletin_detail", args=[verdict.successor.public_id]
            )
        if verdict.report:
            context |= _lines(request, verdict.report)
        if _is_issuer(request, verdict, context):
            context["lookups"] = checking.counted(verdict)
    return render(request, "bulletins/verify.html", context, status=status)


def _is_issuer(request: HttpRequest, verdict: checking.Verdict, context: dict[str, Any]) -> bool:
    """Whether to say how often a document was checked. Anybody may upload any file under its code, so what
    comes of that would stain it in the eyes of others."""
    if verdict.bulletin:
        return behind.covers(request.user, Place(verdict.bulletin.bureau))
    return bool(context.get("report_href"))


def _facts(bulletin: Bulletin) -> dict[str, Any]:
    """What the reader compares with the paper: number, title, and the seven figures as printed."""
    printed = [(line.indicator.name, line.text, line.indicator.unit) for line in circular.headline(bulletin)]
    return {
        "bulletin": bulletin,
        "printed": printed,
        "bulletin_href": reverse("bulletins:bulletin_detail", args=[bulletin.public_id]),
        "figures_href": dashboard.address(bulletin.period, bulletin.bureau),
    }


def _lines(request: HttpRequest, report: InspectionReport) -> dict[str, Any]:
    """What the reader compares with the paper; the client in full for the parties only."""
    user = request.user
    mine = (
        InspectionReport.objects.visible_to(user)
        if user.is_authenticated
        else InspectionReport.objects.none()
    )
    is_party = mine.filter(pk=report.pk).exists()
    return {
        "report": report,
        "client": report.client if is_party else mask_organization(report.client),
        "report_href": reverse("projects:report_detail", args=[report.public_id]) if is_party else "",
    }
