"""Drafting, issuing, printing, replacing and withdrawing bulletins."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.utils import timezone, translation
from pypdf import PdfReader

from accounts.models import Role
from bulletins import paper, services, tasks
from bulletins.models import Bulletin, Period, Snapshot
from common.jobs import Job
from enterprises.models import Bureau, NumberSeries
from record.models import DayRoot, Event
from tests import factories
from tests.bulletins.ledger import Tree, firm, project, solved, takes_part
from tests.conftest import wait_until
from tests.worlds import world

PAPER = b"%PDF-1.7 a paper"


@world
def tree() -> Tree:
    tree = Tree()
    takes_part(firm(), project(tree.huqiu), "leader")
    solved(tree.huqiu)
    return tree


@world
def period(tree: Tree) -> Period:
    services.freeze_now(services.get_period("2024"), None)
    return services.get_period("2024")


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[paper.Circular]]:
    """Print nothing in earnest, and show what would have been printed."""
    printed: list[paper.Circular] = []

    def note(content: paper.Circular) -> bytes:
        printed.append(content)
        return PAPER + content.number.encode()

    monkeypatch.setattr(paper, "render_pdf", note)
    yield printed


def issued(period: Period, bureau: Bureau, **options: Any) -> Bulletin:
    return services.print_now(services.issue_bulletin(period, bureau, **options))


def content_of(bulletin: Bulletin) -> bytes:
    return Path(bulletin.pdf.path).read_bytes()


def files() -> list[Path]:
    folder = Path(default_storage.path("bulletins"))
    return [path for path in folder.rglob("*") if path.is_file()]


def test_issuing_gives_number_date_code_and_file(period: Period, tree: Tree, blank: list[Any]) -> None:
    bulletin = issued(period, tree.nation)
    today = timezone.localdate()
    assert bulletin.status == Bulletin.Status.ISSUED
    assert bulletin.number == f"国质强链〔{today.year}〕1号"
    assert bulletin.issued_on == today
    assert bulletin.verification_code.startswith("ZLTB-")
    content = content_of(bulletin)
    assert content.startswith(PAPER)
    assert bulletin.sha256 == hashlib.sha256(content).hexdigest()
    assert (bulletin.job_state, bulletin.progress) == (Job.State.DONE, 100)
    assert len(blank) == 1


def test_a_draft_is_printed_with_a_watermark_and_again_when_it_is_issued(
    period: Period, tree: Tree, blank: list[Any]
) -> None:
    draft = services.print_now(services.draft_bulletin(period, tree.jiangsu, None))
    assert (draft.status, draft.number, blank[-1].issued) == (Bulletin.Status.DRAFT, "", False)
    before = files()
    bulletin = services.print_now(services.issue(draft, None))
    assert (bulletin.pk, blank[-1].issued) == (draft.pk, True)
    assert bulletin.number.startswith("苏质强链〔")
    assert len(set(files()) - set(before)) == 1


def test_drafting_twice_is_one_draft_and_issuing_twice_is_refused(
    period: Period, tree: Tree, blank: list[Any]
) -> None:
    draft = services.draft_bulletin(period, tree.jiangsu, None)
    assert services.draft_bulletin(period, tree.jiangsu, None) == draft
    bulletin = services.issue(draft, None)
    with pytest.raises(ValidationError, match="不能再印发"):
        services.issue(draft, None)
    with pytest.raises(ValidationError, match=bulletin.number):
        services.issue_bulletin(period, tree.jiangsu)
    assert services.issue_bulletin(period, tree.jiangsu, again=True).doc_seq == 2


def test_numbers_are_gapless_for_each_bureau_and_year(period: Period, tree: Tree, blank: list[Any]) -> None:
    numbers = [services.issue_bulletin(period, tree.jiangsu, again=True).doc_seq for _n in range(3)]
    assert numbers == [1, 2, 3]
    assert services.issue_bulletin(period, tree.suzhou).doc_seq == 1


def test_a_refused_issue_uses_no_number(tree: Tree) -> None:
    open_period = services.get_period("2023")
    with pytest.raises(ValidationError, match="还没有冻结"):
        services.issue_bulletin(open_period, tree.nation)
    assert not Bulletin.objects.exists()
    assert not NumberSeries.objects.filter(prefix__startswith="TB-").exists()


@pytest.mark.parametrize(
    ("role", "place"),
    [
        (Role.OFFICER, "jiangsu"),
        (Role.AUDITOR, "nation"),
        (Role.STATISTICIAN, "beijing"),
        (Role.STATISTICIAN, "suzhou"),
    ],
)
def test_nobody_else_issues_replaces_or_withdraws(period: Period, tree: Tree, role: Role, place: str) -> None:
    user = factories.user(role, getattr(tree, place))
    assert not services.may_issue(user, tree.jiangsu)
    bulletin = services.issue_bulletin(period, tree.jiangsu)
    attempts: list[Callable[[], object]] = [
        lambda: services.draft_bulletin(period, tree.jiangsu, user),
        lambda: services.issue(bulletin, user),
        lambda: services.replace(bulletin, user, "更正"),
        lambda: services.withdraw(bulletin, user, "有误"),
        lambda: services.retry(bulletin, user),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDenied):
            attempt()


def test_a_replaced_bulletin_stays_readable_and_names_its_successor(
    period: Period, tree: Tree, blank: list[Any]
) -> None:
    old = issued(period, tree.nation)
    project(tree.binhu)
    services.freeze_now(period, None, "补一项目")
    new = services.replace(old, None, "漏一个项目")
    old.refresh_from_db()
    assert (old.status, new.status) == (Bulletin.Status.ISSUED, Bulletin.Status.DRAFT)
    new = services.print_now(services.issue(new, None))
    old.refresh_from_db()
    assert (old.status, old.replaced_by, old.withdraw_reason) == (
        Bulletin.Status.REPLACED,
        new,
        "漏一个项目",
    )
    assert content_of(old)
    assert (new.doc_seq, new.snapshot.version) == (2, 2)
    opening = blank[-1].blocks[0].text
    assert f"替换{old.number}" in opening
    assert "补一项目" in opening
    with pytest.raises(ValidationError, match="已被替换"):
        services.withdraw(old, None, "有误")


def test_a_withdrawn_bulletin_keeps_its_number_and_says_why(
    period: Period, tree: Tree, blank: list[Any]
) -> None:
    old = issued(period, tree.nation)
    for action in (services.withdraw, services.replace):
        with pytest.raises(ValidationError, match="写明原因"):
            action(old, None, "  ")
    old = services.withdraw(old, None, "数据有误")
    assert (old.status, old.withdraw_reason) == (Bulletin.Status.WITHDRAWN, "数据有误")
    assert services.issue_bulletin(period, tree.nation).doc_seq == 2


def test_a_failed_print_is_noted_and_can_be_tried_again(
    period: Period, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(content: paper.Circular) -> bytes:
        raise RuntimeError("no font")

    monkeypatch.setattr(paper, "render_pdf", fail)
    bulletin = services.issue_bulletin(period, tree.nation)
    with pytest.raises(RuntimeError):
        services.run_bulletin(bulletin.pk)
    bulletin.refresh_from_db()
    assert (bulletin.job_state, bulletin.error, bulletin.pdf.name) == (Job.State.FAILED, "no font", "")
    monkeypatch.setattr(paper, "render_pdf", lambda content: PAPER)
    assert services.print_now(services.retry(bulletin, None)).job_state == Job.State.DONE
    with pytest.raises(ValidationError, match="生成失败"):
        services.retry(bulletin, None)


def test_progress_is_seen_while_the_paper_is_made(
    period: Period, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(content: paper.Circular) -> bytes:
        row = Bulletin.objects.get()
        seen.append((row.job_state, row.progress))
        return PAPER

    monkeypatch.setattr(paper, "render_pdf", look)
    issued(period, tree.nation)
    assert seen == [(Job.State.RUNNING, 30)]


def test_a_draft_still_printing_when_it_is_issued_does_not_overwrite_the_issued_paper(
    period: Period, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = services.draft_bulletin(period, tree.nation, None)

    def issue_meanwhile(content: paper.Circular) -> bytes:
        if not content.issued:
            services.issue(draft, None)
        return PAPER + str(content.issued).encode()

    monkeypatch.setattr(paper, "render_pdf", issue_meanwhile)
    assert services.run_bulletin(draft.pk) is False
    draft.refresh_from_db()
    assert (draft.status, draft.job_state, draft.pdf.name) == (Bulletin.Status.ISSUED, Job.State.QUEUED, "")
    assert content_of(services.print_now(draft)) == PAPER + b"True"


def test_what_a_killed_worker_left_is_cleared_away(period: Period, tree: Tree, blank: list[Any]) -> None:
    bulletin = services.issue_bulletin(period, tree.nation)
    half = Path(
        default_storage.path(f"bulletins/{bulletin.public_id.hex[:2]}/{bulletin.public_id.hex}-x.part")
    )
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"%PDF-1.7 ha")
    assert Bulletin.objects.claim(bulletin.pk)
    Bulletin.objects.update(lease_until=timezone.now())
    services.print_now(bulletin)
    assert not half.exists()
    assert [path for path in files() if bulletin.public_id.hex in path.name] == [
        Path(Bulletin.objects.get().pdf.path)
    ]


def test_the_document_is_chinese_whoever_asks_for_it(period: Period, tree: Tree, blank: list[Any]) -> None:
    with translation.override("en"):
        bulletin = issued(period, tree.nation)
    assert "质量强链工作进展情况的通报" in bulletin.title
    assert "2024年" in bulletin.title
    text = str(blank[-1])
    assert "组建质量技术创新联合体" in text


def test_the_last_root_of_the_record_before_the_issue_is_printed_and_stays(
    period: Period, tree: Tree, blank: list[Any]
) -> None:
    root = DayRoot.objects.create(day=date(2026, 11, 20), position=7, hash="3f" * 32)
    DayRoot.objects.create(day=date(2026, 11, 19), position=3, hash="4e" * 32)
    bulletin = issued(period, tree.nation)
    assert (bulletin.record_day, bulletin.record_root) == (root.day, root.hash)
    DayRoot.objects.create(day=date(2026, 11, 21), position=9, hash="5d" * 32)
    Bulletin.objects.update(job_state=Job.State.QUEUED, attempts=0)
    services.print_now(bulletin)
    assert [(paper.verification.root_on, paper.verification.root) for paper in blank] == [
        (root.day, root.hash)
    ] * 2


def test_issue_and_print_stand_in_the_record(period: Period, tree: Tree, blank: list[Any]) -> None:
    by = factories.user(Role.ADMINISTRATOR, tree.nation)
    bulletin = issued(period, tree.nation)
    services.withdraw(bulletin, by, "数字有误")
    told = Event.objects.about(bulletin).order_by("pk")
    assert [(event.kind, event.actor) for event in told] == [
        ("created", None), ("changed", None), ("changed", None), ("changed", by)
    ]  # fmt: skip
    assert told[1].after["status"] == "issued"
    assert told[2].after == {"sha256": bulletin.sha256}
    assert told[3].reason == "数字有误"
    frozen = Event.objects.about(period).filter(entity="bulletins.snapshot").first()
    sealed = bulletin.snapshot
    assert frozen.after == {
        name: getattr(sealed, name) for name in ("row_hash", "counted_hash", "frame_hash")
    }


def test_the_same_snapshot_gives_the_same_bytes(period: Period, tree: Tree) -> None:
    bulletin = issued(period, tree.suzhou)
    first = content_of(bulletin)
    Bulletin.objects.update(job_state=Job.State.QUEUED, attempts=0)
    assert content_of(services.print_now(bulletin)) == first


def test_the_command_freezes_issues_and_writes_the_file(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "通报.pdf"
    call_command("bulletin", "--period", "2024", "--bureau", "000000", "--freeze", "--output", str(output))
    bulletin = Bulletin.objects.get()
    said = capsys.readouterr().out
    assert bulletin.number in said
    assert bulletin.verification_code in said
    content = output.read_bytes()
    assert hashlib.sha256(content).hexdigest() == bulletin.sha256
    # Asked again, the paper in force is written out and none other issued.
    again = output.with_name("again.pdf")
    call_command("bulletin", "--period", "2024", "--bureau", "000000", "--output", str(again))
    assert again.read_bytes() == content
    assert Bulletin.objects.count() == 1
    text = "".join(page.extract_text() for page in PdfReader(output).pages).replace("\n", "")
    assert "全国共实施质量强链项目1个" in text
    assert "解决质量堵点卡点问题1个" in text
    assert Period.objects.get(code="2024").status == Period.Status.FROZEN
    # The year before was looked at for the comparison.
    assert Snapshot.objects.get(period__code="2023").version == 0


@pytest.mark.django_db(transaction=True)
def test_ten_who_sign_at_once_get_ten_numbers_without_a_gap() -> None:
    tree = Tree()
    period = services.get_period("2024")
    services.freeze_now(period, None)
    barrier, numbers = threading.Barrier(10), []

    def sign() -> None:
        try:
            barrier.wait()
            bulletin = services.issue_bulletin(period, tree.jiangsu, again=True, in_background=False)
            numbers.append(bulletin.doc_seq)
        finally:
            connection.close()

    people = [threading.Thread(target=sign) for _n in range(10)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert sorted(Bulletin.objects.values_list("doc_seq", flat=True)) == sorted(numbers)
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    # Those who came while a draft of another was open took part in issuing that one, and were refused.
    assert len(numbers) + Bulletin.objects.filter(status="draft").count() <= 10


@pytest.mark.django_db(transaction=True)
def test_two_who_sign_the_same_draft_at_once_make_one_number() -> None:
    tree = Tree()
    period = services.get_period("2024")
    services.freeze_now(period, None)
    draft = services.draft_bulletin(period, tree.jiangsu, None, in_background=False)
    barrier, outcomes = threading.Barrier(4), []

    def sign() -> None:
        try:
            barrier.wait()
            outcomes.append(services.issue(draft, None, in_background=False).doc_seq)
        except ValidationError:
            outcomes.append(None)
        finally:
            connection.close()

    people = [threading.Thread(target=sign) for _n in range(4)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert sorted(outcomes, key=str) == [1, None, None, None]
    assert NumberSeries.objects.get(prefix__startswith="TB-320000").last == 1


@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_of_a_bulletin_leaves_no_broken_file_and_it_is_done_once(
    celery_worker_factory: Callable[[str], Any], broker_url: str
) -> None:
    tree = Tree()
    takes_part(firm(), project(tree.huqiu), "leader")
    solved(tree.huqiu)
    period = services.get_period("2024")
    services.freeze_now(period, None)
    worker = celery_worker_factory(broker_url)
    bulletin = services.issue_bulletin(period, tree.nation)
    wait_until(lambda: Bulletin.objects.get().progress >= 30, describe=worker.describe)
    worker.kill()
    bulletin.refresh_from_db()
    assert (bulletin.job_state, bulletin.pdf.name) == (Job.State.RUNNING, "")
    assert not [path for path in files() if path.suffix == ".pdf" and bulletin.public_id.hex in path.name]

    Bulletin.objects.update(lease_until=timezone.now())
    worker = celery_worker_factory(broker_url)
    tasks.sweep()
    wait_until(lambda: Bulletin.objects.get().job_state == Job.State.DONE, describe=worker.describe)
    bulletin.refresh_from_db()
    assert (bulletin.attempts, bulletin.doc_seq) == (2, 1)
    mine = [path for path in files() if bulletin.public_id.hex in path.name]
    assert mine == [Path(django_settings.VAR_DIR) / "files" / bulletin.pdf.name]
    assert hashlib.sha256(mine[0].read_bytes()).hexdigest() == bulletin.sha256
    assert len(PdfReader(mine[0]).pages) > 3
