"""Policies, and lists of the demo city: versions that differ, one that waits for approval, a draft."""

from datetime import date, datetime, time, timedelta

from django.db.models import Count
from django.utils import timezone

from accounts.models import User
from enterprises.models import Bureau, IndustryChain
from portal.demo.catalogue import POLICIES
from portal.demo.people import CITY, COUNTY, NATION, PROVINCE
from projects import instruments, listed, quality_lists
from projects.models import Bottleneck, ListedRow, PolicyInstrument, QualityList

Kind = QualityList.Kind
# First versions came out so many days ago; what became of their rows since shows in the second.
FIRST_VERSIONS = 75
# Solved problems on the list of the province that everybody reads.
SHOWN = 5
KEEPERS = {NATION: "national", PROVINCE: "province", CITY: "city", COUNTY: "county"}


def lay_out(today: date) -> None:
    """Enter the policies, and take lists of the city's busiest chains through their steps."""
    units = Bureau.objects.in_bulk([NATION, PROVINCE, CITY, COUNTY], field_name="code")
    people = {name: User.objects.get(username=name) for name in (*KEEPERS.values(), f"hy{CITY}")}
    for line in POLICIES.strip().splitlines():
        code, kind, title, department, doc_no, target, since, left = line.split("|")
        policy = PolicyInstrument(
            bureau=units[code],
            kind=kind,
            title=title,
            department=department,
            doc_no=doc_no,
            target=target,
            valid_from=today - timedelta(days=int(since)),
            valid_to=today + timedelta(days=int(left)) if left else None,
            contact="演示咨询电话 0512-00000000",
        )
        instruments.keep(policy, [], by=people[KEEPERS[code]])
    drafter, approver = people[f"hy{CITY}"], people["city"]
    known = Bottleneck.objects.filter(bureau__path__startswith=units[CITY].path, status__in=listed.LISTED)
    busiest = known.counted().values("chain").annotate(rows=Count("pk")).order_by("-rows", "chain")[:3]
    chains = IndustryChain.objects.in_bulk([row["chain"] for row in busiest])
    first, *others = [chains[row["chain"]] for row in busiest]
    begun = today - timedelta(days=FIRST_VERSIONS)
    for kind in Kind:
        row = quality_lists.draft(
            first, units[CITY], kind, by=drafter, effective_on=begun, at=_at(begun), notes="演示数据。"
        )
        if kind == Kind.PROBLEMS:
            _as_it_stood(row, drafter)
        if _publish(row, drafter, approver, _at(begun)) and kind == Kind.PROBLEMS:
            _told_then(row)
            second = quality_lists.draft(first, units[CITY], kind, by=drafter, notes="演示数据。")
            _publish(second, drafter, approver, timezone.now())
    _list_of_the_province(first, units[PROVINCE], people)
    for place, chain in enumerate(others):
        row = quality_lists.draft(chain, units[CITY], Kind.PROBLEMS, by=drafter, notes="演示数据。")
        if place == 0:
            quality_lists.submit(row, by=drafter)


def _at(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(10)))


def _publish(row: QualityList, drafter: User, approver: User, at: datetime) -> bool:
    """Through all steps; a chain that has nothing to list keeps its draft."""
    if not row.entries.filter(is_excluded=False).exists():
        return False
    quality_lists.submit(row, by=drafter, at=at)
    quality_lists.approve(row, by=approver, at=at)
    quality_lists.publish(row, by=drafter, at=at)
    return True


def _list_of_the_province(chain: IndustryChain, province: Bureau, people: dict[str, User]) -> None:
    """One of which outsiders read lines: what was solved and may be published was put on it by hand."""
    drafter = people["province"]
    row = quality_lists.draft(chain, province, Kind.PROBLEMS, by=drafter, notes="演示数据。")
    published = listed.eligible(row).filter(pk__in=Bottleneck.objects.published())
    for key in published.values_list("pk", flat=True)[:SHOWN]:
        quality_lists.add(row, key, by=drafter)
    _publish(row, drafter, people["national"], timezone.now())


def _as_it_stood(row: QualityList, by: User) -> None:
    """On the list of that day: what was solved since, and nothing that was listed since."""
    day = row.drafted_at
    since = listed.eligible(row).filter(status__in=Bottleneck.SOLVED, listed_at__lte=day, resolved_at__gt=day)
    for key in since.values_list("pk", flat=True):
        quality_lists.add(row, key, by=by)
    later = row.entries.filter(bottleneck__listed_at__gt=day).values_list("pk", flat=True)
    quality_lists.edit(row, by=by, rows={key: {"is_excluded": True} for key in later})


def _told_then(row: QualityList) -> None:
    """What the lines said on that day: the status by the record of each problem."""
    entries = list(row.entries.select_related("bottleneck"))
    for entry in entries:
        assert entry.bottleneck is not None  # noqa: S101
        step = entry.bottleneck.transitions.filter(at__lte=row.drafted_at).last()
        facts = dict(entry.facts or {})
        if step and facts.get("status") != step.target:
            entry.facts = facts | {"status": step.target, "resolved_at": None, "assigned_to": None}
    ListedRow._base_manager.bulk_update(entries, ["facts"])
    QualityList._base_manager.filter(pk=row.pk).update(digest=listed.digest(row, entries))
