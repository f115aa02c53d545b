"""The board of an institution."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common import downloads, listing
from common.listing import Column, Number
from common.workbooks import XLSX
from enterprises.models import Organization
from projects import institutions
from projects.filters import InstitutionFilter
from projects.institutions import Board
from projects.models import Bottleneck


@login_required
@require_safe
def institution_board(request: HttpRequest, uscc: str) -> HttpResponse:
    """What an institution took and solved, for whom, and how fast; filters stand in the address."""
    user = request.user
    rows = Organization.objects.readable_by(user).institutions().select_related("bureau")
    institution = get_object_or_404(rows, uscc=uscc)
    if not institutions.visible(institution, user):
        raise Http404
    problems = Bottleneck.objects.visible_to(user).filter(assigned_to=institution)
    filterset = InstitutionFilter(request.GET, problems, request=request)
    context: dict[str, Any] = {
        "institution": institution,
        "filter": filterset,
        "is_own": institution.pk in user.scope.organization_ids,
    }
    if not filterset.is_valid():
        return render(request, "projects/institution_board.html", context, status=400)
    chosen = {name: value for name, value in filterset.form.cleaned_data.items() if value}
    asked = {name: _in_address(value) for name, value in chosen.items()}
    board = Board(institution, user, filterset.qs, asked, chosen.get("bureau"))
    if kind := request.GET.get("export"):
        return _file(board, kind)
    context |= {"board": board, "is_filtered": bool(chosen)}
    return render(request, "projects/institution_board.html", context)


def _in_address(value: Any) -> Any:
    """What a filter was set to, as the address says it."""
    return value if isinstance(value, list) else getattr(value, "code", str(value))


def _file(board: Board, kind: str) -> HttpResponse:
    columns = [
        Column("group", _("分组"), "group"),
        Column("label", _("项目"), "label"),
        Number("count", _("数量"), "count"),
        Column("unit", _("计量单位"), "unit"),
    ]
    rows = [
        {"group": group.heading, "label": mark.label, "count": mark.count, "unit": group.unit}
        for group in board.groups
        for mark in group.marks
    ]
    rows.append({"group": _("问题"), "label": _("解决用时中位数"), "count": board.days, "unit": _("天")})
    name = _("%(name)s看板") % {"name": board.institution.name}
    if kind == "xlsx":
        return downloads.made(listing.xlsx_file(name, columns, rows), XLSX, f"{name}.xlsx")
    lines = "".join(listing.csv_lines(columns, rows))
    return downloads.made(lines.encode(), "text/csv; charset=utf-8", f"{name}.csv")
