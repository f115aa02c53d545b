"""One template for all units of a subtree, issued when a period is frozen."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Grant, Role, User
from bulletins import paper, series, services, tasks
from bulletins.disclosure import Reader
from bulletins.indicators import HEADLINES
from bulletins.models import Bulletin, Edition, Period, Series
from common.jobs import Job
from enterprises.models import Bureau
from tests import factories
from tests.bulletins.ledger import SPRING, Tree, firm, project, solved, takes_part
from tests.conftest import wait_until
from tests.worlds import world

CITY = Bureau.Level.CITY


@world
def tree() -> Tree:
    tree = Tree()
    takes_part(firm(), project(tree.huqiu), "leader")
    solved(tree.huqiu)
    return tree


@world
def period(tree: Tree) -> Period:
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    return services.get_period("2024")


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[paper.Circular]:
    papers: list[paper.Circular] = []

    def note(content: paper.Circular) -> bytes:
        papers.append(content)
        return b"%PDF-1.7 " + content.number.encode()

    monkeypatch.setattr(paper, "render_pdf", note)
    return papers


def drawn_up(tree: Tree, by: User | None = None, **changes: Any) -> Series:
    values = {"kind": "circular", "period_kind": "year", "down_to": CITY, "words": {}} | changes
    writer = by or factories.user(Role.STATISTICIAN, tree.jiangsu)
    return series.draw_up(tree.jiangsu, writer, **values)  # type: ignore[arg-type]


def signed(tree: Tree, **changes: Any) -> Series:
    return series.sign(drawn_up(tree, **changes), factories.user(Role.ADMINISTRATOR, tree.jiangsu))


def run(one: Series, period: Period) -> Edition:
    """The edition with all its papers, made in this process."""
    edition = series.run(one, period, None)
    series.run_edition(edition.pk)
    for bulletin in Bulletin.objects.judged("test").filter(job_state=Job.State.QUEUED):
        services.run_bulletin(bulletin.pk)
    return Edition.objects.judged("test").get(pk=edition.pk)


def issued() -> list[tuple[str, int]]:
    rows = Bulletin.objects.judged("test").filter(status="issued").order_by("bureau__code")
    return list(rows.values_list("bureau__code", "doc_seq"))


def test_each_unit_down_to_the_level_gets_its_own_with_the_words_of_the_template(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree, words={"overall.more": "请对照先进找差距。", "note": " "})
    edition = run(one, period)
    assert (edition.job_state, edition.faults) == (Job.State.DONE, {})
    assert issued() == [("320000", 1), ("320200", 1), ("320500", 1)]
    assert all("请对照先进找差距。" in repr(content) for content in printed)
    signers = {row.issued_by for row in Bulletin.objects.judged("test").select_related("issued_by")}
    assert signers == {one.approved_by}


def test_run_again_with_nothing_changed_prints_nothing(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree)
    first = run(one, period)
    assert len(printed) == 3
    assert run(one, period) == first
    tasks.sweep()
    assert len(printed) == 3
    assert len(issued()) == 3


def test_a_correction_replaces_only_papers_whose_figures_changed(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree)
    run(one, period)
    project(tree.binhu)
    services.freeze_now(period, None, "补无锡一个项目")
    run(one, period)
    assert issued() == [("320000", 2), ("320200", 2), ("320500", 1)]
    assert len(printed) == 5
    old = Bulletin.objects.judged("test").get(status="replaced", bureau=tree.wuxi)
    assert (old.replaced_by.doc_seq, old.withdraw_reason) == (2, "补无锡一个项目")
    project(tree.dongcheng)
    services.freeze_now(period, None, "补北京一个项目")
    run(one, period)
    assert len(printed) == 5


def test_one_failing_unit_stops_nobody_and_is_done_when_run_again(
    period: Period, tree: Tree, printed: list[paper.Circular], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = services.draft_bulletin

    def fail_once(of: Period, bureau: Bureau, *args: Any, **options: Any) -> Bulletin:
        if bureau == tree.wuxi:
            raise RuntimeError("broken")
        return draft(of, bureau, *args, **options)

    one = signed(tree)
    monkeypatch.setattr(services, "draft_bulletin", fail_once)
    edition = run(one, period)
    assert (edition.job_state, edition.faults) == (Job.State.DONE, {"320200": "broken"})
    assert [code for code, _seq in issued()] == ["320000", "320500"]
    monkeypatch.setattr(services, "draft_bulletin", draft)
    assert run(one, period).faults == {}
    assert issued() == [("320000", 1), ("320200", 1), ("320500", 1)]
    assert len(printed) == 3


def test_what_people_are_preparing_is_left_to_them(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    services.draft_bulletin(period, tree.suzhou, factories.user(Role.STATISTICIAN, tree.suzhou))
    edition = run(signed(tree), period)
    assert list(edition.faults) == ["320500"]
    assert "由办理人送审和签发" in edition.faults["320500"]
    assert [code for code, _seq in issued()] == ["320000", "320200"]


def test_an_edition_whose_worker_died_is_taken_up_where_it_stopped(
    period: Period, tree: Tree, printed: list[paper.Circular], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue, done = services.issue, []

    def die_at_the_second(draft: Bulletin, by: Any, **options: Any) -> Bulletin:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(draft)
        return issue(draft, by, **options)

    edition = series.run(signed(tree), period, None)
    monkeypatch.setattr(services, "issue", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        series.run_edition(edition.pk)
    assert len(issued()) == 1
    monkeypatch.setattr(services, "issue", issue)
    assert series.run_edition(edition.pk) is False
    Edition.objects.judged("test").update(lease_until=timezone.now())
    assert series.run_edition(edition.pk)
    assert issued() == [("320000", 1), ("320200", 1), ("320500", 1)]


def test_the_database_issues_once_for_a_unit_of_an_edition(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree)
    edition = run(one, period)
    with pytest.raises(IntegrityError), transaction.atomic():
        Edition.objects.create(series=one, snapshot=edition.snapshot)
    with pytest.raises(IntegrityError), transaction.atomic():
        Bulletin.objects.judged("test").filter(bureau=tree.wuxi).update(bureau=tree.suzhou, doc_seq=9)


def test_a_publication_starts_the_editions_of_signed_series_of_its_kind(
    tree: Tree, printed: list[paper.Circular], django_capture_on_commit_callbacks: Any
) -> None:
    earlier = services.freeze_now(services.get_period("2023"), None)
    by_month = signed(tree, period_kind="month")
    ended = signed(tree, kind="brief")
    series.end(ended, factories.user(Role.ADMINISTRATOR, tree.jiangsu))
    one = signed(tree)
    drawn_up(tree, kind="brief")
    newest = services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2023"), None)
    series.start_due()
    assert not Edition.objects.judged("test").exists()
    with django_capture_on_commit_callbacks() as rung:
        services.publish(services.get_period("2024"), None)
    assert len(rung) == 1
    series.start_due()
    assert [(edition.series, edition.snapshot) for edition in Edition.objects.judged("test")] == [
        (one, newest)
    ]
    assert earlier != newest
    assert by_month != one


def test_nobody_signs_the_series_it_drew_up(tree: Tree) -> None:
    head = factories.user(Role.ADMINISTRATOR, tree.jiangsu)
    one = drawn_up(tree, head)
    with pytest.raises(ValidationError, match="签发人不能是拟定人"):
        series.sign(one, head)
    with pytest.raises(IntegrityError), transaction.atomic():
        Series.objects.judged("test").filter(pk=one.pk).update(approved_by=head, approved_at=timezone.now())
    assert series.sign(one, factories.user(Role.ADMINISTRATOR, tree.nation)).approved_at


STEPS: dict[str, Callable[[Series, Tree, User], object]] = {
    "draw up": lambda _one, tree, by: drawn_up(tree, by, kind="brief"),
    "sign": lambda one, _tree, by: series.sign(one, by),
    "end": lambda one, _tree, by: series.end(one, by),
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_are_open_to_administrators_of_the_line(tree: Tree, step: str) -> None:
    STEPS[step](drawn_up(tree), tree, factories.user(Role.ADMINISTRATOR, tree.nation))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("role", "place"), [(Role.OFFICER, "jiangsu"), (Role.ADMINISTRATOR, "suzhou")])
def test_steps_are_closed_to_others(tree: Tree, step: str, role: Role, place: str) -> None:
    one = drawn_up(tree)
    with pytest.raises(PermissionDenied):
        STEPS[step](one, tree, factories.user(role, getattr(tree, place)))


def test_what_is_not_signed_or_has_ended_is_not_run(period: Period, tree: Tree) -> None:
    one = drawn_up(tree)
    with pytest.raises(ValidationError, match="还没有签发"):
        series.run(one, period, None)
    head = factories.user(Role.ADMINISTRATOR, tree.jiangsu)
    series.sign(one, head)
    with pytest.raises(ValidationError, match="只办年的数据"):
        series.run(one, services.get_period("2024Q3"), None)
    series.end(one, head)
    with pytest.raises(ValidationError, match="已经停止"):
        series.run(one, period, None)


def test_unpublished_figures_are_not_issued(tree: Tree) -> None:
    services.freeze_now(services.get_period("2024"), None)
    with pytest.raises(ValidationError, match="还没有发布"):
        series.run(signed(tree), services.get_period("2024"), None)


def test_what_was_frozen_before_the_signature_is_issued_only_by_who_may_sign(
    period: Period, tree: Tree
) -> None:
    one = signed(tree)
    with pytest.raises(PermissionDenied, match="管理员签发"):
        series.run(one, period, factories.user(Role.STATISTICIAN, tree.jiangsu))
    assert series.run(one, period, factories.user(Role.ADMINISTRATOR, tree.jiangsu)).pk


def test_a_correction_of_what_was_not_signed_for_starts_no_edition(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree)
    project(tree.binhu)
    services.freeze_now(period, None, "补无锡一个项目")
    series.start_due()
    assert not one.editions.judged("test").exists()
    run(one, period)
    project(tree.binhu)
    newest = services.freeze_now(period, None, "再补一个")
    series.start_due()
    assert one.editions.judged("test").filter(snapshot=newest).exists()


@pytest.mark.parametrize("why", ["stopped", "signer left", "signer has no right"])
def test_an_edition_ends_where_it_stands_when_its_series_is_over(
    period: Period, tree: Tree, printed: list[paper.Circular], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    one = signed(tree)
    issue = services.issue

    def over_after_the_first(draft: Bulletin, by: Any, **options: Any) -> Bulletin:
        made = issue(draft, by, **options)
        if why == "stopped":
            series.end(one, factories.user(Role.ADMINISTRATOR, tree.jiangsu))
        elif why == "signer left":
            User.objects.filter(pk=one.approved_by_id).update(is_active=False)
        else:
            Grant.objects.judged("test").filter(user=one.approved_by_id).delete()
        return made

    edition = series.run(one, period, None)
    monkeypatch.setattr(services, "issue", over_after_the_first)
    series.run_edition(edition.pk)
    edition.refresh_from_db()
    assert issued() == [("320000", 1)]
    (said,) = edition.faults.values()
    assert "已经停止" in said or "已不能签发" in said


def test_a_series_tells_no_more_than_anybody_is_told(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    run(signed(tree), period)
    reader, snapshot = Reader(AnonymousUser()), services.frozen_snapshot(period)
    assert reader.withholds(snapshot, "I01", tree.jiangsu)
    for content in printed:
        said = repr(content)
        assert "共实施质量强链项目*个" in said or "共实施质量强链项目0个" in said
        assert not re.search(r"(项目|问题|企业|机构|解决|受理|地区有|产业链有)[1-4][个家]", said)
        assert "苏州市没有报送数据" not in said
    of_province = next(content for content in printed if content.issuer == tree.jiangsu.name)
    said = repr(of_province)
    assert "“*”表示按规定不单独公布，不参加排名" in said
    assert "并列第" not in said
    assert "居后的有" not in said
    cities = {"苏州市": tree.suzhou, "无锡市": tree.wuxi}
    told = reader.values(snapshot, cities.values())
    table = next(b for s in of_province.blocks if getattr(s, "heading", "") == "分地区进展" for b in s.blocks
                 if isinstance(b, paper.Table))  # fmt: skip
    hidden = 0
    for row in table.rows:
        name, *cells = [getattr(cell, "text", cell) for cell in row.cells]
        if name in cities:
            for code, cell in zip(HEADLINES, cells, strict=False):
                hidden += told[cities[name].pk][code].withheld
                assert (cell == "*") is told[cities[name].pk][code].withheld
    assert hidden
    by_code = Bulletin.objects.judged("test").get(bureau=tree.jiangsu)
    page = Client().get(f"/verify/{by_code.verification_code}/").content.decode()
    assert re.search(r"实施质量强链项目</dt><dd class=\"num\">\* ", page)


def test_a_correction_of_another_period_leaves_papers_as_they_were_printed(
    tree: Tree, printed: list[paper.Circular]
) -> None:
    """Two problems of January come late into it, so that strangers read no more of March."""
    for unit in (tree.huqiu, tree.dongcheng, tree.dalian):
        for day in (date(2024, 2, 20), SPRING):
            for _n in range(12):
                solved(unit, day)
    one = signed(tree, period_kind="month")
    for code in ("2024-01", "2024-02", "2024-03"):
        services.freeze_now(services.get_period(code), None)
    march = services.publish(services.get_period("2024-03"), None)
    run(one, march)
    row = Bulletin.objects.judged("test").get(bureau=tree.jiangsu, status="issued")

    def verified() -> list[str]:
        page = Client().get(f"/verify/{row.verification_code}/").content.decode()
        return re.findall(r"<dd.*?</dd>", page, re.DOTALL)

    before = verified()
    for _n in range(2):
        solved(tree.huqiu, date(2024, 1, 20))
    services.freeze_now(services.get_period("2024-01"), None, "补登")
    assert Reader(AnonymousUser()).withholds(row.snapshot, "I15", tree.jiangsu)
    assert verified() == before
    assert any(">13 " in line for line in before)


def test_what_people_sign_prints_all(period: Period, tree: Tree, printed: list[paper.Circular]) -> None:
    services.print_now(services.issue_bulletin(period, tree.jiangsu))
    assert "共实施质量强链项目1个" in repr(printed[-1])


def test_a_correction_brings_out_nothing_that_was_taken_back(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    one = signed(tree)
    run(one, period)
    of_wuxi = Bulletin.objects.judged("test").get(bureau=tree.wuxi)
    services.withdraw(of_wuxi, None, "印发对象有误")
    project(tree.binhu)
    services.freeze_now(period, None, "补无锡一个项目")
    assert run(one, period).faults == {}
    assert issued() == [("320000", 2), ("320500", 1)]


def test_the_template_takes_no_typed_figures(tree: Tree) -> None:
    with pytest.raises(ValidationError, match="手工输入的数字"):
        drawn_up(tree, words={"overall.more": "本省共3个项目。"})
    assert not Series.objects.judged("test").exists()


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_loses_nothing_of_a_run_and_nothing_is_issued_twice(
    celery_worker_factory: Callable[[str], Any], broker_url: str
) -> None:
    tree = Tree()
    takes_part(firm(), project(tree.huqiu), "leader")
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    one = signed(tree)
    worker = celery_worker_factory(broker_url)
    series.run(one, services.get_period("2024"), None)
    done = Bulletin.objects.filter(job_state=Job.State.DONE)
    wait_until(done.exists, describe=worker.describe)
    worker.kill()
    for model in (Edition, Bulletin):
        model.objects.filter(job_state=Job.State.RUNNING).update(lease_until=timezone.now())
    worker = celery_worker_factory(broker_url)
    tasks.sweep()
    wait_until(lambda: done.count() == 3, describe=worker.describe)
    assert issued() == [("320000", 1), ("320200", 1), ("320500", 1)]
    assert all(Path(bulletin.pdf.path).exists() for bulletin in done)
    assert max(done.values_list("attempts", flat=True)) <= 2
