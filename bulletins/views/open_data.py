"""Open data: the page with the card, and the files. Nobody has to log in."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header, parse_etags, quote_etag
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bulletins import disclosure, figures, open_data, trees
from bulletins.forms import OpenDataForm
from bulletins.models import Period, Snapshot
from common import listing
from common.listing import Column, Number
from common.throttle import too_often

FILES_PER_MINUTE = 30
KINDS = ("csv", "json", "card")
NUMBERS = ("version", "value", "numerator", "denominator")


@require_safe
def open_data_page(request: HttpRequest) -> HttpResponse:
    """What may be taken away, what it says, and on which terms."""
    known = figures.newest(Period.objects.published())
    context: dict[str, Any] = {
        "sets": [
            (period, snapshot, [(kind, open_data.file_address(period, kind)) for kind in KINDS])
            for period, snapshot in known
        ],
    }
    if known:
        context["card"] = open_data.card(known[0][1], request.build_absolute_uri)
        context["example"] = request.build_absolute_uri(
            open_data.file_address(known[0][0], "json") + "?region=000000&indicator=I15"
        )
    return render(request, "bulletins/open_data.html", context)


@require_safe
def open_file(request: HttpRequest, period: str, kind: str) -> HttpResponse:
    """The figures of a published period as a file, or what its card says; filters are in the address."""
    if kind not in KINDS:
        raise Http404
    if too_often(request, "open_data", FILES_PER_MINUTE):
        return _refused(_("一分钟内取数太多，请一分钟后再试。"), 429, {"Retry-After": "60"})
    snapshot = figures.current(get_object_or_404(Period.objects.published(), code=period))
    if snapshot is None:
        raise Http404
    form = OpenDataForm(request.GET)
    if not form.is_valid():
        return _refused(" ".join(faults[0] for faults in form.errors.values()), 400, {})
    # The figures of a frozen version are the same for ever, in each language; which of them are told depends
    # on the rules and on the versions of the periods that were frozen before.
    asked = "&".join(f"{name}={value}" for name, value in sorted(form.data.items()))
    rules = disclosure.Reader(AnonymousUser()).judged_by(snapshot)
    licence = quote(f"{settings.OPEN_DATA_LICENCE} {settings.OPEN_DATA_LICENCE_URL}")
    version = f"{snapshot.pk}-{snapshot.row_hash[:32]}-{rules}-{licence}"
    tag = quote_etag(f"{version}-{kind}-{get_language()}-{quote(asked)}")
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponse(status=304)
    else:
        response = _file(request, snapshot, kind, form)
    response["ETag"] = tag
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _refused(sentence: str, status: int, headers: dict[str, str]) -> HttpResponse:
    return JsonResponse(
        {"error": sentence}, status=status, headers=headers, json_dumps_params={"ensure_ascii": False}
    )


def _file(request: HttpRequest, snapshot: Snapshot, kind: str, form: OpenDataForm) -> HttpResponse:
    card = open_data.card(snapshot, request.build_absolute_uri)
    if kind == "card":
        return _json(card, f"{snapshot.period.code}-card.json")
    asked = form.cleaned_data
    units = open_data.regions(snapshot)
    if asked["region"]:
        units = [trees.as_of(snapshot, asked["region"])]
    codes = [asked["indicator"]] if asked["indicator"] else ()
    rows = open_data.rows(snapshot, units, codes, asked["chain"])
    name = f"{snapshot.period.code}.v{snapshot.version}.{kind}"
    if kind == "json":
        return _json({"card": card, "rows": list(rows)}, name)
    columns: list[Column] = [
        (Number if column in NUMBERS else Column)(column, column, column) for column in open_data.COLUMNS
    ]
    response = HttpResponse("".join(listing.csv_lines(columns, rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, name)
    return response


def _json(told: Any, name: str) -> HttpResponse:
    text = json.dumps(told, cls=_Exact, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(False, name)
    return response


class _Exact(DjangoJSONEncoder):
    """Numbers with decimals are numbers."""

    def default(self, o: Any) -> Any:
        return float(o) if isinstance(o, Decimal) else super().default(o)
