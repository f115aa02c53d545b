"""Pages of figures, periods, bulletins and verification: who sees what, what they say, what they cost."""

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from openpyxl import load_workbook

from accounts.models import Role, User
from bulletins import circular, paper, services
from bulletins.checking import copy_of
from bulletins.dashboard import Board
from bulletins.disclosure import Reader
from bulletins.indicators import CATALOGUE, HEADLINES
from bulletins.models import Bulletin, Lookup, Period, Snapshot
from common.jobs import Job
from common.verification import BULLETINS
from enterprises.models import Bureau
from projects.models import ChainProject
from tests import factories
from tests.bulletins.ledger import (
    Tree,
    consortium,
    firm,
    key_project,
    problem,
    project,
    solved,
    takes_part,
)
from tests.worlds import world

pytestmark = pytest.mark.django_db
LATER = date(2025, 3, 20)
BEFORE = date(2023, 3, 20)


@pytest.fixture(autouse=True)
def no_throttle_left_over() -> None:
    cache.clear()


@pytest.fixture
def nothing_small(settings: Any) -> None:
    """Strangers read all figures of this small country; what is kept from them other tests say."""
    settings.SMALL_CELLS_BELOW = 1


@world
def tree() -> Tree:
    """Rows of 2024 in four regions, fewer of 2023, one of 2025."""
    tree = Tree()
    leader, member, lab = firm(at=tree.huqiu), firm(at=tree.huqiu), firm(at=tree.nation)
    for unit in (tree.huqiu, tree.binhu, tree.dalian):
        work = project(unit)
        takes_part(leader, work, "leader")
        takes_part(member, work)
        takes_part(lab, work, "enabler")
        key_project(work)
    project(tree.jiangsu, tier="cross_region", regions=[tree.beijing])
    consortium(tree.suzhou)
    for unit in (tree.huqiu, tree.huqiu, tree.binhu, tree.binhu, tree.dalian, tree.dalian, tree.beijing):
        solved(unit)
    problem(tree.huqiu, ("submitted", date(2024, 5, 6)))
    solved(tree.huqiu, BEFORE)
    project(tree.huqiu, start_on=BEFORE)
    solved(tree.huqiu, LATER)
    return tree


@world
def period(tree: Tree) -> Period:
    """2024, published, with 2023 to compare."""
    for code in ("2023", "2024"):
        services.freeze_now(services.get_period(code), None)
        services.publish(services.get_period(code), None)
    return services.get_period("2024")


@world
def unpublished(tree: Tree) -> Period:
    services.rollup_now(services.get_period("2025"))
    return services.get_period("2025")


@pytest.fixture
def blank_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paper that costs no time; what is on it is the matter of other tests."""
    monkeypatch.setattr(paper, "render_pdf", lambda circular: b"%PDF-1.7 " + circular.number.encode())


def printed(bulletin: Bulletin) -> Bulletin:
    return services.print_now(bulletin)


def of(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


def admin(tree: Tree) -> User:
    return factories.user(Role.ADMINISTRATOR, tree.nation, name="总局管理员")


READERS: dict[str, Callable[[Tree], User | None]] = {
    "anonymous": lambda tree: None,
    "filer": lambda tree: factories.user(Role.FILER),
    "county": lambda tree: factories.user(Role.OFFICER, tree.huqiu),
    "province": lambda tree: factories.user(Role.STATISTICIAN, tree.jiangsu),
    "statistician": lambda tree: factories.user(Role.STATISTICIAN, tree.nation),
    "auditor": lambda tree: factories.user(Role.AUDITOR, tree.nation),
    "admin": admin,
}


def pdf_of(client: Client, bulletin: Bulletin) -> bytes:
    response = client.get(page_of(bulletin, "pdf/"))
    assert response["Content-Type"] == "application/pdf"
    return response.getvalue()


def text_of(response: Any) -> str:
    return response.content.decode()


# --- Dashboard --------------------------------------------------------------------------------------------

TO_LOGIN, REFUSED, SEEN = 302, 403, 200


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        # Nation, province, planned city and county of a published period, then of one that is not.
        ("anonymous", ((SEEN, SEEN, SEEN, TO_LOGIN), (TO_LOGIN,) * 4)),
        ("filer", ((SEEN,) * 4, (REFUSED,) * 4)),
        ("county", ((SEEN,) * 4, (REFUSED, REFUSED, REFUSED, SEEN))),
        ("province", ((SEEN,) * 4, (REFUSED, SEEN, REFUSED, SEEN))),
        ("statistician", ((SEEN,) * 4, (SEEN,) * 4)),
        ("auditor", ((SEEN,) * 4, (SEEN,) * 4)),
        ("admin", ((SEEN,) * 4, (SEEN,) * 4)),
    ],
)
def test_who_reads_which_figures(
    tree: Tree, period: Period, unpublished: Period, reader: str, expected: tuple[tuple[int]]
) -> None:
    client = of(READERS[reader](tree))
    for which, statuses in zip((period, unpublished), expected, strict=True):
        for unit, status in zip((tree.nation, tree.jiangsu, tree.dalian, tree.huqiu), statuses, strict=True):
            query = {"period": which.code, "bureau": unit.code}
            board = client.get(reverse("bulletins:figures", query=query))
            assert board.status_code == status, (which, unit)
            rows = client.get(reverse("bulletins:figure_rows", args=[which.code, unit.code, "I15"]))
            assert rows.status_code == status, (which, unit)
            if status == TO_LOGIN:
                assert "/login/?next=" in board["Location"]
            if status == REFUSED:
                assert "尚未发布" in text_of(board)
                assert unit.short_name in text_of(board)


@pytest.mark.usefixtures("nothing_small")
def test_the_dashboard_says_it_in_a_sentence_and_seven_figures(tree: Tree, period: Period) -> None:
    page = of(None).get("/figures/")
    text = text_of(page)
    assert "2024年，全国实施质量强链项目 4 个，提出问题 8 个，解决 7 个，比上年增长 6 倍。" in strip_tags(
        text
    )
    assert '提出问题 <a href="/figures/2024/v1/000000/I12/">8</a> 个' in text
    board = page.context["board"]
    assert [line.indicator.code for line in board.lines()] == list(HEADLINES)
    assert [line.value for line in board.lines()] == ["4", "1", "1", "1", "1", "3", "7"]
    for line in board.lines():
        assert f'href="{line.href}"' in text
        assert f'href="{line.how}"' in text
    assert all(unit.short_name in text for unit in (tree.jiangsu, tree.dalian, tree.corps))


@pytest.mark.usefixtures("nothing_small")
def test_shares_of_regions_add_to_a_hundred_and_blanks_have_none(tree: Tree, period: Period) -> None:
    board = of(None).get("/figures/").context["board"]
    shares = {region.name: region.share for region in board.regions}
    # 1, 2 and 4 of 7: rounding each for itself would make 14.3, 28.6 and 57.1 as well.
    assert shares == {
        "北京市": "14.3", "辽宁省": "28.6", "大连市": "", "江苏省": "57.1",
        "新疆维吾尔自治区": "—", "新疆生产建设兵团": "—",
    }  # fmt: skip
    assert sum(Decimal(share) for share in shares.values() if share not in ("", "—")) == 100


@pytest.mark.parametrize("parts", [(1, 1), (211, 112, 62, 40, 32, 11), (1, 5, 1, 0), (7,)])
def test_shares_are_rounded_by_the_largest_remainder(tree: Tree, parts: tuple[int, ...]) -> None:
    units = (tree.huqiu, tree.wujiang, tree.suzhou)
    counties = [
        *units[:2], *(factories.bureau(f"32051{n}", f"区{n}", tree.suzhou) for n in range(len(parts)))
    ]  # fmt: skip
    for unit, number in zip(counties, parts, strict=False):
        for _n in range(number):
            project(unit, start_on=date(2026, 2, 1))
    project(tree.suzhou, start_on=date(2026, 2, 1))
    snapshot = services.rollup_now(services.get_period("2026"))
    board = Board(snapshot, tree.suzhou, Reader(admin(tree)), by="I01")
    assert sum(Decimal(share) for share in board.shares.values() if share != "—") == 100
    assert board.own_share != "0.0"


@pytest.mark.usefixtures("nothing_small")
def test_distinct_things_have_no_shares(tree: Tree, period: Period) -> None:
    assert of(None).get("/figures/?by=I05").context["board"].shares == {}


@pytest.mark.usefixtures("nothing_small")
def test_regions_share_ranks_and_planned_cities_stand_below_their_province(
    tree: Tree, period: Period
) -> None:
    board = of(None).get("/figures/").context["board"]
    table = {region.name: region for region in board.regions}
    assert [region.name for region in board.regions] == [
        "北京市", "辽宁省", "大连市", "江苏省", "新疆维吾尔自治区", "新疆生产建设兵团",
    ]  # fmt: skip
    solved_by = {name: region.cells[6].value for name, region in table.items()}
    assert solved_by == {
        "北京市": "1", "辽宁省": "2", "大连市": "2", "江苏省": "4",
        "新疆维吾尔自治区": "—", "新疆生产建设兵团": "—",
    }  # fmt: skip
    assert [table[name].rank for name in ("江苏省", "辽宁省", "北京市", "大连市")] == ["1", "2", "3", ""]
    assert table["大连市"].of_which
    assert not table["辽宁省"].of_which
    assert table["江苏省"].cells[0].note == "跨区域牵头 1"
    assert table["北京市"].cells[0].note == "跨区域参与 1"
    # One leader works in two provinces: both count it, the nation once.
    assert [table[name].cells[2].value for name in ("江苏省", "辽宁省")] == ["1", "1"]
    assert board.repeated[2].value == "1"
    by_leaders = of(None).get("/figures/?by=I05").context["board"]
    assert {region.name: region.rank for region in by_leaders.regions}["江苏省"] == "并列1"


def test_what_a_unit_counts_itself_stands_apart_from_its_regions(tree: Tree, period: Period) -> None:
    board = of(admin(tree)).get("/figures/?bureau=320000").context["board"]
    # The cross-region project is the province's own, the two others lie in its cities.
    assert (board.total[0].value, board.own[0].value) == ("3", "1")
    assert board.repeated == []


def test_strangers_to_a_province_are_asked_to_log_in_for_its_cities(tree: Tree, period: Period) -> None:
    public = text_of(of(None).get("/figures/?bureau=320000"))
    assert "登录后查看" in public
    assert tree.suzhou.short_name not in public.split("</form>")[-1]
    assert tree.suzhou.short_name in text_of(of(READERS["filer"](tree)).get("/figures/?bureau=320000"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"period": "2024-13"}, "“2024-13”不是期间代码，请写成 2024（年）、2024H1（半年）、2024Q3（季度）"),
        ({"period": "2019"}, "还没有2019年的数据。已有：2024、2023。"),
        ({"bureau": "999999"}, "没有代码为“999999”的单位"),
        ({"bureau": "32-00"}, "的单位。单位代码为 6 至 12 位数字"),
        ({"by": "I99"}, "“I99”不在可选项中，可选：I01、I03、I05、I07、I09、I10、I15、I19、I21、I23、I24。"),
    ],
)
def test_a_fault_in_the_address_is_said_at_its_field(
    tree: Tree, period: Period, query: dict[str, str], sentence: str
) -> None:
    response = of(None).get(reverse("bulletins:figures", query=query))
    assert response.status_code == 400
    assert sentence in text_of(response)
    assert "board" not in response.context


@pytest.mark.parametrize("address", ["2024/999999/I15", "2024/000000/I99", "2019/000000/I15", "x/000000/I15"])
def test_rows_of_nothing_are_not_found(tree: Tree, period: Period, address: str) -> None:
    assert of(None).get(f"/figures/{address}/").status_code == 404


def test_before_anything_is_rolled_up_the_dashboard_says_what_will_stand_there(tree: Tree) -> None:
    assert "还没有可以查看的数据" in text_of(of(None).get("/figures/"))
    services.get_period("2024")
    officer = of(READERS["auditor"](tree)).get("/figures/?period=2024")
    assert "这一期间还没有汇总" in text_of(officer)
    assert reverse("bulletins:period_detail", args=["2024"]) in text_of(officer)


def test_an_open_period_says_that_it_still_moves(tree: Tree, unpublished: Period) -> None:
    assert "冻结之前还会变动" in text_of(of(admin(tree)).get("/figures/?period=2025"))


@pytest.mark.usefixtures("nothing_small")
def test_what_is_seen_can_be_taken_along(tree: Tree, period: Period) -> None:
    response = of(None).get("/figures/?export=csv")
    rows = list(csv.DictReader(io.StringIO(text_of(response).removeprefix("\ufeff"))))
    assert [row["单位"] for row in rows][:4] == ["全国", "北京市", "辽宁省", "大连市"]
    nation = rows[0]
    assert [nation[f"{CATALOGUE[code].name}（{CATALOGUE[code].unit}）"] for code in HEADLINES] == [
        "4", "1", "1", "1", "1", "3", "7",
    ]  # fmt: skip
    assert rows[-1]["解决质量堵点卡点问题（个）"] == ""
    book = load_workbook(io.BytesIO(of(None).get("/figures/?export=xlsx").content))
    assert [cell.value for cell in book.active[2]][:2] == ["000000", "全国"]
    assert len(list(book.active.rows)) == len(rows) + 1


def test_every_indicator_is_defined_for_readers(tree: Tree) -> None:
    text = text_of(of(None).get("/figures/definitions/"))
    for indicator in CATALOGUE.values():
        assert f'id="{indicator.code}"' in text
        assert str(indicator.counted) in text


# --- Rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [False, True])
def test_every_figure_opens_to_rows_that_count_to_it(tree: Tree, frozen: bool) -> None:
    start = services.get_period("2024")
    (services.freeze_now if frozen else services.rollup_now)(start, None)
    client = of(admin(tree))
    nonzero = 0
    for code, indicator in CATALOGUE.items():
        for unit in (tree.nation, tree.jiangsu, tree.suzhou, tree.huqiu, tree.beijing):
            page = client.get(reverse("bulletins:figure_rows", args=["2024", unit.code, code]))
            context = page.context
            figure = context["headline"].figure
            # Of ratios and medians the rows are what is divided by.
            value = figure.denominator or figure.value or 0
            counted = context["totals"]["things" if indicator.distinct else "rows"] or 0
            assert counted == value, (code, unit)
            assert not context["drifted"], (code, unit)
            assert context["page"].paginator.count == context["totals"]["rows"], (code, unit)
            assert not context["hidden"]
            nonzero += bool(value)
    assert nonzero > 30


def test_frozen_rows_stay_as_they_were_counted(tree: Tree, period: Period) -> None:
    solved(tree.huqiu)
    gone = ChainProject.objects.filter(bureau=tree.huqiu, start_on__year=2024).get()
    ChainProject.objects.filter(pk=gone.pk).update(voided_at=timezone.now(), void_reason="误报")
    client = of(admin(tree))
    solved_page = client.get("/figures/2024/320505/I15/")
    assert solved_page.context["page"].paginator.count == solved_page.context["headline"].value == 2
    firms = client.get("/figures/2024/320505/I05/")
    assert (firms.context["totals"]["rows"], firms.context["visible"], firms.context["hidden"]) == (1, 0, 1)
    assert "另外 1 条不在您的范围内，或在冻结之后作废、转走。" in text_of(firms)


def test_open_rows_that_came_after_the_roll_up_are_remarked_on(tree: Tree, unpublished: Period) -> None:
    client = of(admin(tree))
    assert "台账有变动" not in text_of(client.get("/figures/2025/000000/I15/"))
    solved(tree.huqiu, LATER)
    page = client.get("/figures/2025/000000/I15/")
    assert "台账有变动" in text_of(page)
    assert page.context["page"].paginator.count == 2


def test_readers_see_their_own_rows_of_everybodys_figure(tree: Tree, period: Period) -> None:
    county = of(READERS["county"](tree)).get("/figures/2024/000000/I15/")
    assert (county.context["headline"].value, county.context["visible"], county.context["hidden"]) == (
        7,
        2,
        5,
    )
    filer = of(READERS["filer"](tree)).get("/figures/2024/000000/I15/")
    assert filer.context["visible"] == 0
    assert "您的范围内没有计入这个数的记录" in text_of(filer)
    # A county sees whom it admitted, be the project whose it may.
    firms = of(READERS["county"](tree)).get("/figures/2024/320505/I05/")
    assert (firms.context["visible"], firms.context["hidden"]) == (1, 0)


def test_strangers_see_what_was_counted_but_no_row_and_no_officer(tree: Tree) -> None:
    by = admin(tree)
    services.freeze_now(services.get_period("2024"), by)
    services.publish(services.get_period("2024"), by)
    public = text_of(of(None).get("/figures/2024/000000/I15/"))
    assert "核验为“堵点卡点已解决”的问题" in public
    assert "登录后查看" in public
    assert by.name not in public
    assert "data-row" not in public
    assert by.name in text_of(of(by).get("/figures/2024/000000/I15/"))


def test_rows_are_found_by_chain_and_by_words(tree: Tree) -> None:
    bearings = factories.chain("C02", "轴承")
    solved(tree.huqiu, chain=bearings, title="保持架断裂")
    services.freeze_now(services.get_period("2024"), None)
    client = of(admin(tree))
    for query, found in (("chain=C02", 1), ("chain=C01", 7), ("q=保持架", 1), ("q=没有", 0)):
        page = client.get(f"/figures/2024/000000/I15/?{query}")
        assert page.context["page"].paginator.count == found, query
        # Of a chain it is another figure; words only pick among its rows.
        figure = found if "chain" in query else 8
        assert page.context["visible"] == page.context["headline"].value == figure
    assert client.get("/figures/2024/000000/I05/?q=演示").context["page"].paginator.count == 3
    board = client.get("/figures/?period=2024").context["board"]
    assert client.get(board.chains[1].cells[6].href).context["page"].paginator.count == 1
    wrong = client.get("/figures/2024/000000/I15/?chain=C99")
    assert "没有代码为“C99”的产业链" in text_of(wrong)


# --- Periods ----------------------------------------------------------------------------------------------


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("reader", "list_status", "freeze_status", "roll_up_status"),
    [
        ("anonymous", TO_LOGIN, TO_LOGIN, TO_LOGIN),
        ("filer", REFUSED, REFUSED, REFUSED),
        ("county", SEEN, REFUSED, REFUSED),
        ("province", SEEN, REFUSED, 302),
        ("statistician", SEEN, SEEN, 302),
        ("auditor", SEEN, REFUSED, REFUSED),
        ("admin", SEEN, SEEN, 302),
    ],
)
def test_who_handles_periods(
    tree: Tree, reader: str, list_status: int, freeze_status: int, roll_up_status: int
) -> None:
    services.get_period("2024")
    client = of(READERS[reader](tree))
    assert client.get("/periods/").status_code == list_status
    assert client.get("/periods/2024/").status_code == list_status
    assert client.get("/periods/2024/freeze/").status_code == freeze_status
    assert client.get("/periods/2024/publish/").status_code == freeze_status
    assert client.post("/periods/2024/rollup/").status_code == roll_up_status
    assert Snapshot.objects.exists() == (reader in ("province", "statistician", "admin"))
    may_open = client.post("/periods/", {"code": "2026Q1"}).status_code == 302 and freeze_status == SEEN
    assert Period.objects.filter(code="2026Q1").exists() == may_open


def test_who_may_not_freeze_reads_why(tree: Tree) -> None:
    services.get_period("2024")
    text = text_of(of(READERS["province"](tree)).get("/periods/2024/"))
    assert 'aria-disabled="true"' in text
    assert "冻结：建立、冻结和发布统计期间由总局的管理员或统计员办理。" in text


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("2024年", "“2024年”不是期间代码"),
        ("2024Q5", "请写成 2024（年）、2024H1（半年）、2024Q3（季度）或 2024-11（月）"),
        ("", "请填期间代码，例如 2024Q3。"),
        ("2024q3", "2024年第三季度已在列表中。"),
    ],
)
def test_a_period_is_opened_by_a_code_that_is_one(tree: Tree, code: str, sentence: str) -> None:
    services.get_period("2024Q3")
    response = of(admin(tree)).post("/periods/", {"code": code})
    assert response.status_code == 400
    assert sentence in text_of(response)
    assert Period.objects.count() == 1


def test_from_open_to_published(tree: Tree) -> None:
    client = of(admin(tree))
    opened = client.post("/periods/", {"code": " 2024 "}, follow=True)
    assert "已建立统计期" in text_of(opened)
    assert "还没有汇总" in text_of(opened)
    running = client.post("/periods/2024/rollup/", follow=True)
    assert "已开始汇总2024年" in text_of(running)
    assert 'hx-get="/periods/2024/progress/"' in text_of(running)
    # Clicked twice is one job.
    client.post("/periods/2024/rollup/")
    assert Snapshot.objects.count() == 1
    bar = client.get("/periods/2024/progress/", headers={"HX-Request": "true"})
    assert "排队中" in text_of(bar)
    assert client.get("/periods/2024/progress/")["Location"] == "/periods/2024/"
    services.run_snapshot(Snapshot.objects.get().pk)
    done = client.get("/periods/2024/progress/", headers={"HX-Request": "true"})
    assert done["HX-Refresh"] == "true"

    asked = client.get("/periods/2024/freeze/")
    assert "冻结不能撤销" in text_of(asked)
    client.post("/periods/2024/freeze/")
    again = client.post("/periods/2024/freeze/", follow=True)
    assert "2024年正在冻结，请稍候。" in text_of(again)
    assert "任务正在进行，请稍候。" in text_of(again)
    services.run_snapshot(Snapshot.objects.get(version=1).pk)
    frozen = text_of(client.get("/periods/2024/"))
    assert "数字不再随台账变动" in frozen
    assert "首次冻结" in frozen

    late = client.post("/periods/2024/freeze/", follow=True)
    assert "已于" in text_of(late)
    assert "数据不再变动；需要更正时，请写明原因重新冻结为新版本。" in text_of(late)
    assert Snapshot.objects.filter(version__gt=0).count() == 1
    assert "将公开的七项数字" in text_of(client.get("/periods/2024/publish/"))
    published = client.post("/periods/2024/publish/", follow=True)
    assert "2024年的数据已发布" in text_of(published)
    assert of(None).get("/figures/?period=2024").status_code == 200


def test_a_correction_needs_a_reason_and_is_a_new_version(tree: Tree, period: Period) -> None:
    client = of(admin(tree))
    asked = client.get("/periods/2024/freeze/")
    assert "存为第 2 版" in text_of(asked)
    without = client.post("/periods/2024/freeze/", {"correcting": "1", "reason": " "})
    assert without.status_code == 400
    assert "请写明原因，例如" in text_of(without)
    solved(tree.huqiu)
    client.post("/periods/2024/freeze/", {"correcting": "1", "reason": "补记虎丘区 1 个问题。"})
    services.run_snapshot(Snapshot.objects.get(period=period, version=2).pk)
    assert "补记虎丘区 1 个问题。" in text_of(client.get("/periods/2024/"))
    public = of(None).get("/figures/")
    assert "更正原因：补记虎丘区 1 个问题。" in text_of(public)
    assert public.context["board"].value("I15") == 8


def test_a_freeze_that_finds_faults_names_the_rows(tree: Tree) -> None:
    faulty = solved(tree.huqiu, proved=False, code="DK-2024-320505-00077")
    client = of(admin(tree))
    services.get_period("2024")
    client.post("/periods/2024/freeze/")
    with pytest.raises(Exception, match="没有证据"):
        services.run_snapshot(Snapshot.objects.get().pk)
    text = text_of(client.get("/periods/2024/"))
    assert "没有冻结：核对发现下列问题" in text
    assert f'<a href="/bottlenecks/?q={faulty.code}">{faulty.code}</a>' in text
    assert services.get_period("2024").status == Period.Status.OPEN


def test_a_period_is_not_frozen_before_it_ends(tree: Tree) -> None:
    year = timezone.localdate().year
    services.get_period(str(year))
    client = of(admin(tree))
    assert f"{year}-12-31 24:00 截止之后才能冻结。" in text_of(client.get(f"/periods/{year}/"))
    response = client.post(f"/periods/{year}/freeze/", follow=True)
    assert "才截止，截止后才能冻结。" in text_of(response)
    assert not Snapshot.objects.exists()


def test_an_unknown_period_is_not_found(tree: Tree) -> None:
    client = of(admin(tree))
    for address in ("/periods/2019/", "/periods/x/freeze/", "/periods/2024-13/progress/"):
        assert client.get(address).status_code == 404


# --- Bulletins --------------------------------------------------------------------------------------------


@pytest.fixture
def draft(tree: Tree, period: Period, blank_paper: None) -> Bulletin:
    return printed(services.draft_bulletin(period, tree.jiangsu, None))


@pytest.fixture
def issued(tree: Tree, period: Period, blank_paper: None) -> Bulletin:
    return printed(services.issue_bulletin(period, tree.jiangsu))


def page_of(bulletin: Bulletin, step: str = "") -> str:
    return f"/bulletins/{bulletin.public_id}/{step}"


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        # The draft, drafting anew, the first step.
        ("anonymous", (404, TO_LOGIN, TO_LOGIN)),
        ("filer", (404, REFUSED, 404)),
        ("county", (404, REFUSED, 404)),
        ("province", (SEEN, SEEN, SEEN)),
        ("statistician", (SEEN, SEEN, SEEN)),
        ("auditor", (SEEN, REFUSED, REFUSED)),
        ("admin", (SEEN, SEEN, SEEN)),
    ],
)
def test_drafts_are_for_those_who_work_on_them(
    tree: Tree, draft: Bulletin, reader: str, expected: tuple[int, int, int]
) -> None:
    draft_status, new_status, step_status = expected
    client = of(READERS[reader](tree))
    assert client.get(page_of(draft)).status_code == draft_status
    if draft_status == SEEN:
        assert pdf_of(client, draft) == file_of(draft)
    else:
        assert client.get(page_of(draft, "pdf/")).status_code == draft_status
    assert client.get(page_of(draft, "progress/")).status_code == (302 if draft_status == SEEN else 404)
    assert (draft.title in text_of(client.get("/bulletins/"))) == (draft_status == SEEN)
    assert client.get("/bulletins/new/").status_code == new_status
    assert client.get(page_of(draft, "edit/")).status_code == step_status
    assert client.post(page_of(draft, "submit/")).status_code == (302 if step_status == SEEN else step_status)
    draft.refresh_from_db()
    assert (draft.status == "review") == (step_status == SEEN)


@pytest.mark.any_database
@pytest.mark.parametrize("reader", READERS)
def test_issued_bulletins_are_for_everybody(tree: Tree, issued: Bulletin, reader: str) -> None:
    client = of(READERS[reader](tree))
    text = text_of(client.get(page_of(issued)))
    assert issued.number in text
    assert issued.verification_code in text
    assert issued.sha256 in text
    assert issued.number in text_of(client.get("/bulletins/"))
    assert pdf_of(client, issued).startswith(b"%PDF-")
    offered = reader in ("province", "statistician", "admin")
    assert (page_of(issued, "replace/") in text) == offered
    if reader in ("anonymous", "county", "auditor"):
        assert client.post(page_of(issued, "withdraw/"), {"reason": "x"}).status_code in (302, 403)
        issued.refresh_from_db()
        assert issued.status == "issued"


def test_the_pdf_is_named_by_its_number_and_sent_once(issued: Bulletin) -> None:
    client = of(None)
    response = client.get(page_of(issued, "pdf/"))
    assert response.getvalue() == file_of(issued)
    assert response["ETag"] == f'"{issued.sha256}"'
    assert "attachment" in response["Content-Disposition"]
    assert "%E8%8B%8F%E8%B4%A8%E5%BC%BA%E9%93%BE" in response["Content-Disposition"]
    known = client.get(page_of(issued, "pdf/"), headers={"If-None-Match": response["ETag"]})
    assert known.status_code == 304
    framed = client.get(page_of(issued, "pdf/?view=1"))
    framed.getvalue()
    assert "inline" in framed["Content-Disposition"]
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in framed["Content-Security-Policy"]
    assert client.get(page_of(issued))["X-Frame-Options"] == "DENY"


def test_a_bulletin_whose_file_is_lost_says_so(issued: Bulletin) -> None:
    issued.pdf.storage.delete(issued.pdf.name)
    assert of(None).get(page_of(issued, "pdf/")).status_code == 404


def test_the_list_is_searched_by_number_and_filtered(tree: Tree, period: Period, issued: Bulletin) -> None:
    other = printed(services.issue_bulletin(period, tree.beijing))
    services.withdraw(other, None, "附件印错。")
    year = timezone.localdate().year
    for query, found in (
        ({"q": f"〔{year}〕1号"}, {issued, other}),
        ({"q": f"{year}-1"}, {issued, other}),
        ({"q": "江苏省"}, {issued}),
        ({"q": f"{year}-9"}, set()),
        ({"bureau": "110000"}, {other}),
        ({"status": "withdrawn"}, {other}),
        ({"period": "2023"}, set()),
        ({"issued_from": "2020-01-01", "period": "2024"}, {issued, other}),
    ):
        page = of(None).get(reverse("bulletins:bulletin_list", query=query))
        assert set(page.context["page"].object_list) == {row.pk for row in found}, query
    wrong = of(None).get("/bulletins/?period=2019&status=lost")
    assert "没有代码为“2019”的统计期" in text_of(wrong)
    assert "“lost”不在可选项中" in text_of(wrong)


def test_a_draft_is_made_once_and_a_second_bulletin_only_if_meant(
    tree: Tree, period: Period, blank_paper: None
) -> None:
    client = of(READERS["province"](tree))
    asked = {"kind": "circular", "period": "2024", "bureau": "320000"}
    made = client.post("/bulletins/new/", asked, follow=True)
    assert "已开始生成草稿" in text_of(made)
    twice = client.post("/bulletins/new/", asked, follow=True)
    assert "这份通报正在办理，已为您打开。" in text_of(twice)
    brief = client.post("/bulletins/new/", asked | {"kind": "brief"}, follow=True)
    assert "2024年全省质量强链工作进展" in text_of(brief)
    Bulletin.objects.judged("test").get(kind="brief").delete()
    draft = Bulletin.objects.get()
    issued = printed(services.issue(draft, None))
    refused = client.post("/bulletins/new/", asked)
    assert refused.status_code == 400
    assert f"印发{issued.number}；内容有误时请用“替换”。" in text_of(refused)
    assert 'type="checkbox"' in text_of(refused)
    client.post("/bulletins/new/", asked | {"again": "on"})
    assert Bulletin.objects.count() == 2


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"period": "2025", "bureau": "320000"}, "这个期间还没有冻结，不能印发通报。"),
        ({"period": "x", "bureau": "320000"}, "这个期间还没有冻结，不能印发通报。"),
        ({"period": "2024", "bureau": "110000"}, "您没有为北京市印发通报的权限"),
        ({"period": "2024", "bureau": "999999"}, "没有代码为“999999”的单位"),
    ],
)
def test_what_cannot_be_drafted_says_why(
    tree: Tree, period: Period, unpublished: Period, asked: dict[str, str], sentence: str
) -> None:
    response = of(READERS["province"](tree)).post("/bulletins/new/", asked | {"kind": "circular"})
    assert response.status_code == 400
    assert sentence in text_of(response)
    assert not Bulletin.objects.exists()


def test_issuing_twice_is_once(tree: Tree, draft: Bulletin) -> None:
    writer = factories.user(Role.STATISTICIAN, tree.jiangsu)
    reviewer, client = of(factories.user(Role.STATISTICIAN, tree.jiangsu)), of(admin(tree))
    early = client.post(page_of(draft, "issue/"), follow=True)
    assert "送审并审核通过后才能签发" in text_of(early)
    of(writer).post(page_of(draft, "submit/"))
    reviewer.post(page_of(draft, "approve/"))
    assert "编今年的下一个发文字号" in text_of(client.get(page_of(draft, "issue/")))
    first = client.post(page_of(draft, "issue/"), follow=True)
    assert "已印发" in text_of(first)
    second = client.post(page_of(draft, "issue/"), follow=True)
    assert "不能再印发" in text_of(second)
    draft.refresh_from_db()
    assert draft.doc_seq == 1


def test_the_desk_shows_paper_and_blocks_and_saves_a_block(tree: Tree, draft: Bulletin) -> None:
    client = of(READERS["province"](tree))
    page = text_of(client.get(page_of(draft, "edit/")))
    assert f"{page_of(draft, 'pdf/')}?view=1" in page
    assert "⟦1:2024年⟧" in page
    block = next(one for one in circular.blocks(draft) if one.key == "opening")
    typed = {"text": f"按照部署，{block.shown}", "seen": block.digest}
    saved = client.post(page_of(draft, "edit/opening/"), typed, headers={"HX-Request": "true"})
    assert "已保存" in text_of(saved)
    assert 'hx-swap-oob="true"' in text_of(saved)
    assert "正在按新文字排版" in text_of(saved)
    draft = printed(draft)
    paper_ = client.get(page_of(draft, "paper/"), headers={"HX-Request": "true"})
    assert "以下是打印的样子" in text_of(paper_)
    assert "hx-get" not in text_of(paper_)
    block = next(one for one in circular.blocks(draft) if one.key == "opening")
    client.post(page_of(draft, "edit/opening/"), {"seen": block.digest, "text": "x", "restore": "1"})
    assert not draft.wordings.exists()


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_refused_block_keeps_what_was_typed_and_says_why_at_the_block(
    tree: Tree, draft: Bulletin, headers: dict[str, str]
) -> None:
    client = of(READERS["province"](tree))
    block = next(one for one in circular.blocks(draft) if one.key == "opening")
    typed = {"text": "<b>共3个</b>", "seen": block.digest}
    refused = client.post(page_of(draft, "edit/opening/"), typed, headers=headers)
    assert refused.status_code == (200 if headers else 400)
    text = text_of(refused)
    assert "&lt;b&gt;共3个&lt;/b&gt;</textarea>" in text
    assert (
        text.index('id="block-opening-errors"')
        < text.index("缺少锁定的数字 ⟦1:2024年⟧")
        < text.index("共3个&lt;")
    )
    assert not draft.wordings.exists()
    quicker = services.reword(draft, "opening", f"快。{block.shown}", block.digest, None)
    late = client.post(
        page_of(quicker, "edit/opening/"), typed | {"text": f"慢。{block.shown}"}, headers=headers
    )
    assert "别人刚改过这一段" in text_of(late)
    assert "慢。按照" in text_of(late)
    assert "快。按照" in text_of(late)


def test_a_bulletin_is_sent_back_or_discarded_from_its_page(tree: Tree, draft: Bulletin) -> None:
    client = of(READERS["province"](tree))
    client.post(page_of(draft, "submit/"))
    locked = client.get(page_of(draft, "edit/"), follow=True)
    assert "只有草稿可以修改" in text_of(locked)
    assert client.post(page_of(draft, "send-back/"), {"reason": ""}).status_code == 400
    client.post(page_of(draft, "send-back/"), {"reason": "第三部分太长"})
    assert "第三部分太长" in text_of(client.get(page_of(draft)))
    assert "删除不留空号" in text_of(client.get(page_of(draft, "discard/")))
    client.post(page_of(draft, "discard/"))
    assert not Bulletin.objects.exists()


def test_a_bulletin_is_replaced_with_a_reason(tree: Tree, period: Period, issued: Bulletin) -> None:
    client = of(admin(tree))
    assert "新通报印的仍是同一版数据" in text_of(client.get(page_of(issued, "replace/")))
    assert client.post(page_of(issued, "replace/"), {"reason": ""}).status_code == 400
    done = client.post(page_of(issued, "replace/"), {"reason": "更正 2 个项目。"}, follow=True)
    issued.refresh_from_db()
    successor = issued.replaced_by
    assert "已起草替换件" in text_of(done)
    assert "替换件正在办理" in text_of(client.get(page_of(issued)))
    assert "替换" not in text_of(of(None).get(page_of(issued)))
    services.issue(successor, None)
    old = text_of(of(None).get(page_of(issued)))
    assert "这份通报已被替换" in old
    assert page_of(successor) in old
    assert "更正 2 个项目。" in text_of(of(None).get(page_of(successor)))
    stale = client.post(page_of(issued, "replace/"), {"reason": "再来一次"}, follow=True)
    assert "只有已印发的通报可以替换或撤回" in text_of(stale)
    assert Bulletin.objects.count() == 2


def test_a_bulletin_is_withdrawn_with_a_reason(tree: Tree, issued: Bulletin) -> None:
    client = of(admin(tree))
    assert f"撤回 {issued.number}？" in text_of(client.get(page_of(issued, "withdraw/")))
    assert client.post(page_of(issued, "withdraw/"), {}).status_code == 400
    client.post(page_of(issued, "withdraw/"), {"reason": "附件印错。"})
    text = text_of(of(None).get(page_of(issued)))
    assert "撤回，不再有效" in text
    assert "附件印错。" in text


def test_a_job_under_way_shows_its_progress_and_a_failed_one_its_reason(
    tree: Tree, period: Period, draft: Bulletin
) -> None:
    client = of(admin(tree))
    Bulletin.objects.update(job_state=Job.State.RUNNING, progress=45, pdf="", sha256="")
    page = text_of(client.get(page_of(draft)))
    assert "正在排版" in page
    assert "45%" in page
    assert '<meta http-equiv="refresh"' in page
    bar = client.get(page_of(draft, "progress/"), headers={"HX-Request": "true"})
    assert "45%" in text_of(bar)
    assert client.get(page_of(draft, "pdf/")).status_code == 404
    Bulletin.objects.update(job_state=Job.State.FAILED, error="字体文件缺失。")
    failed = text_of(client.get(page_of(draft)))
    assert "没有生成成功" in failed
    assert "字体文件缺失。" in failed
    done = client.get(page_of(draft, "progress/"), headers={"HX-Request": "true"})
    assert done["HX-Refresh"] == "true"
    assert "已重新开始生成。" in text_of(client.post(page_of(draft, "retry/"), follow=True))
    assert "只有生成失败的通报需要重新生成。" in text_of(client.post(page_of(draft, "retry/"), follow=True))


def test_a_foreign_bulletin_is_not_found(tree: Tree, draft: Bulletin) -> None:
    other_province = of(factories.user(Role.STATISTICIAN, tree.beijing))
    for step in ("", "pdf/", "progress/", "issue/", "replace/", "withdraw/"):
        assert other_province.get(page_of(draft, step)).status_code == 404, step
    assert other_province.post(page_of(draft, "retry/")).status_code == 404
    unknown = page_of(Bulletin())
    assert of(admin(tree)).get(unknown).status_code == 404


# --- Verification -----------------------------------------------------------------------------------------


def upload(content: bytes, name: str = "通报.pdf") -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, content, content_type="application/pdf")}


def digest(content: bytes) -> dict[str, Any]:
    """What the browser sends of a file that it keeps (static/js/verify.js)."""
    copy = copy_of(io.BytesIO(content))
    return {"digest": copy.digest, "found": " ".join(copy.codes)}


both_ways = pytest.mark.parametrize("sent", [upload, digest])


def file_of(bulletin: Bulletin) -> bytes:
    return Path(bulletin.pdf.path).read_bytes()


def test_a_code_is_answered_with_what_to_compare(issued: Bulletin) -> None:
    typed = issued.verification_code.lower().replace("-", " ")
    response = of(None).post("/verify/", {"code": f" {typed} "}, follow=True)
    assert response.redirect_chain == [(f"/verify/{issued.verification_code}/", 302)]
    text = text_of(response)
    assert "确有这份通报，现行有效" in text
    assert issued.number in text
    assert "逐项对照" in text
    assert "4 个" in text  # solved in Jiangsu, as printed


@both_ways
def test_a_file_is_answered_by_its_bytes(tree: Tree, period: Period, sent: Any) -> None:
    bulletin = printed(services.issue_bulletin(period, tree.beijing))
    content = file_of(bulletin)
    assert "真实，未被改动" in text_of(of(None).post("/verify/", sent(content)))
    altered = text_of(of(None).post("/verify/", sent(content + b"\n% changed")))
    assert "内容与原件不一致" in altered
    assert bulletin.number in altered
    assert "向发给您文件的单位索要原始 PDF" in altered
    assert "没有查到" in text_of(of(None).post("/verify/", sent(b"%PDF-1.4 something else")))


@both_ways
def test_replaced_and_withdrawn_ones_say_so(tree: Tree, period: Period, issued: Bulletin, sent: Any) -> None:
    successor = printed(services.issue(services.replace(issued, None, "更正 2 个项目。"), None))
    address = f"/verify/{issued.verification_code}/"
    replaced = text_of(of(None).get(address))
    assert "曾经印发，已被替换" in replaced
    assert "更正 2 个项目。" in replaced
    assert page_of(successor) in replaced
    assert "曾经印发，已被替换" in text_of(of(None).post("/verify/", sent(file_of(issued))))
    services.withdraw(successor, None, "附件印错。")
    assert "已撤回，不再有效" in text_of(of(None).post("/verify/", sent(file_of(successor))))
    withdrawn = text_of(of(None).get(f"/verify/{successor.verification_code}/"))
    assert "已撤回，不再有效" in withdrawn
    assert "附件印错。" in withdrawn


@both_ways
def test_look_ups_are_counted_by_what_was_said(tree: Tree, period: Period, sent: Any) -> None:
    issued = printed(services.issue_bulletin(period, tree.nation))
    code, content = issued.verification_code, file_of(issued)
    for _n in range(3):
        of(None).get(f"/verify/{code}/")
    of(None).head(f"/verify/{code}/")
    of(None).post("/verify/", sent(content))
    page = of(None).post("/verify/", sent(content + b" "))
    for stranger in (None, factories.user(Role.FILER), factories.user(Role.OFFICER, tree.beijing)):
        told = of(stranger).head(f"/verify/{code}/")
        assert "lookups" not in told.context
    assert "与原件不符" not in text_of(page)
    home = of(factories.user(Role.OFFICER, tree.nation))
    page = home.get(f"/verify/{code}/")
    assert page.context["lookups"] == {"all": 6, "altered": 1}
    assert "6 次" in text_of(page) and "其中 1 次文件与原件不符" in text_of(page)
    of(None).get(f"/verify/{BULLETINS.new_code()}/")
    of(None).post("/verify/", {"code": "ZLTB-1"})
    rows = Lookup.objects.order_by("state", "by_file")
    assert list(rows.values_list("code", "state", "by_file", "number")) == [
        (code, "altered", True, 1), (code, "genuine", False, 4), (code, "genuine", True, 1),
        ("", "unknown", False, 1),
    ]  # fmt: skip


def test_a_look_up_of_one_kind_and_day_has_one_row(tree: Tree) -> None:
    which = {"day": LATER, "code": "ZLTB", "state": "genuine"}
    Lookup.objects.create(**which)
    with pytest.raises(ValidationError) as refused:
        Lookup(**which).full_clean()
    assert refused.value.messages == ["这一天的这种核验已有计数。"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Lookup.objects.create(**which)


def test_drafts_are_never_revealed(draft: Bulletin) -> None:
    by_code = text_of(of(None).get(f"/verify/{draft.verification_code}/"))
    by_file = text_of(of(None).post("/verify/", upload(file_of(draft))))
    for text in (by_code, by_file):
        assert "没有查到" in text
        assert draft.title not in text


def test_an_unknown_code_is_not_a_wrong_one(tree: Tree) -> None:
    text = text_of(of(None).get(f"/verify/{BULLETINS.new_code()}/"))
    assert "没有用这个码印发过通报或登记过报告" in text


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("ZLTB-7K3M9-QXD2F-HA4TX", "校验位不符，有一位看错或输错了"),
        ("ZLTB-7K3M9-QXD2F-HA4", "现在除去开头四个字母有 13 位"),
        ("你好", "和 15 位字母、数字组成"),
        ("", "请输入核验码，或选择 PDF 文件。"),
        ("Z" * 61, "61"),
    ],
)
def test_a_misread_code_says_what_to_look_at(tree: Tree, typed: str, sentence: str) -> None:
    response = of(None).post("/verify/", {"code": typed})
    assert response.status_code == 400
    assert sentence in text_of(response)
    assert f'value="{typed}"' in text_of(response) or not typed


def test_what_is_no_pdf_is_refused(tree: Tree) -> None:
    client = of(None)
    picture = client.post("/verify/", {"file": factories.png("通报.pdf")})
    assert picture.status_code == 400
    assert "这不是 PDF 文件" in text_of(picture)
    assert "这个文件是空的" in text_of(client.post("/verify/", upload(b"")))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("empty", "这个文件是空的"), ("not_pdf", "这不是 PDF 文件"), ("unreadable", "读不出这个文件")],
)
def test_what_the_browser_could_not_read_is_said_alike(tree: Tree, fault: str, sentence: str) -> None:
    answer = of(None).post("/verify/", {"fault": fault})
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == ["file"]
    assert sentence in text_of(answer)


@pytest.mark.parametrize(
    "sent", [{"digest": "x" * 64}, {"digest": "A" * 64}, {"digest": "ab" * 32, "found": "Z" * 9999}]
)
def test_what_is_no_digest_is_refused(tree: Tree, sent: dict[str, str]) -> None:
    assert of(None).post("/verify/", sent).status_code == 400
    assert not Lookup.objects.exists()


def test_what_is_too_large_is_refused(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "UPLOAD_LIMIT", 100)
    response = of(None).post("/verify/", upload(b"%PDF-1.7" + b" " * 200))
    assert response.status_code == 400
    assert "超过" in text_of(response)


def test_who_asks_without_end_is_asked_to_wait(tree: Tree) -> None:
    client = of(None)
    answers = {client.get(f"/verify/{BULLETINS.new_code()}/").status_code for _n in range(30)}
    assert answers == {200}
    assert client.post("/verify/", digest(b"%PDF-1.4")).status_code == 429
    later = client.get(f"/verify/{BULLETINS.new_code()}/")
    assert later.status_code == 429
    assert later["Retry-After"] == "60"
    assert "请一分钟后再试" in text_of(later)
    # The page itself stays open, and so do others.
    assert client.get("/verify/").status_code == 200
    assert Client(REMOTE_ADDR="10.0.0.9").get(f"/verify/{BULLETINS.new_code()}/").status_code == 200


# --- Cost -------------------------------------------------------------------------------------------------


def more_units(tree: Tree, n: int) -> None:
    for number in range(n):
        factories.bureau(f"{330000 + number}", f"地区{number}", tree.nation)


# Of these the rail asks two: unread messages and applications to join. A history asks for the names in it.
QUERIES = {
    "/figures/": 24,
    "/figures/2024/000000/I05/": 18,
    "/bulletins/": 10,
    "/periods/": 7,
    "/periods/2024/": 11,
    "/verify/": 0,
}


@pytest.mark.any_database
@pytest.mark.parametrize("many", [False, True])
def test_pages_cost_the_same_for_one_row_and_for_twenty(
    tree: Tree, many: bool, django_assert_num_queries: Any
) -> None:
    if many:
        more_units(tree, 20)
        for _n in range(20):
            work = project(tree.huqiu, factories.chain(f"C{_n + 10}", f"链{_n}"))
            takes_part(firm(), work, "leader")
            solved(tree.huqiu, chain=work.chain)
    for code in ("2023", "2024"):
        period = services.get_period(code)
        services.freeze_now(period, None)
        services.publish(period, None)
    for unit in Bureau.objects.all()[: 20 if many else 1]:
        services.issue_bulletin(services.get_period("2024"), unit)
    client = of(admin(tree))
    for address, expected in QUERIES.items():
        asked = of(None) if address == "/verify/" else client
        with django_assert_num_queries(expected):
            assert asked.get(address).status_code == 200
    with django_assert_num_queries(12):
        assert client.get(page_of(Bulletin.objects.first())).status_code == 200
