"""The page of one problem: content by scope, moves with reasons, a fixed number of queries."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from projects import services
from projects.clock import clock_of, turn_of
from projects.models import Bottleneck, Measure
from projects.timeline import events_of
from projects.workflow import amber_day
from tests.factories import Cast, bureau, draft, png, spec_demand, user
from tests.worlds import world

S = Bottleneck.Status


@world
def cast() -> Cast:
    return Cast()


def url_of(row: Bottleneck) -> str:
    return reverse("projects:bottleneck_detail", args=[row.public_id])


def page_for(client: Client, person: Any, row: Bottleneck) -> Any:
    client.force_login(person)
    return client.get(url_of(row))


def test_the_parties_see_the_problem_and_nobody_else(cast: Cast, client: Client):
    row = cast.bring_to(S.DISPATCHED)
    parties = (
        cast.filer,
        cast.county_officer,
        cast.city_officer,
        cast.engineer,
        user(Role.AUDITOR, bureau()),
    )
    strangers = (
        user(Role.FILER),
        user(Role.INSTITUTION),
        user(Role.OFFICER, bureau("320600", parent=cast.city.parent)),
        user(),
    )
    for person in parties:
        page = page_for(client, person, row)
        assert page.status_code == 200
        assert row.code in page.content.decode()
    for person in strangers:
        assert page_for(client, person, row).status_code == 404


def test_contact_data_is_masked_outside_the_parties(cast: Cast, client: Client):
    row = cast.bring_to(S.DISPATCHED)
    for person in (cast.filer, cast.county_officer, cast.city_officer, cast.engineer):
        assert "13800000000" in page_for(client, person, row).content.decode()
    for role in (Role.AUDITOR, Role.STATISTICIAN):
        page = page_for(client, user(role, bureau()), row).content.decode()
        assert "13800000000" not in page
        assert "138****0000" in page
        assert "王敏" not in page


def test_a_draft_opens_where_its_answers_are_checked(cast: Cast, client: Client):
    row = draft(cast.filer)
    answer = page_for(client, cast.filer, row)
    assert answer.url == reverse("projects:bottleneck_edit", args=[row.public_id, "check"])
    assert page_for(client, cast.county_officer, row).status_code == 404


def test_allowed_moves_are_links_and_others_grey_with_the_reason(cast: Cast, client: Client):
    row = cast.filed()
    page = page_for(client, cast.filer, row)
    assert [action["href"] for action in page.context["actions"]["allowed"]] == [
        reverse("projects:bottleneck_move", args=[row.public_id, "withdraw"])
    ]
    ((reason, choices),) = page.context["actions"]["refused"]
    assert (reason, [choice.move.name for choice in choices]) == (
        "这一步由办理单位办理。",
        ["accept", "return", "extend", "reject"],
    )
    text = page.content.decode()
    assert 'aria-disabled="true"' in text
    assert reason in text
    page = page_for(client, cast.county_officer, row)
    assert [action["label"] for action in page.context["actions"]["allowed"]] == [
        "受理",
        "退回补正",
        "延期",
        "不予受理",
    ]


def test_who_worked_on_it_reads_why_another_must_verify(cast: Cast, client: Client):
    row = cast.bring_to(S.VERIFICATION)
    text = page_for(client, cast.county_officer, row).content.decode()
    assert "核验须由另一名人员进行" in text
    page = page_for(client, cast.verifier, row)
    assert len(page.context["actions"]["allowed"]) == 3


def test_reopening_is_offered_to_firm_and_bureau_and_refused_after_a_year(cast: Cast, client: Client):
    row = cast.bring_to(S.RESOLVED)
    for person in (cast.filer, cast.city_officer):
        (action,) = page_for(client, person, row).context["actions"]["allowed"]
        assert action["label"] == "重开"
    ((reason, _choices),) = page_for(client, cast.engineer, row).context["actions"]["refused"]
    assert reason == "这一步由提出企业或办理单位办理。"
    Bottleneck.objects.filter(pk=row.pk).update(resolved_at=row.resolved_at - timedelta(days=367))
    for person in (cast.filer, cast.city_officer):
        page = page_for(client, person, row)
        assert page.context["actions"]["allowed"] == []
        assert "核验解决已超过 12 个月" in page.content.decode()


def test_an_auditor_reads_everything_and_moves_nothing(cast: Cast, client: Client):
    auditor = user(Role.AUDITOR, bureau())
    for status in (S.SUBMITTED, S.RETURNED, S.IN_PROGRESS, S.VERIFICATION):
        page = page_for(client, auditor, cast.bring_to(status))
        assert page.context["actions"]["allowed"] == []
        assert not page.context["may_attach"]


def test_the_measures_are_drawn_with_now_target_and_after(cast: Cast, client: Client):
    row = cast.bring_to(S.SOLUTION_FILED)
    text = page_for(client, cast.filer, row).content.decode()
    assert "68 %" in text
    assert "不低于 95 %" in text
    assert "96 %" in text
    assert "达到目标" in text
    assert "寿命试验报告" in text
    assert "调整渗碳工艺窗口" in text


def test_master_and_children_name_each_other_within_scope(cast: Cast, client: Client):
    master, child = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    other_firm = Cast()
    services.move(child, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    text = page_for(client, cast.filer, child).content.decode()
    assert f'<a href="{url_of(master)}">' in text
    text = page_for(client, cast.filer, master).content.decode()
    assert child.code in text
    assert "共归并 1 个问题" in text
    foreign = other_firm.filed()
    services.move(foreign, "accept", by=cast.county_officer)
    services.move(foreign, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    text = page_for(client, other_firm.filer, foreign).content.decode()
    assert "已归并到另一个问题" in text
    assert "把问题归并到 另一个问题" in text
    assert master.code not in text and url_of(master) not in text
    address = f"/api/v1/bottlenecks/{foreign.public_id}/"
    told = client.get(address)
    assert told.json()["merged_into"] is None and master.code not in told.content.decode()
    client.force_login(cast.city_officer)
    assert client.get(address).json()["merged_into"] == master.code


def test_the_page_asks_as_often_for_twenty_of_everything_as_for_one(
    cast: Cast, client: Client, django_assert_num_queries: Any
):
    row = cast.bring_to(S.SOLUTION_FILED)
    services.attach(row, png(), by=cast.filer)
    client.force_login(cast.filer)
    client.get(url_of(row))
    with django_assert_num_queries(20):
        client.get(url_of(row))
    for number in range(9):
        services.attach(row, png(f"{number}.png", salt=b"%d" % number), by=cast.filer)
        services.move(row, "dispute", by=cast.filer, data={"reason": f"第 {number} 次仍未达标。"})
        cast.make(row, "file_solution")
    for number in range(4):
        row.alarms.create(at=timezone.now(), number=f"W{number}", state="mismatch", detail={})
        spec_demand(row)
        Measure.objects.create(
            bottleneck=row,
            metric=f"指标 {number}",
            unit="h",
            value_now=1,
            comparison="ge",
            target=2,
            value_after=3,
            measured_after_on=timezone.localdate(),
        )
    assert row.transitions.count() > 20
    with django_assert_num_queries(20):
        client.get(url_of(row))


# --- Timeline ----------------------------------------------------------------------------------------------


def test_the_record_reads_newest_first_in_sentences(cast: Cast):
    row = cast.bring_to(S.RETURNED)
    services.move(row, "submit", by=cast.filer, data={"reason": "已写明时间。"})
    events = events_of(row)
    assert [event.sentence.split("，")[0] for event in events] == [
        "演示减速器有限公司补正后重新提交",
        "吴江区市场监督管理局退回补正",
        "演示减速器有限公司提交问题",
    ]
    assert events[0].note == "已写明时间。"
    assert events[1].note == "1. 请写明从什么时候开始。\n2. 请附检测报告。"
    assert [event.actor for event in events] == ["填报人", "县局经办", "填报人"]


def test_files_stand_with_the_step_that_brought_them(cast: Cast):
    row = draft(cast.filer)
    services.attach(row, png("草稿时.png"), by=cast.filer)
    services.move(row, "submit", by=cast.filer)
    for move in ("accept", "list", "dispatch", "take"):
        cast.make(row, move)
    services.attach(row, png("攻关时.png", salt=b"1"), by=cast.engineer)
    services.attach(row, png("攻关时二.png", salt=b"2"), by=cast.engineer)
    first, *_middle, last = events_of(row)
    assert [file["name"] for file in last.files] == ["草稿时.png"]
    assert (first.sentence, first.actor) == ("补充了 2 个附件", "机构经办")
    assert [file["name"] for file in first.files] == ["攻关时.png", "攻关时二.png"]


def test_every_step_of_a_long_life_has_a_sentence(cast: Cast):
    row = cast.bring_to(S.REOPENED)
    later = timezone.localdate() + timedelta(days=30)
    plan = {"due_on": later, "reason": "安排。"}
    services.move(row, "restart", by=cast.city_officer, data=plan)
    services.move(row, "suspend", by=cast.city_officer, data={"reason": "等设备。"})
    services.move(row, "resume", by=cast.city_officer, data=plan)
    sentences = [event.sentence for event in events_of(row)]
    assert len(sentences) == row.transitions.count()
    assert f"苏州市市场监督管理局恢复攻关，期限 {later}" in sentences
    assert "吴江区市场监督管理局核验通过：堵点卡点已解决" in sentences
    assert any(text.startswith("苏州市市场监督管理局派单给演示检验检测院") for text in sentences)
    assert any("解决后：台架寿命达标率 96" in text for text in sentences)


# --- Clock -------------------------------------------------------------------------------------------------


def test_the_clock_counts_working_days_and_turns_amber_at_seven_tenths():
    # Two working weeks without a holiday.
    started, due = date(2026, 3, 2), date(2026, 3, 16)
    row = Bottleneck(
        status=S.VERIFICATION,
        clock_started_on=started,
        clock_amber_on=amber_day(started, due, in_workdays=True),
        clock_due_on=due,
    )

    def on(day: int) -> tuple[Any, ...]:
        clock = clock_of(row, date(2026, 3, day))
        return clock["state"], clock["remaining"]

    assert on(2) == ("green", 10)
    assert on(10) == ("green", 4)
    assert on(11) == ("amber", 3)
    assert on(14) == ("amber", 1)
    assert on(16) == ("amber", 0)
    assert on(17) == ("red", -1)


def test_a_suspended_problem_stands_still_and_an_ended_one_has_no_clock(cast: Cast):
    assert clock_of(cast.bring_to(S.SUSPENDED))["state"] == "paused"
    ended = cast.bring_to(S.RESOLVED)
    assert (clock_of(ended)["state"], turn_of(ended)) == ("none", "")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (S.SUBMITTED, "吴江区市场监督管理局"),
        (S.RETURNED, "演示减速器有限公司"),
        (S.ACCEPTED, "苏州市市场监督管理局"),
        (S.DISPATCHED, "演示检验检测院"),
        (S.VERIFICATION, "吴江区市场监督管理局"),
    ],
)
def test_whose_turn_it_is_has_a_name(cast: Cast, status: str, name: str):
    assert turn_of(cast.bring_to(status)) == name
