"""What must hold between the figures of a period before it is frozen (`domain.md` 5.4, identities)."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from bulletins import figures, stock
from bulletins.indicators import BASES, CATALOGUE, Kind, Span
from bulletins.models import CountedRow, Period, Snapshot, StatValue
from common import formats
from common.scope import system_job
from enterprises.models import Bureau
from projects.models import Bottleneck, ChainProject, Evidence, KeyProject, Transition

NATION = "000000"
NAMED = 10
# Of each pair, the first is never more than the second, for any unit.
NEVER_MORE = (("I16", "I15"), ("I05", "I06"), ("I07", "I08"))


@system_job("check figures")
def breaches(snapshot: Snapshot, unit: Bureau | None = None) -> list[str]:
    """A sentence for every identity that fails, with the rows or units at fault; empty when all hold.

    Of the whole country, or of what a unit is answerable for: its own figures and rows, and those below it.
    """
    checks = (_never_more, _rates_are_parts, _accepted_after_contract, _solved_is_proved, _stock_is_kept)
    found = [sentence for check in checks for sentence in check(snapshot, unit)]
    return found if unit else [*_parts_make_the_whole(snapshot), *found]


@system_job("check figures")
def warnings(snapshot: Snapshot) -> list[str]:
    """What a reader should know and no freeze is stopped by."""
    return list(_stock_goes_on(snapshot))


def _named(rows: list[str]) -> str:
    names = formats.listed(rows[:NAMED])
    return _("%(names)s等 %(n)d 项") % {"names": names, "n": len(rows)} if len(rows) > NAMED else names


def _counted(snapshot: Snapshot, base: str, unit: Bureau | None = None) -> Q:
    """The rows that a frozen snapshot has counted, or that count now."""
    if snapshot.version:
        rows: QuerySet[Any] = CountedRow.objects.filter(snapshot=snapshot, base=base)
        below, key = "bureau", "row_id"
    else:
        rows = BASES[base].matching(Span.of(snapshot.period)).order_by()
        below, key = "unit", "pk"
    if unit is not None:
        rows = rows.filter(**{f"{below}__in": Bureau.objects.within(unit).values("pk")})
    return Q(pk__in=rows.values(key))


def _stored(snapshot: Snapshot, unit: Bureau | None) -> QuerySet[StatValue]:
    rows = StatValue.objects.filter(snapshot=snapshot)
    return rows.filter(bureau__in=Bureau.objects.within(unit).values("pk")) if unit else rows


def _parts_make_the_whole(snapshot: Snapshot) -> Iterator[str]:
    """Σ units I01 = national I01; a project accepted by the nation itself is a part of its own."""
    nation = Bureau.objects.get(code=NATION)
    figures = StatValue.objects.filter(snapshot=snapshot, indicator="I01", chain=None)
    values = dict(figures.filter(Q(bureau=nation) | Q(bureau__parent=nation)).values_list("bureau", "value"))
    whole = values.pop(nation.pk) or 0
    rows = CountedRow.objects.filter(snapshot=snapshot, base="projects")
    parts = sum(value or 0 for value in values.values()) + rows.filter(bureau=nation).count()
    if whole != parts or whole != rows.count():
        outside = ChainProject.objects.filter(_counted(snapshot, "projects")).exclude(
            bureau__path__startswith=nation.path
        )
        yield _(
            "实施项目数：全国 %(whole)d，各地区合计 %(parts)d，不相等。未归入任何地区的项目：%(rows)s。"
        ) % {
            "whole": whole,
            "parts": parts,
            "rows": _named(list(outside.values_list("code", flat=True))) or "—",
        }


def _never_more(snapshot: Snapshot, unit: Bureau | None) -> Iterator[str]:
    figures = _stored(snapshot, unit).filter(chain=None)
    for part, whole in NEVER_MORE:
        less = figures.filter(indicator=whole, bureau=OuterRef("bureau"), value__lt=OuterRef("value"))
        units = figures.filter(Exists(less), indicator=part).values_list("bureau__short_name", flat=True)
        if rows := list(units.order_by("bureau__code")):
            yield _("“%(part)s”大于“%(whole)s”的单位：%(rows)s。") % {
                "part": CATALOGUE[part].name,
                "whole": CATALOGUE[whole].name,
                "rows": _named(rows),
            }


def _rates_are_parts(snapshot: Snapshot, unit: Bureau | None) -> Iterator[str]:
    """What was solved from the list was on it: no rate is more than the whole, for any unit or chain."""
    indicators = figures.definitions(snapshot)
    rates = [code for code, one in indicators.items() if one.kind == Kind.RATIO]
    more = _stored(snapshot, unit).filter(indicator__in=rates, numerator__gt=F("denominator"))
    more = more.order_by("indicator", "bureau__code")
    for code in rates:
        units = more.filter(indicator=code).values_list("bureau__short_name", flat=True)
        if rows := list(dict.fromkeys(units)):
            yield _("“%(rate)s”的分子大于分母的单位：%(rows)s。") % {
                "rate": indicators[code].name,
                "rows": _named(rows),
            }


def _accepted_after_contract(snapshot: Snapshot, unit: Bureau | None) -> Iterator[str]:
    """I11 ≤ cumulative I10: what is accepted was under contract before."""
    accepted = KeyProject.objects.filter(_counted(snapshot, "key_accepted", unit))
    faulty = accepted.filter(Q(contract_on__isnull=True) | Q(contract_on__gt=F("accepted_on")))
    if rows := list(faulty.order_by("code").values_list("code", flat=True)):
        yield _("验收日期之前没有签约日期的重点攻关项目：%(rows)s。") % {"rows": _named(rows)}


def _solved_is_proved(snapshot: Snapshot, unit: Bureau | None) -> Iterator[str]:
    """Each problem that counts as solved has evidence and a verifier, and none that does not match."""
    solved = Bottleneck.objects.filter(_counted(snapshot, "solved", unit)).order_by("code")
    proof = Evidence.objects.filter(bottleneck=OuterRef("pk"))
    verified = Transition.objects.filter(
        bottleneck=OuterRef("pk"), target=Bottleneck.Status.RESOLVED, actor__isnull=False
    )
    for sentence, faulty in (
        (_("计为已解决、但没有证据的问题：%(rows)s。"), ~Exists(proof)),
        (_("计为已解决、但没有核验人的问题：%(rows)s。"), ~Exists(verified)),
        (
            _("计为已解决、但有证据核对不符的问题：%(rows)s。"),
            Exists(proof.filter(verify_state=Evidence.VerifyState.MISMATCH)),
        ),
    ):
        if codes := [code or "" for code in solved.filter(faulty).values_list("code", flat=True)]:
            yield sentence % {"rows": _named(codes)}


def _stock_is_kept(snapshot: Snapshot, unit: Bureau | None) -> Iterator[str]:
    """What was on the lists, what came and what went make what is on them (`bulletins.stock`)."""
    codes = stock.unbalanced(snapshot.period, unit)
    if codes:
        yield _("清单存量不平衡（期初＋新列入＋重开－销号－终止－撤回－归并≠期末）的问题：%(rows)s。") % {
            "rows": _named(codes)
        }


def _stock_goes_on(snapshot: Snapshot) -> Iterator[str]:
    """Past snapshots stay as they were (`domain.md` 5.4 rule 8): what was voided since stops no freeze, yet
    the opening stock is then not the closing stock that was published."""
    period = snapshot.period
    before = (
        Period.objects.filter(kind=period.kind, end_on__lt=period.start_on, frozen_at__isnull=False)
        .order_by("-end_on")
        .first()
    )
    if before is None or (period.start_on - before.end_on).days != 1:
        return
    former = before.snapshots.readable().filter(version__gt=0).first()
    if former is None:
        return
    nation = Bureau.objects.get(code=NATION)
    closing = figures.of_unit(former, nation, ["I14"]).get("I14", figures.NOT_REPORTED).value
    opening = stock.balance(period).opening
    if closing is not None and opening != closing:
        kept = CountedRow.objects.filter(snapshot=former, base="listed").values("row_id")
        now = stock.on_list(before.end_on)
        rows = Bottleneck.objects.all()
        gone = rows.filter(pk__in=kept).exclude(pk__in=now.values("pk")).order_by("code")
        come = now.exclude(pk__in=kept).order_by("code")
        codes = [code or "" for some in (gone, come) for code in some.values_list("code", flat=True)]
        yield _(
            "期初在清单问题 %(now)d 个，与%(period)s期末的 %(then)d 个不同，这些问题后来有变动：%(rows)s。"
        ) % {
            "now": opening,
            "then": closing,
            "period": before.name,
            "rows": _named(codes),
        }
