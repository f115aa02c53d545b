"""Problems that may be the same: while filing, on the merge desk, and what follows from a verdict."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Notice, Role
from accounts.notices import sentence
from projects import services, twins
from projects.models import Bottleneck, TwinJudgement
from projects.similar import Said
from tests.factories import STRAIGHT, Cast, at_once, bureau, draft, filing_values, grant, organization, user

pytestmark = pytest.mark.django_db

S = Bottleneck.Status
TEXT = {
    "title": "柔轮热处理后径向变形超差",
    "product": "谐波减速器",
    "symptom": "淬火后抽检，径向变形超差。",
    "nqi_gap": "capacity",
}
LIKE = TEXT | {"title": "热处理后柔轮径向变形超差", "symptom": "抽检发现柔轮径向变形超差。"}
OTHER = {"title": "面料染色牢度不达标", "product": "功能性面料", "symptom": "摩擦后掉色。", "nqi_gap": ""}


@pytest.fixture
def cast() -> Cast:
    return Cast()


def neighbour(cast: Cast, **fields: Any) -> Bottleneck:
    """An accepted problem of another firm of the county."""
    person = user(Role.FILER, organization("演示精密传动有限公司", at=cast.county), name="另一填报人")
    row = draft(person, **fields)
    services.move(row, "submit", by=person)
    services.move(row, "accept", by=cast.county_officer)
    return row


@pytest.fixture
def pair(cast: Cast) -> tuple[Bottleneck, Bottleneck]:
    return cast.bring_to("accepted", **TEXT), neighbour(cast, **LIKE)


def decide(pair: Any, verdict: str, cast: Cast, **more: Any) -> TwinJudgement:
    values = {"by": cast.city_officer, "reason": "同一缺口。", "master": pair[0]} | more
    return twins.judge(*pair, verdict, **values)


# --- While filing -----------------------------------------------------------------------------------------


def solved(cast: Cast, **fields: Any) -> Bottleneck:
    row = cast.bring_to("resolved", **TEXT | fields)
    row.solution = "调整渗碳工艺窗口。"
    row.save()
    return row


def test_solved_problems_come_first_with_how_and_by_whom(cast):
    open_row, done = cast.bring_to("accepted", **TEXT), solved(cast, **LIKE)
    cast.bring_to("accepted", **OTHER)
    said = Said(TEXT["title"], TEXT["product"])
    found = twins.related_to(said, cast.filer)
    assert [item.row for item in found] == [done, open_row]
    assert (found[0].how, found[0].by_whom) == ("调整渗碳工艺窗口。", cast.lab.name)
    assert [item.row for item in twins.related_to(said, cast.filer, but=done.pk)] == [open_row]


def test_a_published_problem_of_others_tells_how_and_not_who(cast):
    done = solved(cast, visibility="public", consent_publish=True)
    (found,) = twins.related_to(Said(TEXT["title"], TEXT["product"]), user(Role.FILER))
    assert (found.row, found.how) == (done, "调整渗碳工艺窗口。")
    assert (found.by_whom, found.code) == ("", "")


def test_what_others_may_not_read_finds_nothing_for_them(cast):
    """The title is published, the symptom is not."""
    solved(
        cast, visibility="public", consent_publish=True, title="某部件的问题", symptom="蓝色环氧层开裂起翘"
    )
    solved(cast)
    stranger = user(Role.FILER)
    assert twins.related_to(Said(symptom="蓝色环氧层开裂起翘"), stranger) == []
    assert twins.related_to(Said(product=TEXT["product"], symptom=TEXT["symptom"]), stranger) == []


def test_drafts_and_what_came_to_nothing_are_not_shown(cast):
    draft(cast.filer, **TEXT)
    cast.bring_to("rejected", **TEXT)
    cast.bring_to("withdrawn", **TEXT)
    assert twins.related_to(Said(TEXT["title"], TEXT["product"]), cast.filer) == []


def test_typing_lists_the_closest_problems_and_saving_keeps_them_without_script(cast, client: Client):
    done, row = solved(cast), draft(cast.filer, **OTHER)
    client.force_login(cast.filer)
    address = reverse("projects:bottleneck_similar", args=[row.public_id])
    typed = {name: TEXT[name] for name in ("title", "product", "symptom")}
    text = client.post(address, typed).content.decode()
    assert done.title in text and "调整渗碳工艺窗口。" in text and cast.lab.name in text
    assert "没有相近的" in client.post(address, {"title": "完全不同的另一件事情"}).content.decode()
    assert "填写题目和现象时" in client.post(address, {"title": "柔"}).content.decode()
    page = reverse("projects:bottleneck_edit", args=[row.public_id, "happening"])
    assert done.code not in client.get(page).content.decode()
    services.revise(row, by=cast.filer, version=row.version, values=typed)
    assert done.code in client.get(page).content.decode()


def test_similar_problems_are_asked_before_the_first_save_and_by_the_firm_only(cast, client: Client):
    solved(cast)
    address = reverse("projects:bottleneck_similar", args=[uuid.uuid4()])
    client.force_login(cast.filer)
    assert client.post(address, {"title": TEXT["title"]}).status_code == 404
    assert TEXT["title"] in client.post(f"{address}?for={cast.firm.uscc}", TEXT).content.decode()
    client.force_login(user(Role.FILER))
    assert client.post(f"{address}?for={cast.firm.uscc}", TEXT).status_code == 404


@pytest.mark.parametrize("junk", ["\x00", "9" * 40, "é́́", "<script>", "🙂" * 900])
def test_any_typed_text_is_answered(cast, client: Client, junk):
    row = draft(cast.filer)
    client.force_login(cast.filer)
    address = reverse("projects:bottleneck_similar", args=[row.public_id])
    assert client.post(address, {"title": junk, "symptom": junk, "chain": junk}).status_code in (200, 400)


# --- Pairs ------------------------------------------------------------------------------------------------


def test_a_pair_is_found_once_and_marked(cast, pair):
    rows = twins.in_review(cast.city_officer, cast.city_officer.grants_of(Role.OFFICER)[0])
    found = list(twins.pairs_among(rows, cast.city_officer, cast.city_officer.grants_of(Role.OFFICER)[0]))
    ((only,), none) = found
    assert (only.earlier, only.later) == pair
    assert only.may_be_common and not only.is_probable_repeat
    assert none == []


def test_the_same_firm_product_and_gap_is_a_probable_repeat_whatever_it_says(cast):
    first = cast.bring_to("accepted", **TEXT)
    again = cast.bring_to("accepted", **TEXT | {"title": "另一种说法", "symptom": "全然不同的描述文字"})
    cast.bring_to(
        "accepted",
        **TEXT
        | {"title": "又一种", "symptom": "这里说的事情和前面毫无关系也没有共同词语", "nqi_gap": "other"},
    )
    (only,) = twins.pairs_of(again, cast.city_officer)
    assert only.other == first and only.is_probable_repeat and not only.may_be_common
    first.submitted_at = timezone.now() - timedelta(days=800)
    first.save()
    assert twins.pairs_of(again, cast.city_officer) == []


def test_pairs_are_problems_in_hand_within_the_scope(cast):
    row = cast.bring_to("accepted", **TEXT)
    solved(cast)
    cast.bring_to("submitted", **LIKE)
    far = user(
        Role.FILER, organization(at=bureau("440305", "南山", bureau("440300", "深圳", cast.city.parent)))
    )
    foreign = draft(far, **LIKE)
    services.move(foreign, "submit", by=far)
    services.move(foreign, "accept", by=user(Role.OFFICER, far.grants_of(Role.FILER)[0].organization.bureau))
    assert twins.pairs_of(row, cast.city_officer) == []
    listed = cast.bring_to("listed", **LIKE | {"product": "柔轮"})
    assert [pair.other for pair in twins.pairs_of(row, cast.city_officer)] == [listed]


# --- Verdicts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "master"), [("repeat", 0), ("same", 1)])
def test_merging_goes_by_the_move_and_names_the_master(cast, pair, verdict, master):
    done = decide(pair, verdict, cast, master=pair[master])
    child = pair[1 - master]
    child.refresh_from_db()
    assert (child.status, child.merged_into) == (S.MERGED, pair[master])
    assert child.transitions.last().reason == "同一缺口。"
    assert done.master == pair[master] and done.bureau == cast.city
    assert twins.pairs_of(pair[master], cast.city_officer) == []


@pytest.mark.parametrize("verdict", ["repeat", "same"])
def test_undoing_a_merge_brings_the_problem_back_to_the_desk(cast, pair, verdict):
    done = decide(pair, verdict, cast)
    assert pair[1].transitions.last().details["kind"] == verdict
    twins.undo(done, by=cast.city_officer)
    child = Bottleneck.objects.get(pk=pair[1].pk)
    assert (child.status, child.merged_into) == (S.ACCEPTED, None)
    assert len(twins.pairs_of(child, cast.city_officer)) == 1
    done.refresh_from_db()
    assert done.undone_by == cast.city_officer
    decide(pair, "apart", cast, master=None)


def test_a_merge_whose_master_is_done_is_not_undone(cast, pair):
    done = decide(pair, "same", cast)
    for move in STRAIGHT[2:]:
        cast.make(pair[0], move)
    with pytest.raises((services.StaleRow, PermissionDenied)):
        twins.undo(done, by=cast.city_officer)
    done.refresh_from_db()
    assert done.undone_at is None


def test_a_common_problem_marks_both_and_undoing_unmarks_what_it_marked(cast, pair):
    pair[0].is_common = True
    pair[0].save()
    done = decide(pair, "common", cast, master=None, reason="")
    assert done.marked == [pair[1].pk]
    assert twins.pairs_of(pair[1], cast.city_officer) == []
    twins.undo(done, by=cast.city_officer)
    assert [Bottleneck.objects.get(pk=row.pk).is_common for row in pair] == [True, False]
    assert len(twins.pairs_of(pair[1], cast.city_officer)) == 1


def test_what_is_kept_apart_does_not_come_back_until_it_is_undone(cast, pair):
    done = decide(pair, "apart", cast, master=None)
    assert twins.pairs_of(pair[0], cast.city_officer) == twins.pairs_of(pair[1], cast.city_officer) == []
    twins.undo(done, by=cast.city_officer)
    assert len(twins.pairs_of(pair[0], cast.city_officer)) == 1
    with pytest.raises(services.StaleRow, match="撤销"):
        twins.undo(done, by=cast.city_officer)
    decide(pair, "common", cast, master=None)


def test_a_second_verdict_is_told_of_the_first(cast, pair):
    decide(pair, "apart", cast, master=None)
    with pytest.raises(services.StaleRow, match=r"市局经办.*不是同一问题"):
        decide(pair[::-1], "common", cast, master=None)


def test_what_is_missing_is_said_and_changes_nothing(cast, pair):
    for verdict, more in (("apart", {"reason": " "}), ("same", {"master": None}), ("elsewhere", {})):
        with pytest.raises(ValidationError):
            decide(pair, verdict, cast, **{"master": None} | more)
    with pytest.raises(ValidationError):
        decide(pair, "same", cast, reason="")
    assert not TwinJudgement.objects.exists()
    assert {row.status for row in Bottleneck.objects.all()} == {S.ACCEPTED}


def test_only_officers_of_the_line_from_the_city_up_decide(cast, pair):
    far_city = bureau("320100", "南京", cast.city.parent)
    for by in (cast.county_officer, cast.filer, user(Role.OFFICER, far_city), user(Role.AUDITOR, cast.city)):
        with pytest.raises(PermissionDenied):
            decide(pair, "apart", cast, by=by, master=None)
    done = decide(pair, "apart", cast, by=user(Role.OFFICER, cast.city.parent), master=None)
    with pytest.raises(PermissionDenied):
        twins.undo(done, by=cast.county_officer)


def test_problems_that_have_left_the_review_are_not_decided(cast):
    rows = [cast.bring_to("listed", **TEXT), cast.bring_to("listed", **LIKE)]
    with pytest.raises(services.StaleRow, match="不在复核"):
        decide(rows, "common", cast, master=None)


def test_the_database_keeps_verdicts_whole(cast, pair):
    first, second = sorted(pair, key=lambda row: row.pk)
    right = {
        "first": first, "second": second, "verdict": "apart", "reason": "型号不同。",
        "by": cast.city_officer, "bureau": cast.city, "at": timezone.now(),
    }  # fmt: skip
    undone = {"undone_at": timezone.now(), "undone_by": cast.city_officer}
    TwinJudgement.objects.create(**right)
    for wrong, words in (
        ({}, "已有结论"),
        ({"first": second, "second": first}, "两个不同的问题"),
        ({"undone_at": timezone.now()}, "撤销人"),
        ({"reason": "", **undone}, "理由"),
        ({"verdict": "same", **undone}, "主问题"),
        ({"master": first, **undone}, "主问题"),
    ):
        row = TwinJudgement(**right | wrong)
        with pytest.raises(ValidationError, match=words):
            row.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


@pytest.mark.django_db(transaction=True)
def test_of_two_officers_who_judge_at_once_one_wins_and_the_other_is_told():
    cast = Cast()
    pair = (cast.bring_to("accepted", **TEXT), neighbour(cast, **LIKE))
    second = user(Role.OFFICER, cast.city, name="市局另一人")
    results = at_once(
        lambda: decide(pair, "same", cast),
        lambda: twins.judge(*pair, "apart", by=second, reason="型号不同。"),
    )
    assert [type(result) for result in results].count(TwinJudgement) == 1
    (told,) = [result for result in results if not isinstance(result, TwinJudgement)]
    assert isinstance(told, services.StaleRow) and "没有执行" in str(told)
    (done,) = TwinJudgement.objects.all()
    merged = Bottleneck.objects.filter(status=S.MERGED).count()
    assert merged == (done.verdict == "same")


# --- Pages ------------------------------------------------------------------------------------------------


def page(client: Client, who: Any, name: str, *args: Any) -> Any:
    client.force_login(who)
    return client.get(reverse(f"projects:{name}", args=args))


def test_the_desk_shows_pairs_and_takes_a_decision_that_can_be_undone(cast, pair, client: Client):
    text = page(client, cast.city_officer, "twins").content.decode()
    assert all(row.code in text for row in pair)
    assert "可能是共性问题" in text and "还没有结论" in text
    address = reverse("projects:twins_of", args=[pair[1].public_id])
    sent = {"other": str(pair[0].public_id), "verdict": "apart", "reason": ""}
    refused = client.post(address, sent)
    assert refused.status_code == 422 and "请写明理由" in refused.content.decode()
    after = client.post(address, sent | {"reason": "型号不同，机理也不同。"}, follow=True).content.decode()
    assert "没有要判断的相似问题" in after and "型号不同，机理也不同。" in after
    stale = client.post(address, sent | {"verdict": "common"})
    assert stale.status_code == 409 and "不是同一问题" in stale.content.decode()
    done = TwinJudgement.objects.get()
    client.post(reverse("projects:twin_undo", args=[done.pk]))
    again = client.post(reverse("projects:twin_undo", args=[done.pk]), follow=True).content.decode()
    assert "可能是共性问题" in again and "已由市局经办撤销" in again


def test_the_desk_is_for_officers_from_the_city_up(cast, pair, client: Client):
    for who in (cast.county_officer, cast.filer, user(Role.AUDITOR, cast.city)):
        assert page(client, who, "twins").status_code == 403
        assert page(client, who, "twins_of", pair[0].public_id).status_code == 403
    assert "归并台" not in page(client, cast.county_officer, "desk").content.decode()
    assert reverse("projects:twins") in page(client, cast.city_officer, "desk").content.decode()


def test_long_queues_are_looked_through_in_parts(cast, pair, client: Client, monkeypatch):
    monkeypatch.setattr("projects.views.twins.LOOKED_AT", 1)
    first = page(client, cast.city_officer, "twins").content.decode()
    assert "?from=1" in first and "已比对到第 1 个" in first
    last = client.get(reverse("projects:twins"), {"from": "1"}).content.decode()
    assert "继续比对" not in last and "没有要判断的相似问题" in last
    assert client.get(reverse("projects:twins"), {"from": "x9"}).status_code == 200


def test_the_officer_of_an_accepted_problem_reads_how_many_are_like_it(cast, pair, client: Client):
    link = reverse("projects:twins_of", args=[pair[0].public_id])
    for who, told in ((cast.city_officer, True), (cast.county_officer, False), (cast.filer, False)):
        text = page(client, who, "bottleneck_detail", pair[0].public_id).content.decode()
        assert ("有 1 个相似问题" in text and link in text) is told
    client.force_login(cast.city_officer)
    beside = client.get(reverse("projects:desk"), {"open": str(pair[0].public_id)}).content.decode()
    assert "有 1 个相似问题" in beside and link in beside


def test_firms_of_merged_problems_hear_of_the_master_and_are_counted(cast, pair, client: Client):
    master, child = pair
    decide(pair, "same", cast)
    other_filer = child.filer
    Notice.objects.all().delete()
    cast.make(master, "list")
    told = [sentence(notice) for notice in Notice.objects.filter(user=other_filer)]
    assert told == [f"问题 {child.code} 归并到的主问题有进展：已列入清单。"]
    assert master.code not in told[0]
    text = page(client, other_filer, "bottleneck_detail", child.public_id).content.decode()
    assert "主问题现在的状态" in text and "列入清单" in text and master.code not in text
    assert (
        "受益企业 2 家"
        in page(client, cast.city_officer, "bottleneck_detail", master.public_id).content.decode()
    )
    for move in STRAIGHT[3:]:
        cast.make(master, move)
    last = [sentence(notice) for notice in Notice.objects.filter(user=other_filer).order_by("-pk")]
    assert len(last) == len(STRAIGHT) - 2 and "随主问题变更" in last[0]
    child.refresh_from_db()
    assert child.result == "bottleneck_solved"
    assert twins.beneficiaries(master) == 2


def test_the_same_firm_is_one_beneficiary(cast, pair):
    master, _other = pair
    decide(pair, "same", cast)
    own = cast.bring_to("accepted", **TEXT)
    services.move(own, "merge", by=cast.city_officer, data={"master": master, "reason": "重复。"})
    assert twins.beneficiaries(master) == 2


def test_firms_entered_as_helped_are_counted_and_named_and_those_of_tests_are_not(cast, pair, client: Client):
    master, child = pair
    decide(pair, "same", cast)
    named = [organization(name, at=cast.county) for name in ("演示受益甲公司", "演示受益乙公司")]
    of_test = organization("演示测试公司", at=cast.county, is_test=True)
    today = timezone.localdate()
    for row, firm in ((master, named[0]), (child, named[1]), (master, of_test), (master, cast.firm)):
        row.beneficiaries.create(organization=firm, agreed_on=today)
    assert twins.beneficiaries(master) == 4
    text = page(client, cast.city_officer, "bottleneck_detail", master.public_id).content.decode()
    assert "受益企业 4 家" in text and all(f"登记的受益企业 {firm.name}" in text for firm in named)
    assert f"登记的受益企业 {of_test.name}" not in text
    # The filer reads nothing of what was merged.
    text = page(client, cast.filer, "bottleneck_detail", master.public_id).content.decode()
    assert named[0].name in text and named[1].name not in text


def test_a_grant_of_one_chain_reviews_that_chain_only(cast, pair):
    person = user(Role.OFFICER, cast.city)
    held = person.grants.get()
    held.chain = pair[0].chain
    held.save()
    one = person.grants_of(Role.OFFICER)[0]
    assert set(twins.in_review(person, one)) == set(pair)
    stranger = user()
    other = grant(stranger, Role.OFFICER, cast.city, chain=filing_values()["chain"])
    Bottleneck.objects.filter(pk=pair[0].pk).update(chain=None, status=S.DRAFT)
    assert list(twins.in_review(stranger, other)) == [pair[1]]
