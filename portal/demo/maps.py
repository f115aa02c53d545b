"""Quality maps of some chains: two published versions, and one that waits for approval."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from enterprises.models import Bureau, IndustryChain
from portal.demo.people import CITY, NATION, PROVINCE, People
from portal.demo.places import Places
from projects import maps
from projects.models import Bottleneck, QualityMap

# Whose maps of which chains; the unit of the last also prepares a third version.
DRAWN = ((NATION, ("YS01", "YS02", "YS03", "YS07")), (PROVINCE, ("YS03", "YS04")), (CITY, ("YS03",)))
DAYS_AGO = (200, 20, 0)


def draw(today: date, places: Places, crowd: People, institution: int) -> None:
    """Store the versions, each with the numbers of its day."""
    chains = {chain.code: chain for chain in IndustryChain.objects.all()}
    bureaus = {
        bureau.code: bureau for bureau in Bureau.objects.filter(code__in=[place for place, _ in DRAWN])
    }
    rows = []
    for place, codes in DRAWN:
        officers = crowd.officers(places.units[place])
        for code in codes:
            rows += _versions(today, bureaus[place], chains[code], officers, institution)
    QualityMap.objects.bulk_create(rows)


def _versions(
    today: date, bureau: Bureau, chain: IndustryChain, officers: tuple[int, int], institution: int
) -> Iterator[QualityMap]:
    drafter, approver = officers
    rule = maps.rule_now()
    problems = Bottleneck.objects.judged("demo data").counted().masters()
    problems = problems.filter(chain=chain, bureau__path__startswith=bureau.path)
    for version, ago in enumerate(DAYS_AGO if bureau.code == CITY else DAYS_AGO[:2], 1):
        day = today - timedelta(days=ago)
        nodes = maps.draw(chain, problems, rule, *maps.drawn_before(day))
        row = QualityMap(
            chain=chain,
            bureau=bureau,
            version=version,
            drawn_on=day,
            drawn_by_id=institution,
            nodes=[asdict(node) for node in nodes],
            red_below=rule.red_below,
            green_from=rule.green_from,
            is_public=True,
            note="演示数据",
            drafted_at=_morning(day),
            drafted_by_id=drafter,
        )
        if ago:
            row.status = QualityMap.Status.PUBLISHED if version == 2 else QualityMap.Status.SUPERSEDED
            row.approved_at, row.approved_by_id = _morning(day + timedelta(days=2)), approver
            row.published_at, row.published_by_id = _morning(day + timedelta(days=3)), drafter
        if row.status == QualityMap.Status.SUPERSEDED:
            row.superseded_at = _morning(today - timedelta(days=DAYS_AGO[1] - 3))
        yield row


def _morning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(9, 30)))
