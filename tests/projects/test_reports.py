"""Inspection reports, lodged by institutions and checked by anybody; evidence and its look-up."""

import hashlib
import threading
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Notice, Role, User
from common.verification import REPORTS
from projects import numbers, reports, services, tasks
from projects.models import Attachment, Bottleneck, Evidence, EvidenceAlarm, InspectionReport
from projects.proof import contradicted, missing_proof, only_partly, verdict_of
from projects.timeline import events_of
from tests import factories
from tests.factories import Cast, at_once, institution, pdf, report, user
from tests.pages import browser, text_of

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


@pytest.mark.parametrize("whose", ["another institution's", "its own"])
def test_a_file_that_two_valid_reports_claim_is_in_dispute_until_one_is_withdrawn(
    cast: Cast, whose: str
) -> None:
    other = cast.lab if whose == "its own" else institution("演示第二检测院")
    engineer = user(Role.INSTITUTION, other)
    first = reports.lodge(cast.lab, values(file=pdf()), by=cast.engineer)
    proof = cited(first)
    assert reports.verify_evidence(proof) == V.MATCHED
    second = reports.lodge(other, values(file=pdf(), report_no="W-OTHER"), by=engineer)
    proof.refresh_from_db()
    assert proof.verify_state == V.UNVERIFIED and "不止一份有效报告" in verdict_of(proof)
    client = browser(None)
    for text in (text_of(client.post("/verify/", {"file": pdf()})), asked(first.verification_code)):
        assert "有争议" in text and "确有这份报告" not in text
    assert second.report_no in asked(first.verification_code)
    assert second.report_no in text_of(browser(cast.engineer).get(f"/reports/{first.public_id}/"))
    told = Notice.objects.filter(details__what="rivals")
    assert {notice.details["number"] for notice in told} >= {first.report_no}
    reports.withdraw(second, by=engineer, reason="编号登记有误")
    proof.refresh_from_db()
    assert proof.verify_state == V.MATCHED
    assert "与登记的文件相同" in text_of(client.post("/verify/", {"file": pdf()}))


def test_how_often_a_report_was_checked_is_for_its_institution(cast: Cast) -> None:
    """Anybody may upload any file under the code of a competitor's report."""
    row = report(cast.lab)
    for reader in (None, cast.filer):
        typed = {"code": row.verification_code, "file": pdf(salt="另一份")}
        told = text_of(browser(reader).post("/verify/", typed))
        assert "文件与登记的不同" in told
        for text in (told, asked(row.verification_code, reader)):
            assert "核验次数" not in text and "与原件不符" not in text
    assert "其中 2 次文件与原件不符" in asked(row.verification_code, cast.engineer)


def test_who_asks_for_reports_without_end_is_asked_to_wait(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All in one minute.
    monkeypatch.setattr("common.throttle.time.time", lambda: 1_000_000_000.0)
    row, client = report(cast.lab), browser(None)
    for _n in range(30):
        assert client.get(f"/verify/{row.verification_code}/").status_code == 200
    assert client.get(f"/verify/{row.verification_code}/").status_code == 429


# --- Evidence looked up among the reports -------------------------------------------------------------------

V = Evidence.VerifyState


def cited(row: InspectionReport, **fields: Any) -> Evidence:
    """Evidence that cites a report, on a problem whose solution waits for verification."""
    cast = Cast()
    problem = cast.bring_to(Bottleneck.Status.VERIFICATION)
    proof = problem.evidence.get()
    values = {
        "number": row.report_no,
        "issuer": row.institution.name,
        "holder": row.client,
        "sample": row.sample,
        "issued_on": row.issued_on,
    } | fields
    for name, value in values.items():
        setattr(proof, name, value)
    proof.save()
    return proof


def test_what_agrees_in_all_is_matched(cast: Cast) -> None:
    row = report(cast.lab, client="演示（集团）公司")
    proof = cited(row, holder="演示(集团) 公司", number=row.report_no.lower())
    assert reports.verify_evidence(proof) == V.MATCHED
    assert proof.verified_via == "portal" and proof.verified_at
    assert "与登记的相同" in verdict_of(proof)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("sample", "行星减速机", "样品与登记的不同"),
        ("holder", "另一家公司", "委托单位与登记的不同"),
        ("issued_on", date(2025, 3, 2), "日期与登记的不同"),
    ],
)
def test_a_number_that_belongs_to_another_report_is_a_mismatch_that_says_why(
    cast: Cast, field: str, value: Any, words: str
) -> None:
    proof = cited(report(cast.lab), **{field: value})
    assert reports.verify_evidence(proof) == V.MISMATCH
    assert words in verdict_of(proof)


@pytest.mark.parametrize("by", ["issuer_uscc", "cma_no"])
def test_the_institution_is_known_by_its_codes(cast: Cast, by: str) -> None:
    row = report(cast.lab)
    cast.lab.institution_profile.cma_no = "210000000077"
    cast.lab.institution_profile.save()
    code = row.institution.uscc if by == "issuer_uscc" else row.institution.institution_profile.cma_no
    cast.lab.former_names = ["演示（老）检测院"]
    cast.lab.save()
    for name in (cast.lab.name, "演示(老) 检测院"):
        assert reports.verify_evidence(cited(row, issuer=name, **{by: code})) == V.MATCHED
    unknown = cited(row, issuer="简称", **{by: code})
    assert reports.verify_evidence(unknown) == V.UNVERIFIED and cast.lab.name in verdict_of(unknown)
    other = institution("演示（第二）检测院")
    for name in (other.name, "演示(第二)检测院"):
        foreign = cited(row, issuer=name, **{by: code})
        assert reports.verify_evidence(foreign) == V.MISMATCH and "出具单位与登记的不同" in verdict_of(
            foreign
        )
    stranger = {"issuer_uscc": factories.credit_code(), "cma_no": "990000000001"}[by]
    assert reports.verify_evidence(cited(row, **{by: stranger})) == V.UNVERIFIED


def test_the_file_is_compared_where_there_is_an_original(cast: Cast) -> None:
    file = pdf()
    row = reports.lodge(cast.lab, values(file=file), by=cast.engineer)
    proof = cited(row)
    for copy, state in ((pdf(), V.MATCHED), (pdf(salt="扫描"), V.UNVERIFIED), (factories.png(), V.MATCHED)):
        content = copy.read()
        mime = "image/png" if copy.name.endswith("png") else "application/pdf"
        proof.attachment = Attachment.objects.create(
            bottleneck=proof.bottleneck,
            file=copy,
            name="报告",
            size=len(content),
            mime=mime,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        proof.save()
        assert reports.verify_evidence(proof) == state


def test_what_nobody_can_know_stays_for_the_verifier(cast: Cast) -> None:
    row = report(cast.lab)
    assert reports.verify_evidence(cited(row, kind="method")) == V.UNVERIFIED
    assert reports.verify_evidence(cited(row, issuer="不在门户的机构")) == V.UNVERIFIED
    # Issued before the institution began to lodge.
    assert reports.verify_evidence(cited(row, number="W-OLD")) == V.UNVERIFIED


def test_a_number_not_lodged_is_waited_for_and_then_not_found(cast: Cast) -> None:
    row = report(cast.lab)
    began = timezone.now() - timedelta(days=400)
    InspectionReport.objects.judged("test").filter(pk=row.pk).update(lodged_at=began)
    late = cited(row, number="W-NEW", issued_on=TODAY() - timedelta(days=10))
    assert reports.verify_evidence(late) == V.PENDING
    gone = cited(row, number="W-OTHER", issued_on=TODAY() - timedelta(days=100))
    assert reports.verify_evidence(gone) == V.NOT_FOUND
    assert reports.ask_again(timezone.now() + timedelta(days=2)) == 1
    reports.lodge(
        row.institution,
        values(report_no="W-NEW", client=late.holder, sample=late.sample, issued_on=late.issued_on),
        by=cast.engineer,
    )
    late.refresh_from_db()
    assert late.verify_state == V.MATCHED


def test_a_replaced_or_withdrawn_report_blocks_and_alarms(cast: Cast) -> None:
    row = report(cast.lab)
    proof = cited(row)
    problem = proof.bottleneck
    verifier = user(Role.OFFICER, problem.bureau)
    data = {"checked": [proof.pk], "result": "bottleneck_solved", "reason": "核对。"}
    reports.withdraw(row, by=cast.engineer, reason="原始记录有误")
    proof.refresh_from_db()
    assert proof.verify_state == V.REPLACED
    with pytest.raises(PermissionDenied, match="核对不符"):
        services.move(problem, "verify", by=verifier, data=data)
    told = Notice.objects.filter(details__what="contradicted")
    assert told.exists() and set(told.values_list("source", flat=True)) == {
        f"alarm:{problem.alarms.get().pk}"
    }
    before = told.count()
    reports.verify_again(problem)
    assert told.count() == before, "told once"
    page = text_of(browser(verifier).get(f"/bottlenecks/{problem.public_id}/"))
    assert "证据核对有问题" in page and row.report_no in page and "原始记录有误" in page


def test_each_alarm_is_told_even_when_one_of_its_kind_was_told_before(cast: Cast) -> None:
    row = report(cast.lab)
    proof = cited(row, sample="行星减速机")
    told = Notice.objects.filter(details__what="contradicted", user=cast.city_officer)
    for sample, alarms in (("行星减速机", 1), (row.sample, 1), ("行星减速机", 2)):
        proof.sample = sample
        proof.save()
        reports.verify_evidence(proof)
        assert proof.bottleneck.alarms.count() == told.count() == alarms


def test_the_verdict_is_asked_for_again_at_verification(cast: Cast) -> None:
    row = report(cast.lab)
    proof = cited(row, sample="行星减速机")
    data = {"checked": [proof.pk], "result": "bottleneck_solved", "reason": "核对。"}
    with pytest.raises(PermissionDenied, match="核对不符"):
        services.move(proof.bottleneck, "verify", by=user(Role.OFFICER, proof.bottleneck.bureau), data=data)
    proof.refresh_from_db()
    assert proof.verify_state == V.MISMATCH, "the refused move leaves the verdict"


def test_the_verifier_stands_for_what_no_register_knows(cast: Cast) -> None:
    problem = cast.bring_to(Bottleneck.Status.RESOLVED)
    proof = problem.evidence.get()
    assert (proof.verify_state, proof.verified_via) == (V.MATCHED, "officer")
    assert reports.verify_evidence(proof) == V.MATCHED, "nothing new is known"


@pytest.mark.parametrize("doubt", ["other_issuer", "disputed"])
def test_what_the_verifier_has_seen_is_not_put_in_doubt_by_what_is_lodged_later(
    cast: Cast, doubt: str
) -> None:
    row = report(cast.lab)
    code = {"issuer_uscc": cast.lab.uscc, "issuer": "简称"} if doubt == "other_issuer" else {}
    proof = cited(row, **code)
    problem = proof.bottleneck
    services.move(
        problem,
        "verify",
        by=user(Role.OFFICER, problem.bureau),
        data={"checked": [proof.pk], "result": "bottleneck_solved", "reason": "核对原件。"},
    )
    proof.refresh_from_db()
    assert proof.verified_via == "officer"
    rival = user(Role.INSTITUTION, institution())
    reports.lodge(rival.grants.get().organization, values(sha256=row.sha256), by=rival)
    proof.refresh_from_db()
    assert (proof.verify_state, proof.verified_via) == (V.MATCHED, "officer")
    reports.withdraw(row, by=cast.engineer, reason="原始记录有误")
    proof.refresh_from_db()
    assert (proof.verify_state, proof.verified_via) == (V.REPLACED, "portal"), "a contradiction is heard"


@pytest.mark.django_db(transaction=True)
def test_of_a_withdrawal_and_a_verification_at_once_neither_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stops where it holds its first lock until the other holds its own, or waits for it."""
    cast = Cast()
    row = report(cast.lab)
    proof = cited(row, issuer="简称", issuer_uscc=cast.lab.uscc)
    problem, verifier = proof.bottleneck, user(Role.OFFICER, proof.bottleneck.bureau)
    struck_off, found = threading.Event(), threading.Event()
    looked_at, compared = reports.looked_at_by_officer, EvidenceAlarm.objects.create

    def slowly(*args: Any) -> None:
        struck_off.set()
        found.wait(1)
        looked_at(*args)

    def told(**fields: Any) -> EvidenceAlarm:
        found.set()
        return compared(**fields)

    def withdraw() -> None:
        assert struck_off.wait(30)
        reports.withdraw(row, by=cast.engineer, reason="原始记录有误")

    monkeypatch.setattr(reports, "looked_at_by_officer", slowly)
    monkeypatch.setattr(EvidenceAlarm.objects, "create", told)
    data = {"checked": [proof.pk], "result": "bottleneck_solved", "reason": "核对。"}
    results = at_once(lambda: services.move(problem, "verify", by=verifier, data=data), withdraw)
    assert [type(result).__name__ for result in results] == ["Transition", "NoneType"], results
    proof.refresh_from_db()
    assert proof.verify_state == V.REPLACED and problem.alarms.count() == 1


def test_a_report_that_may_still_be_lodged_is_asked_for_after_striking_off_as_well(cast: Cast) -> None:
    row = report(cast.lab)
    began = timezone.now() - timedelta(days=400)
    InspectionReport.objects.judged("test").filter(pk=row.pk).update(lodged_at=began)
    proof = cited(row, number="W-NEW", issued_on=TODAY() - timedelta(days=10))
    problem = proof.bottleneck
    data = {"checked": [proof.pk], "result": "bottleneck_solved", "reason": "核对。"}
    services.move(problem, "verify", by=user(Role.OFFICER, problem.bureau), data=data)
    proof.refresh_from_db()
    assert (problem.status, proof.verify_state) == (Bottleneck.Status.RESOLVED, V.PENDING)
    assert reports.ask_again(timezone.now() + timedelta(days=2)) == 1
    Evidence.objects.judged("test").filter(pk=proof.pk).update(issued_on=TODAY() - timedelta(days=100))
    assert reports.verify_evidence(proof) == V.NOT_FOUND
    assert Notice.objects.filter(details__what="contradicted").exists()


def test_an_alarm_stands_in_the_timeline_and_stays_when_the_evidence_is_filed_anew(cast: Cast) -> None:
    row = report(cast.lab)
    proof = cited(row, sample="行星减速机")
    problem = proof.bottleneck
    reports.verify_evidence(proof)
    reports.verify_evidence(proof)
    assert problem.alarms.count() == 1, "found twice it is one alarm"
    entries = [event for event in events_of(problem) if "核对结果" in event.sentence]
    assert [(event.sentence, event.code) for event in entries] == [
        (f"证据 {row.report_no} 核对结果：不符", "mismatch")
    ]
    assert "样品与登记的不同" in entries[0].note
    proof.delete()
    page = text_of(browser(problem.filer).get(f"/bottlenecks/{problem.public_id}/"))
    assert f"证据 {row.report_no} 核对结果：不符" in page


def test_a_filed_solution_has_its_reports_looked_up(
    cast: Cast, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(tasks.verify_evidence, "apply_async", lambda args, **_more: rung.extend(args))
    problem = cast.bring_to(Bottleneck.Status.IN_PROGRESS)
    with django_capture_on_commit_callbacks(execute=True):
        cast.make(problem, "file_solution")
    proof = problem.evidence.get()
    assert rung == [proof.pk] and proof.verify_state == V.PENDING
    tasks.verify_evidence(proof.pk)
    proof.refresh_from_db()
    assert proof.verify_state == V.UNVERIFIED
    tasks.verify_evidence(0)


# --- Numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number", "stored"),
    [
        ("standard", "GB/T 19001—2016", "GB/T 19001-2016"),
        ("standard", "ＧＢ 5009.3－2016", "GB 5009.3-2016"),
        ("standard", "DB32/T 4321-2022", "DB32/T 4321-2022"),
        ("standard", "T/CAS 500-2021", "T/CAS 500-2021"),
        ("standard", "Q/JS 12-2026", "Q/JS 12-2026"),
        ("standard", "ISO 9001:2015", "ISO 9001:2015"),
        ("metrology", "JJF 1001-2011", "JJF 1001-2011"),
        ("metrology", "JJG（苏） 12-2020", "JJG(苏) 12-2020"),
        ("material", "GBW（E）080001", "GBW(E)080001"),
        ("material", "GBW 01101a", "GBW 01101a"),
        ("test_report", "随便 1/2 号", "随便 1/2 号"),
        ("patent", "ZL 2020 1 0123456.7", "ZL 2020 1 0123456.7"),
    ],
)
def test_usual_numbers_are_taken_as_they_are_written(kind: str, number: str, stored: str) -> None:
    assert numbers.checked(kind, number) == stored


@pytest.mark.parametrize(
    ("kind", "number", "words"),
    [
        ("standard", "19001", "顺序号和年份"),
        ("standard", "GB/T 19001", "顺序号和年份"),
        ("metrology", "GB/T 1-2020", "JJG 或 JJF"),
        ("metrology", "JJF 1001", "JJG 或 JJF"),
        ("material", "BW 1", "GBW"),
    ],
)
def test_a_number_of_another_form_is_answered_with_the_usual_one(kind: str, number: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        numbers.checked(kind, number)


@given(st.text())
def test_any_number_is_answered(text: str) -> None:
    assert numbers.tidy(numbers.tidy(text)) == numbers.tidy(text)
    for kind in Evidence.Kind:
        with suppress(ValidationError):
            numbers.checked(kind, text)
    numbers.cma_warning(text)


def test_the_inner_parts_of_a_cma_number_only_warn() -> None:
    assert not numbers.cma_warning("210012345678") and not numbers.cma_warning("")
    assert "77" in numbers.cma_warning("217712345678")
    assert "99" in numbers.cma_warning("990012345678")
    proof = Evidence(kind="method", cma_no="217712345678")
    assert "77" in verdict_of(proof)


# --- Which evidence fits ------------------------------------------------------------------------------------

K, G, C = Evidence.Kind, Bottleneck.Gap, Bottleneck.Cause


def problem_with(*kinds: str, gap: str = "", cause: str = "", route: str = "", **fields: Any) -> Bottleneck:
    row = factories.draft(nqi_gap=gap, cause=cause or "TECH", route=route)
    for number, kind in enumerate(kinds):
        Evidence.objects.create(
            bottleneck=row,
            kind=kind,
            element="STD",
            title="证据",
            number=str(number),
            issuer="院",
            issued_on=TODAY(),
            **fields,
        )
    return row


# `domain.md` 4.3, row by row: what is enough, and what is not.
CASES = [
    (G.STANDARD_MISSING, "", (K.STANDARD,), (K.METROLOGY, K.DOCUMENT)),
    (G.STANDARD_DIVIDED, "", (K.STANDARD,), (K.TEST_REPORT,)),
    (G.MEASUREMENT_MISSING, "", (K.METROLOGY, K.CERTIFICATE, K.REFERENCE_MATERIAL), (K.STANDARD,)),
    (G.CALIBRATION_MISSING, "", (K.METROLOGY, K.CERTIFICATE, K.REFERENCE_MATERIAL), (K.PATENT,)),
    (G.METHOD_MISSING, "", (K.METHOD, K.CERTIFICATE), (K.STANDARD, K.RUN_DATA)),
    (G.RECOGNITION_BLOCKED, "", (K.CERTIFICATE, K.DOCUMENT), (K.RUN_DATA,)),
    (G.CAPACITY_SHORT, "", (K.METHOD, K.CERTIFICATE, K.RUN_DATA, K.TEST_REPORT), (K.STANDARD,)),
    ("", C.TECHNOLOGY, (K.RUN_DATA, K.TEST_REPORT), (K.STANDARD, K.CONCLUSION)),
    (G.OTHER, C.TECHNOLOGY, (K.RUN_DATA, K.TEST_REPORT), (K.PATENT,)),
    ("", C.MANAGEMENT, (K.CERTIFICATE, K.DOCUMENT), (K.TEST_REPORT,)),
    ("", C.BRAND, (K.DOCUMENT,), (K.CERTIFICATE,)),
    ("", C.INFRASTRUCTURE, (K.STANDARD, K.METROLOGY, K.METHOD, K.TEST_REPORT), (K.DOCUMENT,)),
]


@pytest.mark.parametrize(("gap", "cause", "enough", "other"), CASES)
def test_the_table_says_what_is_enough(gap: str, cause: str, enough: Any, other: Any) -> None:
    assert missing_proof(problem_with(gap=gap, cause=cause))
    for kind in enough:
        assert not missing_proof(problem_with(kind, gap=gap, cause=cause)), kind
    for kind in other:
        assert "证据与问题不对应" in missing_proof(problem_with(kind, gap=gap, cause=cause)), kind


def test_certification_needs_the_rule_and_the_first_certificate() -> None:
    gap = G.CERTIFICATION_MISSING
    assert missing_proof(problem_with(K.CERTIFICATE, gap=gap))
    assert missing_proof(problem_with(K.DOCUMENT, gap=gap))
    assert not missing_proof(problem_with(K.DOCUMENT, K.CERTIFICATE, gap=gap))


def test_a_policy_names_who_benefits_first() -> None:
    assert missing_proof(problem_with(K.DOCUMENT, route="POLI"))
    assert not missing_proof(problem_with(K.DOCUMENT, route="POLI", holder="首个受益公司"))


def test_a_plan_with_its_draft_gives_partly_only() -> None:
    row = problem_with(K.STANDARD_PLAN, gap=G.STANDARD_MISSING)
    assert "附草案" in missing_proof(row) and not only_partly(row)
    proof = row.evidence.get()
    proof.attachment = services.attach(row, pdf(), by=row.filer)
    proof.save()
    assert not missing_proof(row) and only_partly(row)
    proof.pk, proof.kind, proof.number = None, K.STANDARD, "GB 1-2020"
    proof.save()
    assert not missing_proof(row) and not only_partly(row)


def test_what_is_contradicted_counts_for_nothing() -> None:
    row = problem_with(K.STANDARD, gap=G.STANDARD_MISSING, verify_state=V.MISMATCH)
    assert missing_proof(row) and "0（不符）" in contradicted(row)


def test_the_document_is_the_table(tmp_path: Path) -> None:
    call_command("evidence", "--output", str(tmp_path / "evidence.md"))
    written = (tmp_path / "evidence.md").read_text(encoding="utf-8")
    stored = (settings.BASE_DIR / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert stored == written, "write it anew: manage.py evidence"
