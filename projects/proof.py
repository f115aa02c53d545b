"""Which evidence shows that which problem is solved (`domain.md` 4.3); printed in `docs/evidence.md`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import formats
from projects.models import Bottleneck, Evidence, SpecDemand, SpecKind
from projects.numbers import cma_warning

Kind = Evidence.Kind
Gap, Cause, Route = Bottleneck.Gap, Bottleneck.Cause, Bottleneck.Route


@dataclass(frozen=True)
class Row:
    """What is accepted for problems of these gaps, causes or routes.

    ``accepted``: one kind is enough, or with ``together`` all of them are needed. ``partly``: shows with its
    draft attached that a part is done, never the whole. ``beneficiary``: the paper names who benefits first.
    """

    label: Any
    accepted: tuple[Evidence.Kind, ...]
    gaps: tuple[Bottleneck.Gap, ...] = ()
    causes: tuple[Bottleneck.Cause, ...] = ()
    routes: tuple[Bottleneck.Route, ...] = ()
    together: bool = False
    partly: tuple[Evidence.Kind, ...] = ()
    beneficiary: bool = False


# Rows marked [C] are our own choice: `domain.md` 4.3 names no evidence for these gaps.
TABLE = (
    Row(
        gettext_lazy("标准缺失或不统一"),
        (Kind.STANDARD,),
        gaps=(Gap.STANDARD_MISSING, Gap.STANDARD_DIVIDED),
        partly=(Kind.STANDARD_PLAN,),
    ),
    Row(
        gettext_lazy("计量空白或校准规范缺失"),
        (Kind.METROLOGY, Kind.CERTIFICATE, Kind.REFERENCE_MATERIAL),
        gaps=(Gap.MEASUREMENT_MISSING, Gap.CALIBRATION_MISSING),
    ),
    Row(
        gettext_lazy("检测方法缺失"),
        (Kind.METHOD, Kind.CERTIFICATE),
        gaps=(Gap.METHOD_MISSING,),
    ),
    Row(
        gettext_lazy("认证缺失"),
        (Kind.DOCUMENT, Kind.CERTIFICATE),
        gaps=(Gap.CERTIFICATION_MISSING,),
        together=True,
    ),
    # [C]
    Row(
        gettext_lazy("互认不畅"),
        (Kind.CERTIFICATE, Kind.DOCUMENT),
        gaps=(Gap.RECOGNITION_BLOCKED,),
    ),
    # [C]
    Row(
        gettext_lazy("能力不足"),
        (Kind.METHOD, Kind.CERTIFICATE, Kind.RUN_DATA, Kind.TEST_REPORT),
        gaps=(Gap.CAPACITY_SHORT,),
    ),
    Row(
        gettext_lazy("产品或工艺质量"),
        (Kind.RUN_DATA, Kind.TEST_REPORT),
        causes=(Cause.TECHNOLOGY,),
    ),
    # [C]: a gap in infrastructure that is not said more closely.
    Row(
        gettext_lazy("质量基础设施，缺口未细分"),
        (
            Kind.STANDARD,
            Kind.METROLOGY,
            Kind.REFERENCE_MATERIAL,
            Kind.CERTIFICATE,
            Kind.METHOD,
            Kind.TEST_REPORT,
            Kind.RUN_DATA,
        ),
        causes=(Cause.INFRASTRUCTURE,),
        partly=(Kind.STANDARD_PLAN,),
    ),
    Row(
        gettext_lazy("质量管理"),
        (Kind.CERTIFICATE, Kind.DOCUMENT),
        causes=(Cause.MANAGEMENT,),
    ),
    Row(gettext_lazy("品牌和市场"), (Kind.DOCUMENT,), causes=(Cause.BRAND,)),
    Row(
        gettext_lazy("政策解决"),
        (Kind.DOCUMENT,),
        routes=(Route.POLICY,),
        beneficiary=True,
    ),
)


def rows_for(bottleneck: Bottleneck) -> list[Row]:
    """The gap decides, the cause where no gap is named, and the route besides."""
    by_gap = [row for row in TABLE if bottleneck.nqi_gap in row.gaps]
    by_cause = [row for row in TABLE if bottleneck.cause in row.causes]
    return (by_gap or by_cause) + [row for row in TABLE if bottleneck.route in row.routes]


def missing_proof(bottleneck: Bottleneck) -> str:
    """What evidence is still wanted, in a sentence; nothing when some of it fits, if only partly."""
    proofs = _standing(bottleneck)
    rows = rows_for(bottleneck)
    if any(_fits(row, proofs) or _fits_partly(row, proofs) for row in rows):
        return ""
    if any(proof.kind in row.partly for row in rows for proof in proofs):
        return _("标准计划要附草案，才能作为阶段性解决的证据。")
    return _("证据与问题不对应。“%(row)s”类问题接受：%(accepted)s。") % {
        "row": formats.listed(str(row.label) for row in rows),
        "accepted": _("；").join(wanted(row) for row in rows),
    }


def only_partly(bottleneck: Bottleneck) -> bool:
    """Whether the evidence shows no more than that a part is done."""
    proofs, rows = _standing(bottleneck), rows_for(bottleneck)
    return not any(_fits(row, proofs) for row in rows) and any(_fits_partly(row, proofs) for row in rows)


@dataclass(frozen=True)
class Offer:
    """What a demand for which the problem waits gives as evidence: its published number, or its plan."""

    demand: SpecDemand
    kind: Evidence.Kind
    number: str

    @property
    def is_partial(self) -> bool:
        return self.kind == Kind.STANDARD_PLAN

    def values(self) -> dict[str, Any]:
        """The evidence as far as it is known."""
        published = None if self.is_partial else self.demand.published_on
        return {
            "kind": self.kind,
            "element": "MET" if self.demand.kind == SpecKind.METROLOGY else "STD",
            "title": self.demand.title,
            "number": self.number,
            "issuer": self.demand.committee.name,
            "issued_on": published,
        }


def offers_of(bottleneck: Bottleneck, demands: Iterable[SpecDemand]) -> list[Offer]:
    """Of the demands for which the problem waits, what the table accepts for its gap."""
    rows = rows_for(bottleneck)
    offers = []
    for demand in demands:
        if demand.status in SpecDemand.IN_FORCE:
            kind, number = Evidence.Kind(demand.kind), demand.published_no
            fits = any(kind in row.accepted for row in rows)
        else:
            kind, number = Kind.STANDARD_PLAN, demand.plan_no
            fits = (
                demand.kind == SpecKind.STANDARD
                and demand.status in SpecDemand.OPEN
                and any(kind in row.partly for row in rows)
            )
        if fits and number:
            offers.append(Offer(demand, kind, number))
    return offers


def contradicted(bottleneck: Bottleneck) -> str:
    """Why nothing can be struck off on the strength of the evidence, in a sentence; nothing when it can."""
    return alarm_of(bottleneck.evidence.all())


def alarm_of(proofs: Iterable[Evidence]) -> str:
    """Which evidence was checked and is not what it was said to be; nothing when none is."""
    said = [
        _("%(number)s（%(state)s）") % {"number": proof.number, "state": proof.get_verify_state_display()}
        for proof in proofs
        if proof.verify_state in Evidence.CONTRADICTED
    ]
    if not said:
        return ""
    return _("有证据核对不符：%(numbers)s。查清之前不能核验为已解决。") % {"numbers": formats.listed(said)}


# What a look-up answered, by its code.
VERDICTS = {
    "same_file": gettext_lazy("文件与机构登记的逐字节相同。"),
    "same_words": gettext_lazy("委托单位、样品、日期与登记的相同。"),
    "other_file": gettext_lazy(
        "委托单位、样品、日期相同，但文件与登记的不同（重新扫描也会不同），请对照原件。"
    ),
    "other_issuer": gettext_lazy(
        "委托单位、样品、日期与登记的相同，但登记的出具单位是%(issuer)s，请对照原件上的单位名称。"
    ),
    "disputed": gettext_lazy("同一个文件登记了不止一份有效报告，请向出具机构核实。"),
    "differs": gettext_lazy("编号存在，但%(fields)s与登记的不同。"),
    "replaced": gettext_lazy("报告已由 %(number)s 替换。"),
    "withdrawn": gettext_lazy("机构已撤回这份报告：%(reason)s"),
    "not_found": gettext_lazy("机构在本门户登记报告，但没有登记过这个编号。"),
    "not_yet": gettext_lazy("机构还没有登记这个编号；报告签发不满 90 天，每天再查。"),
    "unknown": gettext_lazy("没有可以自动核对的登记，请核验人逐项核对。"),
    "officer": gettext_lazy("核验人已逐项核对。"),
}
COMPARED = {
    "issuer": gettext_lazy("出具单位"),
    "holder": gettext_lazy("委托单位"),
    "sample": gettext_lazy("样品"),
    "issued_on": gettext_lazy("日期"),
}


def verdict_of(evidence: Evidence) -> str:
    """What was found when the number was looked up, and what looks odd; nothing before it was."""
    said = words_of(evidence.verify_detail or {})
    return " ".join(filter(None, (said, cma_warning(evidence.cma_no))))


def words_of(detail: Mapping[str, Any]) -> str:
    """The sentence for what a look-up answered; nothing before it was made."""
    fields = formats.listed(str(COMPARED[name]) for name in detail.get("fields", ()))
    return str(VERDICTS[detail["why"]]) % {**detail, "fields": fields} if "why" in detail else ""


def wanted(row: Row) -> str:
    """The kinds that a row accepts, in words."""
    words = [str(kind.label) for kind in row.accepted]
    if row.together:
        return _("和").join(words)
    if row.beneficiary:
        words = [_("%(kind)s（写明首个受益单位）") % {"kind": word} for word in words]
    return _("或").join(words)


def _standing(bottleneck: Bottleneck) -> list[Evidence]:
    """The evidence that nothing contradicts."""
    return [proof for proof in bottleneck.evidence.all() if proof.verify_state not in Evidence.CONTRADICTED]


def _fits(row: Row, proofs: Iterable[Evidence]) -> bool:
    kinds = set(_usable(row, proofs))
    return kinds >= set(row.accepted) if row.together else bool(kinds & set(row.accepted))


def _usable(row: Row, proofs: Iterable[Evidence]) -> Iterator[str]:
    return (proof.kind for proof in proofs if proof.holder or not row.beneficiary)


def _fits_partly(row: Row, proofs: Iterable[Evidence]) -> bool:
    """An approved plan counts with its draft only."""
    return any(proof.kind in row.partly and proof.attachment_id for proof in proofs)
