"""The board of an institution: who has one to look at, and that each mark opens the rows it counts."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from enterprises.models import Organization
from projects.institutions import quarters
from projects.models import Bottleneck
from tests import factories
from tests.bulletins.ledger import Tree, add_events, challenge, key_project, problem, project, solved
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status


class Lab:
    """An institution in Suzhou that solves problems of two provinces and of the nation's bureau."""

    def __init__(self) -> None:
        self.tree = tree = Tree()
        self.robots, self.chips = factories.chain(), factories.chain("C02", "集成电路")
        self.lab = lab = factories.institution("演示计量院", at=tree.suzhou)
        self.other = factories.institution(at=tree.suzhou)
        today = timezone.localdate()
        more: dict[str, Any] = {"assigned_to": lab, "chain": self.robots}
        in_time = solved(tree.huqiu, today - timedelta(40), **more, nqi_elements=("MET",))
        late = solved(tree.dongcheng, today - timedelta(10), **more, due_on=today - timedelta(12))
        for row, after in ((in_time, 96), (late, 80)):
            row.measures.create(
                metric="合格率", unit="%", comparison="ge", target=95, value_now=70,
                value_after=after, measured_after_on=today,
            )  # fmt: skip
        posted = today - timedelta(100)
        challenge(tree.wujiang, posted, posted + timedelta(30), today - timedelta(20), **more)
        challenge(tree.binhu, posted, posted + timedelta(30), **more | {"chain": self.chips})
        problem(tree.huqiu, (S.LISTED, today - timedelta(400)), **more, nqi_elements=("MET", "STD"))
        problem(tree.nation, (S.LISTED, today - timedelta(3)), **more)
        problem(tree.huqiu, (S.RESOLVED, today - timedelta(90)), (S.REOPENED, today), **more)
        # Neither of these is the institution's.
        solved(tree.huqiu, today, chain=self.robots, assigned_to=self.other)
        Bottleneck.objects.filter(pk=solved(tree.huqiu, today, **more).pk).update(is_test=True)
        factories.report(lab)
        factories.report(lab, report_no="W2")
        factories.report(self.other)
        key_project(project(tree.huqiu), lead=lab)
        key_project(project(tree.dongcheng), lead=lab, accepted_on=today)

    def sees(self, user: User, query: str = "", of: Organization | None = None) -> Any:
        return browser(user).get(self.address(query, of))

    def address(self, query: str = "", of: Organization | None = None) -> str:
        return f"/institutions/{(of or self.lab).uscc}/?{query}"

    @property
    def own(self) -> User:
        return factories.user(Role.INSTITUTION, self.lab)


@world
def lab() -> Lab:
    return Lab()


def numbers(page: Any) -> dict[str, int]:
    return {mark.label: mark.count for mark in page.context["board"].figures}


def rows_behind(client: Client, href: str) -> int:
    return client.get(href).context["page"].paginator.count


EVERYTHING = {
    "承担问题": 7, "在办": 4, "已解决": 3, "按期解决": 2, "解决后实测达标": 1, "揭榜": 2, "揭榜后已解决": 1,
}  # fmt: skip


def test_an_institution_sees_all_that_it_took(lab: Lab) -> None:
    assert numbers(lab.sees(lab.own)) == EVERYTHING


def test_what_found_no_taker_was_not_taken(lab: Lab) -> None:
    """A problem keeps the route of a call that came to nothing; so does one that was given away again."""
    today = timezone.localdate()
    posted = today - timedelta(100)
    events = (S.LISTED, posted + timedelta(30)), (S.DISPATCHED, today - timedelta(3)), (S.RESOLVED, today)
    more: dict[str, Any] = {
        "assigned_to": lab.lab, "chain": lab.robots,
        "resolved_at": timezone.now(), "result": "bottleneck_solved",
    }  # fmt: skip
    for days in ([posted], [posted, posted + timedelta(20)]):
        add_events(challenge(lab.tree.huqiu, *days, **more), *events)
    add_events(problem(lab.tree.huqiu, (S.LISTED, posted), **more, route="CHAL"), *events)
    found = numbers(lab.sees(lab.own))
    assert (found["已解决"], found["揭榜"], found["揭榜后已解决"]) == (6, 2, 1)
    assert rows_behind(browser(lab.own), f"/bottlenecks/?institution={lab.lab.uscc}&challenged=on") == 2


def test_a_service_is_no_solution_of_a_challenge(lab: Lab) -> None:
    Bottleneck.objects.judged("test").filter(route="CHAL", status=S.RESOLVED).update(result="service_done")
    found = numbers(lab.sees(lab.own))
    assert (found["已解决"], found["揭榜"], found["揭榜后已解决"]) == (3, 2, 0)


def test_an_extended_problem_is_solved_in_time_and_the_board_says_so(lab: Lab) -> None:
    late = Bottleneck.objects.judged("test").get(assigned_to=lab.lab, due_on__lt=timezone.localdate())
    Bottleneck.objects.judged("test").filter(pk=late.pk).update(due_on=timezone.localdate(late.resolved_at))
    page = lab.sees(lab.own)
    assert numbers(page)["按期解决"] == EVERYTHING["按期解决"] + 1
    assert page.content.decode().count("含经批准的延期") == 1


@pytest.mark.parametrize(
    ("query", "is_own", "sentences"),
    [
        ("", True, "按台账此刻的记录统计本机构承担的全部问题。"),
        ("chain=C01", True, "按台账此刻的记录统计本机构承担的问题。只统计符合上面条件的。"),
        ("", False, "按台账此刻的记录，只统计您有权查看的问题，不一定是该机构承担的全部。"),
        (
            "chain=C01",
            False,
            "按台账此刻的记录，只统计您有权查看的问题，不一定是该机构承担的全部。只统计符合上面条件的。",
        ),
    ],
)
def test_the_board_says_what_it_counts(lab: Lab, query: str, is_own: bool, sentences: str) -> None:
    user = lab.own if is_own else factories.user(Role.OFFICER, lab.tree.nation)
    assert f'<p class="provenance">{sentences}</p>' in lab.sees(user, query).content.decode()


@pytest.mark.parametrize(("unit", "taken"), [("nation", 7), ("jiangsu", 5), ("suzhou", 4), ("beijing", 1)])
def test_a_bureau_sees_what_lies_in_its_scope(lab: Lab, unit: str, taken: int) -> None:
    officer = factories.user(Role.OFFICER, getattr(lab.tree, unit))
    assert numbers(lab.sees(officer))["承担问题"] == taken


def test_a_bureau_without_problems_of_it_is_told_so(lab: Lab) -> None:
    page = lab.sees(factories.user(Role.OFFICER, lab.tree.liaoning))
    assert page.status_code == 200 and "没有这样的问题" in page.content.decode()


@pytest.mark.parametrize("role", [Role.FILER, Role.SECRETARY, Role.EXPERT, ""])
def test_there_is_no_board_for_others(lab: Lab, role: str) -> None:
    place = lab.tree.nation if role == Role.EXPERT else None
    assert lab.sees(factories.user(role, place)).status_code == 404


def test_there_is_no_board_of_other_institutions_nor_of_firms(lab: Lab) -> None:
    assert lab.sees(lab.own, of=lab.other).status_code == 404
    officer = factories.user(Role.OFFICER, lab.tree.nation)
    assert lab.sees(officer, of=factories.organization()).status_code == 404


def test_nobody_sees_it_without_a_login(lab: Lab) -> None:
    assert browser().get(lab.address()).status_code == 302


@pytest.mark.parametrize(
    ("who", "query"),
    [
        ("nation", ""),
        ("own", "bureau=000000"),
        ("own", "bureau=320500&cause=TECH&cause=MGMT"),
        ("jiangsu", "chain=C01"),
        ("nation", "days"),
    ],
)
def test_every_mark_opens_as_many_rows_as_it_counts(lab: Lab, who: str, query: str) -> None:
    user = lab.own if who == "own" else factories.user(Role.OFFICER, getattr(lab.tree, who))
    if query == "days":
        today = timezone.localdate()
        query = f"submitted_from={today - timedelta(200)}&submitted_to={today - timedelta(20)}"
    client = browser(user)
    board = client.get(lab.address(query)).context["board"]
    assert board.problems
    for group in board.groups:
        for mark in group.marks:
            assert rows_behind(client, mark.href) == mark.count, (group.heading, mark)
    assert rows_behind(client, board.days_href) == len(board.solved)


def test_problems_are_told_by_element_chain_and_region(lab: Lab) -> None:
    board = lab.sees(lab.own).context["board"]

    def told(group: Any) -> dict[str, int]:
        return {mark.label: mark.count for mark in group.marks if mark.count}

    assert told(board.elements) == {"计量": 2, "标准": 1}
    assert told(board.chains) == {"工业机器人": 6, "集成电路": 1}
    assert told(board.regions) == {"江苏省": 5, "北京市": 1}
    assert told(board.reports) == {"合计": 2, "有效": 2}
    assert told(board.key_projects) == {"合计": 2, "攻关中": 1, "已验收": 1}


def test_days_are_the_median_from_acceptance_to_solution(lab: Lab) -> None:
    # 18 and 18 days, and 110 for the challenge.
    assert lab.sees(lab.own).context["board"].days == 18
    assert lab.sees(lab.own, "chain=C02").context["board"].days is None


def test_the_trend_ends_with_this_quarter() -> None:
    found = quarters(date(2026, 2, 28))
    assert found[0] == (date(2024, 4, 1), date(2024, 6, 30))
    assert found[-1] == (date(2026, 1, 1), date(2026, 3, 31))


def test_the_files_hold_what_the_page_shows(lab: Lab) -> None:
    client = browser(lab.own)
    text = client.get(lab.address("chain=C01&export=csv")).content.decode().removeprefix("\ufeff")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert {line["项目"]: line["数量"] for line in lines if line["分组"] == "服务的地区"} == {
        "江苏省": "4", "北京市": "1",
    }  # fmt: skip
    lacking = {line["项目"]: line["数量"] for line in lines if line["分组"] == "在办问题所缺的要素"}
    assert {name: number for name, number in lacking.items() if number != "0"} == {"计量": "1", "标准": "1"}
    book = client.get(lab.address("chain=C01&export=xlsx"))
    sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
    assert [[str(cell) for cell in row] for row in sheet.iter_rows(min_row=2, values_only=True)] == [
        list(line.values()) for line in lines
    ]


@pytest.mark.parametrize("fault", ["chain=nope", "bureau=999999", "submitted_from=x"])
def test_a_fault_in_the_address_counts_nothing(lab: Lab, fault: str) -> None:
    page = lab.sees(lab.own, fault)
    assert page.status_code == 400 and "board" not in page.context


def test_the_institution_leads_to_its_board(lab: Lab) -> None:
    href = f"/institutions/{lab.lab.uscc}/"
    for user, seen in ((lab.own, True), (factories.user(Role.FILER), False)):
        page = browser(user).get(f"/organizations/{lab.lab.uscc}/").content.decode()
        assert (href in page) == seen
    assert href in browser(lab.own).get("/workspace/").content.decode()


def test_the_board_asks_as_much_for_many_problems_as_for_few(
    lab: Lab, django_assert_num_queries: Any
) -> None:
    client = browser(lab.own)
    for query in ("", "chain=C02"):
        client.get(lab.address(query))
        with django_assert_num_queries(16):
            client.get(lab.address(query))
