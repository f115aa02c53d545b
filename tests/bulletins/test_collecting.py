"""Figures of a period on their way up the bureau line: who hands in, judges, is excused; what is frozen."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import notices
from accounts.models import Notice, Role, Substitution, User
from bulletins import circular, collecting, figures, periods, services
from bulletins.ladder import Ladder, Standing
from bulletins.models import Excuse, Period, Snapshot, Submission
from enterprises.models import Bureau
from record.models import Event
from tests import factories
from tests.bulletins.ledger import Tree, project, prove, solved
from tests.worlds import world

SHANGHAI = ZoneInfo("Asia/Shanghai")
Status = Submission.Status


class People:
    """An officer of each bureau of a line, and one more of the city."""

    def __init__(self, tree: Tree) -> None:
        make = factories.user
        self.county = make(Role.OFFICER, tree.huqiu, name="县")
        self.next_county = make(Role.OFFICER, tree.wujiang, name="邻县")
        self.city = make(Role.OFFICER, tree.suzhou, name="市")
        self.clerk = make(Role.STATISTICIAN, tree.suzhou, name="市统计")
        self.next_city = make(Role.OFFICER, tree.wuxi, name="邻市")
        self.province = make(Role.STATISTICIAN, tree.jiangsu, name="省")
        self.nation = make(Role.STATISTICIAN, tree.nation, name="总局")


@world
def tree() -> Tree:
    return Tree()


@world
def people(tree: Tree) -> People:
    return People(tree)


def collected(code: str) -> Period:
    """A period that is over and whose freeze is still to come."""
    return collecting.collect(services.get_period(code), None, timezone.localdate() + timedelta(days=10))


@world
def period(tree: Tree) -> Period:
    """2024 is collected and rolled up after its cut-off; its freeze is still to come."""
    row = collected("2024")
    services.rollup_now(row)
    return row


def handed_in(period: Period, bureau: Bureau, by: User) -> Submission:
    return collecting.submit(period, bureau, by)


def counted_anew(period: Period, bureau: Bureau, by: User) -> Submission:
    """What was sent back is counted again before it is handed in again."""
    services.rollup_now(period)
    return collecting.submit(period, bureau, by)


def approved(period: Period, bureau: Bureau, by: User, judge: User) -> Submission:
    row = handed_in(period, bureau, by)
    return collecting.approve(row, judge, row.round)


def excuse_others(period: Period, tree: Tree, by: User, *but: Bureau) -> None:
    """All provinces and cities but these need not confirm."""
    for bureau in Bureau.objects.filter(level__in=(1, 2)).exclude(pk__in=[unit.pk for unit in but]):
        if not Ladder(period).excuse_of(bureau) and not any(u.path.startswith(bureau.path) for u in but):
            collecting.excuse(bureau, by, "演示免报", period=period)


def standing(period: Period, bureau: Bureau) -> Standing:
    return Ladder(period).rung(bureau).standing


# --- The calendar -----------------------------------------------------------------------------------------


def test_a_period_freezes_on_the_tenth_working_day_after_its_cut_off_unless_another_day_is_set() -> None:
    # 1 January 2025 is a holiday; 26 January is worked instead of a day of the Spring Festival.
    assert periods.freeze_day(date(2024, 12, 31)) == date(2025, 1, 15)
    row = Period(end_on=date(2024, 12, 31))
    assert row.freeze_due == date(2025, 1, 15)
    row.freeze_on = date(2025, 2, 10)
    assert row.freeze_due == date(2025, 2, 10)


@pytest.mark.django_db
def test_a_period_does_not_freeze_before_its_end() -> None:
    row = services.get_period("2024")
    with pytest.raises(ValidationError, match="各地要有时间核对"):
        collecting.collect(row, None, date(2024, 12, 31))
    with pytest.raises(IntegrityError), transaction.atomic():
        Period.objects.update(freeze_on=date(2024, 12, 31))


@pytest.mark.parametrize(
    ("code", "before"),
    [
        ("2024", "2023"),
        ("2024H1", "2023H2"),
        ("2024H2", "2024H1"),
        ("2024Q1", "2023Q4"),
        ("2024Q3", "2024Q2"),
        ("2024-01", "2023-12"),
        ("2024-11", "2024-10"),
    ],
)
def test_the_period_before_is_of_the_same_kind(code: str, before: str) -> None:
    assert periods.before(code) == before
    assert periods.parse(before).end_on + timedelta(days=1) == periods.parse(code).start_on


@pytest.mark.django_db
def test_a_period_goes_from_open_over_collecting_and_reviewing_to_frozen_published_and_revised(
    tree: Tree, people: People
) -> None:
    def stage(code: str) -> str:
        return str(Period.objects.staged().get(code=code).stage)  # type: ignore[attr-defined]

    this_year = str(timezone.localdate().year)
    collecting.collect(services.get_period(this_year), None)
    assert stage(this_year) == "open"
    services.get_period("2023")
    assert stage("2023") == "reviewing"
    period = collected("2024")
    assert stage("2024") == "collecting"
    services.rollup_now(period)
    excuse_others(period, tree, people.nation, tree.xinjiang)
    assert stage("2024") == "collecting"
    western = factories.user(Role.OFFICER, tree.xinjiang)
    row = handed_in(period, tree.xinjiang, western)
    assert stage("2024") == "reviewing"
    collecting.send_back(row, people.nation, 1, "请核对")
    assert stage("2024") == "collecting"
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    services.freeze_now(period, None)
    assert stage("2024") == "frozen"
    services.publish(period, None)
    assert stage("2024") == "published"
    services.freeze_now(period, None, "漏报一项")
    assert stage("2024") == "revised"
    assert Period.objects.published().get() == period


# --- Handing in -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_handed_in_is_what_was_counted(tree: Tree, people: People) -> None:
    project(tree.huqiu)
    period = collected("2024")
    services.rollup_now(period)
    row = collecting.submit(period, tree.huqiu, people.county, " 新增一个项目 ")
    assert (row.status, row.round, row.note) == (Status.SUBMITTED, 1, "新增一个项目")
    assert row.figures["I01"] == [1, None, None]
    assert row.figures["I03"] == [None, None, None]
    snapshot = figures.current(period)
    assert snapshot is not None
    assert row.counted_at == snapshot.finished_at


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["next_county", "city", "province", "nation"])
def test_people_of_other_bureaus_do_not_hand_in(tree: Tree, people: People, period: Period, who: str) -> None:
    with pytest.raises(PermissionDenied, match="本单位"):
        handed_in(period, tree.huqiu, getattr(people, who))
    assert handed_in(period, tree.huqiu, people.county).bureau == tree.huqiu


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR, Role.EXPERT])
def test_other_roles_do_not_hand_in(tree: Tree, period: Period, role: str) -> None:
    with pytest.raises(PermissionDenied):
        handed_in(period, tree.huqiu, factories.user(role, tree.huqiu))
    assert handed_in(period, tree.huqiu, factories.user(Role.STATISTICIAN, tree.huqiu))


@pytest.mark.django_db
def test_an_officer_of_one_chain_speaks_for_no_whole_unit(tree: Tree, period: Period) -> None:
    officer = factories.user()
    factories.grant(officer, Role.OFFICER, tree.huqiu, chain=factories.chain())
    with pytest.raises(PermissionDenied):
        handed_in(period, tree.huqiu, officer)


@pytest.mark.django_db
def test_nothing_is_handed_in_before_the_cut_off_nor_after_the_freeze_nor_uncollected(
    tree: Tree, people: People, period: Period
) -> None:
    this_year = services.get_period(str(timezone.localdate().year))
    with pytest.raises(ValidationError, match="总局直接核对"):
        handed_in(this_year, tree.huqiu, people.county)
    this_year = collecting.collect(this_year, None)
    with pytest.raises(ValidationError, match="24:00 才截止"):
        handed_in(this_year, tree.huqiu, people.county)
    assert handed_in(period, tree.huqiu, people.county)
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    services.freeze_now(period, None)
    with pytest.raises(ValidationError, match="冻结"):
        handed_in(services.get_period("2024"), tree.wujiang, people.next_county)


@pytest.mark.django_db
def test_figures_counted_before_the_cut_off_are_counted_anew_first(tree: Tree, people: People) -> None:
    period = collected("2024")
    services.rollup_now(period)
    Snapshot.objects.update(finished_at=datetime(2024, 12, 31, 23, 59, tzinfo=SHANGHAI))
    with pytest.raises(ValidationError, match="正在汇总"):
        handed_in(period, tree.huqiu, people.county)
    services.run_snapshot(Snapshot.objects.get(job_state="queued").pk)
    assert handed_in(period, tree.huqiu, people.county)


@pytest.mark.django_db
def test_a_city_hands_in_when_its_counties_are_approved_or_excused(
    tree: Tree, people: People, period: Period
) -> None:
    approved(period, tree.huqiu, people.county, people.city)
    assert standing(period, tree.suzhou) == Standing.WAITING
    with pytest.raises(ValidationError, match="还有 1 个单位没有通过审核：吴江区"):
        handed_in(period, tree.suzhou, people.city)
    row = handed_in(period, tree.wujiang, people.next_county)
    with pytest.raises(ValidationError, match="吴江区"):
        handed_in(period, tree.suzhou, people.city)
    collecting.send_back(row, people.city, 1, "请核对项目数")
    collecting.excuse(tree.wujiang, people.city, "洪灾停工", period=period)
    assert standing(period, tree.suzhou) == Standing.READY
    assert handed_in(period, tree.suzhou, people.city).status == Status.SUBMITTED


@pytest.mark.django_db
def test_rows_that_stop_a_freeze_stop_their_own_units_and_no_others(tree: Tree, people: People) -> None:
    faulty = solved(tree.huqiu, proved=False)
    period = collected("2024")
    services.rollup_now(period)
    with pytest.raises(ValidationError, match=f"没有证据的问题：{faulty.code}"):
        handed_in(period, tree.huqiu, people.county)
    approved(period, tree.wujiang, people.next_county, people.city)
    prove(faulty)
    assert handed_in(period, tree.huqiu, people.county)


@pytest.mark.django_db
def test_handing_in_twice_is_once(tree: Tree, people: People, period: Period) -> None:
    first = handed_in(period, tree.huqiu, people.county)
    assert handed_in(period, tree.huqiu, people.county) == first
    assert Submission.objects.get().round == 1
    collecting.approve(first, people.city, 1)
    assert handed_in(period, tree.huqiu, people.county).status == Status.APPROVED


@pytest.mark.django_db
def test_figures_that_came_back_are_counted_again_before_they_are_handed_in_again(
    tree: Tree, people: People, period: Period
) -> None:
    row = handed_in(period, tree.huqiu, people.county)
    collecting.send_back(row, people.city, 1, "请核对")
    project(tree.huqiu)
    with pytest.raises(ValidationError, match="正在汇总"):
        handed_in(period, tree.huqiu, people.county)
    services.run_snapshot(Snapshot.objects.get(job_state="queued").pk)
    assert handed_in(period, tree.huqiu, people.county).figures["I01"] == [1, None, None]


@pytest.mark.django_db
def test_a_refusal_has_figures_counted_again_only_when_the_rows_make_others(
    tree: Tree, people: People
) -> None:
    solved(tree.huqiu, proved=False)
    period = collected("2024")
    services.rollup_now(period)
    answer = post(people.county, "submit", period, tree.huqiu).content.decode()
    assert "没有证据的问题" in answer
    assert "aria-disabled" not in answer
    queued = Snapshot.objects.filter(job_state="queued", version=0)
    assert not queued.exists()
    # Rows of others are their matter.
    project(tree.wujiang)
    post(people.county, "submit", period, tree.huqiu)
    assert not queued.exists()
    project(tree.huqiu)
    post(people.county, "submit", period, tree.huqiu)
    assert queued.exists()


@pytest.mark.django_db
def test_only_what_was_looked_at_is_handed_in(tree: Tree, people: People, period: Period) -> None:
    seen = page(people.county, period, tree.huqiu).context["seal"]
    project(tree.wujiang)
    services.rollup_now(period)
    assert page(people.county, period, tree.huqiu).context["seal"] == seen
    project(tree.huqiu)
    services.rollup_now(period)
    for stale in (seen, ""):
        answer = post(people.county, "submit", period, tree.huqiu, seal=stale)
        assert "请看过新的数字再提交" in answer.content.decode()
    assert not Submission.objects.exists()
    post(people.county, "submit", period, tree.huqiu)
    assert Submission.objects.get().figures["I01"] == [1, None, None]


# --- Judging ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "may"),
    [("county", False), ("next_county", False), ("next_city", False), ("city", True), ("clerk", True),
     ("province", True), ("nation", True)],
)  # fmt: skip
def test_superiors_judge_and_nobody_else(
    tree: Tree, people: People, period: Period, who: str, may: bool
) -> None:
    row, judge = handed_in(period, tree.huqiu, people.county), getattr(people, who)
    if may:
        assert collecting.approve(row, judge, 1).decided_by == judge
        assert collecting.send_back(row, judge, 1, "请核对").status == Status.RETURNED
    else:
        with pytest.raises(PermissionDenied, match="上级单位"):
            collecting.approve(row, judge, 1)
        with pytest.raises(PermissionDenied, match="上级单位"):
            collecting.send_back(row, judge, 1, "请核对")


@pytest.mark.django_db
def test_who_hands_in_does_not_judge_it_nor_does_who_stands_in_for_it(
    tree: Tree, people: People, period: Period
) -> None:
    factories.grant(people.county, Role.OFFICER, tree.suzhou)
    stand_in = factories.user(Role.OFFICER, tree.huqiu)
    today = timezone.localdate()
    Substitution.objects.create(
        principal=people.county, substitute=stand_in, starts_on=today, ends_on=today + timedelta(days=5)
    )
    row = handed_in(period, tree.huqiu, people.county)
    for person in (people.county, stand_in):
        with pytest.raises(PermissionDenied, match="不能是提交的人"):
            collecting.approve(row, person, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.update(status="approved", decided_at=timezone.now(), decided_by=people.county)
    assert collecting.approve(row, people.city, 1).status == Status.APPROVED


@pytest.mark.django_db
def test_what_was_sent_back_says_why_and_is_handed_in_again(
    tree: Tree, people: People, period: Period
) -> None:
    row = handed_in(period, tree.huqiu, people.county)
    with pytest.raises(ValidationError, match="退回的原因"):
        collecting.send_back(row, people.city, 1, " ")
    row = collecting.send_back(row, people.city, 1, "项目数比上期多三倍")
    assert (row.status, row.reason) == (Status.RETURNED, "项目数比上期多三倍")
    assert standing(period, tree.huqiu) == Standing.RETURNED
    with pytest.raises(ValidationError, match="已退回"):
        collecting.approve(row, people.city, 1)
    row = counted_anew(period, tree.huqiu, people.county)
    assert (row.round, row.status, row.reason, row.decided_by) == (2, Status.SUBMITTED, "", None)
    assert [event.after["status"] for event in Event.objects.about(row).order_by("pk")] == [
        "submitted", "returned", "submitted",
    ]  # fmt: skip
    assert Event.objects.about(row).order_by("pk")[1].reason == "项目数比上期多三倍"


@pytest.mark.django_db
def test_nobody_approves_a_round_that_was_not_looked_at(tree: Tree, people: People, period: Period) -> None:
    row = handed_in(period, tree.huqiu, people.county)
    collecting.send_back(row, people.city, 1, "请核对")
    counted_anew(period, tree.huqiu, people.county)
    with pytest.raises(ValidationError, match="已重新提交"):
        collecting.approve(row, people.city, 1)
    assert collecting.approve(row, people.city, 2).status == Status.APPROVED


@pytest.mark.django_db
def test_approved_figures_go_back_until_the_superior_has_handed_in_its_own(
    tree: Tree, people: People, period: Period
) -> None:
    county = approved(period, tree.huqiu, people.county, people.city)
    collecting.send_back(county, people.city, 1, "再核对")
    services.rollup_now(period)
    county = approved(period, tree.huqiu, people.county, people.city)
    collecting.excuse(tree.wujiang, people.city, "洪灾停工", period=period)
    city = handed_in(period, tree.suzhou, people.clerk)
    with pytest.raises(ValidationError, match="苏州市已经提交了"):
        collecting.send_back(county, people.province, 2, "再核对")
    collecting.send_back(city, people.province, 1, "县里有误")
    assert collecting.send_back(county, people.city, 2, "再核对").status == Status.RETURNED


@pytest.mark.django_db
def test_the_form_of_sending_back_keeps_the_round_that_was_seen(
    tree: Tree, people: People, period: Period
) -> None:
    row = handed_in(period, tree.huqiu, people.county)
    address = reverse("bulletins:unit_return", args=["2024", "320505"])
    client = browser(people.city)
    assert client.get(address).context["round"] == 1
    collecting.send_back(row, people.clerk, 1, "请核对")
    counted_anew(period, tree.huqiu, people.county)
    refused = client.post(address, {"round": 1, "reason": ""})
    assert (refused.status_code, refused.context["round"]) == (400, 1)
    assert 'name="round" value="1"' in refused.content.decode()


# --- Excuses ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_excuse_covers_all_below_and_ends_by_itself(tree: Tree, people: People, period: Period) -> None:
    today = timezone.localdate()
    collecting.excuse(tree.suzhou, people.province, "洪灾停工", until=today + timedelta(days=3))
    for unit in (tree.suzhou, tree.huqiu, tree.wujiang):
        assert standing(period, unit) == Standing.EXCUSED
    assert tree.wuxi in Ladder(period).missing
    on_the_day, after = (Ladder(period, day=today + timedelta(days=n)) for n in (3, 4))
    assert tree.huqiu not in on_the_day.missing
    assert tree.huqiu in after.missing


@pytest.mark.django_db
def test_an_excuse_for_one_period_is_none_for_another(tree: Tree, people: People, period: Period) -> None:
    collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period)
    other = collected("2023")
    assert standing(period, tree.huqiu) == Standing.EXCUSED
    assert standing(other, tree.huqiu) == Standing.READY


@pytest.mark.django_db
def test_superiors_excuse_with_a_reason_and_nobody_excuses_itself(
    tree: Tree, people: People, period: Period
) -> None:
    for person in (people.county, people.next_city):
        with pytest.raises(PermissionDenied, match="上级单位"):
            collecting.excuse(tree.huqiu, person, "洪灾停工", period=period)
    with pytest.raises(ValidationError, match="免报的原因"):
        collecting.excuse(tree.huqiu, people.city, " ", period=period)
    with pytest.raises(ValidationError, match="不能早于今天"):
        collecting.excuse(tree.huqiu, people.city, "洪灾", until=timezone.localdate() - timedelta(days=1))
    row = collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period)
    assert collecting.excuse(tree.huqiu, people.province, "又一次", period=period) == row
    with pytest.raises(PermissionDenied):
        collecting.lift(tree.huqiu, period, people.county)
    collecting.lift(tree.huqiu, period, people.city)
    assert standing(period, tree.huqiu) == Standing.READY


@pytest.mark.django_db
def test_lifting_ends_all_excuses_of_the_unit_until_its_superior_has_handed_in(
    tree: Tree, people: People, period: Period
) -> None:
    until = timezone.localdate() + timedelta(days=3)
    for fields in ({"period": period}, {"until": until}, {"until": until + timedelta(days=3)}):
        collecting.excuse(tree.huqiu, people.city, "洪灾停工", **fields)
    approved(period, tree.wujiang, people.next_county, people.city)
    city = handed_in(period, tree.suzhou, people.clerk)
    with pytest.raises(ValidationError, match="苏州市已经提交了"):
        collecting.lift(tree.huqiu, period, people.city)
    other = collected("2023")
    with pytest.raises(ValidationError, match="苏州市已经提交了"):
        collecting.lift(tree.huqiu, other, people.city)
    assert standing(period, tree.huqiu) == Standing.EXCUSED
    collecting.send_back(city, people.province, 1, "请核对")
    post(people.city, "lift", period, tree.huqiu)
    assert standing(period, tree.huqiu) == Standing.READY
    assert not Excuse.objects.filter(lifted_at__isnull=True).exists()
    assert collecting.lift(tree.huqiu, period, people.city) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{}, {"until": date(2024, 1, 1), "period": True}])
def test_an_excuse_is_for_a_period_or_until_a_day(
    tree: Tree, people: People, period: Period, fields: dict[str, Any]
) -> None:
    if "period" in fields:
        fields = fields | {"period": period}
    with pytest.raises(IntegrityError), transaction.atomic():
        Excuse.objects.create(
            bureau=tree.huqiu, reason="洪灾", given_by=people.city, given_at=timezone.now(), **fields
        )


# --- Freezing ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_collected_period_is_frozen_when_all_are_settled_or_the_day_has_come(
    tree: Tree, people: People, period: Period
) -> None:
    with pytest.raises(ValidationError, match="没有通过审核"):
        services.request_freeze(period, None)
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    snapshot = services.freeze_now(services.get_period("2024"), None)
    assert "320505" in snapshot.coverage["missing"]
    assert "320000" in snapshot.coverage["missing"]


def complete(period: Period, tree: Tree, people: People) -> Submission:
    """All are excused but Xinjiang, whose figures are approved."""
    excuse_others(period, tree, people.nation, tree.xinjiang)
    return approved(period, tree.xinjiang, factories.user(Role.OFFICER, tree.xinjiang), people.nation)


@pytest.mark.django_db
def test_nothing_moves_while_a_period_is_being_frozen(tree: Tree, people: People, period: Period) -> None:
    row = complete(period, tree, people)
    services.request_freeze(period, None, in_background=False)
    steps = (
        lambda: collecting.send_back(row, people.nation, 1, "请核对"),
        lambda: collecting.submit(period, tree.huqiu, people.county),
        lambda: collecting.lift(tree.liaoning, period, people.nation),
        lambda: collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period),
        lambda: collecting.collect(period, None, timezone.localdate() + timedelta(days=20)),
    )
    for step in steps:
        with pytest.raises(ValidationError, match="正在冻结"):
            step()


@pytest.mark.django_db
def test_what_is_no_longer_complete_when_its_turn_comes_is_not_frozen(
    tree: Tree, people: People, period: Period
) -> None:
    complete(period, tree, people)
    job = services.request_freeze(period, None, in_background=False)
    # An excuse until a day ends by itself.
    Excuse.objects.filter(bureau=tree.suzhou.parent).update(lifted_at=timezone.now(), lifted_by=people.nation)
    with pytest.raises(ValidationError, match="没有通过审核"):
        services.run_snapshot(job.pk)
    job.refresh_from_db()
    assert (job.job_state, Period.objects.get(pk=period.pk).is_frozen) == ("failed", False)
    for reader, told in ((people.nation, True), (people.city, False)):
        assert ("江苏" in _error_summary(reader)) is told


def _error_summary(reader: User) -> str:
    text = browser(reader).get("/periods/2024/").content.decode()
    return text[text.index("error-summary") :].split("</div>")[0]


@pytest.mark.django_db
def test_the_snapshot_says_whose_figures_are_no_longer_those_that_were_approved(
    tree: Tree, people: People, period: Period
) -> None:
    approved(period, tree.huqiu, people.county, people.city)
    approved(period, tree.wujiang, people.next_county, people.city)
    project(tree.huqiu)
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    snapshot = services.freeze_now(services.get_period("2024"), None)
    assert snapshot.coverage["changed"] == ["320505"]
    assert "1 个单位冻结的数字与通过时不同" in browser(people.city).get("/periods/2024/").content.decode()
    paper = services.draft_bulletin(services.get_period("2024"), tree.suzhou, None, in_background=False)
    assert "通过审核之后数字又有变动的单位：虎丘区。" in str(circular.compose(paper))


@pytest.mark.django_db
def test_before_publication_the_page_names_units_of_the_own_subtree_only(
    tree: Tree, people: People, period: Period
) -> None:
    collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period)
    project(tree.wujiang)
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    services.freeze_now(services.get_period("2024"), None)
    Snapshot._base_manager.update(warnings=["期初不同：某问题"])

    def text(user: User) -> str:
        return browser(user).get("/periods/2024/").content.decode()

    assert "洪灾停工" in text(people.city)
    assert "洪灾停工" not in text(people.next_city)
    assert "吴江区" not in text(people.next_city)
    assert "某问题" not in text(people.city)
    assert "某问题" in text(people.nation)
    services.publish(services.get_period("2024"), None)
    assert "洪灾停工" in text(people.next_city)
    assert "某问题" not in text(people.next_city)


@pytest.mark.django_db
def test_the_stock_by_todays_ledger_does_not_stand_beside_frozen_figures(
    tree: Tree, people: People, period: Period
) -> None:
    text = page(people.city, period, tree.suzhou).content.decode()
    assert "清单存量" in text
    assert "－ 销号（含服务、咨询）" in text
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    services.freeze_now(services.get_period("2024"), None)
    assert "清单存量" not in page(people.city, period, tree.suzhou).content.decode()


@pytest.mark.django_db
def test_the_first_period_of_all_has_a_page(tree: Tree, people: People) -> None:
    for code, before in (("2000", "1999年"), ("2000-01", "1999年12月"), ("2000Q1", "1999年第四季度")):
        answer = page(people.city, services.get_period(code), tree.suzhou)
        assert (answer.status_code, answer.context["names"]["before"]) == (200, before)


@pytest.mark.django_db
def test_the_snapshot_says_who_was_excused_and_a_correction_repeats_it(
    tree: Tree, people: People, period: Period
) -> None:
    excuse_others(period, tree, people.nation, tree.suzhou, tree.jiangsu)
    approved(period, tree.huqiu, people.county, people.city)
    approved(period, tree.wujiang, people.next_county, people.city)
    approved(period, tree.suzhou, people.city, people.province)
    approved(period, tree.jiangsu, people.province, people.nation)
    assert Ladder(period).missing == []
    snapshot = services.freeze_now(period, None)
    assert snapshot.coverage["missing"] == []
    assert {"bureau": "320200", "reason": "演示免报", "until": ""} in snapshot.coverage["excused"]
    Excuse.objects.update(lifted_at=timezone.now(), lifted_by=people.nation)
    corrected = services.freeze_now(period, None, "漏报一项")
    assert corrected.coverage == snapshot.coverage


@pytest.mark.django_db
def test_a_period_that_nobody_is_asked_for_is_frozen_at_once(tree: Tree) -> None:
    assert services.freeze_now(services.get_period("2024"), None).coverage == {}


# --- Notices ----------------------------------------------------------------------------------------------


def told(user: User) -> list[str]:
    return [notice.details["what"] for notice in Notice.objects.filter(user=user).order_by("pk")]


@pytest.mark.django_db
def test_whose_turn_it_is_hears_of_it(tree: Tree, people: People, period: Period) -> None:
    row = handed_in(period, tree.huqiu, people.county)
    assert told(people.city) == told(people.clerk) == ["figures_submitted"]
    collecting.send_back(row, people.city, 1, "请核对")
    assert told(people.county) == ["figures_returned"]
    services.rollup_now(period)
    approved(period, tree.huqiu, people.county, people.city)
    assert told(people.city)[-1] == "figures_submitted"
    approved(period, tree.wujiang, people.next_county, people.city)
    assert told(people.city)[-1] == "figures_turn"
    assert told(people.province) == []


@pytest.mark.django_db
def test_reminders_come_once_at_each_stage_and_only_to_those_whose_turn_it_is(
    tree: Tree, people: People, period: Period
) -> None:
    today = timezone.localdate()
    for _twice in range(2):
        collecting.remind(today - timedelta(days=10))
    assert told(people.county) == ["figures_submit_begun"]
    assert told(people.city) == told(people.province) == []
    handed_in(period, tree.huqiu, people.county)
    for _twice in range(2):
        collecting.remind(today + timedelta(days=10))
    assert told(people.county) == ["figures_submit_begun"]
    assert told(people.next_county) == ["figures_submit_begun", "figures_submit_due"]
    assert told(people.city) == ["figures_submitted", "figures_review_due"]
    assert Notice.objects.filter(user=people.next_county).latest("pk").kind == Notice.Kind.AMBER


@pytest.mark.django_db
def test_a_bureau_without_people_lets_its_superior_hear(tree: Tree, people: People, period: Period) -> None:
    collecting.remind(timezone.localdate() - timedelta(days=10))
    # Nobody works at Binhu; its city may excuse it.
    notice = Notice.objects.get(user=people.next_city)
    assert notice.details["row"] == "320211"
    assert "没有经办人员" in notices.sentence(notice)


@pytest.mark.django_db
def test_excusing_the_last_one_below_makes_it_the_superiors_turn(
    tree: Tree, people: People, period: Period
) -> None:
    collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period)
    assert told(people.clerk) == []
    collecting.excuse(tree.wujiang, people.city, "洪灾停工", until=timezone.localdate())
    assert told(people.clerk) == ["figures_turn"]


@pytest.mark.django_db
def test_whoever_has_handed_in_is_not_told_that_it_is_its_turn(
    tree: Tree, people: People, period: Period
) -> None:
    row = approved(period, tree.huqiu, people.county, people.city)
    collecting.excuse(tree.suzhou, people.province, "洪灾停工", period=period)
    approved(period, tree.wujiang, people.next_county, people.city)
    assert row.status == Status.APPROVED
    assert "figures_turn" not in told(people.clerk)


@pytest.mark.django_db
def test_that_all_is_complete_is_told_to_those_who_freeze(tree: Tree, people: People, period: Period) -> None:
    officer = factories.user(Role.OFFICER, tree.nation)
    complete(period, tree, people)
    assert "figures_complete" in told(people.nation)
    assert "figures_complete" not in told(officer)


# --- Races ------------------------------------------------------------------------------------------------


def ready() -> tuple[Tree, People, Period]:
    tree = Tree()
    people = People(tree)
    period = collected("2024")
    services.rollup_now(period)
    return tree, people, period


@pytest.mark.django_db(transaction=True)
def test_four_clicks_at_once_hand_in_once() -> None:
    tree, people, period = ready()
    rows = factories.at_once(*[lambda: handed_in(period, tree.huqiu, people.county)] * 4)
    assert {row.pk for row in rows} == {Submission.objects.get().pk}
    assert Submission.objects.get().round == 1
    assert Notice.objects.filter(user=people.city).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_who_approves_and_who_sends_back_at_once_one_state_is_left() -> None:
    tree, people, period = ready()
    row = handed_in(period, tree.huqiu, people.county)
    outcomes = factories.at_once(
        lambda: collecting.approve(row, people.city, 1),
        lambda: collecting.send_back(row, people.clerk, 1, "请核对"),
    )
    row.refresh_from_db()
    # Sending back after an approval is allowed, approving after a return is not.
    assert row.status == Status.RETURNED
    assert row.decided_by == people.clerk
    assert sum(isinstance(outcome, ValidationError) for outcome in outcomes) in (0, 1)


@pytest.mark.django_db(transaction=True)
def test_a_city_does_not_hand_in_what_is_sent_back_at_the_same_moment() -> None:
    tree, people, period = ready()
    county = approved(period, tree.huqiu, people.county, people.city)
    collecting.excuse(tree.wujiang, people.city, "洪灾停工", period=period)
    factories.at_once(
        lambda: handed_in(period, tree.suzhou, people.clerk),
        lambda: collecting.send_back(county, people.city, 1, "请核对"),
    )
    county.refresh_from_db()
    city = Submission.objects.filter(bureau=tree.suzhou).first()
    assert (county.status, bool(city)) in ((Status.APPROVED, True), (Status.RETURNED, False))


@pytest.mark.django_db(transaction=True)
def test_four_superiors_excuse_a_unit_once() -> None:
    tree, people, period = ready()
    factories.at_once(*[lambda: collecting.excuse(tree.huqiu, people.city, "洪灾停工", period=period)] * 4)
    assert Excuse.objects.count() == 1


# --- Pages ------------------------------------------------------------------------------------------------


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(user: User, period: Period, bureau: Bureau) -> Any:
    return browser(user).get(reverse("bulletins:period_unit", args=[period.code, bureau.code]))


def post(user: User, step: str, period: Period, bureau: Bureau, **data: Any) -> Any:
    if step == "submit":
        data.setdefault("seal", page(user, period, bureau).context["seal"])
    address = reverse(f"bulletins:unit_{step}", args=[period.code, bureau.code])
    return browser(user).post(address, data, follow=True)


@pytest.mark.django_db
def test_a_unit_hands_in_and_its_superior_judges_in_the_browser(
    tree: Tree, people: People, period: Period
) -> None:
    assert "确认并提交" in page(people.county, period, tree.huqiu).content.decode()
    answer = post(people.county, "submit", period, tree.huqiu, note="核对过")
    assert "已提交，上级审核后会通知您。" in answer.content.decode()
    answer = page(people.city, period, tree.huqiu).content.decode()
    assert "等您审核" in answer
    assert "核对过" in answer
    answer = post(people.city, "return", period, tree.huqiu, round=1, reason="项目数不对")
    assert "已退回虎丘区" in answer.content.decode()
    answer = page(people.county, period, tree.huqiu).content.decode()
    assert "项目数不对" in answer
    assert "确认并提交" in answer
    services.rollup_now(period)
    post(people.county, "submit", period, tree.huqiu)
    stale = post(people.city, "approve", period, tree.huqiu, round=1).content.decode()
    assert "已重新提交" in stale
    post(people.city, "approve", period, tree.huqiu, round=2)
    assert Submission.objects.get().status == Status.APPROVED


@pytest.mark.django_db
def test_figures_that_changed_since_they_were_handed_in_are_marked(tree: Tree, people: People) -> None:
    project(tree.huqiu)
    period = collected("2024")
    services.rollup_now(period)
    handed_in(period, tree.huqiu, people.county)
    assert "提交时 " not in page(people.city, period, tree.huqiu).content.decode()
    project(tree.huqiu)
    services.rollup_now(period)
    assert "提交时 1" in page(people.city, period, tree.huqiu).content.decode()


@pytest.mark.django_db
def test_a_superior_sees_who_has_handed_in_who_is_missing_and_excuses(
    tree: Tree, people: People, period: Period
) -> None:
    handed_in(period, tree.huqiu, people.county)
    rungs = {rung.bureau: rung.standing for rung in page(people.city, period, tree.suzhou).context["below"]}
    assert rungs == {tree.huqiu: Standing.SUBMITTED, tree.wujiang: Standing.READY}
    missing = {"scope": "until", "reason": "洪灾停工"}
    assert (
        "请填免报的最后一天" in post(people.city, "excuse", period, tree.wujiang, **missing).content.decode()
    )
    post(people.city, "excuse", period, tree.wujiang, scope="period", reason="洪灾停工")
    assert standing(period, tree.wujiang) == Standing.EXCUSED
    post(people.city, "lift", period, tree.wujiang)
    assert standing(period, tree.wujiang) == Standing.READY


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "status"), [("county", 200), ("city", 200), ("nation", 200), ("next_county", 404)]
)
def test_the_page_of_a_unit_is_for_its_line(
    tree: Tree, people: People, period: Period, who: str, status: int
) -> None:
    assert page(getattr(people, who), period, tree.huqiu).status_code == status
    assert browser(factories.user(Role.FILER)).get("/periods/2024/320505/").status_code == 403


@pytest.mark.django_db
def test_the_list_says_what_is_next_by_whom_and_how_the_own_unit_stands(
    tree: Tree, people: People, period: Period
) -> None:
    text = browser(people.county).get("/periods/").content.decode()
    assert "逐级提交和审核" in text
    assert "县、市、省局" in text
    assert "待提交" in text


@pytest.mark.django_db
def test_a_frozen_period_shows_who_was_missing_and_the_circular_says_so(
    tree: Tree, people: People, period: Period
) -> None:
    approved(period, tree.huqiu, people.county, people.city)
    collecting.excuse(tree.wujiang, people.city, "洪灾停工", period=period)
    Period.objects.filter(pk=period.pk).update(freeze_on=timezone.localdate())
    services.freeze_now(services.get_period("2024"), None)
    text = browser(people.city).get("/periods/2024/").content.decode()
    assert "洪灾停工" in text
    assert "个单位没有通过审核" in text
    paper = services.draft_bulletin(services.get_period("2024"), tree.suzhou, None, in_background=False)
    notes = str(circular.compose(paper))
    assert "经批准免报的单位：吴江区（洪灾停工）。" in notes
    assert "冻结时数字未经逐级确认的单位：苏州市。" in notes


@pytest.mark.django_db
def test_the_interface_tells_who_has_confirmed_in_the_own_subtree(
    tree: Tree, people: People, period: Period
) -> None:
    handed_in(period, tree.huqiu, people.county)
    collecting.excuse(tree.binhu, people.next_city, "洪灾停工", period=period)

    def told(who: User, name: str) -> list[str]:
        rows = browser(who).get(f"/api/v1/{name}/").json()["results"]
        return [row["bureau"] for row in rows]

    assert told(people.city, "submissions") == told(people.county, "submissions") == ["320505"]
    assert told(people.next_city, "submissions") == []
    assert told(people.next_city, "excuses") == told(people.province, "excuses") == ["320211"]
    assert browser(people.city).post("/api/v1/submissions/").status_code == 405
    row = browser(people.city).get("/api/v1/periods/2024/").json()
    assert (row["stage"], row["is_collected"]) == ("collecting", True)
    found = browser(people.city).get("/api/v1/periods/?stage=collecting").json()["results"]
    assert [one["code"] for one in found] == ["2024"]


@pytest.mark.django_db
def test_the_nation_opens_a_period_to_be_confirmed_and_leaves_time_for_it(tree: Tree, people: People) -> None:
    client = browser(people.nation)
    this_year = f"{timezone.localdate().year}Q4"
    client.post("/periods/", {"code": this_year, "is_collected": "on"})
    assert Period.objects.get(code=this_year).is_collected
    late = client.post("/periods/", {"code": "2024Q4", "is_collected": "on"})
    assert (late.status_code, list(late.context["form"].errors)) == (400, ["is_collected"])
    assert not Period.objects.filter(code="2024Q4").exists()
    client.post("/periods/", {"code": "2024-11"})
    assert not Period.objects.get(code="2024-11").is_collected
    # The usual day is long gone.
    assert client.post("/periods/2024-11/collect/", {"freeze_on": ""}).status_code == 400
    day = timezone.localdate() + timedelta(days=9)
    client.post("/periods/2024-11/collect/", {"freeze_on": day.isoformat()})
    row = Period.objects.get(code="2024-11")
    assert (row.is_collected, row.freeze_due) == (True, day)
