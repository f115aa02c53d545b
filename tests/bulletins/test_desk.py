"""The bulletin desk: wording in blocks, review, signature, and who may do which."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation

from accounts.models import Notice, Role, User
from bulletins import circular, paper, services
from bulletins.circular import EditorBlock
from bulletins.models import Bulletin, Period, Snapshot
from enterprises.models import NumberSeries
from tests import factories
from tests.bulletins.ledger import Tree, firm, problem, project, solved, takes_part
from tests.worlds import world

Status = Bulletin.Status


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


@pytest.fixture(autouse=True)
def printed(monkeypatch: pytest.MonkeyPatch) -> list[paper.Circular]:
    """What would have been printed."""
    papers: list[paper.Circular] = []

    def note(content: paper.Circular) -> bytes:
        papers.append(content)
        return b"%PDF-1.7 " + repr(content).encode()

    monkeypatch.setattr(paper, "render_pdf", note)
    return papers


class People:
    """Of one province: two who write, one who signs; and the signer above."""

    def __init__(self, tree: Tree) -> None:
        self.writer = factories.user(Role.STATISTICIAN, tree.jiangsu)
        self.colleague = factories.user(Role.STATISTICIAN, tree.jiangsu)
        self.head = factories.user(Role.ADMINISTRATOR, tree.jiangsu)
        self.above = factories.user(Role.ADMINISTRATOR, tree.nation)


@pytest.fixture
def people(tree: Tree) -> People:
    return People(tree)


def drafted(period: Period, tree: Tree, by: User | None, **options: Any) -> Bulletin:
    return services.print_now(services.draft_bulletin(period, tree.jiangsu, by, **options))


def block(bulletin: Bulletin, key: str) -> EditorBlock:
    return next(one for one in circular.blocks(bulletin) if one.key == key)


def reword(bulletin: Bulletin, key: str, change: Callable[[str], str], by: User | None) -> Bulletin:
    one = block(bulletin, key)
    return services.reword(bulletin, key, change(one.shown), one.digest, by)


def anew(bulletin: Bulletin) -> Bulletin:
    return Bulletin.objects.judged("test").get(pk=bulletin.pk)


def words(content: paper.Circular) -> str:
    return repr(content)


# --- Wording ----------------------------------------------------------------------------------------------


def test_an_edited_block_is_printed_as_worded_with_the_figures_of_the_snapshot(
    period: Period, tree: Tree, people: People, printed: list[paper.Circular]
) -> None:
    draft = drafted(period, tree, people.writer)
    reword(draft, "overall.sentence", lambda text: f"总的看，{text}成绩来之不易。", people.colleague)
    services.print_now(anew(draft))
    assert "总的看，2024年，全省共实施质量强链项目1个" in words(printed[-1])
    assert "成绩来之不易。" in words(printed[-1])
    assert "总的看" not in words(printed[0])
    kept = draft.wordings.get()
    assert "⟦2⟧个" in kept.text
    assert (kept.edited_by, anew(draft).edited_by) == (people.colleague, people.colleague)


def test_taking_a_wording_back_leaves_the_drafted_text(period: Period, tree: Tree, people: People) -> None:
    draft = drafted(period, tree, people.writer)
    before = block(draft, "opening")
    reword(draft, "opening", lambda text: f"按照部署，{text}", people.writer)
    assert block(draft, "opening").text != before.text
    services.reword(draft, "opening", before.shown, block(draft, "opening").digest, people.writer)
    assert not draft.wordings.exists()
    assert block(draft, "opening").text == before.text


def test_empty_blocks_take_what_the_figures_cannot_say(
    period: Period, tree: Tree, people: People, printed: list[paper.Circular]
) -> None:
    draft = drafted(period, tree, people.writer)
    assert block(draft, "overall.more").text == ""
    reword(draft, "overall.more", lambda _text: "各地围绕产业链开展了走访。", people.writer)
    reword(draft, "copies", lambda _text: "省质量强省办", people.writer)
    services.print_now(anew(draft))
    assert "各地围绕产业链开展了走访。" in words(printed[-1])
    assert printed[-1].copies_to == "省质量强省办"


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (lambda shown: shown.replace("⟦2:1⟧", ""), "缺少锁定的数字 ⟦2:1⟧"),
        (lambda shown: shown.replace("⟦2:1⟧", "⟦2:7⟧"), "不能改成“7”"),
        (lambda shown: f"{shown}比上年多3个。", "手工输入的数字"),
        (lambda shown: f"{shown}⟦99⟧", "没有 ⟦99⟧"),
        (lambda _shown: "  ", "不能空着"),
    ],
)
def test_a_figure_lost_typed_or_changed_is_refused_and_nothing_is_stored(
    period: Period, tree: Tree, people: People, typed: Callable[[str], str], fault: str
) -> None:
    draft = drafted(period, tree, people.writer)
    with pytest.raises(ValidationError, match=fault) as refusal:
        reword(draft, "overall.sentence", typed, people.writer)
    assert list(refusal.value.message_dict) == ["text"]
    assert not draft.wordings.exists()


def test_of_two_editors_of_a_block_the_slower_one_is_told(period: Period, tree: Tree, people: People) -> None:
    draft = drafted(period, tree, people.writer)
    began = block(draft, "opening")
    reword(draft, "opening", lambda text: f"甲。{text}", people.writer)
    reword(draft, "demands.reporting", lambda text: f"{text}请认真核对。", people.colleague)
    with pytest.raises(ValidationError, match="别人刚改过这一段"):
        services.reword(draft, "opening", f"乙。{began.shown}", began.digest, people.colleague)
    assert block(draft, "opening").text.startswith("甲。")
    assert block(draft, "demands.reporting").text.endswith("请认真核对。")


def test_new_figures_fill_an_edited_block_whose_words_are_the_same(
    period: Period, tree: Tree, people: People
) -> None:
    draft = drafted(period, tree, people.writer)
    reword(draft, "overall.sentence", lambda text: f"总的看，{text}", people.writer)
    project(tree.huqiu)
    services.freeze_now(period, None, "补一个项目")
    with pytest.raises(ValidationError, match="已更正为第 2 版"):
        services.submit(draft, people.writer)
    draft = services.renew(draft, people.writer)
    assert "总的看，2024年，全省共实施质量强链项目2个" in block(draft, "overall.sentence").text
    assert services.submit(draft, people.writer).status == Status.REVIEW


def test_an_edited_block_whose_draft_reads_otherwise_by_now_has_to_be_looked_at(
    period: Period, tree: Tree, people: People
) -> None:
    draft = drafted(period, tree, people.writer)
    reword(draft, "progress", lambda text: f"{text}苏州走在前列。", people.writer)
    solved(tree.binhu)
    services.freeze_now(period, None, "补无锡一个")
    draft = services.renew(draft, people.writer)
    outdated = block(draft, "progress")
    assert outdated.is_outdated
    assert "苏州走在前列" not in outdated.text
    with pytest.raises(ValidationError, match="分地区进展"):
        services.submit(draft, people.writer)
    reword(draft, "progress", lambda text: f"{text}苏州、无锡走在前列。", people.writer)
    assert services.submit(draft, people.writer).status == Status.REVIEW


def test_an_edit_is_set_aside_when_another_region_leads_in_the_same_words(
    period: Period, tree: Tree, people: People
) -> None:
    solved(tree.binhu)
    services.freeze_now(period, None, "补无锡一个")
    draft = drafted(period, tree, people.writer)
    before = block(draft, "progress")
    reword(draft, "progress", lambda text: f"{text}苏州走在前列。", people.writer)
    solved(tree.binhu)
    solved(tree.huqiu)
    services.freeze_now(period, None, "各补一个")
    draft = services.renew(draft, people.writer)
    assert not block(draft, "progress").is_outdated
    solved(tree.binhu)
    solved(tree.binhu)
    solved(tree.huqiu)
    services.freeze_now(period, None, "再补")
    draft = services.renew(draft, people.writer)
    outdated = block(draft, "progress")
    assert outdated.drafted.template == before.drafted.template
    assert outdated.is_outdated


def test_names_of_those_who_solved_nothing_are_locked(period: Period, tree: Tree, people: People) -> None:
    problem(tree.binhu, ("submitted", date(2024, 3, 1)))
    services.freeze_now(period, None, "补一个问题")
    draft = drafted(period, tree, people.writer)
    idle = block(draft, "problems.idle")
    assert "无锡市" in idle.drafted.figures
    with pytest.raises(ValidationError, match="不能改成"):
        reword(draft, "problems.idle", lambda text: text.replace("无锡市", "苏州市"), people.writer)


def test_a_draft_stays_readable_while_it_is_printed_anew(period: Period, tree: Tree, people: People) -> None:
    draft = drafted(period, tree, people.writer)
    first = draft.pdf.name
    again = reword(draft, "opening", lambda text: f"按照部署，{text}", people.writer)
    assert again.pdf.name == first
    assert again.pdf.storage.exists(first)
    again = services.print_now(again)
    assert again.pdf.name != first


# --- Review and signature ---------------------------------------------------------------------------------


def test_a_bulletin_goes_through_review_and_signature_of_others(
    period: Period, tree: Tree, people: People, printed: list[paper.Circular]
) -> None:
    draft = drafted(period, tree, people.writer)
    assert services.submit(draft, people.writer).status == Status.REVIEW
    assert services.approve(draft, people.colleague).status == Status.SIGNING
    assert not printed[-1].issued
    issued = services.print_now(services.issue(draft, people.head))
    assert (issued.status, issued.doc_seq) == (Status.ISSUED, 1)
    assert (issued.edited_by, issued.submitted_by) == (people.writer, people.writer)
    assert (issued.reviewed_by, issued.issued_by) == (people.colleague, people.head)
    assert printed[-1].issued
    told = Notice.objects.filter(details__what__startswith="bulletin_").order_by("pk")
    assert {(one.details["what"], one.user) for one in told} == {
        ("bulletin_review", people.colleague),
        ("bulletin_review", people.head),
        ("bulletin_signing", people.head),
    }


STEPS: dict[str, tuple[Status, Callable[[Bulletin, User], object]]] = {
    "submit": (Status.DRAFT, services.submit),
    "approve": (Status.REVIEW, services.approve),
    "issue": (Status.SIGNING, services.issue),
    "send_back": (Status.REVIEW, lambda row, by: services.send_back(row, by, "请核对")),
    "renew": (Status.DRAFT, services.renew),
    "discard": (Status.DRAFT, services.discard),
    "reword": (Status.DRAFT, lambda row, by: reword(row, "opening", lambda text: f"{text}好。", by)),
}


def brought_to(status: Status, period: Period, tree: Tree, people: People) -> Bulletin:
    draft = drafted(period, tree, people.writer)
    if status != Status.DRAFT:
        draft = services.submit(draft, people.writer)
    return services.approve(draft, people.colleague) if status == Status.SIGNING else draft


@pytest.mark.any_database
@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_open_to_those_of_the_line(
    period: Period, tree: Tree, people: People, step: str
) -> None:
    status, do = STEPS[step]
    do(brought_to(status, period, tree, people), people.above)


@pytest.mark.any_database
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "other",
    [(Role.OFFICER, "jiangsu"), (Role.AUDITOR, "nation"), (Role.ADMINISTRATOR, "beijing")],
)
def test_each_step_is_closed_to_others(
    period: Period, tree: Tree, people: People, step: str, other: tuple[Role, str]
) -> None:
    status, do = STEPS[step]
    bulletin = brought_to(status, period, tree, people)
    with pytest.raises(PermissionDenied):
        do(bulletin, factories.user(other[0], getattr(tree, other[1])))
    assert anew(bulletin).status == status


@pytest.mark.any_database
@pytest.mark.parametrize("step", STEPS)
def test_each_step_asks_for_its_state(period: Period, tree: Tree, people: People, step: str) -> None:
    status, do = STEPS[step]
    other = Status.SIGNING if status == Status.DRAFT else Status.DRAFT
    bulletin = brought_to(other, period, tree, people)
    with pytest.raises(ValidationError, match=r"送审|现在是"):
        do(bulletin, people.above)
    assert anew(bulletin).status == other


def test_statisticians_review_and_do_not_sign(period: Period, tree: Tree, people: People) -> None:
    waiting = brought_to(Status.SIGNING, period, tree, people)
    with pytest.raises(PermissionDenied, match="由本单位或上级单位的管理员签发"):
        services.issue(waiting, factories.user(Role.STATISTICIAN, tree.nation))


@pytest.mark.parametrize("hand", ["drafted", "worded", "submitted"])
def test_nobody_reviews_or_signs_what_it_had_a_hand_in(
    period: Period, tree: Tree, people: People, hand: str
) -> None:
    me = people.head
    draft = drafted(period, tree, me if hand == "drafted" else people.writer)
    if hand == "worded":
        reword(draft, "opening", lambda text: f"{text}好。", me)
    reword(draft, "note", lambda _text: "此件公开发布", people.writer)
    services.submit(draft, me if hand == "submitted" else people.writer)
    with pytest.raises(ValidationError, match="请由另一名人员"):
        services.approve(draft, me)
    services.approve(draft, people.colleague)
    with pytest.raises(ValidationError, match="请由另一名人员"):
        services.issue(draft, me)
    assert services.issue(draft, people.above).issued_by == people.above


def test_the_database_refuses_a_signer_who_submitted(period: Period, tree: Tree, people: People) -> None:
    waiting = brought_to(Status.SIGNING, period, tree, people)
    rows = Bulletin.objects.judged("test").filter(pk=waiting.pk)
    for field in ("issued_by", "reviewed_by"):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**{field: people.writer})
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(reviewed_by=None)


def test_what_is_sent_back_says_why_and_is_submitted_again(
    period: Period, tree: Tree, people: People
) -> None:
    waiting = brought_to(Status.SIGNING, period, tree, people)
    with pytest.raises(ValidationError, match="写明退回原因"):
        services.send_back(waiting, people.head, " ")
    back = services.send_back(waiting, people.head, "第二部分写得太长")
    assert (back.status, back.returned_for, back.reviewed_by) == (Status.DRAFT, "第二部分写得太长", None)
    told = Notice.objects.filter(details__what="bulletin_returned").get()
    assert (told.user, told.details["reason"]) == (people.writer, "第二部分写得太长")
    again = services.submit(back, people.writer)
    assert (again.status, again.returned_for) == (Status.REVIEW, "")


def test_what_was_reviewed_is_not_signed_with_other_figures(
    period: Period, tree: Tree, people: People
) -> None:
    waiting = brought_to(Status.SIGNING, period, tree, people)
    project(tree.huqiu)
    services.freeze_now(period, None, "补一个项目")
    with pytest.raises(ValidationError, match="已更正为第 2 版"):
        services.issue(waiting, people.head)
    assert not NumberSeries.objects.filter(prefix__startswith="TB-").exists()


def test_what_was_reviewed_is_not_signed_when_the_year_before_was_corrected(
    period: Period, tree: Tree, people: People, printed: list[paper.Circular]
) -> None:
    last_year = services.get_period("2023")
    services.freeze_now(last_year, None)
    waiting = brought_to(Status.SIGNING, period, tree, people)
    reviewed = block(waiting, "overall.changes").text
    project(tree.huqiu, start_on=date(2023, 5, 1))
    services.freeze_now(last_year, None, "补上年一个项目")
    assert block(waiting, "overall.changes").text == reviewed
    with pytest.raises(ValidationError, match="2023年数据已更正"):
        services.issue(waiting, people.head)
    back = services.send_back(waiting, people.head, "换用新数据")
    with pytest.raises(ValidationError, match="2023年数据已更正"):
        services.submit(back, people.writer)
    renewed = services.renew(back, people.writer)
    assert block(renewed, "overall.changes").text != reviewed
    services.submit(renewed, people.writer)
    services.approve(renewed, people.colleague)
    assert services.issue(renewed, people.head).status == Status.ISSUED


def test_what_was_issued_compares_with_the_same_year_whenever_it_is_printed(
    tree: Tree, people: People, printed: list[paper.Circular], period: Period
) -> None:
    old = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    kept = old.compared_with
    assert kept is not None
    assert (kept.period.code, kept.version) == ("2023", 0)
    project(tree.huqiu, start_on=date(2023, 5, 1))
    services.freeze_now(services.get_period("2023"), None)
    Snapshot.objects.filter(pk=kept.pk).update(finished_at=timezone.now() - timedelta(days=1))
    services.discard_superseded()
    with translation.override("zh-hans"):
        again = circular.compose(anew(old))
    assert words(again) == words(printed[-1])
    other = services.print_now(services.issue_bulletin(period, tree.suzhou))
    assert other.compared_with.version == 1


def test_papers_over_one_version_compare_with_one_count_of_an_open_year(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    first = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    project(tree.huqiu, start_on=date(2023, 5, 1))
    services.rollup_now(services.get_period("2023"))
    assert (
        services.print_now(services.issue_bulletin(period, tree.suzhou)).compared_with == first.compared_with
    )


def test_who_worded_first_does_not_judge_what_another_has_touched_since(
    period: Period, tree: Tree, people: People
) -> None:
    draft = drafted(period, tree, people.writer)
    reword(draft, "opening", lambda text: f"{text}请认真学习。", people.head)
    reword(draft, "opening", lambda text: f"{text}好。", people.writer)
    services.submit(draft, people.writer)
    told = Notice.objects.filter(details__what="bulletin_review").values_list("user", flat=True)
    assert set(told) == {people.colleague.pk}
    with pytest.raises(ValidationError, match="请由另一名人员"):
        services.approve(draft, people.head)
    services.approve(draft, people.colleague)
    with pytest.raises(ValidationError, match="请由另一名人员"):
        services.issue(draft, people.head)


@pytest.mark.parametrize("step", ["renewed", "submitted", "wording taken back"])
def test_every_hand_in_it_is_remembered(period: Period, tree: Tree, people: People, step: str) -> None:
    me, draft = people.head, drafted(period, tree, people.writer)
    if step == "renewed":
        services.renew(draft, me)
    elif step == "submitted":
        services.submit(draft, me)
        services.send_back(draft, people.above, "再核对")
    else:
        drafted_text = block(draft, "opening").shown
        reword(draft, "opening", lambda text: f"{text}好。", me)
        reword(draft, "opening", lambda _text: drafted_text, people.writer)
    services.renew(draft, people.writer)
    services.submit(draft, people.writer)
    with pytest.raises(ValidationError, match="请由另一名人员"):
        services.approve(draft, me)


def test_a_discarded_draft_leaves_no_number_and_the_replaced_one_in_force(
    period: Period, tree: Tree, people: People
) -> None:
    old = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    successor = services.replace(old, people.writer, "更正")
    assert anew(old).replaced_by == successor
    services.discard(successor, people.writer)
    assert (anew(old).status, anew(old).replaced_by, anew(old).withdraw_reason) == (Status.ISSUED, None, "")
    assert services.issue_bulletin(period, tree.jiangsu, again=True).doc_seq == 2


def test_a_replaced_bulletin_that_is_withdrawn_keeps_its_reason_when_the_draft_goes(
    period: Period, tree: Tree, people: People
) -> None:
    old = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    successor = services.replace(old, people.writer, "更正")
    services.withdraw(old, people.head, "印发对象有误")
    services.discard(successor, people.writer)
    left = anew(old)
    assert (left.status, left.replaced_by, left.withdraw_reason) == (Status.WITHDRAWN, None, "印发对象有误")


@pytest.mark.parametrize("under_way", ["a draft", "a successor"])
def test_what_is_being_prepared_does_not_become_a_successor_unnoticed(
    period: Period, tree: Tree, people: People, under_way: str
) -> None:
    old = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    other = services.print_now(services.issue_bulletin(period, tree.jiangsu, again=True))
    if under_way == "a draft":
        draft = services.print_now(services.draft_bulletin(period, tree.jiangsu, people.writer, again=True))
        services.approve(services.submit(draft, people.writer), people.colleague)
    else:
        services.replace(other, people.writer, "更正")
    with pytest.raises(ValidationError, match="先办完或删除"):
        services.replace(old, people.writer, "更正")
    assert anew(old).replaced_by is None


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_beside_the_signature_of_the_successor_is_not_overwritten() -> None:
    tree = Tree()
    people = People(tree)
    services.freeze_now(services.get_period("2024"), None)
    old = services.print_now(services.issue_bulletin(services.get_period("2024"), tree.jiangsu))
    draft = services.print_now(services.replace(old, people.writer, "更正"))
    services.approve(services.submit(draft, people.writer), people.colleague)
    barrier, refused = threading.Barrier(2), []

    def do(step: Callable[[], object]) -> None:
        try:
            barrier.wait()
            step()
        except ValidationError as error:
            refused.append(error)
        finally:
            connection.close()

    steps = (
        lambda: services.issue(draft, people.head, in_background=False),
        lambda: services.withdraw(old, people.above, "撤回"),
    )
    threads = [threading.Thread(target=do, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert anew(draft).status == Status.ISSUED
    left = anew(old)
    assert left.status == (Status.REPLACED if refused else Status.WITHDRAWN)
    assert bool(left.withdrawn_at) is not bool(refused)


def test_the_operator_does_not_issue_what_people_are_preparing(
    period: Period, tree: Tree, people: People
) -> None:
    drafted(period, tree, people.writer)
    with pytest.raises(ValidationError, match="请由办理人送审和签发"):
        services.issue_bulletin(period, tree.jiangsu)


@pytest.mark.django_db(transaction=True)
def test_two_who_sign_two_bulletins_of_a_unit_at_once_get_two_numbers_without_a_gap() -> None:
    tree = Tree()
    people = People(tree)
    waiting = []
    for code in ("2023", "2024"):
        services.freeze_now(services.get_period(code), None)
        waiting.append(brought_to(Status.SIGNING, services.get_period(code), tree, people))
    barrier, numbers = threading.Barrier(2), []

    def sign(bulletin: Bulletin, by: User) -> None:
        try:
            barrier.wait()
            numbers.append(services.issue(bulletin, by, in_background=False).doc_seq)
        finally:
            connection.close()

    signers = zip(waiting, (people.head, people.above), strict=True)
    threads = [threading.Thread(target=sign, args=pair) for pair in signers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2]


# --- Briefs -----------------------------------------------------------------------------------------------


def test_a_brief_is_numbered_by_issues_of_the_year_and_of_all_years(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    circular_ = services.issue_bulletin(period, tree.jiangsu)
    first = services.print_now(services.issue_bulletin(period, tree.jiangsu, kind=Bulletin.Kind.BRIEF))
    assert (circular_.doc_seq, first.doc_seq, first.total_seq) == (1, 1, 1)
    year = first.doc_year
    NumberSeries.objects.filter(prefix=f"JB-320000-{year}").delete()
    Bulletin.objects.judged("test").filter(pk=first.pk).update(doc_year=year - 1)
    second = services.issue_bulletin(period, tree.jiangsu, kind=Bulletin.Kind.BRIEF, again=True)
    assert second.number == f"{year}年第1期（总第2期）"


def test_a_brief_has_news_and_no_demands(
    period: Period, tree: Tree, people: People, printed: list[paper.Circular]
) -> None:
    draft = drafted(period, tree, people.writer, kind=Bulletin.Kind.BRIEF)
    services.submit(draft, people.writer)
    services.approve(draft, people.colleague)
    services.print_now(services.issue(draft, people.head))
    brief = printed[-1]
    assert brief.mark == "质量强链工作简报"
    assert brief.number.endswith("第1期（总第1期）")
    headings = [getattr(part, "heading", "") for part in brief.blocks]
    assert "总体情况" in headings
    assert "下一步工作要求" not in headings
    assert brief.masthead is not None
    assert [line.split("：")[0] for line in brief.masthead.people] == ["编辑", "审核", "签发"]
    assert [label for label, _names in brief.lines] == ["报", "发"]
    keys = {one.key.split(".")[0] for one in circular.blocks(draft)}
    assert not keys & {"demands", "problems", "copies", "addressee"}


# --- Cases ------------------------------------------------------------------------------------------------


def test_cases_are_those_of_firms_that_agreed_and_leave_when_they_change_their_mind(
    period: Period, tree: Tree, printed: list[paper.Circular]
) -> None:
    agreed = solved(tree.huqiu)
    agreed.title, agreed.solution = "曲轴淬火裂纹", "改进回火工艺\n合格率由92%提高到98%"
    agreed.visibility, agreed.consent_publish = "public", True
    agreed.save()
    silent = solved(tree.huqiu)
    silent.title, silent.solution = "密封圈老化", "换用新胶料"
    silent.save()
    services.freeze_now(period, None, "补两个")
    draft = services.draft_bulletin(period, tree.jiangsu, None)
    services.print_now(draft)
    said = words(printed[-1])
    assert "典型案例" in said
    assert "曲轴淬火裂纹" in said
    assert "改进回火工艺 合格率由92%提高到98%。" in said
    assert "密封圈老化" not in said
    agreed.consent_publish = False
    agreed.save()
    services.print_now(services.issue(draft, None))
    assert "典型案例" not in words(printed[-1])
