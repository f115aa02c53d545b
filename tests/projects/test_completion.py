"""A returned filing: every gap at its field, the firm's answer beside it, and what changed."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation

from accounts.models import Notice, Role
from projects import services
from projects.completion import Change, changes_of
from projects.timeline import events_of
from tests import factories
from tests.factories import Cast, S
from tests.pages import browser

pytestmark = pytest.mark.django_db

GAPS = [
    {"field": "symptom", "text": "请写明从什么时候开始。"},
    {"field": "effect", "text": "请写明金额。"},
    {"field": "files", "text": "请附检测报告。"},
    {"field": "contact_phone", "text": "电话打不通。"},
]


@pytest.fixture
def cast() -> Cast:
    return Cast()


def returned(cast: Cast) -> services.Bottleneck:
    row = cast.filed()
    services.move(row, "return", by=cast.county_officer, data={"gaps": GAPS})
    return row


def completed(cast: Cast) -> services.Bottleneck:
    row = returned(cast)
    values = {"symptom": "3 月起同批寿命相差一倍。", "title": "柔轮疲劳寿命离散"}
    contact = {"name": "李工", "phone": "13900000009"}
    row = services.revise(row, by=cast.filer, version=row.version, values=values, contact=contact)
    services.attach(row, factories.pdf("寿命试验报告.pdf"), by=cast.filer)
    data = {"answers": {0: "查了三个月的记录。", 3: "已改为手机。"}, "reason": "已补齐。"}
    services.move(row, "submit", by=cast.filer, data=data, version=row.version)
    return row


def test_the_officer_reads_gap_by_gap_what_was_answered_and_changed(cast: Cast) -> None:
    row = completed(cast)
    before = "同批柔轮台架寿命相差一倍。"
    assert changes_of(row.transitions.last()) == [
        Change("现象", GAPS[0]["text"], "查了三个月的记录。", before, "3 月起同批寿命相差一倍。"),
        Change("影响", GAPS[1]["text"], "", "", ""),
        Change("附件", GAPS[2]["text"], "", "", "寿命试验报告.pdf"),
        Change("联系人", GAPS[3]["text"], "已改为手机。", "", ""),
        Change("题目", "", "", "柔轮热处理后疲劳寿命离散过大", "柔轮疲劳寿命离散"),
    ]
    assert next(event.changes for event in events_of(row)) == changes_of(row.transitions.last())
    client = browser(cast.county_officer)
    for name, args in (("bottleneck_detail", []), ("bottleneck_move", ["accept"])):
        page = client.get(reverse(f"projects:{name}", args=[row.public_id, *args])).content.decode()
        assert f"<del>{before}</del>" in page
        assert "查了三个月的记录。" in page


def test_whom_to_call_stays_out_of_the_steps(cast: Cast) -> None:
    row = completed(cast)
    kept = str([event.details for event in row.transitions.all()])
    assert "13900000009" not in kept
    assert "13800000000" not in kept


def test_the_same_words_in_another_language_are_no_change(cast: Cast) -> None:
    with translation.override("en"):
        row = returned(cast)
    services.move(row, "submit", by=cast.filer, version=row.version)
    assert row.transitions.last().details["changed"] == {}


def test_a_colleague_goes_on_with_a_draft_and_is_told(cast: Cast) -> None:
    row, client = factories.draft(cast.filer), browser(cast.filer)
    colleague = factories.user(Role.FILER, cast.firm, name="同事")
    stranger = factories.user(Role.FILER)
    address = reverse("projects:bottleneck_hand_over", args=[row.public_id])
    page = client.get(address).content.decode()
    assert "同事" in page
    for nobody in (stranger, cast.county_officer):
        answer = client.post(address, {"to": nobody.pk})
        assert "只能转交给为本企业填报的同事。" in answer.content.decode()
        with pytest.raises(ValidationError):
            services.hand_over(row, to=nobody, by=cast.filer)
    client.post(address, {"to": colleague.pk})
    client.post(address, {"to": colleague.pk})
    row.refresh_from_db()
    assert row.filer == colleague
    assert [notice.user for notice in Notice.objects.filter(source__startswith="handed:")] == [colleague]
    services.move(row, "submit", by=colleague)
    assert browser(cast.filer).get(address).status_code == 403
    assert browser(stranger).get(address).status_code == 404


def test_a_first_filing_has_nothing_to_complete(cast: Cast) -> None:
    assert changes_of(cast.filed().transitions.last()) == []


def test_the_firm_answers_on_the_page_from_which_it_submits(cast: Cast) -> None:
    row, client = returned(cast), browser(cast.filer)
    row = services.revise(row, by=cast.filer, version=row.version, values={"symptom": "自 3 月起。"})
    address = reverse("projects:bottleneck_edit", args=[row.public_id, "check"])
    page = client.get(address).content.decode()
    assert page.count('name="answer"') == len(GAPS)
    assert "<ins>自 3 月起。</ins>" in page
    # Somebody else changed it meanwhile: nothing typed is lost.
    answers = ["查了记录。", "", "", "<b>电话</b>"]
    stale = client.post(address, {"version": row.version - 1, "answer": answers})
    assert stale.status_code == 409
    assert "查了记录。</textarea>" in stale.content.decode()
    assert "&lt;b&gt;电话" in stale.content.decode()
    client.post(address, {"version": row.version, "answer": answers})
    row.refresh_from_db()
    assert row.status == S.SUBMITTED
    assert [change.answer for change in changes_of(row.transitions.last())] == answers


def test_refuted_evidence_goes_when_a_new_solution_is_filed_and_what_is_rewritten_is_looked_at_again(
    cast: Cast,
) -> None:
    row = cast.bring_to(S.VERIFICATION)
    kept = row.evidence.get()
    row.evidence.update(verify_state="matched")
    row.evidence.create(
        kind="test_report", element="TST", title="报告", number="W-WRONG", issuer="演示院",
        issued_on=kept.issued_on, verify_state="not_found",
    )  # fmt: skip
    services.move(row, "rework", by=cast.verifier, data={"reason": "编号有误。"})
    services.move(row, "file_solution", by=cast.engineer, data=factories.solution(row))
    assert list(row.evidence.values_list("number", flat=True)) == [kept.number]
    assert row.evidence.get().verify_state != "matched"
