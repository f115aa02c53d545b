"""Inspection reports: lodged by institutions, checked by anybody."""

import hashlib
import re
from typing import Any

import pytest
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
