"""The three lists: what comes on a draft, who takes which step, what stays as published, who reads what."""

import io
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import Notice, Role, Substitution, User
from projects import instruments, list_files, listed, quality_lists
from projects.models import Bottleneck, KeyProject, ListedRow, QualityList
from projects.models.lists import APPROVERS, WRITERS
from projects.services import StaleRow
from projects.views import quality_lists as views
from record.models import Event
from tests import factories
from tests.bulletins import pdfs
from tests.factories import Cast
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
Kind, Status = QualityList.Kind, QualityList.Status
TODAY = timezone.localdate()


class Desk:
    """A county's lists of one chain: two officers, a problem in hand, and one that is filed only."""

    def __init__(self) -> None:
        self.cast = Cast()
        self.county, self.chain = self.cast.county, factories.chain()
        self.drafter, self.approver = self.cast.county_officer, self.cast.verifier
        self.listed = self.cast.bring_to(S.LISTED, title="柔轮疲劳寿命离散")
        self.filed = self.cast.filed(title="只提交的问题")

    def draft(self, kind: str = Kind.PROBLEMS, **more: Any) -> QualityList:
        return quality_lists.draft(self.chain, self.county, kind, by=self.drafter, **more)

    def approved(self, kind: str = Kind.PROBLEMS, **more: Any) -> QualityList:
        row = self.draft(kind, **more)
        quality_lists.submit(row, by=self.drafter)
        quality_lists.approve(row, by=self.approver)
        return row

    def published(self, kind: str = Kind.PROBLEMS, **more: Any) -> QualityList:
        row = self.approved(kind, **more)
        quality_lists.publish(row, by=self.drafter)
        return row

    def raise_to_the_province(self) -> None:
        """From now on the lists are those of the province."""
        assert self.cast.city is not None
        assert self.cast.city.parent is not None
        self.county = self.cast.city.parent
        self.drafter, self.approver = (factories.user(Role.OFFICER, self.county) for _ in range(2))

    def solve(self, row: Bottleneck, *, publish: bool = False) -> None:
        """Bring a listed problem to its end."""
        for move in ("dispatch", "take", "file_solution", "confirm", "verify"):
            self.cast.make(row, move)
        if publish:
            row.visibility, row.consent_publish = Bottleneck.Visibility.PUBLIC, True
            row.save()


@world
def desk() -> Desk:
    return Desk()


def read_page(client: Client, row: QualityList) -> str:
    """What stands between the bars of the page of a list."""
    text = client.get(reverse("projects:quality_list", args=[row.public_id])).content.decode()
    return text[text.index("<main") : text.index("</main")]


def keys(row: QualityList) -> list[int]:
    return [line.key for line in listed.lines_of(row) if not line.row.is_excluded]


def names(row: QualityList) -> list[str]:
    return [listed.name_of(row.kind, line.facts) for line in listed.lines_of(row)]


# --- What comes on a draft --------------------------------------------------------------------------------


def test_problems_in_hand_of_chain_and_bureau_stand_on_the_draft(desk: Desk) -> None:
    suspended = desk.cast.bring_to(S.SUSPENDED)
    other_chain = desk.cast.bring_to(S.LISTED, chain=factories.chain("C02", "光伏"))
    elsewhere = factories.bureau("440300", "深圳", factories.bureau("440000", "广东", factories.bureau()))
    gone = desk.cast.bring_to(S.LISTED)
    Bottleneck.objects.judged("test").filter(pk=gone.pk).update(bureau=elsewhere)
    void = desk.cast.bring_to(S.LISTED)
    Bottleneck.objects.judged("test").filter(pk=void.pk).update(voided_at=timezone.now(), void_reason="重复")
    row = desk.draft()
    assert set(keys(row)) == {desk.listed.pk, suspended.pk}
    assert other_chain.pk not in keys(row)
    assert row.version == 1
    assert row.supersedes is None


def test_what_was_solved_since_the_last_version_is_marked_so(desk: Desk) -> None:
    desk.published()
    desk.solve(desk.listed)
    fresh = desk.cast.bring_to(S.LISTED, title="新的问题")
    row = desk.draft()
    marks = {line.key: line.facts["mark"] for line in listed.lines_of(row)}
    assert marks == {desk.listed.pk: "solved", fresh.pk: "new"}
    quality_lists.discard(row, by=desk.drafter)
    Bottleneck.objects.judged("test").filter(pk=desk.listed.pk).update(
        resolved_at=timezone.now() - timedelta(days=2)
    )
    assert keys(desk.draft()) == [fresh.pk], "what was solved before the last version is old news"


def test_key_projects_approved_and_under_way_stand_on_the_draft(desk: Desk) -> None:
    on = factories.project(desk.county)
    rows = {
        status: factories.key_project(
            on, status=status, **({"accepted_on": TODAY} if status == "accepted" else {})
        )
        for status in KeyProject.Status.values
    }
    drafted = set(keys(desk.draft(Kind.KEY_PROJECTS)))
    expected = ("approved", "running", "delayed", "suspended", "acceptance")
    assert drafted == {rows[status].pk for status in expected}


def test_policies_valid_on_the_day_of_chain_and_line_stand_on_the_draft(desk: Desk) -> None:
    city = desk.county.parent
    assert city is not None
    own = factories.instrument(desk.county)
    of_city = factories.instrument(city, chains=[desk.chain])
    factories.instrument(desk.county, chains=[factories.chain("C02", "光伏")])
    factories.instrument(desk.county, valid_from=TODAY + timedelta(days=1))
    factories.instrument(desk.county, valid_to=TODAY - timedelta(days=1))
    last_day = factories.instrument(desk.county, valid_to=TODAY)
    factories.instrument(factories.bureau("320100", "南京", city.parent))
    void = factories.instrument(desk.county)
    instruments.withdraw(void, by=desk.drafter, reason="已停止")
    assert set(keys(desk.draft(Kind.INSTRUMENTS))) == {own.pk, of_city.pk, last_day.pk}


def test_a_policy_for_two_chains_stands_once_on_lists_pages_and_problems(desk: Desk) -> None:
    both = factories.instrument(desk.county, chains=[desk.chain, factories.chain("C02", "光伏")])
    assert keys(desk.draft(Kind.INSTRUMENTS)) == [both.pk]
    assert [one.pk for one in instruments.offered_for(desk.listed)] == [both.pk]
    page = browser(desk.drafter).get(reverse("projects:instrument_list"), {"chain": desk.chain.code})
    assert page.context["page"].paginator.count == 1


# --- Editing ----------------------------------------------------------------------------------------------


def test_notes_order_and_what_was_left_out_survive_a_refresh(desk: Desk) -> None:
    second, third = desk.cast.bring_to(S.LISTED, title="乙"), desk.cast.bring_to(S.LISTED, title="丙")
    row = desk.draft()
    lines = listed.lines_of(row)
    first = {line.row.pk: {} for line in lines}
    first[lines[2].row.pk] = {"position": 1, "note": "优先"}
    first[lines[1].row.pk] = {"is_excluded": True}
    quality_lists.edit(row, by=desk.drafter, rows=first)
    fresh = desk.cast.bring_to(S.LISTED, title="丁")
    told = quality_lists.refresh(row, by=desk.drafter)
    after = listed.lines_of(row)
    assert [line.key for line in after] == [third.pk, desk.listed.pk, second.pk, fresh.pk]
    assert [line.row.position for line in after] == [1, 2, 3, 4]
    assert [line.number for line in after] == [1, 2, 0, 3]
    assert after[0].row.note == "优先"
    assert after[2].row.is_excluded
    assert told == ["新列入 1 条。"]


def test_a_refresh_says_which_rows_went_and_why(desk: Desk) -> None:
    row = desk.draft()
    line = row.entries.get()
    quality_lists.edit(row, by=desk.drafter, rows={line.pk: {"note": "省里关注"}})
    desk.solve(desk.listed)
    answer = browser(desk.drafter).post(
        reverse("projects:quality_list_refresh", args=[row.public_id]),
        {"revision": row.revision},
        follow=True,
    )
    page = answer.content.decode()
    assert f"“{desk.listed.code} 柔轮疲劳寿命离散”已移出：状态已变为“已解决”。" in page
    assert "没有增减" not in page
    assert keys(row) == []


def test_a_policy_that_is_not_yet_valid_goes_with_its_reason(desk: Desk) -> None:
    policy = factories.instrument(desk.county)
    row = desk.draft(Kind.INSTRUMENTS)
    policy.valid_from = TODAY + timedelta(days=9)
    policy.save()
    told = quality_lists.refresh(row, by=desk.drafter)
    assert told == [f"“{policy.title}”已移出：实施日期时尚未生效。"]


def test_a_draft_longer_than_a_form_is_saved_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "EDITED", 2)
    for number in range(4):
        desk.cast.bring_to(S.LISTED, title=f"问题{number}")
    row = desk.draft()
    client, address = browser(desk.drafter), reverse("projects:quality_list_edit", args=[row.public_id])
    entries = list(row.entries.order_by("position"))
    page = client.get(address, {"page": 2}).content.decode()
    shown = [number for number, one in enumerate(entries) if f"note_{one.pk}" in page]
    assert shown == [2, 3]
    typed = {"revision": row.revision, "effective_on": TODAY.isoformat(), "notes": ""}
    for one in entries[2:4]:
        typed |= {f"note_{one.pk}": "第二页", f"position_{one.pk}": one.position}
    saved = client.post(f"{address}?page=2", typed)
    assert saved["Location"] == f"{address}?page=2"
    assert [one.note for one in row.entries.order_by("position")] == ["", "", "第二页", "第二页", ""]


def test_a_page_of_a_draft_fits_into_one_form() -> None:
    assert views.EDITED * 3 < settings.DATA_UPLOAD_MAX_NUMBER_FIELDS - 10


def test_rows_are_added_by_hand_only_from_the_scope_of_the_list(desk: Desk) -> None:
    solved = desk.cast.bring_to(S.RESOLVED)
    row = desk.draft()
    assert solved.pk not in keys(row), "there is no version before"
    quality_lists.add(row, solved.pk, by=desk.drafter)
    quality_lists.refresh(row, by=desk.drafter)
    assert solved.pk in keys(row), "what was put in by hand stays"
    with pytest.raises(ValidationError, match="不属于本清单"):
        quality_lists.add(row, desk.filed.pk, by=desk.drafter)
    with pytest.raises(ValidationError, match="已经在清单中"):
        quality_lists.add(row, solved.pk, by=desk.drafter)


def test_the_second_of_two_editors_is_told(desk: Desk) -> None:
    row = desk.draft()
    seen = row.revision
    quality_lists.edit(row, by=desk.approver, notes="甲", revision=seen)
    with pytest.raises(StaleRow, match="刚刚有人改过"):
        quality_lists.edit(row, by=desk.drafter, notes="乙", revision=seen)
    row.refresh_from_db()
    assert row.notes == "甲"


def test_a_version_does_not_begin_before_the_one_in_force(desk: Desk) -> None:
    desk.published(effective_on=TODAY)
    with pytest.raises(ValidationError, match="不能早于第 1 版"):
        desk.draft(effective_on=TODAY - timedelta(days=1))
    assert desk.draft(effective_on=TODAY).version == 2


# --- Steps ------------------------------------------------------------------------------------------------


def test_a_list_is_drafted_approved_by_another_and_published(desk: Desk) -> None:
    row = desk.draft()
    with pytest.raises(StaleRow):
        quality_lists.approve(row, by=desk.approver)
    quality_lists.submit(row, by=desk.drafter)
    with pytest.raises(PermissionDenied, match="批准人不能是拟稿"):
        quality_lists.approve(row, by=desk.drafter)
    with pytest.raises(StaleRow):
        quality_lists.publish(row, by=desk.drafter)
    quality_lists.approve(row, by=desk.approver)
    with pytest.raises(StaleRow):
        quality_lists.edit(row, by=desk.drafter, notes="改")
    quality_lists.publish(row, by=desk.drafter)
    assert (row.status, row.approved_by, row.published_by) == (
        Status.PUBLISHED, desk.approver, desk.drafter,
    )  # fmt: skip
    assert row.code == f"WTQD-{desk.county.code}-C01-1"


def test_what_is_published_is_what_was_approved(desk: Desk) -> None:
    policy = factories.instrument(desk.county, title="批准的名称")
    row = desk.approved(Kind.INSTRUMENTS)
    policy.title = "批准后改的名称"
    policy.save()
    assert names(row) == ["批准的名称"], "who publishes sees what was approved"
    quality_lists.publish(row, by=desk.drafter)
    assert names(row) == ["批准的名称"]


def test_lines_that_changed_since_the_list_was_read_are_not_approved(desk: Desk) -> None:
    policy = factories.instrument(desk.county)
    row = desk.draft(Kind.INSTRUMENTS)
    quality_lists.submit(row, by=desk.drafter)
    client = browser(desk.approver)
    address = reverse("projects:quality_list", args=[row.public_id])
    approve = next(one for one in client.get(address).context["actions"] if "steps/approve" in one["href"])
    policy.title = "读过以后改的名称"
    policy.save()
    seen = client.get(approve["href"]).context["seen"]
    assert approve["href"].endswith(f"?seen={seen}")
    typed = {"revision": row.revision}
    refused = client.post(approve["href"], typed | {"seen": seen})
    assert refused.status_code == 409
    assert "条目的内容在您打开清单后有变化" in refused.content.decode()
    assert client.post(approve["href"], typed | {"seen": refused.context["seen"]}).status_code == 302


def test_sent_back_it_says_again_what_the_live_rows_do(desk: Desk) -> None:
    policy = factories.instrument(desk.county, title="原来的名称")
    row = desk.approved(Kind.INSTRUMENTS)
    policy.title = "改正的名称"
    policy.save()
    quality_lists.send_back(row, by=desk.approver, reason="名称有误")
    assert names(row) == ["改正的名称"]
    quality_lists.submit(row, by=desk.drafter)
    quality_lists.approve(row, by=desk.approver)
    quality_lists.publish(row, by=desk.drafter)
    assert names(row) == ["改正的名称"]


def _edits(desk: Desk, row: QualityList, by: User) -> None:
    quality_lists.edit(row, by=by, notes="改过")
    quality_lists.submit(row, by=desk.drafter)


def _refreshes(desk: Desk, row: QualityList, by: User) -> None:
    quality_lists.refresh(row, by=by)
    quality_lists.submit(row, by=desk.drafter)


def _adds(desk: Desk, row: QualityList, by: User) -> None:
    quality_lists.add(row, desk.cast.bring_to(S.RESOLVED).pk, by=by)
    quality_lists.submit(row, by=desk.drafter)


def _submits(desk: Desk, row: QualityList, by: User) -> None:
    quality_lists.submit(row, by=by)


@pytest.mark.parametrize("write", [_edits, _refreshes, _adds, _submits])
def test_whoever_had_a_hand_in_a_draft_does_not_approve_it_and_is_not_asked_to(
    desk: Desk, write: Callable[[Desk, QualityList, User], None]
) -> None:
    row = desk.draft()
    write(desk, row, desk.approver)
    with pytest.raises(PermissionDenied, match="批准人不能是拟稿、修改或提交的人"):
        quality_lists.approve(row, by=desk.approver)
    told = Notice.objects.filter(details__what="list_submitted").values_list("user", flat=True)
    assert set(told) == {desk.cast.city_officer.pk}, "nobody else of the county is left"
    quality_lists.approve(row, by=desk.cast.city_officer)


def test_sent_back_it_is_drafted_again_and_approved_anew(desk: Desk) -> None:
    row = desk.approved()
    with pytest.raises(ValidationError, match="退回要写明原因"):
        quality_lists.send_back(row, by=desk.approver, reason=" ")
    quality_lists.send_back(row, by=desk.approver, reason="缺目标值")
    assert (row.status, row.approved_by, row.return_reason) == (Status.DRAFT, None, "缺目标值")
    quality_lists.submit(row, by=desk.drafter)
    assert row.return_reason == ""


def test_a_substitute_does_not_approve_what_its_principal_drafted(desk: Desk) -> None:
    stand_in = factories.user(Role.STATISTICIAN, desk.county)
    Substitution.objects.create(
        principal=desk.drafter, substitute=stand_in, starts_on=TODAY, ends_on=TODAY + timedelta(days=3)
    )
    row = desk.draft()
    quality_lists.submit(row, by=desk.drafter)
    with pytest.raises(PermissionDenied, match="批准人不能是拟稿"):
        quality_lists.approve(row, by=stand_in)
    quality_lists.send_back(row, by=stand_in, reason="换人起草")
    quality_lists.discard(row, by=stand_in)
    row = quality_lists.draft(desk.chain, desk.county, Kind.PROBLEMS, by=stand_in)
    assert row.drafted_for == desk.drafter
    quality_lists.submit(row, by=stand_in)
    with pytest.raises(PermissionDenied):
        quality_lists.approve(row, by=desk.drafter)
    quality_lists.approve(row, by=desk.approver)


def test_officers_of_the_line_keep_lists_and_nobody_else(desk: Desk) -> None:
    row = desk.draft()
    others = (
        factories.user(Role.OFFICER, factories.bureau("320505", "虎丘", desk.county.parent)),
        factories.user(Role.STATISTICIAN, desk.county),
        factories.user(Role.ADMINISTRATOR, desk.county),
        desk.cast.filer,
    )
    for other in others:
        with pytest.raises(PermissionDenied):
            quality_lists.draft(desk.chain, desk.county, Kind.KEY_PROJECTS, by=other)
        for step in (quality_lists.submit, quality_lists.refresh, quality_lists.discard):
            with pytest.raises(PermissionDenied):
                step(row, by=other)
    quality_lists.submit(row, by=desk.cast.city_officer)


def test_an_officer_of_one_chain_keeps_its_lists_only(desk: Desk) -> None:
    limited = factories.user()
    factories.grant(limited, Role.OFFICER, desk.county, chain=desk.chain)
    other = factories.chain("C02", "光伏")
    assert quality_lists.draft(desk.chain, desk.county, Kind.PROBLEMS, by=limited)
    with pytest.raises(PermissionDenied):
        quality_lists.draft(other, desk.county, Kind.PROBLEMS, by=limited)


def test_numbers_have_no_gaps_when_drafts_are_discarded(desk: Desk) -> None:
    desk.published()
    quality_lists.discard(desk.draft(), by=desk.drafter)
    second = desk.published()
    quality_lists.discard(desk.draft(), by=desk.drafter)
    third = desk.published()
    assert [(row.version, row.supersedes and row.supersedes.version) for row in (second, third)] == [
        (2, 1),
        (3, 2),
    ]
    versions = QualityList.objects.judged("test").of(desk.chain, desk.county, Kind.PROBLEMS)
    assert [(row.version, row.status) for row in versions] == [
        (3, "published"),
        (2, "superseded"),
        (1, "superseded"),
    ]


def test_an_empty_list_is_not_submitted_and_an_emptied_one_not_published(desk: Desk) -> None:
    empty = desk.draft(Kind.KEY_PROJECTS)
    with pytest.raises(ValidationError, match="一条也没有"):
        quality_lists.submit(empty, by=desk.drafter)
    row = desk.approved()
    desk.cast.make(desk.listed, "dispatch")
    Bottleneck.objects.judged("test").filter(pk=desk.listed.pk).update(
        voided_at=timezone.now(), void_reason="填错"
    )
    with pytest.raises(ValidationError, match="都已不能列入"):
        quality_lists.publish(row, by=desk.drafter)
    row.refresh_from_db()
    assert row.status == Status.APPROVED


def test_what_left_the_scope_before_publication_is_dropped_with_a_sentence(desk: Desk) -> None:
    stays = desk.cast.bring_to(S.LISTED, title="留下的")
    ended = desk.cast.bring_to(S.LISTED, title="终止的")
    moved = desk.cast.bring_to(S.LISTED, title="转出的")
    row = desk.approved()
    factories.services.move(ended, "terminate", by=desk.cast.city_officer, data={"reason": "停产"})
    Bottleneck.objects.judged("test").filter(pk=moved.pk).update(bureau=desk.county.parent)
    told = quality_lists.publish(row, by=desk.drafter)
    assert sorted(told) == sorted(
        [
            f"“{ended.code} 终止的”已移出：状态已变为“已终止”。",
            f"“{moved.code} 转出的”已移出：已不在本单位范围内。",
        ]
    )
    assert keys(row) == [desk.listed.pk, stays.pk]
    assert [line.row.position for line in listed.lines_of(row)] == [1, 2]


def test_who_is_to_act_is_told(desk: Desk) -> None:
    row = desk.draft()
    quality_lists.submit(row, by=desk.drafter)
    waiting = Notice.objects.filter(details__what="list_submitted")
    assert set(waiting.values_list("user", flat=True)) == {desk.approver.pk}
    quality_lists.send_back(row, by=desk.approver, reason="缺目标")
    assert Notice.objects.get(details__what="list_returned").user == desk.drafter


def test_every_step_is_recorded_with_who(desk: Desk) -> None:
    row = desk.published()
    events = Event.objects.judged("test").filter(topic_entity="projects.qualitylist", topic_row=str(row.pk))
    told = [
        (event.after["status"], event.actor)
        for event in events.order_by("pk")
        if "status" in event.after and event.entity == "projects.qualitylist"
    ]
    assert told == [
        ("draft", desk.drafter),
        ("submitted", desk.drafter),
        ("approved", desk.approver),
        ("published", desk.drafter),
    ]
    last = events.order_by("-pk").filter(entity="projects.qualitylist").first()
    assert last is not None
    assert last.after["digest"] == row.digest


# --- What the database holds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"version": 2}, "第 1 版没有前版"),
        ({"status": "approved"}, "清单发布前要有批准人"),
        ({"status": "published", "digest": "0" * 64, "published_at": timezone.now()}, "要有批准人"),
        ({"status": "published", "digest": "x"}, "要有发布时间和内容摘要"),
        ({"returned_at": timezone.now()}, "退回要写明原因"),
    ],
)
def test_constraints_hold_and_say_why(fields: dict[str, Any], sentence: str) -> None:
    with transaction.atomic(), pytest.raises(IntegrityError):
        factories.quality_list(**fields)
    row = QualityList(
        chain=factories.chain(),
        bureau=factories.county(),
        kind=Kind.PROBLEMS,
        drafted_by=factories.user(),
        **{"version": 1, "effective_on": TODAY, **fields},
    )
    with pytest.raises(ValidationError, match=sentence):
        row.validate_constraints()


@pytest.mark.parametrize("pair", list(product(APPROVERS, WRITERS)), ids="-".join)
def test_nobody_approves_an_own_draft_even_in_the_database(pair: tuple[str, str]) -> None:
    same = factories.user()
    people = {"approved_by": factories.user(), "drafted_by": factories.user()} | dict.fromkeys(pair, same)
    allowed = {"approved_by": factories.user(), "drafted_by": factories.user()}
    approved = {"status": "approved", "approved_at": timezone.now()}
    with transaction.atomic(), pytest.raises(IntegrityError):
        factories.quality_list(**approved, **people)
    assert factories.quality_list(**approved, **allowed).pk


def test_one_version_under_way_and_one_published(desk: Desk) -> None:
    desk.draft()
    with pytest.raises(ValidationError, match="已有一个版本在起草或待发布"):
        desk.draft()
    desk.draft(Kind.INSTRUMENTS)
    sealed = {"status": "published", "published_at": timezone.now(), "digest": "0" * 64}
    approved = {"approved_by": desk.approver, "approved_at": timezone.now(), "drafted_by": desk.drafter}
    first = factories.quality_list(desk.county, kind=Kind.KEY_PROJECTS, **sealed, **approved)
    with transaction.atomic(), pytest.raises(IntegrityError):
        factories.quality_list(
            desk.county, kind=Kind.KEY_PROJECTS, version=2, supersedes=first, **sealed, **approved
        )


def test_a_row_stands_for_one_thing_once(desk: Desk) -> None:
    row = desk.draft()
    for things in ({}, {"bottleneck": desk.listed, "instrument": factories.instrument()}):
        with transaction.atomic(), pytest.raises(IntegrityError):
            ListedRow.objects.create(quality_list=row, position=9, **things)
    with transaction.atomic(), pytest.raises(IntegrityError):
        ListedRow.objects.create(quality_list=row, position=9, bottleneck=desk.listed)


def test_published_lists_and_their_rows_change_in_no_way(desk: Desk) -> None:
    row = desk.published()
    line = row.entries.get()
    others = {"pk__in": [row.pk]}
    for change in (
        lambda: QualityList.objects.judged("test").filter(**others).update(notes="改"),
        lambda: QualityList.objects.judged("test").filter(**others).delete(),
        lambda: ListedRow.objects.judged("test").filter(quality_list=row).update(note="改"),
        lambda: ListedRow.objects.judged("test").filter(quality_list=row).delete(),
        lambda: ListedRow.objects.create(quality_list=row, position=2, bottleneck=desk.filed),
        line.delete,
        row.delete,
        _save(line, note="改"),
        _save(row, notes="改"),
        _save(row, status="draft"),
        _save(row, status="superseded", notes="改"),
    ):
        with transaction.atomic(), pytest.raises(ValidationError, match="已发布的清单不能修改"):
            change()
        row.refresh_from_db()
        line.refresh_from_db()
    assert listed.digest(row, row.entries.all()) == row.digest


def _save(row: Any, **values: Any) -> Any:
    def save() -> None:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()

    return save


# --- Frozen -----------------------------------------------------------------------------------------------


def test_paper_and_workbook_stay_the_same_whatever_becomes_of_the_rows(desk: Desk) -> None:
    row = desk.published()
    paper = list_files.as_pdf(listed.read(row, desk.drafter))
    book = list_files.as_workbook(listed.read(row, desk.drafter))
    desk.solve(desk.listed)
    desk.listed.title = "改过的题目"
    desk.listed.save()
    desk.county.name, desk.chain.name = "改名的局", "改名的链"
    desk.county.save()
    desk.chain.save()
    row = QualityList.objects.judged("test").select_related("chain", "bureau").get(pk=row.pk)
    again = listed.read(row, desk.drafter)
    assert list_files.as_workbook(again) == book
    assert list_files.as_pdf(again) == paper
    desk.published()
    row.refresh_from_db()
    assert row.status == Status.SUPERSEDED
    assert list_files.as_workbook(listed.read(row, desk.drafter)) == book
    assert list_files.as_pdf(listed.read(row, desk.drafter)) == paper


@pytest.mark.any_database
def test_the_paper_of_a_draft_says_that_it_is_one(desk: Desk) -> None:
    def pages(row: QualityList) -> list[str]:
        paper = list_files.as_pdf(listed.read(row, desk.drafter))
        return [pdfs.text(page) for page in pdfs.read(paper).pages]

    row = desk.draft()
    (text,) = pages(row)
    assert {"草", "案"} <= set(text.replace("\n", ""))
    assert row.code in text
    assert desk.listed.title in text.replace("\n", "")
    quality_lists.submit(row, by=desk.drafter)
    quality_lists.approve(row, by=desk.approver)
    quality_lists.publish(row, by=desk.drafter)
    assert "案" not in pages(row)[0]


def test_the_workbook_has_days_as_days_and_a_sheet_about_the_list(desk: Desk) -> None:
    row = desk.draft(notes="=SUM(1)")
    book = load_workbook(io.BytesIO(list_files.as_workbook(listed.read(row, desk.drafter))))
    lines, about = book.worksheets
    heads = [cell.value for cell in lines[1]]
    cells = dict(zip(heads, lines[2], strict=True))
    assert cells["问题编号"].value == desk.listed.code
    assert cells["期限"].value.date() == desk.listed.due_on
    assert cells["目标"].value == "台架寿命达标率 68 → ≥ 95 %"
    told = {line[0].value: line[1] for line in about.iter_rows(min_row=2)}
    assert (told["编制说明"].value, told["编制说明"].data_type) == ("=SUM(1)", "s")


# --- Differences ------------------------------------------------------------------------------------------


def test_differences_are_those_counted_by_hand(desk: Desk) -> None:
    kept, changed = desk.listed, desk.cast.bring_to(S.LISTED, title="换承担机构的")
    gone = desk.cast.bring_to(S.LISTED, title="终止的")
    first = desk.published()
    desk.cast.make(changed, "dispatch")
    factories.services.move(gone, "terminate", by=desk.cast.city_officer, data={"reason": "停产"})
    came = desk.cast.bring_to(S.LISTED, title="新来的")
    second = desk.draft()
    found = listed.differences(listed.read(first, desk.drafter), listed.read(second, desk.drafter))
    assert found.came == [f"{came.code} 新来的"]
    assert found.went == [f"{gone.code} 终止的"]
    (one,) = found.changed
    assert one.name == f"{changed.code} 换承担机构的"
    assert one.fields == [("承担机构", "—", desk.cast.lab.name), ("状态", "列入清单", "已派单")]
    assert kept.code not in str(found)
    same = listed.differences(listed.read(first, desk.drafter), listed.read(first, desk.drafter))
    assert not same


# --- Who reads what ---------------------------------------------------------------------------------------


@world
def outsiders(desk: Desk) -> list[User | None]:
    elsewhere = factories.bureau("320505", "虎丘", desk.county.parent)
    return [None, desk.cast.filer, desk.cast.engineer, factories.user(Role.OFFICER, elsewhere)]


PAGES = ("quality_list", "quality_list_pdf", "quality_list_xlsx", "quality_list_changes")


@pytest.mark.any_database
def test_drafts_are_absent_outside_the_line(desk: Desk, outsiders: list[User | None]) -> None:
    row = desk.draft()
    for user in outsiders:
        client = browser(user)
        for page in PAGES:
            assert client.get(reverse(f"projects:{page}", args=[row.public_id])).status_code == 404
        assert row.code not in client.get(reverse("projects:quality_lists")).content.decode()
    for user in (desk.drafter, desk.cast.city_officer, factories.user(Role.AUDITOR, desk.county)):
        for page in PAGES[:1]:
            assert browser(user).get(reverse(f"projects:{page}", args=[row.public_id])).status_code == 200


@pytest.mark.any_database
def test_outsiders_read_solved_problems_that_firms_publish_and_a_band_of_the_others(
    desk: Desk, outsiders: list[User | None]
) -> None:
    desk.raise_to_the_province()
    desk.published()
    open_one = desk.cast.bring_to(S.LISTED, title="在办的问题")
    withheld = desk.cast.bring_to(S.LISTED, title="不同意公开的")
    desk.solve(desk.listed, publish=True)
    desk.solve(withheld)
    row = desk.draft()
    note = row.entries.get(bottleneck=desk.listed)
    quality_lists.edit(row, by=desk.drafter, rows={note.pk: {"note": "演示减速器备注"}})
    quality_lists.submit(row, by=desk.drafter)
    quality_lists.approve(row, by=desk.approver)
    quality_lists.publish(row, by=desk.drafter)
    secret = (open_one.title, withheld.title, desk.cast.firm.name, desk.listed.code, "演示减速器备注")
    for user in outsiders:
        client = browser(user)
        page = read_page(client, row)
        assert desk.listed.title in page
        assert "公开 1 项；不公开的项数：不足 5。" in page
        book = client.get(reverse("projects:quality_list_xlsx", args=[row.public_id])).content
        cells = [str(cell.value) for one in load_workbook(io.BytesIO(book)) for line in one for cell in line]
        changes = client.get(reverse("projects:quality_list_changes", args=[row.public_id])).content.decode()
        assert "不足 5" in cells
        for word in secret:
            assert word not in page
            assert word not in "".join(cells)
            assert word not in changes[changes.index("<main") :]
    paper = list_files.as_pdf(listed.read(row, None))  # type: ignore[arg-type]
    text = "".join(pdfs.text(one) for one in pdfs.read(paper).pages).replace("\n", "")
    assert "不公开的项数：不足 5" in text.replace("不足5", "不足 5")
    assert not [word for word in secret if word in text]
    full = read_page(browser(desk.approver), row)
    assert all(word in full for word in secret)


def test_problems_on_lists_below_a_province_are_for_the_line_alone(desk: Desk) -> None:
    desk.published()
    desk.solve(desk.listed, publish=True)
    row = desk.published()
    reading = listed.read(row, None)  # type: ignore[arg-type]
    assert (reading.lines, reading.hidden) == ([], "不足 5"), "a title under the county names the firm"
    assert [line.key for line in listed.read(row, desk.cast.city_officer).lines] == [desk.listed.pk]


def test_what_is_withheld_is_told_in_bands_and_nothing_withheld_in_the_lowest(desk: Desk) -> None:
    desk.raise_to_the_province()
    one = desk.published()
    for _number in range(4):
        desk.cast.bring_to(S.LISTED)
    assert listed.read(one, None).hidden == "不足 5"  # type: ignore[arg-type]
    assert listed.read(desk.published(), None).hidden == "5–9"  # type: ignore[arg-type]
    factories.key_project(factories.project(desk.cast.county), name="公开的攻关")
    plain = desk.published(Kind.KEY_PROJECTS)
    assert listed.read(plain, None).hidden == "不足 5"  # type: ignore[arg-type]
    assert listed.read(plain, desk.drafter).hidden == ""


def test_a_firm_that_takes_its_consent_back_disappears_from_what_was_published(desk: Desk) -> None:
    desk.raise_to_the_province()
    desk.published()
    desk.solve(desk.listed, publish=True)
    row = desk.published()
    assert [line.key for line in listed.read(row, None).lines] == [desk.listed.pk]  # type: ignore[arg-type]
    desk.listed.consent_publish = False
    desk.listed.save()
    reading = listed.read(row, None)  # type: ignore[arg-type]
    assert (reading.lines, reading.hidden) == ([], "不足 5")


@pytest.mark.parametrize("agreed", [False, True], ids=["not agreed", "agreed and not solved yet"])
def test_key_projects_of_withheld_problems_are_counted_only(desk: Desk, agreed: bool) -> None:
    on = factories.project(desk.county)
    plain = factories.key_project(on, name="公开的攻关")
    attacking = factories.key_project(on, name="不公开的")
    attacking.bottlenecks.add(desk.listed)
    if agreed:
        desk.listed.visibility, desk.listed.consent_publish = Bottleneck.Visibility.PUBLIC, True
        desk.listed.save()
    row = desk.published(Kind.KEY_PROJECTS)
    reading = listed.read(row, None)  # type: ignore[arg-type]
    assert ([line.key for line in reading.lines], reading.hidden) == ([plain.pk], "不足 5")
    assert {fact.name for fact in reading.columns}.isdisjoint({"lead", "code", "problems", "project", "note"})
    full = listed.read(row, desk.drafter)
    assert [line.facts["problems"] for line in full.lines] == [[], [desk.listed.code]]


def test_the_interface_tells_no_more_than_the_page(desk: Desk) -> None:
    draft, row = desk.draft(Kind.KEY_PROJECTS), desk.published()
    officer, filer = browser(desk.drafter), browser(desk.cast.filer)

    def get(client: Client, one: QualityList) -> Any:
        return client.get(f"/api/v1/quality-lists/{one.public_id}/")

    assert get(filer, draft).status_code == 404
    assert get(filer, row).json()["lines"] == []
    assert get(filer, row).json()["hidden"] == "不足 5"
    assert get(officer, row).json()["lines"][0]["code"] == desk.listed.code
    found = filer.get("/api/v1/quality-lists/").json()["results"]
    assert [one["public_id"] for one in found] == [str(row.public_id)]


# --- Pages ------------------------------------------------------------------------------------------------


def test_a_list_is_made_on_the_pages_alone(desk: Desk) -> None:
    client, second = browser(desk.drafter), browser(desk.approver)
    extra = desk.cast.bring_to(S.RESOLVED, title="手工加入的")
    answer = client.post(
        reverse("projects:quality_list_new"),
        {
            "chain": desk.chain.code,
            "kind": "problems",
            "bureau": desk.county.code,
            "effective_on": TODAY.isoformat(),
            "notes": "",
        },
    )
    row = QualityList.objects.judged("test").get()
    assert answer["Location"] == reverse("projects:quality_list_edit", args=[row.public_id])
    page = client.get(answer["Location"], {"q": "手工"}).content.decode()
    assert "手工加入的" in page
    add = {"key": extra.pk, "revision": row.revision}
    client.post(reverse("projects:quality_list_add", args=[row.public_id]), add)
    row.refresh_from_db()
    line = row.entries.get(bottleneck=desk.listed)
    typed = {f"note_{line.pk}": "重点", f"position_{line.pk}": "2", "effective_on": TODAY.isoformat()}
    saved = client.post(answer["Location"], typed | {"revision": row.revision, "notes": "编制说明"})
    assert saved.status_code == 302
    stale = client.post(answer["Location"], typed | {"revision": row.revision, "notes": ""})
    assert stale.status_code == 409
    for who, name in ((client, "submit"), (second, "approve"), (client, "publish")):
        row.refresh_from_db()
        address = reverse("projects:quality_list_step", args=[row.public_id, name])
        asked = who.get(address)
        assert asked.status_code == 200
        typed = {"revision": row.revision, "seen": asked.context["seen"]}
        assert who.post(address, typed).status_code == 302
    row.refresh_from_db()
    assert (row.status, row.notes) == (Status.PUBLISHED, "编制说明")
    assert names(row) == [f"{extra.code} 手工加入的", f"{desk.listed.code} 柔轮疲劳寿命离散"]
    assert "重点" in client.get(reverse("projects:quality_list", args=[row.public_id])).content.decode()


def test_a_button_that_may_not_be_pressed_says_why(desk: Desk) -> None:
    row = desk.draft()
    quality_lists.submit(row, by=desk.drafter)
    address = reverse("projects:quality_list", args=[row.public_id])
    assert "批准人不能是拟稿" in browser(desk.drafter).get(address).content.decode()
    assert "批准人不能是拟稿" not in browser(desk.approver).get(address).content.decode()
    step = reverse("projects:quality_list_step", args=[row.public_id, "approve"])
    assert browser(desk.drafter).get(step).status_code == 403


def test_faults_of_the_draft_page_stand_on_it_together(desk: Desk) -> None:
    row = desk.draft()
    line = row.entries.get()
    typed = {f"note_{line.pk}": "字" * 201, f"position_{line.pk}": "0", "effective_on": "x"}
    answer = browser(desk.drafter).post(
        reverse("projects:quality_list_edit", args=[row.public_id]), typed | {"revision": row.revision}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "备注最多 200 个字，现在是 201 个" in page
    assert "序号请填 1 到 99999 的整数" in page


@pytest.mark.any_database
def test_pages_ask_as_often_for_many_rows_as_for_few(desk: Desk) -> None:
    client = browser(desk.drafter)

    def counts(row: QualityList) -> list[int]:
        found = []
        for page in ("quality_list", "quality_list_edit", "quality_list_xlsx"):
            address = reverse(f"projects:{page}", args=[row.public_id])
            client.get(address)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(address).status_code == 200
            found.append(len(queries))
        return found

    few = counts(desk.draft())
    for _number in range(4):
        desk.cast.bring_to(S.LISTED)
    many = QualityList.objects.judged("test").get()
    quality_lists.refresh(many, by=desk.drafter)
    assert counts(many) == few
    assert max(few) <= 17


# --- Policies ---------------------------------------------------------------------------------------------

POLICY = {
    "title": "演示鄂质贷",
    "kind": "loan",
    "department": "市场监管局",
    "doc_no": "",
    "target": "链上中小企业",
    "valid_from": "2026-01-01",
    "valid_to": "",
    "link": "https://example.org/policy",
    "contact": "",
}


def test_officers_enter_change_and_strike_out_policies(desk: Desk) -> None:
    client = browser(desk.drafter)
    typed = POLICY | {"bureau": desk.county.pk, "chains": [desk.chain.pk]}
    for wrong, sentence in (
        ({"link": "javascript:alert(1)"}, "请填写以 http:// 或 https:// 开头"),
        ({"valid_to": "2025-12-31"}, "截止日期不能早于起始日期"),
    ):
        answer = client.post(reverse("projects:instrument_new"), typed | wrong)
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    answer = client.post(reverse("projects:instrument_new"), typed)
    assert answer.status_code == 302
    page = client.get(answer["Location"]).content.decode()
    assert "演示鄂质贷" in page
    assert desk.chain.name in page
    edit = answer["Location"] + "edit/"
    assert client.post(edit, typed | {"title": "改名", "version": 1}).status_code == 302
    assert client.post(edit, typed | {"title": "再改", "version": 1}).status_code == 409
    foreign = browser(factories.user(Role.OFFICER, factories.bureau("320505", "虎丘", desk.county.parent)))
    assert foreign.get(edit).status_code == 403
    withdraw = answer["Location"] + "withdraw/"
    assert client.post(withdraw, {"reason": ""}).status_code == 422
    assert client.post(withdraw, {"reason": "到期"}).status_code == 302
    assert foreign.get(answer["Location"]).status_code == 404
    assert client.get(answer["Location"]).status_code == 200, "the bureau still sees what it struck out"


def test_a_refused_policy_is_corrected_without_being_called_stale(desk: Desk) -> None:
    client = browser(desk.drafter)
    policy = factories.instrument(desk.county)
    address = reverse("projects:instrument_edit", args=[policy.public_id])
    typed = POLICY | {"bureau": desk.county.pk, "version": policy.version, "title": "同名", "doc_no": "1"}
    factories.instrument(desk.county, title="同名", doc_no="1")
    refused = client.post(address, typed)
    assert refused.status_code == 422
    assert "已登记同名同文号的政策" in refused.content.decode()
    shown = refused.context["instrument"].version
    assert client.post(address, typed | {"version": shown, "title": "另一个名称"}).status_code == 302


def test_firms_see_what_they_could_apply_for_on_the_page_of_their_problem(desk: Desk) -> None:
    offered = factories.instrument(desk.county.parent, title="市级质量奖励")
    factories.instrument(factories.bureau("320505", "虎丘", desk.county.parent), title="别区的政策")
    factories.instrument(desk.county, title="过期的政策", valid_to=date(2024, 6, 1))
    factories.instrument(desk.county, title="别链的政策", chains=[factories.chain("C02", "光伏")])
    address = reverse("projects:bottleneck_detail", args=[desk.listed.public_id])
    page = browser(desk.cast.filer).get(address).content.decode()
    assert offered.title in page
    for title in ("别区的政策", "过期的政策", "别链的政策"):
        assert title not in page


# --- Races ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_officers_who_publish_one_does_and_the_other_is_told() -> None:
    desk = Desk()
    row = desk.approved()
    results = factories.at_once(
        *(
            lambda user=user: quality_lists.publish(
                QualityList.objects.judged("test").get(pk=row.pk), by=User.objects.get(pk=user.pk)
            )
            for user in (desk.drafter, desk.approver)
        )
    )
    refused = [one for one in results if isinstance(one, Exception)]
    assert len(refused) == 1, results
    assert isinstance(refused[0], StaleRow)
    assert "已在" in str(refused[0])
    row.refresh_from_db()
    assert row.status == Status.PUBLISHED
    events = Event.objects.judged("test").filter(entity="projects.qualitylist", after__status="published")
    assert events.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_draft_the_same_list_one_does_and_the_other_is_told() -> None:
    desk = Desk()
    results = factories.at_once(
        *(
            lambda user=user: quality_lists.draft(
                desk.chain, desk.county, Kind.PROBLEMS, by=User.objects.get(pk=user.pk)
            )
            for user in (desk.drafter, desk.approver)
        )
    )
    refused = [one for one in results if isinstance(one, Exception)]
    assert len(refused) == 1, results
    assert isinstance(refused[0], ValidationError)
    assert QualityList.objects.judged("test").count() == 1
