"""Quality maps: what is counted, what others are told, versions that nobody changes, and their pages."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import Role, Substitution, User
from enterprises.models import Bureau, ChainSegment, IndustryChain
from projects import maps
from projects.maps import Node, Rule, band, exact, told
from projects.models import Bottleneck, QualityMap
from projects.services import StaleRow
from tests import factories
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db

RULE = Rule(60, 90)
S = Bottleneck.Status


def node(open_: int, solved: int, **gaps: int) -> Node:
    return Node(1, None, "up", "减速器", "", open_, solved, gaps, RULE.state(open_, solved))


class Stage:
    """A chain with problems at two of its segments in a county, and one in another province."""

    def __init__(self) -> None:
        self.cast = factories.Cast()
        self.chain = factories.chain()
        self.first, self.second, self.empty = self.chain.segments.all()
        self.county, self.city = self.cast.county, self.cast.city
        for segment, status, fields in (
            (self.first, S.SUBMITTED, {"nqi_elements": ("MET", "ACC")}),
            (self.first, S.LISTED, {"nqi_elements": ("CER",), "nqi_gap": "std_missing"}),
            (self.first, S.RESOLVED, {}),
            (self.second, S.IN_PROGRESS, {"nqi_elements": ("CER", "ACC"), "cause": "TECH"}),
            (self.second, S.REJECTED, {}),
        ):
            self.cast.bring_to(status, segment=segment, **fields)
        self.lab = self.cast.lab
        self.officer, self.colleague = self.cast.county_officer, self.cast.verifier
        self.merged = self.cast.bring_to(S.ACCEPTED, segment=self.first)
        master = Bottleneck.objects.judged("test").filter(status=S.LISTED).get()
        Bottleneck.objects.judged("test").filter(pk=self.merged.pk).update(
            status=S.MERGED, merged_into=master
        )
        far = factories.bureau("440000", "广东", factories.bureau())
        self.far_officer = factories.user(Role.OFFICER, far)
        far_firm = factories.user(Role.FILER, factories.organization("远方公司", at=far))
        far_row = factories.draft(far_firm, segment=self.first)
        factories.services.move(far_row, "submit", by=far_firm)

    def draw(self, user: User, bureau: Bureau | None = None) -> dict[str, Node]:
        rows = maps.problems_for(user, self.chain, bureau or self.county)
        return {one.name: one for one in maps.draw(self.chain, rows, RULE)}

    def drafted(self, **values: Any) -> QualityMap:
        return maps.draft(
            self.chain, self.county, by=self.officer, drawn_by=self.lab, values={"sheet_count": 1, **values}
        )

    def step(self, row: QualityMap, name: str, by: User | None = None) -> QualityMap:
        seen = QualityMap.objects.judged("test").get(pk=row.pk)
        return maps.take_step(seen, name, by=by or self.colleague, seen=maps.mark_of(seen))

    def published(self, **values: Any) -> QualityMap:
        row = self.drafted(**values)
        self.step(row, "approve")
        return self.step(row, "publish")


@world
def stage() -> Stage:
    return Stage()


# --- Counting ----------------------------------------------------------------------------------------------


def test_counts_agree_with_a_recount_by_hand(stage: Stage) -> None:
    rows = Bottleneck.objects.judged("recount").filter(bureau=stage.county, voided_at=None, is_test=False)
    for one in stage.draw(stage.officer).values():
        here = [row for row in rows if row.segment_id == one.segment]
        ended = {S.DRAFT, *Bottleneck.ENDED}
        open_rows = [row for row in here if row.status not in ended]
        assert one.open == len(open_rows)
        assert one.solved == len([row for row in here if row.status in Bottleneck.SOLVED])
        for element in ("MET", "TST", "CER", "ACC"):
            assert one.gaps.get(element, 0) == len([row for row in open_rows if element in row.nqi_elements])


def test_each_segment_shows_its_problems_its_gaps_and_its_state(stage: Stage) -> None:
    nodes = stage.draw(stage.officer)
    first, second, empty = (nodes[one.name] for one in (stage.first, stage.second, stage.empty))
    assert (first.open, first.solved, first.state) == (2, 1, "red")
    assert first.gaps == {"MET": 1, "ACC": 1, "CER": 1, "STD": 1, "CER_ACC": 2}
    assert (second.open, second.solved, second.state) == (1, 0, "red")
    assert second.gaps == {"CER": 1, "ACC": 1, "CER_ACC": 1}
    assert (empty.open, empty.solved, empty.gaps, empty.state) == (0, 0, {}, "none")


def test_merged_void_and_test_problems_are_not_counted(stage: Stage) -> None:
    open_rows = Bottleneck.objects.judged("test").filter(segment=stage.first, status=S.SUBMITTED)
    open_rows.filter(bureau=stage.county).update(is_test=True)
    assert stage.draw(stage.officer)[stage.first.name].open == 1


def test_a_map_holds_what_the_subtree_holds_and_the_reader_may_see(stage: Stage) -> None:
    national = factories.user(Role.OFFICER, factories.bureau())
    name = stage.first.name
    assert stage.draw(national, factories.bureau())[name].open == 3
    assert stage.draw(national)[name].open == 2
    assert stage.draw(stage.officer, factories.bureau())[name].open == 2
    assert stage.draw(stage.far_officer)[name].open == 0
    of_another_chain = factories.user()
    factories.grant(of_another_chain, Role.OFFICER, stage.county, chain=factories.chain("C02", "光伏"))
    assert stage.draw(of_another_chain)[name].open == 0


@pytest.mark.parametrize(
    ("open_", "solved", "state"),
    [(0, 0, "none"), (0, 1, "green"), (1, 9, "green"), (2, 9, "yellow"), (4, 6, "yellow"), (5, 7, "red")],
)
def test_the_state_follows_the_share_of_solved_problems(open_: int, solved: int, state: str) -> None:
    assert RULE.state(open_, solved) == state


def test_two_queries_for_any_number_of_segments_and_problems(
    stage: Stage, django_assert_num_queries: Any
) -> None:
    ChainSegment.objects.bulk_create(
        ChainSegment(chain=stage.chain, stream="mid", name=f"环节{n}", position=n) for n in range(57)
    )
    rows = maps.problems_for(stage.officer, stage.chain, stage.county)
    with django_assert_num_queries(2):
        assert len(maps.draw(stage.chain, rows, RULE)) == 60


# --- Telling others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [0, 5, 10, 95])
def test_outside_nobody_can_tell_the_numbers_of_a_band_apart(base: int) -> None:
    for other in (0, 7, 40):
        for pair in (lambda n, o=other: (n, o), lambda n, o=other: (o, n)):
            views = {
                (shown.open, shown.solved, shown.state)
                for shown in (told(node(*pair(base + n)), RULE) for n in range(5))
            }
            assert len(views) == 1, views


def test_outside_an_element_is_named_when_five_problems_lack_it() -> None:
    shown = told(node(9, 1, MET=5, STD=4, CER=9, CER_ACC=9), RULE)
    assert shown.gaps == (("MET", ""), ("CER_ACC", ""))


def test_bands_are_of_five() -> None:
    assert [band(n) for n in (0, 4, 5, 9, 10, 1234)] == [
        "不足 5",
        "不足 5",
        "5–9",
        "5–9",
        "10–14",
        "1,230–1,234",
    ]


def test_the_public_reads_bands_and_officers_numbers(stage: Stage) -> None:
    row = stage.published(is_public=True)
    address = f"/maps/{row.public_id}/"
    seen = browser().get(address).content.decode()
    assert "不足 5" in seen
    assert "在办 2" not in seen
    assert "在办 2，已解决 1" in browser(stage.officer).get(address).content.decode()
    firm = browser(stage.cast.filer).get(address).content.decode()
    assert "在办 2" not in firm
    # Its own: two open, one solved, and the one that was merged is no problem of its own any more.
    assert "与本单位有关 3 个" in firm
    for file in ("xlsx", "pdf"):
        assert browser().get(address, {"export": file}).status_code == 200
    cells = [
        cell
        for sheet in load_workbook(BytesIO(browser().get(address, {"export": "xlsx"}).content))
        for line in sheet.iter_rows(values_only=True)
        for cell in line
    ]
    assert not [cell for cell in cells if isinstance(cell, int)]


def test_the_interface_tells_the_public_version_in_bands_too(stage: Stage) -> None:
    row = stage.published(is_public=True)
    address = f"/api/v1/quality-maps/{row.public_id}/"
    nodes = browser(stage.cast.filer).get(address).json()["nodes"]
    assert nodes[0]["open"] == "不足 5"
    assert browser(stage.officer).get(address).json()["nodes"][0]["open"] == "2"


@pytest.mark.parametrize(
    ("who", "status"), [("officer", 200), ("filer", 404), ("far officer", 404), ("anonymous", 404)]
)
def test_a_draft_exists_for_the_bureau_line_alone(stage: Stage, who: str, status: int) -> None:
    row = stage.drafted(is_public=True)
    users = {"officer": stage.officer, "filer": stage.cast.filer, "far officer": stage.far_officer}
    assert browser(users.get(who)).get(f"/maps/{row.public_id}/").status_code == status


def test_what_is_published_and_not_public_stays_in_the_bureau_line(stage: Stage) -> None:
    row = stage.published()
    assert browser().get(f"/maps/{row.public_id}/").status_code == 404
    assert browser(stage.cast.city_officer).get(f"/maps/{row.public_id}/").status_code == 200


# --- Versions ----------------------------------------------------------------------------------------------


def test_a_map_is_drafted_approved_published_and_superseded(stage: Stage) -> None:
    first = stage.published()
    assert (first.version, first.status) == (1, "published")
    assert [one["open"] for one in first.nodes] == [2, 1, 0]
    second = stage.published()
    first.refresh_from_db()
    assert (second.version, second.status, first.status) == (2, "published", "superseded")
    assert first.superseded_at is not None


def test_the_numbers_of_a_version_stay_when_the_rows_go_on(stage: Stage) -> None:
    row = stage.published()
    stage.cast.bring_to(S.SUBMITTED, segment=stage.first)
    assert stage.draw(stage.officer)[stage.first.name].open == 3
    row.refresh_from_db()
    assert maps.nodes_of(row)[0].open == 2


def _renumber(row: QualityMap) -> None:
    row.nodes = [asdict(replace(one, open=0)) for one in maps.nodes_of(row)]
    row.save()


def _withdraw(row: QualityMap) -> None:
    row.status = QualityMap.Status.DRAFT
    row.save()


@pytest.mark.parametrize("change", [_renumber, _withdraw, QualityMap.delete])
def test_a_published_version_cannot_be_changed(stage: Stage, change: Callable[[QualityMap], Any]) -> None:
    draft = stage.drafted()
    _renumber(draft)
    stage.step(draft, "discard")
    row = stage.published()
    with pytest.raises(ValidationError, match="已发布的图谱不能修改"):
        change(row)


def test_whoever_drafted_does_not_approve_nor_does_a_substitute(stage: Stage) -> None:
    row = stage.drafted()
    with pytest.raises(PermissionDenied, match="起草人"):
        stage.step(row, "approve", by=stage.officer)
    substitute = factories.user(Role.OFFICER, factories.bureau("330000", "浙江", factories.bureau()))
    today = timezone.localdate()
    Substitution.objects.create(
        principal=stage.officer, substitute=substitute, starts_on=today, ends_on=today + timedelta(days=3)
    )
    with pytest.raises(PermissionDenied, match="起草人"):
        stage.step(row, "approve", by=User.objects.get(pk=substitute.pk))
    assert stage.step(row, "approve").status == "approved"


def test_the_database_refuses_approval_by_the_drafter(stage: Stage) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.quality_map(
            stage.chain, stage.city, status="approved", drafted_by=stage.officer, approved_by=stage.officer
        )


@pytest.mark.parametrize(
    "fields",
    [
        {"nodes": None},
        {"sheet_count": 0},
        {"version": 0},
        {"red_below": 95},
        {"status": "published", "published_at": None},
        {"status": "superseded"},
        {"superseded_at": "2026-06-01T00:00Z"},
    ],
    ids=str,
)
def test_the_database_refuses_maps_that_say_too_little(stage: Stage, fields: dict[str, Any]) -> None:
    factories.quality_map(stage.chain, stage.city)
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.quality_map(stage.chain, stage.cast.city.parent, **fields)


def test_one_version_is_prepared_at_a_time(stage: Stage) -> None:
    stage.drafted()
    with pytest.raises(ValidationError, match="未发布的图谱"):
        stage.drafted()


@pytest.mark.parametrize("who", ["far officer", "city statistician", "filer"])
def test_only_officers_of_the_line_draft(stage: Stage, who: str) -> None:
    users = {
        "far officer": stage.far_officer,
        "city statistician": factories.user(Role.STATISTICIAN, stage.city),
        "filer": stage.cast.filer,
    }
    with pytest.raises(PermissionDenied, match="经办人"):
        maps.draft(stage.chain, stage.county, by=users[who], drawn_by=stage.lab, values={})


def test_a_redrawn_map_is_not_approved_by_who_looked_at_the_old_one(stage: Stage) -> None:
    row = stage.drafted()
    seen = maps.mark_of(row)
    stage.cast.bring_to(S.SUBMITTED, segment=stage.first)
    stage.step(row, "redraw", by=stage.officer)
    with pytest.raises(StaleRow, match="有变化"):
        maps.take_step(row, "approve", by=stage.colleague, seen=seen)


def test_whoever_redrew_a_map_does_not_approve_it(stage: Stage) -> None:
    row = stage.drafted()
    stage.step(row, "redraw", by=stage.colleague)
    with pytest.raises(PermissionDenied, match="起草人"):
        stage.step(row, "approve", by=stage.colleague)
    assert stage.step(row, "approve", by=stage.cast.city_officer).status == "approved"


def test_a_drawing_may_be_uploaded_in_place_of_the_nodes(stage: Stage) -> None:
    row = stage.drafted(file=factories.pdf("图谱.pdf"), is_public=True)
    assert (row.nodes, row.mime) == (None, "application/pdf")
    assert len(row.sha256) == 64
    with pytest.raises(PermissionDenied, match="不能重绘"):
        stage.step(row, "redraw")
    stage.step(row, "approve")
    stage.step(row, "publish")
    answer = browser().get(f"/maps/{row.public_id}/file/")
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert b"".join(answer.streaming_content).startswith(b"%PDF")  # type: ignore[attr-defined]
    assert browser().get(f"/chains/{stage.chain.code}/").status_code == 200


def test_other_files_than_drawings_are_refused(stage: Stage) -> None:
    html = factories.SimpleUploadedFile("图谱.png", b"<script>alert(1)</script>", content_type="image/png")
    with pytest.raises(ValidationError):
        stage.drafted(file=html)


def test_differences_name_what_came_went_and_changed() -> None:
    def seen(key: int, name: str, open_: int) -> maps.Shown:
        return exact(replace(node(open_, 1), segment=key, name=name))

    before = [seen(1, "减速器", 3), seen(2, "电机", 1), seen(3, "轴承", 2)]
    now = [seen(1, "减速器", 0), seen(3, "轴承", 2), seen(4, "传感器", 1)]
    assert [(one.name, one.kind, one.facts) for one in maps.differences(before, now)] == [
        ("减速器", "变化", [("状态", "红色", "绿色"), ("在办", "3", "0")]),
        ("传感器", "新增", []),
        ("电机", "不再列出", []),
    ]


# --- Pages -------------------------------------------------------------------------------------------------


def test_each_number_of_the_map_leads_to_as_many_rows(stage: Stage) -> None:
    client = browser(stage.officer)
    page = client.get(f"/chains/{stage.chain.code}/", {"element": "CER"})
    rows = {line["shown"].node.name: line for line in page.context["map_rows"]}
    assert rows[stage.first.name]["shown"].open == "1"
    for asked in ({}, {"cause": Bottleneck.Cause.values}):
        page = client.get(f"/chains/{stage.chain.code}/", asked)
        assert any(line["shown"].node.open for line in page.context["map_rows"])
        for line in page.context["map_rows"]:
            for href, number in (
                (line["open_href"], line["shown"].node.open),
                (line["solved_href"], line["shown"].node.solved),
            ):
                assert client.get(href).context["page"].paginator.count == number


def test_a_filter_that_makes_no_sense_is_told_and_draws_nothing(stage: Stage) -> None:
    page = browser(stage.officer).get(f"/chains/{stage.chain.code}/", {"bureau": "999999"})
    assert "没有代码为“999999”的单位" in page.content.decode()
    assert "map_rows" not in page.context


@pytest.mark.parametrize("file", ["", "xlsx", "pdf"])
def test_no_live_map_bears_the_name_of_a_unit_that_it_does_not_count(stage: Stage, file: str) -> None:
    above = stage.city.parent
    published = factories.quality_map(stage.chain, above, status="published", is_public=True)
    address = f"/chains/{stage.chain.code}/"
    asked = {"bureau": above.code} | ({"export": file} if file else {})
    page = browser(stage.cast.city_officer).get(address, asked)
    assert page["Content-Type"].startswith("text/html")
    assert "的问题不都在您的查看范围内" in page.content.decode()
    assert page.context["map"] == published
    own = browser(stage.cast.city_officer).get(address, asked | {"bureau": stage.city.code})
    assert own["Content-Type"].startswith("text/html") == (not file)


def test_the_page_of_a_chain_leads_to_its_three_lists(stage: Stage) -> None:
    page = browser().get(f"/chains/{stage.chain.code}/").content.decode()
    assert f'href="/lists/?chain={stage.chain.code}"' in page


def test_the_button_says_why_one_may_not_draft(stage: Stage) -> None:
    address = f"/chains/{stage.chain.code}/"
    assert (
        "图谱由编制单位及其上级的经办人起草"
        in browser(factories.user(Role.AUDITOR, stage.county)).get(address).content.decode()
    )
    assert "不能起草" not in browser(stage.officer).get(address).content.decode()
    stage.drafted()
    assert "第 1 版尚未发布" in browser(stage.officer).get(address).content.decode()


def test_drafting_approving_and_publishing_in_the_browser(stage: Stage) -> None:
    officer, colleague = browser(stage.officer), browser(stage.colleague)
    address = f"/chains/{stage.chain.code}/maps/{stage.county.code}/new/"
    refused = officer.post(address, {"drawn_by": "没有这个机构", "sheet_count": 1})
    assert "没有这个赋能机构" in refused.content.decode()
    officer.post(address, {"drawn_by": stage.lab.name, "sheet_count": 2, "is_public": "on"})
    row = QualityMap.objects.judged("test").get()
    assert (row.sheet_count, row.is_counted_copy, row.drawn_by) == (2, False, stage.lab)
    for client, step, status in (
        (officer, "approve", "draft"),
        (colleague, "approve", "approved"),
        (officer, "publish", "published"),
        (colleague, "publish", "published"),
    ):
        page = client.get(f"/maps/{row.public_id}/{step}/")
        seen = page.context["seen"] if page.context and "seen" in page.context else ""
        client.post(f"/maps/{row.public_id}/{step}/", {"seen": seen})
        row.refresh_from_db()
        assert row.status == status


@pytest.mark.parametrize("name", ["catalogue", "live map", "version"])
def test_pages_cost_the_same_for_three_segments_and_for_sixty(stage: Stage, name: str) -> None:
    def cost() -> int:
        client = browser(stage.officer)
        row = stage.published()
        address = {
            "catalogue": "/chains/",
            "live map": f"/chains/{stage.chain.code}/",
            "version": f"/maps/{row.public_id}/",
        }[name]
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    stage.published()
    few = cost()
    ChainSegment.objects.bulk_create(
        ChainSegment(chain=stage.chain, stream="mid", name=f"环节{n}", position=n) for n in range(57)
    )
    IndustryChain.objects.bulk_create(
        IndustryChain(
            code=f"X{n}", name=f"链{n}", bureau=factories.bureau(), klass="future", valid_from="2020-01-01"
        )
        for n in range(9)
    )
    assert cost() == few <= 20


def test_the_catalogue_is_public_and_tells_numbers_to_bureaus_alone(stage: Stage) -> None:
    assert browser().get("/chains/").context["counted"] is False
    page = browser(stage.officer).get("/chains/", {"q": "机器人"})
    ((chain, _published, totals),) = page.context["rows"]
    assert (chain, totals["open"], totals["solved"]) == (stage.chain, 3, 1)


# --- Segments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["-0.01", "100.01"])
def test_the_database_refuses_shares_beyond_the_whole(stage: Stage, rate: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ChainSegment.objects.create(chain=stage.chain, stream="up", name="新", localisation_rate=rate)


def test_a_segment_is_part_of_one_in_the_same_stream_and_never_of_its_own_part(stage: Stage) -> None:
    part = ChainSegment(chain=stage.chain, stream="up", name="编码器", parent=stage.first)
    part.full_clean()
    part.save()
    stage.first.parent = part
    with pytest.raises(ValidationError, match="下级"):
        stage.first.full_clean()
    part.stream = "down"
    with pytest.raises(ValidationError, match="同一位置"):
        part.full_clean()


# --- Races -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_who_publish_at_once_one_wins_and_the_other_is_told() -> None:
    stage = Stage()
    row = stage.drafted()
    stage.step(row, "approve")
    seen = QualityMap.objects.judged("test").get(pk=row.pk)
    mark = maps.mark_of(seen)
    results = factories.at_once(
        *(
            lambda who=who: maps.take_step(seen, "publish", by=User.objects.get(pk=who.pk), seen=mark)
            for who in (stage.officer, stage.colleague, stage.cast.city_officer)
        )
    )
    assert len([one for one in results if isinstance(one, QualityMap)]) == 1
    told_off = [one for one in results if isinstance(one, StaleRow)]
    assert len(told_off) == 2
    assert "您的操作没有执行" in str(told_off[0])
    assert QualityMap.objects.judged("test").published().count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_draft_at_once_one_wins_and_the_other_is_told() -> None:
    stage = Stage()
    results = factories.at_once(*(stage.drafted for _n in range(3)))
    assert len([one for one in results if isinstance(one, QualityMap)]) == 1
    assert len([one for one in results if isinstance(one, ValidationError)]) == 2
