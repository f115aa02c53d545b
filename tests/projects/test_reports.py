"""Inspection reports: lodged by institutions, checked by anybody."""

import hashlib
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from common.verification import REPORTS
from projects import reports
from projects.models import InspectionReport
from tests import factories
from tests.factories import Cast, at_once, institution, pdf, report, user

pytestmark = pytest.mark.django_db
Status = InspectionReport.Status
TODAY = timezone.localdate


def values(**fields: Any) -> dict[str, Any]:
    return {
        "report_no": "W2026-0100",
        "client": "演示减速器有限公司",
        "sample": "谐波减速器柔轮",
        "method": "GB/T 30819-2014",
        "conclusion": "所检项目符合要求。",
        "issued_on": TODAY(),
        "sha256": "ab" * 32,
    } | fields


@pytest.fixture(autouse=True)
def no_throttle_left_over() -> None:
    cache.clear()


@pytest.fixture
def cast() -> Cast:
    return Cast()


def browser(of: User | None) -> Client:
    client = Client()
    if of:
        client.force_login(of, "django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response: Any) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", response.content.decode())


# --- Lodging ------------------------------------------------------------------------------------------------


def test_the_digest_is_computed_of_the_file_and_the_file_is_not_kept(cast: Cast) -> None:
    file = pdf()
    content = file.read()
    row = reports.lodge(cast.lab, values(file=file, sha256=""), by=cast.engineer)
    assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert REPORTS.is_well_formed(row.verification_code) and row.verification_code.startswith("ZLBG-")
    assert row.lodged_by == cast.engineer and row.status == Status.VALID


def test_a_number_is_lodged_once_by_an_institution(cast: Cast) -> None:
    reports.lodge(cast.lab, values(), by=cast.engineer)
    with pytest.raises(ValidationError, match="已经登记过这个编号"):
        reports.lodge(cast.lab, values(), by=cast.engineer)
    other = institution("演示第二检测院")
    reports.lodge(other, values(), by=user(Role.INSTITUTION, other))


@pytest.mark.parametrize(
    ("fields", "at", "words"),
    [
        ({"issued_on": TODAY().replace(year=TODAY().year + 1, day=1)}, "issued_on", "不能晚于今天"),
        ({"sha256": "xyz"}, "sha256", "64 位十六进制"),
        ({"sha256": "g" * 64}, "sha256", "64 位十六进制"),
        ({"sample": ""}, "sample", ""),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    cast: Cast, fields: dict[str, Any], at: str, words: str
) -> None:
    with pytest.raises(ValidationError) as fault:
        reports.lodge(cast.lab, values(**fields), by=cast.engineer)
    assert words in str(fault.value.message_dict[at])


def test_only_the_institution_lodges(cast: Cast) -> None:
    for somebody in (cast.filer, cast.county_officer, user(Role.INSTITUTION, institution())):
        with pytest.raises(PermissionDenied):
            reports.lodge(cast.lab, values(), by=somebody)


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": "0" * 63},
        {"status": "replaced", "ended_at": timezone.now(), "end_reason": "x"},
        {"status": "withdrawn", "ended_at": timezone.now()},
        {"status": "withdrawn", "end_reason": "x"},
        {"end_reason": "x"},
    ],
)
def test_the_database_keeps_impossible_rows_out(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        report(**fields)


# --- Replacing and withdrawing ------------------------------------------------------------------------------


def test_a_report_is_replaced_by_another_valid_one_of_the_institution(cast: Cast) -> None:
    old, new = report(cast.lab), report(cast.lab)
    foreign = report()
    for number in (old.report_no, foreign.report_no, "W0"):
        with pytest.raises(ValidationError, match="先登记新报告"):
            reports.replace(old, by=cast.engineer, number=number, reason="样品名称更正")
    reports.replace(old, by=cast.engineer, number=new.report_no.lower(), reason="样品名称更正")
    assert (old.status, old.replaced_by, old.end_reason) == (Status.REPLACED, new, "样品名称更正")
    with pytest.raises(PermissionDenied, match="已被替换"):
        reports.withdraw(old, by=cast.engineer, reason="再撤回")
    with pytest.raises(ValidationError):
        reports.replace(new, by=cast.engineer, number=old.report_no, reason="绕回去")


def test_a_withdrawal_needs_the_institution_and_a_reason(cast: Cast) -> None:
    row = report(cast.lab)
    with pytest.raises(PermissionDenied):
        reports.withdraw(row, by=cast.county_officer, reason="越权")
    with pytest.raises(ValidationError):
        reports.withdraw(row, by=cast.engineer, reason="  ")
    reports.withdraw(row, by=cast.engineer, reason="原始记录有误")
    assert row.status == Status.WITHDRAWN and row.ended_at


@pytest.mark.django_db(transaction=True)
def test_of_two_who_replace_each_other_at_once_one_is_told(cast: Cast) -> None:
    one, other = report(cast.lab), report(cast.lab)
    answers = at_once(
        lambda: reports.replace(one, by=cast.engineer, number=other.report_no, reason="更正"),
        lambda: reports.replace(other, by=cast.engineer, number=one.report_no, reason="更正"),
    )
    assert sum(isinstance(answer, InspectionReport) for answer in answers) == 1
    assert InspectionReport.objects.judged("test").filter(status=Status.VALID).count() == 1


# --- Pages --------------------------------------------------------------------------------------------------


def test_the_institution_lodges_replaces_and_withdraws_on_its_pages(cast: Cast) -> None:
    client = browser(cast.engineer)
    sent = values() | {"sha256": "", "file": pdf()}
    page = client.post("/reports/new/", sent, follow=True)
    row = InspectionReport.objects.judged("test").get()
    assert row.verification_code in text_of(page) and "<svg" in page.content.decode()
    faulty = client.post("/reports/new/", values() | {"report_no": row.report_no})
    assert faulty.status_code == 400 and "已经登记过这个编号" in text_of(faulty)
    nothing = client.post("/reports/new/", values(report_no="W9") | {"sha256": ""})
    assert "请选择报告文件" in text_of(nothing)
    client.post("/reports/new/", values(report_no="W2026-0101"))
    address = reverse("projects:report_replace", args=[row.public_id])
    page = client.post(address, {"number": "W2026-0101", "reason": "更正规格"}, follow=True)
    assert "W2026-0101" in text_of(page) and "更正规格" in text_of(page)
    new = InspectionReport.objects.judged("test").get(report_no="W2026-0101")
    address = reverse("projects:report_withdraw", args=[new.public_id])
    assert "撤回不能撤销" in text_of(client.get(address))
    assert "已撤回" in text_of(client.post(address, {"reason": "原始记录有误"}, follow=True))


def test_the_list_is_that_of_the_scope_and_is_searched(cast: Cast) -> None:
    report(cast.lab, report_no="W-OURS", sample="行星减速机")
    report(institution(at=factories.bureau("440000", "广东省局", factories.bureau())), report_no="W-FAR")
    ours, officer = browser(cast.engineer), browser(user(Role.OFFICER, cast.city))
    assert "W-OURS" in text_of(ours.get("/reports/")) and "W-FAR" not in text_of(ours.get("/reports/"))
    assert "W-OURS" in text_of(officer.get("/reports/?q=行星")) and "W-FAR" not in text_of(
        officer.get("/reports/")
    )
    assert "W-OURS" not in text_of(officer.get("/reports/?q=轴承"))
    assert "W-OURS" not in text_of(browser(cast.filer).get("/reports/"))
    assert "登记报告" in text_of(ours.get("/reports/")) and "登记报告" not in text_of(
        officer.get("/reports/")
    )


def test_the_list_turns_pages(cast: Cast) -> None:
    for _n in range(51):
        report(cast.lab)
    assert 'href="?page=2"' in browser(cast.engineer).get("/reports/").content.decode()


def test_programs_read_reports_of_their_scope(cast: Cast) -> None:
    row = report(cast.lab)
    client = browser(cast.engineer)
    told = client.get("/api/v1/reports/").json()["results"]
    assert [one["report_no"] for one in told] == [row.report_no]
    assert client.get(f"/api/v1/reports/{row.public_id}/").json()["sha256"] == row.sha256
    assert browser(cast.filer).get(f"/api/v1/reports/{row.public_id}/").status_code == 404


# --- Checked by anybody ------------------------------------------------------------------------------------


def asked(code: str, of: User | None = None) -> str:
    return text_of(browser(of).get(f"/verify/{code}/", follow=True))


def test_anybody_reads_what_the_paper_says_and_whether_it_is_valid(cast: Cast) -> None:
    row = report(cast.lab, client="某某委托公司", conclusion="不应公开的结论", model="CSG-25", batch="B07")
    text = asked(row.verification_code)
    assert "确有这份报告，现在有效" in text
    for words in (cast.lab.name, row.report_no, row.sample, "CSG-25", "B07", "2026-03-02"):
        assert words in text
    assert row.client not in text and "某某***" in text
    assert "不应公开的结论" not in text and row.sha256 not in text
    assert row.client in asked(row.verification_code, cast.engineer)
    assert row.client not in asked(row.verification_code, cast.filer)


def test_a_replaced_report_names_the_one_in_force(cast: Cast) -> None:
    first, second, third = (report(cast.lab) for _n in range(3))
    reports.replace(first, by=cast.engineer, number=second.report_no, reason="规格更正")
    reports.replace(second, by=cast.engineer, number=third.report_no, reason="日期更正")
    text = asked(first.verification_code)
    assert "已被替换，不再有效" in text and "规格更正" in text
    assert second.report_no in text and third.report_no in text


def test_a_withdrawn_report_says_why(cast: Cast) -> None:
    row = report(cast.lab)
    reports.withdraw(row, by=cast.engineer, reason="原始记录有误")
    text = asked(row.verification_code)
    assert "已撤回，不再有效" in text and "原始记录有误" in text


def test_codes_of_reports_are_forgiven_like_those_of_bulletins(cast: Cast) -> None:
    row = report(cast.lab)
    bare = row.verification_code.removeprefix("ZLBG-").replace("-", "").lower()
    for typed in (bare, f"zlbg {bare}", row.verification_code.replace("L", "1")):
        assert "确有这份报告" in text_of(browser(None).post("/verify/", {"code": typed}, follow=True))
    assert "没有查到" in asked(REPORTS.new_code())
    wrong = row.verification_code[:-1] + ("A" if row.verification_code[-1] != "A" else "B")
    assert "校验位不符" in asked(wrong)


def test_a_copy_is_compared_with_the_file_that_was_lodged(cast: Cast) -> None:
    row = reports.lodge(cast.lab, values(file=pdf()), by=cast.engineer)
    client = browser(None)
    assert "与登记的文件相同，报告有效" in text_of(client.post("/verify/", {"file": pdf()}))
    both = {"code": row.verification_code, "file": pdf()}
    assert "与登记的文件相同，报告有效" in text_of(client.post("/verify/", both))
    other = {"code": row.verification_code, "file": pdf(salt="另一份")}
    assert "文件与登记的不同" in text_of(client.post("/verify/", other))
    assert "没有查到" in text_of(client.post("/verify/", {"file": pdf(salt="另一份")}))
    reports.withdraw(row, by=cast.engineer, reason="原始记录有误")
    assert "已撤回" in text_of(client.post("/verify/", {"file": pdf()}))


def test_who_asks_for_reports_without_end_is_asked_to_wait(cast: Cast) -> None:
    row, client = report(cast.lab), browser(None)
    for _n in range(30):
        assert client.get(f"/verify/{row.verification_code}/").status_code == 200
    assert client.get(f"/verify/{row.verification_code}/").status_code == 429
