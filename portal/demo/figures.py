"""Periods of the demo: two published years with their bulletins, the years after open and rolled up, and one
period whose figures are on their way up."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Role, User
from bulletins import circular, collecting, series, services
from bulletins.models import Bulletin, Period, Submission
from enterprises.models import Bureau
from portal.demo import boundaries, checks
from portal.demo.counting import Counted
from portal.demo.people import CITY, COUNTY, PROVINCE
from projects.models import ChainProject

PUBLISHED_YEARS = (2023, 2024)
# Bulletins of the last published year, beside the national ones of both.
PROVINCES = ("320000", "440000")


def publish(today: date, phase: Callable[[str], AbstractContextManager[None]]) -> None:
    """Freeze and publish what an office would have published by now, and leave the years after it open.

    What takes a worker's time is queued: roll-ups of the open periods, and the prints of the bulletins.
    """
    by = User.objects.get(username="statistician")
    years = [services.get_period(str(year)) for year in PUBLISHED_YEARS]
    for period in years:
        with phase(_("冻结并发布%s") % period.name):
            services.freeze_now(period, by)
            services.publish(period, by)
    with phase(_("通报")):
        bureaus = Bureau.objects.in_bulk(["000000", *PROVINCES], field_name="code")
        for period, code in [
            *((period, "000000") for period in years),
            *((years[-1], code) for code in PROVINCES),
        ]:
            services.issue_bulletin(period, bureaus[code])
        _prepare(years, bureaus, by)
    with phase(_("区划变更")):
        boundaries.change(today)
    with phase(_("汇总与核验")):
        open_periods = [services.get_period(code) for code in _open_periods(today)]
        for period in open_periods:
            services.request_rollup(period, by)
        _correct(years[0], by)
        checks.lodge_reports(today)
        checks.look_ups(today)
    ended = [period for period in open_periods if period.end_on < today]
    with phase(_("逐级确认")):
        for period in open_periods:
            if period.end_on >= today:
                collecting.collect(period, by)
        if ended:
            _confirm(max(ended, key=lambda period: period.end_on), today, by)


def _prepare(years: list[Period], bureaus: dict[str, Bureau], by: User) -> None:
    """The desk with everything on it: a draft that is being worded, one in review, one to be signed, a brief,
    one replaced and one withdrawn, and a series for a province."""
    head = User.objects.get(username="admin")
    before, last = years
    more = Bureau.objects.in_bulk(("330000", "370000", "440300", PROVINCE, CITY), field_name="code")
    draft = services.draft_bulletin(last, more[CITY], by)
    if block := circular.block(draft, "opening"):
        services.reword(draft, "opening", f"演示：{block.shown}请各地对照先进找差距。", block.digest, by)
    services.submit(services.draft_bulletin(last, more["370000"], by), by)
    waiting = services.submit(services.draft_bulletin(last, more["330000"], by), by)
    services.approve(waiting, head)
    services.issue_bulletin(last, bureaus["000000"], kind=Bulletin.Kind.BRIEF)
    replaced = services.issue_bulletin(before, more["330000"])
    services.issue(services.replace(replaced, by, "演示：附件二漏印一行，现予替换。"), None)
    services.withdraw(services.issue_bulletin(before, more["440300"]), None, "演示：印发对象有误，现予撤回。")
    words = {"demands.more": "演示：各市县要把未解决的问题逐项落实到承担机构。"}
    series.draw_up(
        more[PROVINCE],
        by,
        kind=Bulletin.Kind.BRIEF,
        period_kind=Period.Kind.QUARTER,
        down_to=Bureau.Level.CITY,
        words=words,
    )


# How the counties of the demo city stand, in code order; the others are approved.
WAYS = ("submitted", "approved", "returned", "excused")
# Cities of the demo province whose counties are through.
THROUGH = ("320100", "320200")


def _confirm(period: Period, today: date, by: User) -> None:
    """Let a period be confirmed, as it is a week before its freeze: some are through, others are late."""
    freeze_on = max(period.freeze_due, today + timedelta(days=10))
    period = collecting.collect(period, by, freeze_on)
    city = Bureau.objects.get(code=CITY)
    counties = list(city.children.exclude(code=COUNTY).order_by("code"))
    ways = dict.fromkeys((county.pk for county in counties), "approved")
    ways.update(zip((county.pk for county in counties), WAYS, strict=False))
    through = Bureau.objects.filter(parent__code__in=THROUGH) | Bureau.objects.filter(code__in=THROUGH)
    ways.update(dict.fromkeys(through.values_list("pk", flat=True), "approved"))
    officer = User.objects.get(username="city")
    for county in counties:
        if ways[county.pk] == "excused":
            until = today + timedelta(days=40)
            collecting.excuse(county, officer, "演示：机构改革期间暂停报送，经市局同意。", until=until)
    _hand_in(period, ways)


def _hand_in(period: Period, ways: dict[int, str]) -> None:
    """A row for each bureau where somebody works, judged by its superior."""
    people: dict[int | None, User] = {}
    grants = Grant.objects.judged("demo").filter(role=Role.OFFICER, bureau__path__contains=f"/{PROVINCE}/")
    for grant in grants.select_related("user").order_by("-pk"):
        people[grant.bureau_id] = grant.user
    now = timezone.now()
    counted = Counted(period, Bureau.objects.get(code=PROVINCE))
    for bureau in Bureau.objects.filter(pk__in=ways).order_by("code"):
        way = ways[bureau.pk]
        if way == "excused" or bureau.pk not in people or bureau.parent_id not in people:
            continue
        row = Submission(
            period=period,
            bureau=bureau,
            status=way,
            figures=counted.of(bureau),
            note="演示：已与各科室核对。" if way == "submitted" else "",
            counted_at=now - timedelta(days=2),
            submitted_at=now - timedelta(days=2),
            submitted_by=people[bureau.pk],
        )
        if way != "submitted":
            row.decided_at, row.decided_by = now - timedelta(days=1), people[bureau.parent_id]
        if way == "returned":
            row.reason = "演示：解决问题数比上期多一倍，请核对销号记录后重新提交。"
        row.save()


def _correct(period: Period, by: User) -> None:
    """A second version, so that two can be compared: one project had been entered for the wrong county."""
    begun = ChainProject.objects.filter(start_on__range=(period.start_on, period.end_on))
    project = begun.filter(bureau__level=Bureau.Level.COUNTY).order_by("code").first()
    siblings = project and Bureau.objects.filter(parent=project.bureau.parent_id).order_by("code")
    right = siblings and siblings.exclude(pk=project.bureau_id).first()
    if right:
        project.bureau = right
        project.save(update_fields=["bureau"])
        reason = _("演示：更正受理单位登记有误的项目 %(code)s") % {"code": project.code}
        services.request_freeze(period, by, reason)


def _open_periods(today: date) -> list[str]:
    """The years since the last published one, and the quarters of this year."""
    years = [str(year) for year in range(PUBLISHED_YEARS[-1] + 1, today.year + 1)]
    return [*years, *(f"{today.year}Q{n}" for n in range(1, (today.month - 1) // 3 + 2))]
