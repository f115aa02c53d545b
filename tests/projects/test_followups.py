"""Whether a solution lasts: asked 3 and 12 months after striking off, answered by the firm."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Notice, Role
from common.workdays import add_months
from projects import followups
from projects.models import Bottleneck, FollowUp
from projects.workflow import MOVES, judge
from tests.factories import Cast, user
from tests.pages import browser, text_of

pytestmark = pytest.mark.django_db
S = Bottleneck.Status


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def solved(cast: Cast) -> Bottleneck:
    return cast.bring_to(S.RESOLVED)


def day_of(row: Bottleneck) -> date:
    return timezone.localdate(row.resolved_at)


def asked(row: Bottleneck, months: int = 3) -> FollowUp:
    followups.ask(add_months(day_of(row), months))
    return row.follow_ups.get(months=months)


def test_the_firm_is_asked_on_the_day_and_not_before(cast: Cast, solved: Bottleneck) -> None:
    day = add_months(day_of(solved), 3)
    assert followups.ask(day - timedelta(days=1)) == 0
    assert followups.ask(day) == 1
    assert followups.ask(day) == 0 and followups.ask(day + timedelta(days=1)) == 0, "twice is once"
    told = Notice.objects.filter(details__what="follow_up")
    assert set(told.values_list("user_id", flat=True)) == {cast.filer.pk}
    assert followups.ask(add_months(day_of(solved), 12)) == 1
    assert [question.months for question in solved.follow_ups.all()] == [3, 12]


def test_late_is_asked_once_and_much_too_late_not_at_all(solved: Bottleneck) -> None:
    day = add_months(day_of(solved), 3)
    assert followups.ask(day + followups.GRACE + timedelta(days=1)) == 0
    assert followups.ask(day + followups.GRACE) == 1


def test_what_does_not_count_or_is_open_again_is_not_asked(cast: Cast, solved: Bottleneck) -> None:
    cast.bring_to(S.IN_PROGRESS)
    rows = Bottleneck.objects.judged("test").filter(pk=solved.pk)
    day = add_months(day_of(solved), 3)
    for change in ({"is_test": True}, {"voided_at": timezone.now(), "void_reason": "重复"}):
        rows.update(**change)
        assert followups.ask(day) == 0
        rows.update(is_test=False, voided_at=None, void_reason="")
    rows.update(status=S.REOPENED)
    assert followups.ask(day) == 0


def test_what_was_solved_twice_is_asked_about_the_second_time_as_well(solved: Bottleneck) -> None:
    first = asked(solved)
    later = solved.resolved_at + timedelta(days=40)
    Bottleneck.objects.judged("test").filter(pk=solved.pk).update(resolved_at=later)
    solved.refresh_from_db()
    assert followups.ask(add_months(day_of(solved), 3)) == 1
    assert solved.follow_ups.exclude(pk=first.pk).get().resolved_on == day_of(solved)


def test_only_the_firm_answers_and_once(cast: Cast, solved: Bottleneck) -> None:
    question = asked(solved)
    for somebody in (cast.engineer, cast.county_officer):
        with pytest.raises(PermissionDenied):
            followups.answer(question, by=somebody, answer="holds")
    with pytest.raises(ValidationError):
        followups.answer(question, by=cast.filer, answer="weaker")
    followups.answer(question, by=cast.filer, answer="weaker", text="寿命降到 92%。")
    assert (question.answer, question.answered_by) == ("weaker", cast.filer) and question.answered_at
    with pytest.raises(PermissionDenied):
        followups.answer(question, by=cast.filer, answer="holds")
    told = Notice.objects.filter(details__what="follow_up_answer")
    assert told.exists() and cast.filer.pk not in told.values_list("user_id", flat=True)


def test_an_effect_that_holds_troubles_nobody(cast: Cast, solved: Bottleneck) -> None:
    followups.answer(asked(solved), by=cast.filer, answer="holds")
    assert not Notice.objects.filter(details__what="follow_up_answer").exists()


@pytest.mark.parametrize(
    "fields", [{"months": 6}, {"answer": "holds"}, {"answered_at": timezone.now()}, {"answer": "weaker"}]
)
def test_the_database_keeps_impossible_rows_out(solved: Bottleneck, fields: dict[str, Any]) -> None:
    values = {
        "bottleneck": solved,
        "resolved_on": timezone.localdate(),
        "months": 3,
        "asked_on": timezone.localdate(),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        FollowUp.objects.create(**(values | fields))


def test_the_firm_answers_on_the_page_and_what_came_back_leads_to_the_reopening(
    cast: Cast, solved: Bottleneck
) -> None:
    asked(solved)
    page = f"/bottlenecks/{solved.public_id}/"
    address = reverse("projects:follow_up", args=[solved.public_id, 3])
    firm, officer = browser(cast.filer), browser(user(Role.OFFICER, cast.city))
    assert "请答复效果是否保持" in text_of(firm.get(page))
    assert "请答复效果是否保持" not in text_of(officer.get(page))
    assert officer.post(address, {"answer": "holds"}).status_code == 403
    silent = firm.post(address, {"answer": "came_back"}, follow=True)
    assert "请说明情况" in text_of(silent)
    back = firm.post(address, {"answer": "came_back", "text": "新批次又出现。"})
    assert back.headers["Location"] == reverse("projects:bottleneck_move", args=[solved.public_id, "reopen"])
    assert "问题反弹" in text_of(officer.get(page)) and "新批次又出现" in text_of(officer.get(page))
    desk = officer.get(f"/desk/done/?open={solved.public_id}")
    assert "问题反弹" in text_of(desk)
    assert firm.post(address, {"answer": "holds"}).status_code == 403
    missing = reverse("projects:follow_up", args=[solved.public_id, 12])
    assert firm.post(missing, {"answer": "holds"}).status_code == 404


def test_on_the_day_of_the_last_question_a_problem_is_still_reopened_and_not_on_the_day_after(
    cast: Cast, solved: Bottleneck
) -> None:
    """A period of months ends with the same day of its last month (Civil Code, article 202)."""
    year_on = solved.resolved_at + (add_months(day_of(solved), 12) - day_of(solved))
    for days, asked_then, may_reopen in ((-1, 0, True), (0, 1, True), (1, 0, False)):
        at = year_on + timedelta(days=days)
        assert followups.ask(timezone.localdate(at)) == asked_then, days
        assert judge(solved, MOVES["reopen"], cast.filer, at).allowed is may_reopen, days
        assert judge(solved, MOVES["archive"], None, at).allowed is not may_reopen, days


def test_what_came_back_after_the_year_leads_to_a_new_problem(cast: Cast, solved: Bottleneck) -> None:
    question = asked(solved, 12)
    long_ago = solved.resolved_at - timedelta(days=400)
    Bottleneck.objects.judged("test").filter(pk=solved.pk).update(resolved_at=long_ago)
    solved.refresh_from_db()
    FollowUp.objects.judged("test").filter(pk=question.pk).update(resolved_on=day_of(solved))
    address = reverse("projects:follow_up", args=[solved.public_id, 12])
    page = browser(cast.filer).post(address, {"answer": "came_back", "text": "又出现。"}, follow=True)
    assert "请作为新问题填报" in text_of(page)
