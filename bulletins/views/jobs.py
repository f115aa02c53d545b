"""Work in the background as a page shows it: a bar that moves by itself, or by reloading."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRefresh

from common.jobs import Job


def progress_of(job: Job | None, href: str, words: str) -> dict[str, Any] | None:
    """Parameters of `partials/_progress.html` while the job is under way."""
    if job is None or not job.is_under_way:
        return None
    if job.job_state == Job.State.QUEUED:
        words = _("排队中，等待后台处理")
    return {"percent": job.progress, "words": words, "href": href, "running": True}


def progress_response(request: HttpRequest, progress: dict[str, Any] | None, page: str) -> HttpResponse:
    """The bar again, or the whole page anew once the job is over."""
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(page)
    if progress is None:
        return HttpResponseClientRefresh()
    return render(request, "partials/_progress.html", progress)
