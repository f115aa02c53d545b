"""Boundaries change, frozen figures do not: they are read in the tree of their freeze, by its names."""

import hashlib
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import Role
from bulletins import (
    circular,
    comparison,
    figures,
    open_data,
    rebased,
    recount,
    rollup,
    series,
    services,
    trees,
)
from bulletins.behind import Place, Side
from bulletins.disclosure import Reader
from bulletins.indicators import CATALOGUE
from bulletins.ladder import Ladder
from bulletins.models import Bulletin, Edition, Series, Snapshot, SnapshotUnit, StatValue
from bulletins.paper.render import render_html
from enterprises.models import Bureau
from tests import factories
from tests.boundaries import change, founded, merged, part
from tests.bulletins.ledger import (
    SPRING,
    Tree,
    challenge,
    firm,
    key_project,
    noon,
    project,
    solved,
    takes_part,
)
from tests.pages import browser

pytestmark = pytest.mark.django_db
NEW = "320599"


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    shared = firm(at=tree.huqiu)
    for unit in (tree.huqiu, tree.wujiang, tree.binhu, tree.dongcheng):
        for _n in range(3):
            solved(unit)
        work = project(unit)
        takes_part(shared, work)
        key_project(work)
    return tree


def frozen(code: str = "2024") -> Snapshot:
    period = services.get_period(code)
    snapshot = services.freeze_now(period, None)
    if not period.is_public:
        services.publish(period, None)
    snapshot.refresh_from_db()
    return snapshot


def value(snapshot: Snapshot, code: str, unit: Bureau) -> int | None:
    return figures.of_unit(snapshot, unit, [code]).get(code, figures.NOT_REPORTED).value


def live(code: str = "2024") -> Snapshot:
    return services.rollup_now(services.get_period(code))


# --- What counts now ----------------------------------------------------------------------------------------


def test_the_successor_counts_what_the_merged_counted_and_each_firm_once(tree: Tree) -> None:
    before = live()
    assert [value(before, "I07", unit) for unit in (tree.huqiu, tree.wujiang, tree.suzhou)] == [1, 1, 1]
    merged(tree.huqiu, tree.wujiang)
    new, after = Bureau.objects.get(code=NEW), live()
    assert (value(after, "I15", new), value(after, "I07", new), value(after, "I08", new)) == (6, 1, 2)
    assert value(after, "I15", tree.suzhou) == 6
    assert not StatValue.objects.filter(snapshot=after, bureau__in=[tree.huqiu, tree.wujiang]).exists()
    for unit in (new, Bureau.objects.get(pk=tree.suzhou.pk), tree.nation):
        assert recount.differences(after, unit) == []


def test_problems_posted_by_a_merged_bureau_count_at_its_successor(tree: Tree) -> None:
    challenge(tree.huqiu, SPRING)
    assert value(live(), "I25", tree.huqiu) == 1
    merged(tree.huqiu, tree.wujiang)
    after = live()
    assert value(after, "I25", Bureau.objects.get(code=NEW)) == 1
    # Its steps say so for ever, but it is no unit any more: neither in all nor of a chain.
    assert not StatValue.objects.filter(snapshot=after, bureau=tree.huqiu).exists()


# --- What was frozen ----------------------------------------------------------------------------------------


def test_a_frozen_snapshot_keeps_the_tree_of_its_freeze(tree: Tree) -> None:
    snapshot = frozen()
    was = list(SnapshotUnit.objects.filter(snapshot=snapshot).order_by("code").values())
    change("rename", part("from", tree.wuxi, name="太湖市市场监督管理局", short_name="太湖市"))
    change("move", part("from", tree.binhu), part("to", tree.suzhou))
    merged(tree.huqiu, tree.wujiang)
    assert list(SnapshotUnit.objects.filter(snapshot=snapshot).order_by("code").values()) == was
    wuxi = trees.as_of(snapshot, Bureau.objects.get(pk=tree.wuxi.pk))
    assert (wuxi.short_name, [unit.code for unit in trees.below(snapshot, wuxi)]) == ("无锡市", ["320211"])
    names = [unit.short_name for unit in figures.regions(snapshot, tree.suzhou)]
    assert names == ["虎丘区", "吴江区"]
    assert rollup.is_untouched(snapshot)


def test_units_of_a_frozen_tree_are_never_changed(tree: Tree) -> None:
    unit = SnapshotUnit.objects.filter(snapshot=frozen())[0]
    unit.name = "另一个名称"
    for attempt in (unit.save, unit.delete, SnapshotUnit.objects.filter(pk=unit.pk).delete):
        with pytest.raises(ValidationError, match="冻结的快照不能修改"):
            attempt()


def printed(bulletin: Bulletin) -> str:
    """The page that makes the PDF, byte for byte."""
    row = Bulletin.objects.judged("test").get(pk=bulletin.pk)
    return hashlib.sha256(render_html(circular.compose(row)).encode()).hexdigest()


def _everything(tree: Tree) -> None:
    change("rename", part("from", tree.jiangsu, name="苏省市场监督管理局", short_name="苏省"))
    change("move", part("from", tree.binhu), part("to", tree.suzhou))
    merged(tree.huqiu, tree.wujiang)
    merged(tree.wuxi, into=part("to", Bureau.objects.get(pk=tree.suzhou.pk)))


def test_a_bulletin_of_last_year_prints_the_same_after_the_boundaries_changed(tree: Tree) -> None:
    frozen()
    papers = [
        services.issue_bulletin(services.get_period("2024"), unit)
        for unit in (tree.nation, tree.jiangsu, tree.suzhou, tree.huqiu)
    ]
    before = [printed(paper) for paper in papers]
    _everything(tree)
    assert [printed(paper) for paper in papers] == before


def pdf_of(bulletin: Bulletin) -> bytes:
    row = services.print_now(Bulletin.objects.judged("test").get(pk=bulletin.pk))
    assert row.job_state == "done"
    with row.pdf.open("rb") as document:
        return document.read()


def test_a_bulletin_issued_before_a_merger_is_the_same_file_when_it_is_printed_again(tree: Tree) -> None:
    frozen()
    papers = [
        services.issue_bulletin(services.get_period("2024"), unit)
        for unit in (tree.jiangsu, tree.suzhou, tree.huqiu)
    ]
    before = [pdf_of(paper) for paper in papers]
    _everything(tree)
    cache.clear()
    for paper in papers:
        row = Bulletin.objects.judged("test").get(pk=paper.pk)
        services._print_anew(row, in_background=False)
        assert not row.pdf
    again = [pdf_of(paper) for paper in papers]
    assert all(file.startswith(b"%PDF") for file in before)
    assert again == before


def test_links_of_an_old_bulletin_still_lead_to_its_figures(tree: Tree) -> None:
    snapshot = frozen()
    client = browser(factories.user(Role.STATISTICIAN, tree.nation))
    pages = ["/figures/2024/v1/320505/", "/figures/2024/v1/320505/I15/", "/figures/2024/v1/320000/"]
    before = [client.get(page).content.decode() for page in pages]
    _everything(tree)
    after = [client.get(page) for page in pages]
    assert [page.status_code for page in after] == [200, 200, 200]
    assert "虎丘区" in before[0] and "虎丘区" in after[0].content.decode()
    assert "江苏省" in after[2].content.decode() and "苏省市场监督管理局" not in after[2].content.decode()
    assert value(snapshot, "I15", tree.huqiu) == 3


def test_open_data_of_a_frozen_period_stay_the_same(tree: Tree) -> None:
    snapshot = frozen()
    before = list(open_data.rows(snapshot, open_data.regions(snapshot)))
    _everything(tree)
    assert list(open_data.rows(snapshot, open_data.regions(snapshot))) == before


def test_the_rows_behind_a_figure_are_those_of_the_unit_as_it_was(tree: Tree) -> None:
    frozen()
    client = browser(factories.user(Role.STATISTICIAN, tree.nation))
    change("move", part("from", tree.binhu), part("to", tree.suzhou))
    page = client.get("/figures/2024/v1/320200/I15/")
    assert page.context["totals"]["rows"] == 3
    told = client.get("/figures/2024/v1/320200/I15/recount/")
    assert "冻结以后区划有变更" in told.content.decode()
    assert "快照可能被改动" not in told.content.decode()


def test_rows_of_a_bureau_merged_before_the_freeze_stand_behind_its_successors_figure(tree: Tree) -> None:
    challenge(tree.huqiu, SPRING)
    merged(tree.huqiu, tree.wujiang)
    snapshot = frozen()
    new = Bureau.objects.get(code=NEW)
    for unit in (new, Bureau.objects.get(pk=tree.suzhou.pk), Bureau.objects.get(pk=tree.jiangsu.pk)):
        of_unit = Side(snapshot).figure(CATALOGUE["I25"], Place(unit))
        assert of_unit.value == value(snapshot, "I25", unit) == 1
    client = browser(factories.user(Role.STATISTICIAN, tree.nation))
    told = client.get(f"/figures/2024/v1/{NEW}/I25/recount/").content.decode()
    assert "快照可能被改动" not in told
    assert client.get(f"/figures/2024/v1/{NEW}/I25/").context["totals"]["rows"] == 1
    # Kept for their rows, they are no units: neither in tables nor among what has changed since.
    assert [unit.code for unit in trees.below(snapshot, tree.suzhou)] == [NEW]
    assert not {"320505", "320509"} & {unit.code for unit in trees.units(snapshot)}
    merged(tree.binhu, into=founded("320298", "太湖区"))
    assert not trees.has_other_bureaus(snapshot, new)
    assert not trees.has_other_ground(snapshot, Bureau.objects.get(pk=tree.suzhou.pk))
    again = services.freeze_now(services.get_period("2024"), None, "核对")
    assert not trees.divided_otherwise(snapshot, again)


def test_two_versions_that_differ_by_a_row_of_a_merged_bureau_are_compared(tree: Tree) -> None:
    left_out = firm(at=tree.huqiu, is_test=True)
    for fields in ({}, {"organization": left_out}):
        challenge(tree.huqiu, SPRING, **fields)
    merged(tree.huqiu, tree.wujiang)
    older = frozen()
    left_out.refresh_from_db()
    left_out.is_test = False
    left_out.save()
    newer = services.freeze_now(services.get_period("2024"), None, "补一项")
    cache.clear()
    found = comparison.differing(older, newer, by_chain=False)
    told = {Bureau.objects.get(pk=line.bureau).code: line for line in found if line.code == "I25"}
    assert set(told) == {NEW, "320500", "320000", "000000"}
    assert (told[NEW].was[0], told[NEW].now[0], told[NEW].has_rows) == (1, 2, True)
    page = browser(factories.user(Role.STATISTICIAN, tree.nation)).get(
        "/figures/compare/?before=2024.1&after=2024.2"
    )
    assert page.status_code == 200


# --- Who confirms and issues --------------------------------------------------------------------------------


def test_a_merged_bureau_is_asked_for_no_figures_and_issues_nothing(tree: Tree) -> None:
    frozen()
    merged(tree.huqiu, tree.wujiang)
    old = Bureau.objects.get(pk=tree.huqiu.pk)
    codes = {unit.code for unit in Ladder(services.get_period("2025")).bureaus.values()}
    assert NEW in codes and not codes & {"320505", "320509"}
    by = factories.user(Role.ADMINISTRATOR, tree.nation)
    with pytest.raises(ValidationError, match="现由新区办理"):
        services.draft_bulletin(services.get_period("2024"), old, by)


# --- Small figures ------------------------------------------------------------------------------------------


def test_two_versions_with_a_move_between_do_not_tell_the_small_figure_that_moved(tree: Tree) -> None:
    for _n in range(7):
        for unit in (tree.wujiang, tree.binhu, tree.dongcheng):
            solved(unit)
    older = frozen()
    change("move", part("from", tree.huqiu), part("to", tree.wuxi))
    newer = services.freeze_now(services.get_period("2024"), None, "区划变更后更正")
    stranger = Reader(AnonymousUser())
    told = {
        (side.version, unit.code): stranger.of_unit(side, unit, ["I15"])["I15"].value
        for side in (older, newer)
        for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)
    }
    # 苏州 13 − 10 would be the three of 虎丘.
    assert value(older, "I15", tree.suzhou) == 13
    assert value(newer, "I15", tree.suzhou) == 10
    assert [told[1, "320500"], told[1, "320200"]] == [None, None]
    assert told[1, "320000"] == told[2, "320000"] == 23


def test_a_merge_within_one_city_hides_nothing_of_the_cities(tree: Tree) -> None:
    for _n in range(7):
        for unit in (tree.wujiang, tree.binhu, tree.dongcheng):
            solved(unit)
    older = frozen()
    merged(tree.huqiu, tree.wujiang)
    services.freeze_now(services.get_period("2024"), None, "区划变更后更正")
    stranger = Reader(AnonymousUser())
    assert stranger.of_unit(older, tree.suzhou, ["I15"])["I15"].value == 13


@pytest.mark.parametrize("how", ["merged", "split", "shifted"])
def test_two_versions_with_counties_divided_otherwise_do_not_tell_the_small_one_between(
    tree: Tree, how: str
) -> None:
    third, north = factories.bureau("320506", "吴中区", tree.suzhou), factories.organization(at=tree.wujiang)
    for number in range(17):
        solved(tree.wujiang, **({"organization": north} if number < 3 else {}))
    for _n in range(8):
        for unit in (third, tree.binhu, tree.dongcheng):
            solved(unit)
    older = frozen()
    stranger = Reader(AnonymousUser())
    assert stranger.of_unit(older, tree.wujiang, ["I15"])["I15"].value == 20
    if how == "merged":
        merged(tree.huqiu, tree.wujiang)
    else:
        into = part("to", third, takes=[north.uscc]) if how == "shifted" else founded(takes=[north.uscc])
        change("split", part("from", tree.wujiang, stays=True), into)
    newer = services.freeze_now(services.get_period("2024"), None, "区划变更后更正")
    wujiang = Bureau.objects.get(code=NEW if how == "merged" else "320509")
    # 23 − 20 are the three of 虎丘, 20 − 17 those of the firm that went.
    assert value(newer, "I15", wujiang) == (23 if how == "merged" else 17)
    stranger = Reader(AnonymousUser())
    assert stranger.of_unit(older, tree.wujiang, ["I15"])["I15"].value is None
    told = [stranger.of_unit(older, unit, ["I15"])["I15"].value for unit in (tree.suzhou, tree.binhu)]
    assert told == [31, 11]


# --- Series in the boundaries of now ------------------------------------------------------------------------


def rebased_value(snapshot: Snapshot, code: str, unit: Bureau) -> int | None:
    return rebased.of_unit(snapshot, unit, [code], None).get(code, figures.NOT_REPORTED).value


def test_earlier_figures_of_a_new_unit_are_counted_anew_from_the_rows_of_then(tree: Tree) -> None:
    snapshot = frozen()
    merged(tree.huqiu, tree.wujiang)
    new = Bureau.objects.get(code=NEW)
    assert value(snapshot, "I15", new) is None
    assert rebased_value(snapshot, "I15", new) == 6
    # One firm took part in both, and is one firm.
    assert (rebased_value(snapshot, "I07", new), rebased_value(snapshot, "I08", new)) == (1, 2)


def test_a_median_in_the_boundaries_of_now_is_that_of_all_rows(tree: Tree) -> None:
    for days in (10, 30):
        solved(tree.wujiang, moments={"accepted": noon(SPRING) - timedelta(days=days)})
    snapshot = frozen()
    merged(tree.huqiu, tree.wujiang)
    again = services.freeze_now(services.get_period("2024"), None, "区划变更后更正")
    new = Bureau.objects.get(code=NEW)
    assert rebased.of_unit(snapshot, new, ["I20"], None) == figures.of_unit(again, new, ["I20"])


def test_a_unit_that_moved_counts_at_its_new_city_in_the_boundaries_of_now(tree: Tree) -> None:
    snapshot = frozen()
    change("move", part("from", tree.binhu), part("to", tree.suzhou))
    suzhou, wuxi = (Bureau.objects.get(pk=unit.pk) for unit in (tree.suzhou, tree.wuxi))
    assert [value(snapshot, "I15", unit) for unit in (suzhou, wuxi)] == [6, 3]
    assert [rebased_value(snapshot, "I15", unit) for unit in (suzhou, wuxi)] == [9, 0]
    assert rebased_value(snapshot, "I15", tree.jiangsu) == value(snapshot, "I15", tree.jiangsu)


def test_before_a_split_there_is_no_figure_of_one_half_and_one_of_the_whole(tree: Tree) -> None:
    snapshot = frozen()
    change(
        "split",
        part("from", tree.huqiu),
        founded("320598", "北区"),
        founded("320599", "南区", takes=["320505"]),
    )
    half = Bureau.objects.get(code="320599")
    assert rebased_value(snapshot, "I15", half) is None
    assert not rebased.can_be_told(snapshot, half)
    assert rebased_value(snapshot, "I15", Bureau.objects.get(pk=tree.suzhou.pk)) == 6


def test_those_in_charge_choose_the_boundaries_and_read_why(tree: Tree) -> None:
    frozen("2023")
    frozen()
    merged(tree.huqiu, tree.wujiang)
    live("2025")
    client = browser(factories.user(Role.STATISTICIAN, tree.suzhou))
    then = client.get(f"/figures/?bureau={NEW}&period=2025")
    now = client.get(f"/figures/?bureau={NEW}&period=2025&boundaries=now")
    for page in (then, now):
        assert "虎丘区、吴江区合并设立新区" in page.content.decode()
        assert "演示〔2026〕1号" in page.content.decode()
    assert then.context["board"].headlines["I15"].previous is None
    assert now.context["board"].headlines["I15"].previous == 6
    assert "改按当时的区划" in now.content.decode()


def test_others_read_figures_as_they_were_counted_then(tree: Tree) -> None:
    """What differs between both readings may be a small figure."""
    frozen()
    change("move", part("from", tree.binhu), part("to", tree.suzhou))
    stranger = browser(factories.user(Role.FILER))
    page = stranger.get("/figures/?bureau=320500&period=2024&boundaries=now")
    assert not page.context["board"].is_rebased
    assert "改按现在的区划" not in page.content.decode()


def test_a_paper_that_compares_over_a_change_names_it(tree: Tree) -> None:
    frozen("2024")
    merged(tree.huqiu, tree.wujiang, on=date(2025, 3, 1))
    frozen("2025")
    (paper, other) = (
        services.issue_bulletin(services.get_period("2025"), Bureau.objects.get(pk=unit.pk))
        for unit in (tree.suzhou, tree.wuxi)
    )
    note = "上年同期数按当时的区划统计；2025年3月1日，虎丘区、吴江区合并设立新区（演示〔2026〕1号）。"
    assert note in printed_words(paper)
    assert "当时的区划" not in printed_words(other)


def printed_words(bulletin: Bulletin) -> str:
    return render_html(circular.compose(Bulletin.objects.judged("test").get(pk=bulletin.pk)))


def test_a_series_of_a_bureau_that_has_ended_issues_nothing_more(tree: Tree) -> None:
    signer = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    for unit in (tree.huqiu, tree.wuxi):
        Series.objects.create(
            bureau=unit,
            kind="circular",
            period_kind="year",
            down_to=unit.level,
            created_by=factories.user(),
            approved_by=signer,
            approved_at=timezone.now() - timedelta(days=1),
        )
    merged(tree.huqiu, tree.wujiang)
    frozen()
    series.start_due()
    begun = Edition.objects.judged("test").values_list("series__bureau__code", flat=True)
    assert list(begun) == ["320200"]
