"""Chains and their quality maps: the catalogue, the live map, versions, drafting and publishing."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_safe

from common import chain_map, downloads, formats
from common.listing import TwoEndedPaginator
from common.paper import Column, Row, Sheet, Table, fonts, render_sheet
from common.steps import refusals_told
from common.workbooks import XLSX, Leaf, workbook
from enterprises.filters import ChainListFilter
from enterprises.models import Bureau, ChainSegment, IndustryChain, NqiElement
from projects import maps
from projects.filters import MapFilter
from projects.forms.maps import MapForm
from projects.maps import Rule, Shown
from projects.matching import institutions_for
from projects.models import Bottleneck, QualityMap
from projects.services import StaleRow


def _of_bureau(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.scope.is_of_bureau


# --- The catalogue -----------------------------------------------------------------------------------------


@require_safe
def chain_list(request: HttpRequest) -> HttpResponse:
    """Chains with their segments and published maps, for bureaus with the problems of their scope."""
    filterset = ChainListFilter(
        request.GET, IndustryChain.objects.valid_on(timezone.localdate()), request=request
    )
    chains = filterset.qs.annotate(segment_total=Count("segments")).order_by("klass", "code")
    page = TwoEndedPaginator(chains, 50).get_page(request.GET.get("page"))
    standing: dict[int, int] = dict(
        QualityMap.objects.visible_to(request.user)
        .published()
        .filter(chain__in=[chain.pk for chain in page.object_list])
        .order_by()
        .values_list("chain")
        .annotate(total=Count("pk"))
    )
    totals = maps.totals_by_chain(request.user) if _of_bureau(request) else None
    context = {
        "filter": filterset,
        "filter_lead": "q,klass",
        "page": page,
        "rows": [
            (chain, standing.get(chain.pk, 0), (totals or {}).get(chain.pk, {})) for chain in page.object_list
        ],
        "counted": totals is not None,
        "filtered": bool(request.GET.get("q") or request.GET.get("klass")),
    }
    return render(request, "projects/maps/chains.html", context)


# --- Drawing -----------------------------------------------------------------------------------------------


class Drawing:
    """Nodes as a reader is told of them: as a picture, a table, a workbook and a paper."""

    def __init__(
        self,
        title: str,
        nodes: Sequence[Shown],
        rule: Rule,
        *,
        is_exact: bool,
        rows_at: Mapping[str, Any] | None = None,
        own: dict[int, int] | None = None,
    ) -> None:
        """``rows_at`` are filters of the list of problems that lead to the rows behind the numbers, none for
        readers without a list; ``own`` says how many problems of a segment concern the reader's firm."""
        self.title, self.nodes, self.rule, self.is_exact = title, nodes, rule, is_exact
        self.rows_at, self.own = rows_at, own or {}

    def chart(self) -> chain_map.ChainMap:
        legend = self.rule.legend()
        if not self.is_exact:
            legend.append(("", _("不公布：数少，看不出属于哪一档")))
        return chain_map.ChainMap(
            title=self.title,
            streams=tuple((code, str(word)) for code, word in ChainSegment.Stream.choices),
            boxes=tuple(self._box(shown) for shown in self.nodes),
            legend=tuple(legend),
        )

    def _box(self, shown: Shown) -> chain_map.Box:
        node, own = shown.node, self.own.get(shown.node.segment, 0)
        figures = _("在办 %(open)s，已解决 %(solved)s") % {"open": shown.open, "solved": shown.solved}
        return chain_map.Box(
            key=node.segment,
            parent=node.parent,
            stream=node.stream,
            name=node.name,
            state=shown.state,
            state_words=shown.state_words,
            figures=figures,
            gaps=_("缺：%s") % shown.gap_words if shown.gaps else "",
            note=_("国产化率 %s%%") % node.localisation if node.localisation else "",
            mark=_("与本单位有关 %d 个") % own if own else "",
            href=self.href(shown),
        )

    def href(self, shown: Shown, *stages: str) -> str:
        """The rows of a segment, of both stages unless named; without a list its line in the table."""
        segment = shown.node.segment
        if self.rows_at is None and segment not in self.own:
            return f"#segment-{segment}"
        query = [*(self.rows_at or {}).items(), ("segment", segment)]
        query += [("stage", stage) for stage in stages or ("open", "solved")]
        return f"{reverse('projects:bottleneck_list')}?{urlencode(query, doseq=True)}"

    def svg(self) -> str:
        return chain_map.render(self.chart())

    def table(self) -> list[dict[str, Any]]:
        return [
            {
                "shown": shown,
                "stream": ChainSegment.Stream(shown.node.stream).label,
                "open_href": self.href(shown, "open") if self.rows_at is not None else "",
                "solved_href": self.href(shown, "solved") if self.rows_at is not None else "",
                "own": self.own.get(shown.node.segment, 0),
                "own_href": self.href(shown) if shown.node.segment in self.own else "",
            }
            for shown in self.nodes
        ]

    def totals(self) -> dict[str, str]:
        """Sums, for those who are told numbers: bands have none."""
        if not self.is_exact:
            return {}
        return {
            "open": formats.count(sum(shown.node.open for shown in self.nodes)),
            "solved": formats.count(sum(shown.node.solved for shown in self.nodes)),
        }

    # --- files ---

    def workbook(self, created: datetime) -> bytes:
        elements = [(code, str(word)) for code, word in NqiElement.choices]
        if not self.is_exact:
            elements = [(code, str(word)) for code, word in maps.FOUR.items()]
        heads = [
            *((_("位置"), 8.0), (_("环节"), 32.0), (_("属于"), 24.0), (_("状态"), 12.0)),
            *((_("在办"), 10.0), (_("已解决"), 10.0)),
            *((_("缺%s") % word, 12.0) for _code, word in elements),
            (_("国产化率（%）"), 14.0),
        ]
        names = {shown.node.segment: shown.node.name for shown in self.nodes}
        rows = [
            [
                str(ChainSegment.Stream(shown.node.stream).label),
                shown.node.name,
                names.get(shown.node.parent or 0, ""),
                shown.state_words,
                shown.node.open if self.is_exact else shown.open,
                shown.node.solved if self.is_exact else shown.solved,
                *(self._gap(shown, code) for code, _word in elements),
                Decimal(shown.node.localisation) if shown.node.localisation else None,
            ]
            for shown in self.nodes
        ]
        legend = Leaf(_("说明"), [(_("说明"), 60.0)], [[words] for _state, words in self.rule.legend()])
        return workbook([Leaf(self.title, heads, rows, wrap=True), legend], created=created)

    def _gap(self, shown: Shown, code: str) -> int | str:
        if self.is_exact:
            return shown.node.gaps.get(code, 0)
        return _("缺") if code in dict(shown.gaps) else ""

    def paper(
        self, *, issuer: str, day: date, created: datetime, code: str, url: str, sub: str, watermark: str = ""
    ) -> bytes:
        """The picture and the table, upright when the picture is tall."""
        chart = self.chart()
        columns = (
            Column(_("位置"), 0.7, "center"),
            Column(_("环节"), 2.6, "start"),
            Column(_("状态"), 1, "center"),
            Column(_("在办"), 0.9),
            Column(_("已解决"), 0.9),
            Column(_("所缺要素（在办问题数）"), 3, "start"),
            Column(_("国产化率（%）"), 1),
        )
        rows = tuple(
            Row(
                (
                    str(ChainSegment.Stream(shown.node.stream).label),
                    shown.node.name,
                    shown.state_words,
                    shown.open,
                    shown.solved,
                    shown.gap_words or None,
                    shown.node.localisation or None,
                )
            )
            for shown in self.nodes
        )
        return render_sheet(
            Sheet(
                title=self.title,
                issuer=issuer,
                date=day,
                created=created,
                code=code,
                url=url,
                sub=sub,
                drawing=chain_map.render(chart, fonts=fonts.faces().families["sans"], links=False),
                tables=(Table(_("各环节情况"), columns, rows),),
                notes=tuple(_notes(self.is_exact)),
                watermark=watermark,
                landscape=not chain_map.is_tall(chart),
            )
        )


def _notes(is_exact: bool) -> list[str]:
    """How to read the numbers."""
    words = [
        _("“在办”是已提交、尚未办结的问题，“已解决”是核验解决的问题；已归并的问题只计主问题。"),
        _("解决率是已解决的问题占在办和已解决之和的比重。"),
        _("所缺要素按在办问题填报的要素和缺口统计，认证与认可合为一项。"),
    ]
    if not is_exact:
        words.append(
            _("数字按五个一档公布，不足 5 的（包括 0）不再细分；缺少某一要素的问题不足 5 个时，不列该要素。")
        )
    return words


def _own(request: HttpRequest, chain: IndustryChain) -> dict[int, int]:
    """How many problems of each segment concern the reader's own organisation."""
    user = request.user
    if not user.is_authenticated or not user.scope.organization_ids:
        return {}
    rows = Bottleneck.objects.visible_to(user).counted().filter(maps.OPEN | maps.SOLVED, chain=chain)
    return dict(rows.order_by().values_list("segment").annotate(total=Count("pk")))


# --- One chain ---------------------------------------------------------------------------------------------


@require_safe
def chain_detail(request: HttpRequest, code: str) -> HttpResponseBase:
    """The map of a chain: live for who sees all that it counts, as it was published for everybody else."""
    chain = get_object_or_404(IndustryChain.objects.select_related("bureau"), code=code)
    versions = QualityMap.objects.visible_to(request.user).filter(chain=chain).newest_first()
    context: dict[str, Any] = {"chain": chain, "versions": _with_pages(request, versions)}
    grant = request.grant  # type: ignore[attr-defined]
    near = grant.organization.bureau if grant and grant.organization else None
    if _of_bureau(request):
        answer = _live(request, chain, context)
        if answer is not None:
            return answer
        near = context["unit"]
    if not context.get("is_live") and (row := maps.standing_for(request.user, chain, near)):
        context |= _version_context(request, row)
    return render(request, "projects/maps/chain.html", context)


def _with_pages(request: HttpRequest, versions: Any) -> Any:
    rows = versions.select_related("bureau", "drawn_by").defer("nodes")
    return TwoEndedPaginator(rows, 20).get_page(request.GET.get("page"))


def _live(request: HttpRequest, chain: IndustryChain, context: dict[str, Any]) -> HttpResponse | None:
    """Puts the live map of the chosen unit into the context; answers itself when a file is asked for.

    Of a unit of which the user sees a part only there is none: it would be called the unit's and count less.
    """
    # The unit in which the user works stands in the filter until another one is chosen.
    chosen = request.GET.copy()
    if not chosen.get("bureau") and request.grant and request.grant.bureau:  # type: ignore[attr-defined]
        chosen["bureau"] = request.grant.bureau.code  # type: ignore[attr-defined]
    filterset = MapFilter(chosen, Bottleneck.objects.none(), request=request)
    unit = filterset.form.cleaned_data["bureau"] if filterset.is_valid() else None
    context |= {"filter": filterset, "unit": unit}
    context["is_live"] = unit is None or maps.reads_exactly(request.user, unit, chain)
    if unit is None or not context["is_live"]:
        return None
    filterset.queryset = maps.problems_for(request.user, chain, unit)
    rule, today = maps.rule_now(), timezone.localdate()
    nodes = [maps.exact(node) for node in maps.draw(chain, filterset.qs, rule)]
    asked = {
        name: values for name, values in request.GET.lists() if any(values) and name in filterset.filters
    }
    rows_at = {**asked, "chain": chain.code, "bureau": unit.code, "masters": "on"}
    title = _("%(bureau)s%(chain)s质量图谱") % {"bureau": unit.short_name, "chain": chain.name}
    drawing = Drawing(title, nodes, rule, is_exact=True, rows_at=rows_at)
    if (kind := request.GET.get("export")) and nodes:
        name = f"{title}-{formats.day(today)}"
        if kind == "xlsx":
            return downloads.made(drawing.workbook(timezone.now()), XLSX, f"{name}.xlsx")
        with override("zh-hans"):
            drawing = Drawing(title, nodes, rule, is_exact=True, rows_at=rows_at)
            sub = _("%(day)s 的实时数据，未经审定") % {"day": formats.day(today)}
            if len(asked.keys() - {"bureau"}):
                sub += _("，按所选条件筛选")
            paper = drawing.paper(
                issuer=unit.name,
                day=today,
                created=timezone.now(),
                code=chain.code,
                url=settings.PUBLIC_URL + reverse("projects:chain_detail", args=[chain.code]),
                sub=sub,
                watermark=_("实时"),
            )
        return downloads.made(paper, "application/pdf", f"{name}.pdf")
    context |= _drawn(drawing) | {"draft": _drafting(request, chain, unit)}
    return None


def _drawn(drawing: Drawing) -> dict[str, Any]:
    return {
        "drawing": drawing.svg() if drawing.nodes else "",
        "map_rows": drawing.table(),
        "totals": drawing.totals(),
        "notes": _notes(drawing.is_exact),
        "is_exact": drawing.is_exact,
        "has_own": bool(drawing.own),
    }


def _drafting(request: HttpRequest, chain: IndustryChain, unit: Bureau) -> dict[str, Any]:
    """Whether the user may begin the next version, and why not."""
    prepared = QualityMap.objects.visible_to(request.user).filter(
        chain=chain, bureau=unit, status__in=QualityMap.UNPUBLISHED
    )
    why = maps.why_not_drafting(request.user, chain, unit)
    if not why and (row := prepared.first()):
        why = _("第 %(version)d 版尚未发布，请先发布或废弃它。") % {"version": row.version}
    return {"href": reverse("projects:map_new", args=[chain.code, unit.code]), "why": why}


# --- One version -------------------------------------------------------------------------------------------


def _readable(request: HttpRequest, public_id: uuid.UUID) -> QualityMap:
    """The version as the user may see it; 404 otherwise."""
    rows = QualityMap.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("chain", "bureau", "drawn_by"), public_id=public_id)


def _drawing_of(request: HttpRequest, row: QualityMap) -> Drawing:
    is_exact = maps.reads_exactly(request.user, row.bureau, row.chain)
    rows_at = {"chain": row.chain.code, "bureau": row.bureau.code, "masters": "on"} if is_exact else None
    return Drawing(
        str(row),
        maps.shown_to(request.user, row),
        Rule(row.red_below, row.green_from),
        is_exact=is_exact,
        rows_at=rows_at,
        own=_own(request, row.chain),
    )


def _version_context(request: HttpRequest, row: QualityMap) -> dict[str, Any]:
    return {"map": row, **_drawn(_drawing_of(request, row))}


@require_safe
def map_detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One version: the map as it was drawn, what changed against another, and what may be done with it."""
    row = _readable(request, public_id)
    if (kind := request.GET.get("export")) and row.nodes:
        return _exported(request, row, kind)
    others = QualityMap.objects.visible_to(request.user).filter(chain=row.chain, bureau=row.bureau)
    others = others.exclude(pk=row.pk).newest_first()
    against = _against(request, row, others)
    context = {
        **_version_context(request, row),
        "chain": row.chain,
        "others": [other for other in others.defer("nodes") if other.pk != row.pk],
        "against": against,
        "differences": against
        and maps.differences(maps.shown_to(request.user, against), maps.shown_to(request.user, row)),
        "actions": _actions(request, row),
    }
    return render(request, "projects/maps/map.html", context)


def _against(request: HttpRequest, row: QualityMap, others: Any) -> QualityMap | None:
    """The version to compare with: the one asked for, else the one before; None where a file was uploaded."""
    asked = request.GET.get("against", "")
    drawn = others.filter(nodes__isnull=False).select_related("chain", "bureau")
    if row.nodes is None:
        return None
    if asked:
        return get_object_or_404(drawn, version=asked) if asked.isdecimal() and len(asked) < 5 else None
    return drawn.filter(version__lt=row.version).first()


def _actions(request: HttpRequest, row: QualityMap) -> list[dict[str, Any]]:
    """The steps of an unpublished version, for those who work on maps of the bureau."""
    if row.status in QualityMap.FROZEN or maps.why_not_drafting(request.user, row.chain, row.bureau):
        return []
    return [
        {
            "label": step.label,
            "href": reverse("projects:map_step", args=[row.public_id, step.name]),
            "why": maps.why_not(row, step, request.user),
            "primary": step.name in ("approve", "publish"),
            "danger": step.name == "discard",
        }
        for step in maps.STEPS.values()
    ]


def _exported(request: HttpRequest, row: QualityMap, kind: str) -> HttpResponse:
    created = row.published_at or row.approved_at or row.drafted_at
    if kind == "xlsx":
        return downloads.made(_drawing_of(request, row).workbook(created), XLSX, f"{row}.xlsx")
    with override("zh-hans"):
        paper = _drawing_of(request, row).paper(
            issuer=row.bureau.name,
            day=row.drawn_on,
            created=created,
            code=f"{row.chain.code}-{row.bureau.code}-{row.version}",
            url=settings.PUBLIC_URL + reverse("projects:map_detail", args=[row.public_id]),
            sub=_("编制：%(bureau)s　绘制：%(institution)s　数据日期：%(day)s")
            % {
                "bureau": row.bureau.name,
                "institution": row.drawn_by.name,
                "day": formats.day(row.drawn_on),
            },
            watermark="" if row.status in QualityMap.FROZEN else _("草案"),
        )
        name = f"{row}.pdf"
    return downloads.made(paper, "application/pdf", name)


@require_safe
def map_file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The uploaded drawing, for those who may see the version; never run by the browser."""
    row = _readable(request, public_id)
    if not row.file:
        raise Http404
    suffix = "pdf" if row.mime == "application/pdf" else "png"
    return downloads.uploaded(row.file, row.mime, f"{row}.{suffix}")


# --- Drafting and publishing -------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def map_new(request: HttpRequest, code: str, bureau: str) -> HttpResponse:
    """Begin the next version of a bureau."""
    chain, unit = get_object_or_404(IndustryChain, code=code), get_object_or_404(Bureau, code=bureau)
    if why := maps.why_not_drafting(request.user, chain, unit):
        raise PermissionDenied(why)
    form = MapForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
    if request.method == "POST" and form.is_valid():
        try:
            row = maps.draft(
                chain, unit, by=request.user, drawn_by=form.cleaned_data["drawn_by"], values=form.values()
            )
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _("已起草。请同事核对后审定。"))
            return redirect("projects:map_detail", row.public_id)
    context = {
        "form": form,
        "chain": chain,
        "unit": unit,
        "institutions": institutions_for((), unit, limit=30),
    }
    return render(request, "projects/maps/new.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def map_step(request: HttpRequest, public_id: uuid.UUID, step: str) -> HttpResponse:
    """Ask for, and then take, one step of a version."""
    if step not in maps.STEPS:
        raise Http404
    row = _readable(request, public_id)
    taken = maps.STEPS[step]
    if why := maps.why_not_drafting(request.user, row.chain, row.bureau):
        raise PermissionDenied(why)
    if why := maps.why_not(row, taken, request.user):
        messages.warning(request, why)
        return redirect("projects:map_detail", row.public_id)
    if request.method != "POST":
        context = {
            "map": row,
            "step": taken,
            "seen": maps.mark_of(row),
            "danger": step == "discard",
            "cancel_url": reverse("projects:map_detail", args=[row.public_id]),
        }
        return render(request, "projects/maps/step.html", context)
    with refusals_told(request, StaleRow):
        maps.take_step(row, step, by=request.user, seen=request.POST.get("seen", ""))
        messages.success(request, taken.done)
    if not QualityMap.objects.visible_to(request.user).filter(pk=row.pk).exists():
        return redirect("projects:chain_detail", row.chain.code)
    return redirect("projects:map_detail", row.public_id)
