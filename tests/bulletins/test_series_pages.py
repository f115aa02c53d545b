"""The pages of what issues by itself: who sees them, who may do what on them, and what they say."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from bulletins import series, services
from bulletins.models import Bulletin, Edition, Period, Series
from common.jobs import Job
from tests import factories
from tests.bulletins.ledger import Tree, project
from tests.pages import browser, text_of
from tests.worlds import world

pytestmark = pytest.mark.django_db
State = Job.State
LIST, NEW = "/bulletins/series/", "/bulletins/series/new/"
# Who is asked: role and place. The series is Jiangsu's.
INSIDERS = {
    "administrator": (Role.ADMINISTRATOR, "jiangsu"),
    "national administrator": (Role.ADMINISTRATOR, "nation"),
    "statistician": (Role.STATISTICIAN, "jiangsu"),
    "officer": (Role.OFFICER, "jiangsu"),
    "auditor": (Role.AUDITOR, "nation"),
}
OUTSIDERS = {
    "city administrator": (Role.ADMINISTRATOR, "suzhou"),
    "other province": (Role.ADMINISTRATOR, "beijing"),
    "expert": (Role.EXPERT, "jiangsu"),
    "filer": (Role.FILER, ""),
    "institution": (Role.INSTITUTION, ""),
}
EVERYBODY = INSIDERS | OUTSIDERS


@world
def tree() -> Tree:
    tree = Tree()
    project(tree.huqiu)
    return tree


@world
def one(tree: Tree) -> Series:
    """Drawn up and not signed."""
    author = factories.user(Role.STATISTICIAN, tree.jiangsu, name="拟稿人")
    words = {"overall.more": "请对照先进找差距。"}
    return series.draw_up(tree.jiangsu, author, kind="circular", period_kind="year", down_to=2, words=words)


@world
def signed(one: Series, tree: Tree) -> Series:
    return series.sign(one, factories.user(Role.ADMINISTRATOR, tree.jiangsu))


@world
def period(signed: Series) -> Period:
    """Published after the signature."""
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    return services.get_period("2024")


def person(tree: Tree, who: str) -> User:
    role, place = EVERYBODY[who]
    return factories.user(role, getattr(tree, place) if place else None)


def visitor(tree: Tree, who: str) -> Client:
    return browser(person(tree, who))


def page_of(row: Series, step: str = "") -> str:
    return f"/bulletins/series/{row.pk}/{step}"


def editions() -> list[Edition]:
    return list(Edition.objects.judged("test"))


# --- Seeing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", INSIDERS)
def test_the_line_of_the_unit_sees_its_series(tree: Tree, one: Series, who: str) -> None:
    client = visitor(tree, who)
    assert page_of(one) in client.get(LIST).content.decode()
    text = text_of(client.get(page_of(one)))
    for words in ("江苏省", "待签发，签发之前不印发", "请对照先进找差距。", "拟稿人", "还没有印发过。"):
        assert words in text


@pytest.mark.parametrize("who", OUTSIDERS)
def test_others_see_none(tree: Tree, one: Series, who: str) -> None:
    client = visitor(tree, who)
    listed = client.get(LIST)
    assert page_of(one) not in listed.content.decode()
    assert "还没有定期印发" in text_of(listed)
    assert client.get(page_of(one)).status_code == 404


def test_nobody_sees_any_without_a_login(one: Series) -> None:
    for address in (LIST, NEW, page_of(one)):
        assert browser().get(address).status_code == 302


def test_the_state_of_a_series_is_said(tree: Tree, one: Series) -> None:
    client = visitor(tree, "administrator")
    for step, said in ((None, "待签发"), (series.sign, "生效"), (series.end, "已停止")):
        if step:
            step(one, factories.user(Role.ADMINISTRATOR, tree.jiangsu))
        assert said in text_of(client.get(LIST))


# --- Drawing up -------------------------------------------------------------------------------------------

FILLED = {"bureau": "320000", "kind": "brief", "period_kind": "quarter", "down_to": "1"}


@pytest.mark.parametrize("who", ["administrator", "national administrator", "statistician"])
def test_those_who_issue_draw_one_up(tree: Tree, who: str) -> None:
    user = person(tree, who)
    client = browser(user)
    assert NEW in client.get(LIST).content.decode()
    assert client.get(NEW).status_code == 200
    answer = client.post(NEW, FILLED | {"overall.more": "认真落实。"})
    made = Series.objects.judged("test").get()
    assert answer.url == page_of(made)
    assert (made.bureau, made.kind, made.period_kind, made.down_to) == (tree.jiangsu, "brief", "quarter", 1)
    assert (made.words, made.created_by, made.approved_at) == ({"overall.more": "认真落实。"}, user, None)
    assert "由另一名管理员签发后生效" in text_of(client.get(page_of(made)))


@pytest.mark.parametrize("who", ["officer", "auditor", "expert", "filer", "institution"])
def test_others_draw_up_none(tree: Tree, who: str) -> None:
    client = visitor(tree, who)
    assert NEW not in client.get(LIST).content.decode()
    for answer in (client.get(NEW), client.post(NEW, FILLED)):
        assert answer.status_code == 403
        assert "通报由印发单位或其上级单位的管理员、统计员办理。" in text_of(answer)
    assert not Series.objects.judged("test").exists()


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"bureau": "110000"}, "bureau", "您没有为北京市印发通报的权限"),
        ({"bureau": ""}, "bureau", ""),
        ({"kind": "letter"}, "kind", ""),
        ({"down_to": "0"}, "down_to", "请选择本单位这一级或更下的一级。"),
        ({"overall.more": "解决 12 个问题。"}, "overall.more", ""),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    tree: Tree, changes: dict[str, str], field: str, sentence: str
) -> None:
    answer = visitor(tree, "administrator").post(NEW, FILLED | changes)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert sentence in text_of(answer)
    assert not Series.objects.judged("test").exists()


# --- Signing and stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["administrator", "national administrator"])
def test_administrators_sign_what_others_drew_up(tree: Tree, one: Series, who: str) -> None:
    user = person(tree, who)
    client = browser(user)
    assert page_of(one, "sign/") in client.get(page_of(one)).content.decode()
    answer = client.post(page_of(one, "sign/"), follow=True)
    assert "已签发。以后冻结的期间，发布时自动按此印发。" in text_of(answer)
    one.refresh_from_db()
    assert one.approved_by == user


@pytest.mark.parametrize(
    ("who", "status"), [("statistician", 403), ("officer", 403), ("city administrator", 404)]
)
def test_others_do_not_sign(tree: Tree, one: Series, who: str, status: int) -> None:
    assert visitor(tree, who).post(page_of(one, "sign/")).status_code == status
    one.refresh_from_db()
    assert one.approved_at is None


def test_one_reads_why_another_must_sign(tree: Tree) -> None:
    author = factories.user(Role.ADMINISTRATOR, tree.jiangsu)
    own = series.draw_up(tree.jiangsu, author, kind="brief", period_kind="year", down_to=1, words={})
    client = browser(author)
    assert "您拟定了这项定期印发，请由另一名管理员签发。" in text_of(client.get(page_of(own)))
    assert "签发人不能是拟定人" in text_of(client.post(page_of(own, "sign/"), follow=True))
    own.refresh_from_db()
    assert own.approved_at is None


def test_signed_twice_is_signed_once(tree: Tree, signed: Series) -> None:
    client = visitor(tree, "national administrator")
    assert page_of(signed, "sign/") not in client.get(page_of(signed)).content.decode()
    answer = client.post(page_of(signed, "sign/"), follow=True)
    assert "这项定期印发已经签发。" in text_of(answer)


@pytest.mark.parametrize("who", ["administrator", "national administrator", "statistician"])
def test_those_who_issue_stop_it(tree: Tree, signed: Series, who: str) -> None:
    client = visitor(tree, who)
    answer = client.post(page_of(signed, "end/"), follow=True)
    assert "已停止，已印发的通报不变。" in text_of(answer)
    signed.refresh_from_db()
    assert signed.ended_at
    # Nothing is left to be done with it.
    page = client.get(page_of(signed))
    assert page.context["actions"] == [] and not page.context["may_run"]
    assert "已经停止" in text_of(client.post(page_of(signed, "end/"), follow=True))


@pytest.mark.parametrize(("who", "status"), [("officer", 403), ("auditor", 403), ("filer", 404)])
def test_others_do_not_stop_it(tree: Tree, signed: Series, who: str, status: int) -> None:
    assert visitor(tree, who).post(page_of(signed, "end/")).status_code == status
    signed.refresh_from_db()
    assert signed.ended_at is None


# --- Running ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["administrator", "national administrator", "statistician"])
def test_those_who_issue_run_it_for_what_was_signed_for(
    tree: Tree, signed: Series, period: Period, who: str
) -> None:
    Edition.objects.judged("test").delete()
    client = visitor(tree, who)
    assert client.get(page_of(signed)).context["periods"] == [period]
    answer = client.post(page_of(signed, "run/"), {"period": "2024"}, follow=True)
    assert "已开始印发，没有变化的单位不重复印发。" in text_of(answer)
    assert [edition.snapshot.period for edition in editions()] == [period]


@pytest.mark.parametrize(("who", "status"), [("officer", 403), ("auditor", 403), ("other province", 404)])
def test_others_do_not_run_it(tree: Tree, signed: Series, period: Period, who: str, status: int) -> None:
    Edition.objects.judged("test").delete()
    client = visitor(tree, who)
    assert client.post(page_of(signed, "run/"), {"period": "2024"}).status_code == status
    assert editions() == []


@pytest.mark.parametrize("who", ["statistician", "administrator"])
def test_what_was_frozen_before_the_signature_is_offered_to_signers_only(tree: Tree, who: str) -> None:
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    author, signer = (factories.user(Role.ADMINISTRATOR, tree.jiangsu) for _n in range(2))
    late = series.draw_up(tree.jiangsu, author, kind="brief", period_kind="year", down_to=1, words={})
    series.sign(late, signer)
    client = visitor(tree, who)
    offered = [one.code for one in client.get(page_of(late)).context["periods"]]
    answer = client.post(page_of(late, "run/"), {"period": "2024"})
    if who == "administrator":
        assert (offered, len(editions())) == (["2024"], 1)
    else:
        assert (offered, answer.status_code, editions()) == ([], 403, [])


@pytest.mark.parametrize(
    ("code", "sentence"), [("", "请选择一个已发布的期间"), ("2024Q3", "只办年的数据"), ("2025", "还没有")]
)
def test_what_cannot_be_run_says_why(
    tree: Tree, signed: Series, period: Period, code: str, sentence: str
) -> None:
    services.get_period("2024Q3"), services.get_period("2025")
    Edition.objects.judged("test").delete()
    answer = visitor(tree, "administrator").post(page_of(signed, "run/"), {"period": code}, follow=True)
    assert sentence in text_of(answer)
    assert editions() == []


def test_steps_are_not_taken_by_looking(tree: Tree, one: Series) -> None:
    client = visitor(tree, "administrator")
    for step in ("sign/", "end/", "run/"):
        assert client.get(page_of(one, step)).status_code == 405


# --- Editions ---------------------------------------------------------------------------------------------


def edition_with(row: Series, period: Period, **papers: int) -> Edition:
    """One whose papers are in these states, as many of each."""
    snapshot = services.frozen_snapshot(period)
    edition, _new = Edition.objects.judged("test").get_or_create(series=row, snapshot=snapshot)
    units = [row.bureau, *row.bureau.children.all()]
    for state in [state for state, number in papers.items() for _n in range(number)]:
        draft = services.draft_unattended(period, units.pop(), kind=row.kind, again=True)
        Bulletin.objects.judged("test").filter(pk=draft.pk).update(
            edition=edition, job_state=state, pdf="x.pdf", sha256="0" * 64
        )
    return edition


def test_an_edition_says_how_far_its_papers_are_and_why_units_have_none(
    tree: Tree, signed: Series, period: Period
) -> None:
    edition = edition_with(signed, period, done=1, queued=1, failed=1)
    edition.faults = {"320200": "没有数据。", "999999": "单位已撤销。"}
    edition.save()
    page = visitor(tree, "officer").get(page_of(signed))
    (shown,) = page.context["editions"]
    assert shown["standing"] == series.Standing(done=1, waiting=1, failed=1)
    assert "2024年第 1 版" in text_of(page)
    assert "无锡市没有印发：没有数据。" in text_of(page)
    assert "999999没有印发：单位已撤销。" in text_of(page)


def test_a_page_asks_as_much_for_twelve_editions_as_for_one(
    tree: Tree, signed: Series, period: Period, django_assert_num_queries: Any
) -> None:
    client = visitor(tree, "administrator")
    edition_with(signed, period, done=1, failed=1)
    client.get(page_of(signed))
    with django_assert_num_queries(14):
        client.get(page_of(signed))
    for number in range(14):
        services.freeze_now(period, None, f"更正{number}")
        edition_with(signed, services.get_period("2024"))
    with django_assert_num_queries(14):
        page = client.get(page_of(signed))
    assert [shown["row"].snapshot.version for shown in page.context["editions"]] == list(range(15, 3, -1))


def test_the_list_asks_as_much_for_many_as_for_one(
    tree: Tree, one: Series, django_assert_num_queries: Any
) -> None:
    client = visitor(tree, "administrator")
    client.get(LIST)
    with django_assert_num_queries(6):
        client.get(LIST)
    author = factories.user(Role.ADMINISTRATOR, tree.nation)
    for unit in (tree.suzhou, tree.wuxi, tree.huqiu):
        made = series.draw_up(unit, author, kind="brief", period_kind="year", down_to=3, words={})
        series.sign(made, factories.user(Role.ADMINISTRATOR, unit))
    with django_assert_num_queries(6):
        assert len(client.get(LIST).context["rows"]) == 4
