"""The workspace and the filing journey: nothing typed is lost, nothing is written twice."""

import threading
import uuid
from copy import copy
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Notice, Role
from enterprises.models import NumberSeries
from projects import services
from projects.forms.filing import MeasureForms
from projects.models import Bottleneck
from tests.factories import Cast, at_once, chain, draft, grant, organization, png, user
from tests.worlds import world

S = Bottleneck.Status


@world
def cast() -> Cast:
    return Cast()


@pytest.fixture
def filer(cast: Cast, client: Client) -> Client:
    client.force_login(cast.filer)
    return client


def edit_url(row: Bottleneck | uuid.UUID, step: str) -> str:
    return reverse("projects:bottleneck_edit", args=[getattr(row, "public_id", row), step])


def typed(page: Any) -> dict[str, Any]:
    """What the form of a page would send as it stands."""
    context = page.context
    fields = [bound for form in context["forms"] for bound in form]
    data: dict[str, Any] = {"version": context["version"]}
    for bound in fields:
        value = bound.value()
        if bound.name == "files" or value in (None, False, ""):
            continue
        data[bound.html_name] = "on" if value is True else value
    return data


def save(client: Client, row: Bottleneck, step: str, **values: Any) -> Any:
    url = edit_url(row, step)
    return client.post(url, typed(client.get(url)) | values)


# --- Workspace ---------------------------------------------------------------------------------------------


def test_the_workspace_sorts_by_whose_turn_it_is(cast: Cast, filer: Client):
    rows = {
        status: cast.bring_to(status) for status in (S.SUBMITTED, S.RETURNED, S.SOLUTION_FILED, S.REJECTED)
    }
    sketch = draft(cast.filer, title="还没写完")
    page = filer.get(reverse("projects:workspace"))
    groups = {group["name"]: set(group["rows"]) for group in page.context["groups"]}
    assert groups == {
        "mine": {rows[S.RETURNED], rows[S.SOLUTION_FILED]},
        "others": {rows[S.SUBMITTED]},
        "ended": {rows[S.REJECTED]},
    }
    assert list(page.context["drafts"]) == [sketch]


def test_the_institution_sees_what_was_dispatched_to_it(cast: Cast, client: Client):
    row = cast.bring_to(S.DISPATCHED)
    cast.bring_to(S.LISTED)
    client.force_login(cast.engineer)
    page = client.get(reverse("projects:workspace"))
    assert [group["total"] for group in page.context["groups"]] == [1, 0, 0]
    assert row.code in page.content.decode()
    assert reverse("projects:bottleneck_new") not in page.content.decode()


def test_a_bureau_is_sent_to_its_desk(cast: Cast, client: Client):
    client.force_login(cast.county_officer)
    assert client.get(reverse("projects:workspace")).url == reverse("projects:desk")


@pytest.mark.any_database
def test_the_workspace_asks_as_often_for_twenty_rows_as_for_one(
    cast: Cast, filer: Client, django_assert_num_queries: Any
):
    cast.filed()
    draft(cast.filer)
    url = reverse("projects:workspace")
    with django_assert_num_queries(10):
        filer.get(url)
    for _ in range(19):
        cast.filed()
        draft(cast.filer)
    with django_assert_num_queries(10):
        filer.get(url)


# --- Beginning ---------------------------------------------------------------------------------------------


def start(client: Client) -> str:
    page = client.get(reverse("projects:bottleneck_new"))
    assert "涉密不上网" in page.content.decode()
    ((_firm, address),) = page.context["starts"]
    return address


def test_opening_the_first_step_writes_nothing(filer: Client):
    page = filer.get(start(filer))
    assert page.status_code == 200
    assert "涉密不上网" in page.content.decode()
    assert not Bottleneck.objects.exists()


def test_a_doubled_click_on_the_first_save_makes_one_draft(cast: Cast, filer: Client):
    address = start(filer)
    data = typed(filer.get(address)) | {"title": "柔轮断裂", "chain": chain().pk}
    answers = [filer.post(address, data) for _ in range(2)]
    row = Bottleneck.objects.get()
    assert [answer.url for answer in answers] == [edit_url(row, "extent")] * 2
    assert (row.organization, row.bureau, row.filer) == (cast.firm, cast.county, cast.filer)


@pytest.mark.django_db(transaction=True)
def test_two_first_saves_at_once_make_one_draft(monkeypatch: pytest.MonkeyPatch):
    cast = Cast()
    # Both have looked and found no row before either writes one.
    gate, draft_for = threading.Barrier(2, timeout=30), services.draft_for

    def after_both_looked(*args: Any) -> Bottleneck:
        gate.wait()
        return draft_for(*args)

    monkeypatch.setattr(services, "draft_for", after_both_looked)
    people = [Client() for _ in range(2)]
    for client in people:
        client.force_login(cast.filer)
    address = start(people[0])
    data = typed(people[0].get(address)) | {"title": "柔轮断裂", "chain": chain().pk}
    answers = at_once(*(lambda c=client: c.post(address, data) for client in people))
    row = Bottleneck.objects.get()
    assert [answer.url for answer in answers] == [edit_url(row, "extent")] * 2, answers
    assert (row.title, row.version) == ("柔轮断裂", 2)


def test_who_files_for_several_firms_says_for_which(cast: Cast, filer: Client):
    second = organization("演示第二公司")
    grant(cast.filer, Role.COORDINATOR, second)
    page = filer.get(reverse("projects:bottleneck_new"))
    addresses = {firm.name: address for firm, address in page.context["starts"]}
    assert set(addresses) == {cast.firm.name, "演示第二公司"}
    filer.post(addresses["演示第二公司"], {"version": 1, "title": "某题"})
    assert Bottleneck.objects.get().organization == second


def test_nobody_files_for_a_foreign_firm(cast: Cast, filer: Client):
    foreign = organization()
    address = f"{edit_url(uuid.uuid4(), 'happening')}?for={foreign.uscc}"
    assert filer.get(address).status_code == 404
    assert filer.post(address, {"version": 1, "title": "某题"}).status_code == 404
    assert not Bottleneck.objects.exists()


@pytest.mark.parametrize("role", [Role.INSTITUTION, Role.OFFICER, Role.AUDITOR])
def test_only_firms_file(cast: Cast, client: Client, role: str):
    client.force_login(user(role))
    answer = client.get(reverse("projects:bottleneck_new"))
    assert answer.status_code == 403
    assert "只有企业的填报人" in answer.content.decode()


# --- The journey -------------------------------------------------------------------------------------------


def test_a_problem_is_filed_from_start_to_number(cast: Cast, filer: Client):
    address = start(filer)
    segment = chain().segments.last()
    answer = filer.post(
        address,
        typed(filer.get(address))
        | {
            "product": "谐波减速器",
            "chain": chain().pk,
            "segment": segment.pk,
            "title": "柔轮疲劳寿命离散过大",
            "choke": "STUCK",
            "symptom": "第一行\r\n第二行",
        },
    )
    row = Bottleneck.objects.get()
    assert answer.url == edit_url(row, "extent")
    answer = save(
        filer,
        row,
        "extent",
        **{
            "measure-0-metric": "寿命达标率",
            "measure-0-unit": "%",
            "measure-0-value_now": "６８．５",
            "measure-0-comparison": "ge",
            "measure-0-target": "95",
            "measure-2-metric": "回差",
            "measure-2-unit": "mm",
            "measure-2-value_now": "1,200.5",
            "measure-2-comparison": "le",
            "measure-2-target": "-3",
            "effect": "每批约三成返工。",
            "loss_wan": "12.34",
            "loss_basis": "月均报废 120 件。",
            "urgency": "urgent",
            "expected_by": "2030年6月1日",
        },
    )
    assert answer.url == edit_url(row, "help")
    answer = save(
        filer,
        row,
        "help",
        cause="NQI",
        nqi_elements=["TST", "MET"],
        help_wanted=["DISP"],
        contact_name="王敏",
        contact_phone="０５１２－63000000 转 801",
        visibility="parties",
    )
    assert answer.url == edit_url(row, "check")
    page = filer.get(answer.url)
    assert page.context["faults"] == []
    answer = filer.post(answer.url, {"version": page.context["version"]})
    assert answer.url == reverse("projects:bottleneck_submitted", args=[row.public_id])
    row.refresh_from_db()
    assert row.status == S.SUBMITTED
    assert row.symptom == "第一行\n第二行"
    assert row.loss_estimate == Decimal("123400.00")
    assert row.expected_by == date(2030, 6, 1)
    assert row.nqi_elements == ("MET", "TST")
    assert [(m.metric, m.value_now, m.target) for m in row.measures.all()] == [
        ("寿命达标率", Decimal("68.5"), Decimal("95")),
        ("回差", Decimal("1200.5"), Decimal("-3")),
    ]
    assert row.contact.phone == "0512-63000000 转 801"
    receipt = filer.get(answer.url).content.decode()
    assert row.code in receipt
    assert cast.county.name in receipt
    assert row.clock_due_on.isoformat() in receipt


def test_the_contact_is_what_is_known_of_the_firm(cast: Cast, filer: Client):
    row = services.draft_for(cast.filer, cast.firm, uuid.uuid4())
    form = filer.get(edit_url(row, "help")).context["form"]
    assert (form["contact_name"].value(), form["contact_phone"].value()) == ("王敏", "13800000001")


def test_every_step_may_be_left_incomplete(cast: Cast, filer: Client):
    row = services.draft_for(cast.filer, cast.firm, uuid.uuid4())
    for step, following in (("happening", "extent"), ("extent", "help")):
        assert filer.post(edit_url(row, step), {"version": row.version}).url == edit_url(row, following)
        row.refresh_from_db()
    answer = filer.post(edit_url(row, "help"), {"version": row.version, "visibility": "parties"})
    assert answer.url == edit_url(row, "check")
    page = filer.get(answer.url)
    assert len(page.context["faults"]) == 12
    answer = filer.post(answer.url, {"version": page.context["version"]})
    assert answer.status_code == 422
    assert "还有 12 处要填" in answer.content.decode()
    row.refresh_from_db()
    assert (row.status, row.code) == (S.DRAFT, None)


def test_the_segments_follow_the_chain(cast: Cast, filer: Client):
    row = draft(cast.filer)
    other = chain("C02", "动力电池")
    url = reverse("projects:bottleneck_segments", args=[row.public_id])
    page = filer.get(url, {"chain": other.pk}).content.decode()
    assert "动力电池核心零部件" in page
    assert "工业机器人核心零部件" not in page
    assert '<optgroup label="上游">' in page
    for wrong in ("", "0", "x", "9" * 30, "%00"):
        assert filer.get(url, {"chain": wrong}).status_code == 200


def test_without_script_a_button_lists_the_segments(cast: Cast, filer: Client):
    row = draft(cast.filer, chain=None, segment=None)
    answer = save(filer, row, "happening", chain=chain().pk, list_segments="1")
    assert answer.url == f"{edit_url(row, 'happening')}#id_segment"
    assert "工业机器人本体制造" in filer.get(answer.url).content.decode()


def test_leaving_says_where_the_draft_is(cast: Cast, filer: Client):
    row = draft(cast.filer)
    answer = filer.post(
        edit_url(row, "happening"), typed(filer.get(edit_url(row, "happening"))) | {"leave": "1"}, follow=True
    )
    assert answer.redirect_chain == [(reverse("projects:workspace"), 302)]
    assert f'已保存，可以随时在任何电脑上<a href="{edit_url(row, "check")}">' in answer.content.decode()


# --- What cannot stand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "values", "where"),
    [
        ("happening", {"title": "长" * 61}, ("title", "最多 60 个字，现在是 61 个")),
        ("happening", {"symptom": "长" * 1001}, ("symptom", "最多 1000 个字，现在是 1001 个")),
        ("happening", {"chain": "999999"}, ("chain", "不在现行目录中")),
        ("happening", {"segment": "other"}, ("segment", "不属于所选产业链")),
        ("happening", {"choke": "NONE"}, ("choke", "NONE")),
        ("extent", {"expected_by": "yesterday"}, ("expected_by", "不能早于今天")),
        ("extent", {"expected_by": "2026-13-45"}, ("expected_by", "请填写日期")),
        ("extent", {"loss_wan": "12"}, ("loss_basis", "请写明怎样算出")),
        ("extent", {"loss_wan": "-1", "loss_basis": "甲"}, ("loss_wan", "不能小于 0")),
        ("extent", {"loss_wan": "1.234", "loss_basis": "甲"}, ("loss_wan", "最多保留 2 位小数")),
        ("extent", {"loss_wan": "1e9", "loss_basis": "甲"}, ("loss_wan", "请填写数字")),
        ("extent", {"loss_wan": "NaN", "loss_basis": "甲"}, ("loss_wan", "请填写数字")),
        ("extent", {"measure-0-value_now": "9" * 11}, ("measure-0-value_now", "整数部分最多 10 位")),
        ("extent", {"measure-0-target": "1.23456"}, ("measure-0-target", "最多保留 4 位小数")),
        ("extent", {"measure-0-unit": "furlong"}, ("measure-0-unit", "furlong")),
        ("extent", {"measure-0-unit": ""}, ("measure-0-unit", "请填写这一项")),
        ("extent", {"measure-0-measured_on": "2999-01-01"}, ("measure-0-measured_on", "不能晚于今天")),
        ("extent", {"measure-1-metric": "只写了名称"}, ("measure-1-value_now", "请填写这一项")),
        ("help", {"contact_phone": "打电话给我"}, ("contact_phone", "请填写手机号")),
        ("help", {"nqi_elements": ["XXX"]}, ("nqi_elements", "XXX")),
        ("help", {"visibility": ""}, ("visibility", "请填写这一项")),
    ],
)
def test_what_cannot_stand_is_refused_at_its_field_and_nothing_typed_is_lost(
    cast: Cast, filer: Client, step: str, values: dict[str, Any], where: tuple[str, str]
):
    field, sentence = where
    row = draft(cast.filer)
    before = Bottleneck.objects.filter(pk=row.pk).values().get()
    if values.get("segment") == "other":
        values = {"segment": chain("C02", "动力电池").segments.first().pk}
    if values.get("expected_by") == "yesterday":
        values = {"expected_by": (timezone.localdate() - timedelta(days=1)).isoformat()}
    kept = {"happening": "symptom", "extent": "effect", "help": "cause_analysis"}[step]
    answer = save(filer, row, step, **({kept: "这一段不能丢。"} | values))
    assert answer.status_code == 422
    bound = next(bound for form in answer.context["forms"] for bound in form if bound.html_name == field)
    assert sentence in " ".join(bound.errors)
    page = unescape(answer.content.decode())
    assert f'href="#{bound.id_for_label}' in page
    if kept not in values:
        assert "这一段不能丢。" in page
    for name, value in values.items():
        if isinstance(value, str) and value and not name.endswith(("unit", "choke", "chain", "visibility")):
            assert value in page
    assert Bottleneck.objects.filter(pk=row.pk).values().get() == before


def test_limits_count_characters_and_a_line_end_is_one(cast: Cast, filer: Client):
    row = draft(cast.filer)
    text = "一\r\n" * 500
    assert save(filer, row, "happening", symptom=text, title="𠮷" * 60).status_code == 302
    row.refresh_from_db()
    assert row.symptom == ("一\n" * 500).strip()
    assert row.title == "𠮷" * 60


def test_what_cannot_be_seen_is_not_kept(cast: Cast, filer: Client):
    row = draft(cast.filer)
    answer = save(filer, row, "happening", title="柔\x00轮\u202e寿\u200b命\x07", product="e\u0301")
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.title, row.product) == ("柔轮寿命", "é")


def test_a_metric_stands_once(cast: Cast, filer: Client):
    row = draft(cast.filer)
    page = filer.get(edit_url(row, "extent"))
    first = {key: value for key, value in typed(page).items() if key.startswith("measure-0-")}
    second = {key.replace("-0-", "-1-"): value for key, value in first.items()}
    answer = filer.post(edit_url(row, "extent"), typed(page) | second)
    assert answer.status_code == 422
    assert "已经填过" in answer.content.decode()
    assert row.measures.count() == 1


def test_an_emptied_metric_is_gone(cast: Cast, filer: Client):
    row = draft(cast.filer)
    data = {
        key: value for key, value in typed(filer.get(edit_url(row, "extent"))).items() if "measure" not in key
    }
    assert filer.post(edit_url(row, "extent"), data).status_code == 302
    assert not row.measures.exists()


def test_a_chain_that_ended_meanwhile_is_asked_again(cast: Cast, filer: Client):
    row = draft(cast.filer)
    chain().__class__.objects.filter(pk=row.chain_id).update(valid_to=timezone.localdate())
    page = filer.get(edit_url(row, "check"))
    assert "所选产业链已停用，请重新选择。" in page.content.decode()
    assert filer.post(edit_url(row, "check"), {"version": row.version}).status_code == 422
    answer = save(filer, row, "happening")
    assert "不在现行目录中" in answer.content.decode()


def test_a_day_that_passed_meanwhile_is_asked_again(cast: Cast, filer: Client):
    row = draft(cast.filer)
    Bottleneck.objects.filter(pk=row.pk).update(expected_by=timezone.localdate() - timedelta(days=1))
    assert "希望解决日期已过" in filer.get(edit_url(row, "check")).content.decode()
    assert filer.post(edit_url(row, "check"), {"version": row.version}).status_code == 422


# --- Autosave and two windows ------------------------------------------------------------------------------


def autosave(client: Client, row: Bottleneck, step: str, **data: Any) -> Any:
    return client.post(reverse("projects:bottleneck_autosave", args=[row.public_id, step]), data)


def test_typing_is_saved_by_itself(cast: Cast, filer: Client):
    address = start(filer)
    public_id = address.split("/")[2]
    url = reverse("projects:bottleneck_autosave", args=[public_id, "happening"]) + "?" + address.split("?")[1]
    answer = filer.post(url, {"version": 1, "title": "柔轮"})
    row = Bottleneck.objects.get()
    assert answer.json() == {
        "saved_at": timezone.localtime(row.updated_at).strftime("%H:%M"),
        "version": row.version,
        "note": "",
    }
    answer = filer.post(url, {"version": answer.json()["version"], "title": "柔轮断裂"})
    row.refresh_from_db()
    assert (row.title, row.version) == ("柔轮断裂", answer.json()["version"])


def test_what_cannot_stand_is_left_out_of_an_autosave(cast: Cast, filer: Client):
    row = draft(cast.filer)
    data = typed(filer.get(edit_url(row, "extent")))
    answer = autosave(
        filer,
        row,
        "extent",
        **(data | {"effect": "新的影响。", "loss_wan": "多", "measure-1-metric": "半行"}),
    )
    assert answer.status_code == 200
    assert "未填全" in answer.json()["note"]
    row.refresh_from_db()
    assert row.effect == "新的影响。"
    assert row.loss_estimate is None
    assert row.measures.count() == 1


def test_a_second_window_is_told_and_nothing_is_overwritten(cast: Cast, filer: Client):
    row = draft(cast.filer)
    old = typed(filer.get(edit_url(row, "happening")))
    autosave(filer, row, "happening", **(old | {"symptom": "第一个窗口写的。"}))
    answer = autosave(filer, row, "happening", **(old | {"symptom": "第二个窗口写的。"}))
    assert answer.status_code == 409
    assert "另一个窗口" in answer.json()["message"]
    answer = filer.post(edit_url(row, "happening"), old | {"symptom": "第二个窗口写的。"})
    assert answer.status_code == 409
    assert answer.context["differences"] == [("现象", "第一个窗口写的。", "第二个窗口写的。")]
    assert answer.context["form"]["symptom"].value() == "第二个窗口写的。"
    row.refresh_from_db()
    assert row.symptom == "第一个窗口写的。"
    again = filer.post(edit_url(row, "happening"), typed(answer))
    assert again.status_code == 302
    row.refresh_from_db()
    assert row.symptom == "第二个窗口写的。"


def test_a_refused_value_does_not_hide_the_conflict(cast: Cast, filer: Client):
    row = draft(cast.filer)
    old = typed(filer.get(edit_url(row, "happening")))
    save(filer, row, "happening", symptom="第一个窗口写的。")
    refused = filer.post(edit_url(row, "happening"), old | {"title": "长" * 61})
    assert refused.status_code == 422
    answer = filer.post(edit_url(row, "happening"), typed(refused) | {"title": "短"})
    assert answer.status_code == 409
    row.refresh_from_db()
    assert row.symptom == "第一个窗口写的。"


def test_differences_of_metrics_and_contact_are_named(cast: Cast, filer: Client):
    row = draft(cast.filer)
    extent, contact = typed(filer.get(edit_url(row, "extent"))), typed(filer.get(edit_url(row, "help")))
    save(filer, row, "extent", **{"measure-0-value_now": "70"})
    answer = filer.post(edit_url(row, "extent"), extent | {"measure-0-value_now": "71"})
    assert [label for label, _stored, _typed in answer.context["differences"]] == ["量化指标"]
    answer = filer.post(edit_url(row, "help"), contact | {"contact_name": "李娜"})
    assert answer.context["differences"] == [("联系人", "王敏 13800000000", "李娜 13800000000")]


def test_the_same_text_twice_is_no_conflict(cast: Cast, filer: Client):
    row = draft(cast.filer)
    data = typed(filer.get(edit_url(row, "happening"))) | {"symptom": "改了。"}
    answers = [filer.post(edit_url(row, "happening"), data) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]


def test_text_typed_while_a_colleague_submitted_is_shown_not_lost(cast: Cast, filer: Client):
    row = draft(cast.filer)
    data = typed(filer.get(edit_url(row, "happening"))) | {"symptom": "还想补充一句。"}
    services.move(row, "submit", by=cast.filer)
    answer = filer.post(edit_url(row, "happening"), data)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "还想补充一句。" in page
    assert "没有保存" in page
    assert autosave(filer, row, "happening", **data).status_code == 409
    row.refresh_from_db()
    assert row.symptom != "还想补充一句。"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40, "١"])
def test_a_version_that_is_no_number_is_only_stale(cast: Cast, filer: Client, version: str):
    row = draft(cast.filer)
    data = typed(filer.get(edit_url(row, "happening"))) | {"version": version, "symptom": "改了。"}
    assert filer.post(edit_url(row, "happening"), data).status_code == 409


# --- Submitting --------------------------------------------------------------------------------------------


def test_a_doubled_submit_files_once_and_leads_to_the_same_receipt(cast: Cast, filer: Client):
    row = draft(cast.filer)
    answers = [filer.post(edit_url(row, "check"), {"version": row.version}) for _ in range(2)]
    assert {answer.url for answer in answers} == {
        reverse("projects:bottleneck_submitted", args=[row.public_id])
    }
    assert row.transitions.count() == 1


def test_a_check_page_older_than_the_draft_does_not_file(cast: Cast, filer: Client):
    row = draft(cast.filer)
    old = row.version
    services.revise(row, by=cast.filer, version=old, values={"symptom": "改了。"})
    answer = filer.post(edit_url(row, "check"), {"version": old})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "已在别处修改" in page
    assert "改了。" in page
    row.refresh_from_db()
    assert row.status == S.DRAFT


def test_a_returned_problem_shows_its_gaps_at_their_fields_and_is_filed_again(cast: Cast, filer: Client):
    row = cast.bring_to(S.RETURNED)
    page = filer.get(edit_url(row, "happening"))
    gap = "请写明从什么时候开始。"
    assert gap in str(page.context["form"]["symptom"].help_text)
    assert page.content.decode().count(gap) == 2
    assert "请附检测报告。" in page.content.decode()
    assert save(filer, row, "happening", symptom="自 3 月起。").status_code == 302
    page = filer.get(edit_url(row, "check"))
    filer.post(edit_url(row, "check"), {"version": page.context["version"], "reason": "已写明时间。"})
    row.refresh_from_db()
    assert row.status == S.SUBMITTED
    assert row.transitions.last().reason == "已写明时间。"


def test_a_gap_is_text_and_never_markup(cast: Cast, filer: Client):
    row = cast.filed()
    gaps = [{"field": "symptom", "text": "<script>alert(1)</script>"}]
    services.move(row, "return", by=cast.county_officer, data={"gaps": gaps})
    for url in (edit_url(row, "happening"), reverse("projects:bottleneck_detail", args=[row.public_id])):
        page = filer.get(url).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_once_filed_the_needed_fields_stay_filled(cast: Cast, filer: Client):
    row = cast.bring_to(S.RETURNED)
    answer = save(filer, row, "happening", symptom="")
    assert answer.status_code == 422
    assert answer.context["form"].errors["symptom"] == ["请填写这一项。"]
    answer = save(filer, row, "help", nqi_elements=[])
    assert "至少选择一项" in str(answer.context["form"].errors["nqi_elements"])
    data = typed(filer.get(edit_url(row, "happening"))) | {"symptom": "", "title": "新题目"}
    assert autosave(filer, row, "happening", **data).status_code == 200
    row.refresh_from_db()
    assert (row.title, bool(row.symptom)) == ("新题目", True)


def test_after_filing_the_text_is_closed_with_a_reason(cast: Cast, filer: Client):
    row = cast.filed()
    for step in ("happening", "extent", "help", "check"):
        answer = filer.get(edit_url(row, step))
        assert answer.status_code == 403
        assert "已提交，现在不能修改内容" in answer.content.decode()


# --- Strangers ---------------------------------------------------------------------------------------------


@pytest.mark.any_database
def test_a_foreign_draft_does_not_exist_for_others(cast: Cast, client: Client):
    row = draft(cast.filer)
    addresses = [edit_url(row, step) for step in ("happening", "extent", "help", "check")]
    addresses += [
        reverse(f"projects:bottleneck_{name}", args=[row.public_id])
        for name in ("detail", "segments", "submitted", "delete")
    ]
    for stranger in (user(Role.FILER), cast.county_officer, cast.engineer, user(Role.AUDITOR)):
        client.force_login(stranger)
        for address in addresses:
            assert client.get(address).status_code == 404, (stranger, address)
            assert client.post(address).status_code in (404, 405)
        assert autosave(client, row, "happening", title="改").status_code == 404
        assert client.get(f"{addresses[0]}?for={cast.firm.uscc}").status_code == 404


def test_the_bureau_reads_a_filing_and_cannot_edit_it(cast: Cast, client: Client):
    row = cast.bring_to(S.RETURNED)
    client.force_login(cast.county_officer)
    for step in ("happening", "check"):
        for answer in (
            client.get(edit_url(row, step)),
            client.post(edit_url(row, step), {"version": row.version}),
        ):
            assert answer.status_code == 403
            assert "只有提出企业的填报人" in answer.content.decode()
    assert autosave(client, row, "happening", title="改").status_code == 403


def test_an_unknown_step_does_not_exist(cast: Cast, filer: Client):
    assert filer.get(edit_url(draft(cast.filer), "nothing")).status_code == 404
    assert filer.get(edit_url(uuid.uuid4(), "happening")).status_code == 404


# --- Deleting ----------------------------------------------------------------------------------------------


def test_a_draft_is_deleted_with_its_files_after_a_question(cast: Cast, filer: Client):
    row = draft(cast.filer, title="要删除的草稿")
    kept = services.attach(row, png(), by=cast.filer).file
    url = reverse("projects:bottleneck_delete", args=[row.public_id])
    assert "删除草稿“要删除的草稿”？" in filer.get(url).content.decode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.transaction.on_commit", lambda call, **_options: call())
        answer = filer.post(url, follow=True)
    assert "草稿“要删除的草稿”已删除" in answer.content.decode()
    assert not Bottleneck.objects.exists()
    assert not kept.storage.exists(kept.name)
    assert filer.post(url).url == reverse("projects:workspace")


def test_a_filed_problem_is_not_deleted(cast: Cast, filer: Client):
    row = cast.filed()
    url = reverse("projects:bottleneck_delete", args=[row.public_id])
    assert filer.post(url).status_code == 403
    assert Bottleneck.objects.filter(pk=row.pk).exists()


def test_a_file_that_is_refused_does_not_lose_the_rest(cast: Cast, filer: Client):
    row = draft(cast.filer)
    wrong = SimpleUploadedFile("报告.pdf", b"not a pdf")
    answer = save(filer, row, "help", tried_already="换过两家。", files=[png(), wrong])
    assert answer.status_code == 422
    assert "报告.pdf" in str(answer.context["form"].errors["files"])
    row.refresh_from_db()
    assert row.tried_already == "换过两家。"
    assert [attachment.name for attachment in row.attachments.all()] == ["照片.png"]
    assert "照片.png" in answer.content.decode()


def test_a_measurement_before_the_firm_was_founded_is_refused_at_its_field(cast: Cast):
    row = draft(cast.filer)
    row.organization.founded_on = date(2020, 5, 1)
    data = {
        "measure-0-metric": "一次交验合格率",
        "measure-0-value_now": "82",
        "measure-0-comparison": "ge",
        "measure-0-target": "95",
        "measure-0-unit": "%",
        "measure-0-measured_on": "2020-05-01",
    }
    assert MeasureForms(row, data).is_valid()
    measures = MeasureForms(row, data | {"measure-0-measured_on": "2020-04-30"})
    assert not measures.is_valid()
    assert measures.forms[0].errors == {
        "measured_on": ["早于该组织的成立日期 2020-05-01，请填写当天或以后的日期。"]
    }


@pytest.mark.django_db(transaction=True)
def test_a_submission_sent_a_thousand_times_at_once_has_one_effect():
    cast = Cast()
    row = draft(cast.filer)
    address, data = edit_url(row, "check"), {"version": row.version}
    client = Client()
    client.force_login(cast.filer)

    def send_many() -> list[tuple[int, str]]:
        own = Client()
        own.cookies = copy(client.cookies)
        answers = [own.post(address, data) for _n in range(32)]
        return [(answer.status_code, answer["Location"]) for answer in answers]

    answers = [it for sent in at_once(*[send_many] * 32) for it in sent]
    receipt = reverse("projects:bottleneck_submitted", args=[row.public_id])
    assert (len(answers), set(answers)) == (1024, {(302, receipt)})
    row.refresh_from_db()
    event = row.transitions.get()
    assert (row.status, event.move, row.version) == (S.SUBMITTED, "submit", data["version"] + 1)
    assert NumberSeries.objects.get(prefix=row.code.rpartition("-")[0]).last == 1
    told = Notice.objects.filter(source=f"transition:{event.pk}")
    assert Notice.objects.count() == told.count() == told.values("user").distinct().count() > 0
