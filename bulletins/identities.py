"""What must hold between the figures of a period before it is frozen (`domain.md` 5.4, identities)."""

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from bulletins import figures
from bulletins.indicators import CATALOGUE, Kind
from bulletins.models import CountedRow, Snapshot, StatValue
from common import formats
from enterprises.models import Bureau
from projects.models import Bottleneck, ChainProject, Evidence, KeyProject, Transition

NATION = "000000"
NAMED = 10
# Of each pair, the first is never more than the second, for any unit.
NEVER_MORE = (("I16", "I15"), ("I05", "I06"), ("I07", "I08"))


def breaches(snapshot: Snapshot) -> list[str]:
    """A sentence for every identity that fails, with the rows or units at fault; empty when all hold."""
    return [
        sentence
        for check in (
            _parts_make_the_whole,
            _never_more,
            _rates_are_parts,
            _accepted_after_contract,
            _solved_is_proved,
        )
        for sentence in check(snapshot)
    ]


def _named(rows: list[str]) -> str:
    names = formats.listed(rows[:NAMED])
    return _("%(names)s等 %(n)d 项") % {"names": names, "n": len(rows)} if len(rows) > NAMED else names


def _counted(snapshot: Snapshot, base: str) -> Q:
    return Q(pk__in=CountedRow.objects.filter(snapshot=snapshot, base=base).values("row_id"))


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


def _never_more(snapshot: Snapshot) -> Iterator[str]:
    figures = StatValue.objects.filter(snapshot=snapshot, chain=None)
    for part, whole in NEVER_MORE:
        less = figures.filter(indicator=whole, bureau=OuterRef("bureau"), value__lt=OuterRef("value"))
        units = figures.filter(Exists(less), indicator=part).values_list("bureau__short_name", flat=True)
        if rows := list(units.order_by("bureau__code")):
            yield _("“%(part)s”大于“%(whole)s”的单位：%(rows)s。") % {
                "part": CATALOGUE[part].name,
                "whole": CATALOGUE[whole].name,
                "rows": _named(rows),
            }


def _rates_are_parts(snapshot: Snapshot) -> Iterator[str]:
    """What was solved from the list was on it: no rate is more than the whole, for any unit or chain."""
    indicators = figures.definitions(snapshot)
    rates = [code for code, one in indicators.items() if one.kind == Kind.RATIO]
    more = StatValue.objects.filter(
        snapshot=snapshot, indicator__in=rates, numerator__gt=F("denominator")
    ).order_by("indicator", "bureau__code")
    for code in rates:
        units = more.filter(indicator=code).values_list("bureau__short_name", flat=True)
        if rows := list(dict.fromkeys(units)):
            yield _("“%(rate)s”的分子大于分母的单位：%(rows)s。") % {
                "rate": indicators[code].name,
                "rows": _named(rows),
            }


def _accepted_after_contract(snapshot: Snapshot) -> Iterator[str]:
    """I11 ≤ cumulative I10: what is accepted was under contract before."""
    accepted = KeyProject.objects.filter(_counted(snapshot, "key_accepted"))
    faulty = accepted.filter(Q(contract_on__isnull=True) | Q(contract_on__gt=F("accepted_on")))
    if rows := list(faulty.order_by("code").values_list("code", flat=True)):
        yield _("验收日期之前没有签约日期的重点攻关项目：%(rows)s。") % {"rows": _named(rows)}


def _solved_is_proved(snapshot: Snapshot) -> Iterator[str]:
    """Each problem that counts as solved has evidence and a verifier, and none that does not match."""
    solved = Bottleneck.objects.filter(_counted(snapshot, "solved")).order_by("code")
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
        if rows := [code or "" for code in solved.filter(faulty).values_list("code", flat=True)]:
            yield sentence % {"rows": _named(rows)}
