"""Files of a problem: private, judged by their content, kept once."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import Role
from projects import services
from projects.models import Attachment, Bottleneck
from tests.factories import Cast, bureau, draft, pdf, png, solution, user
from tests.worlds import world

S = Bottleneck.Status
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"


@world
def cast() -> Cast:
    return Cast()


def office(part: str, name: str) -> SimpleUploadedFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(part, "<x/>")
    return SimpleUploadedFile(name, stream.getvalue())


def upload(client: Client, row: Bottleneck, *files: Any) -> str:
    """Upload on the problem page; the page that follows."""
    url = reverse("projects:bottleneck_attach", args=[row.public_id])
    return client.post(url, {"files": files}, follow=True).content.decode()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "file",
    [
        png(),
        pdf(),
        office("xl/workbook.xml", "数据.xlsx"),
        office("word/document.xml", "说明.docx"),
        SimpleUploadedFile(
            "图.JPEG", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
        ),
    ],
    ids=lambda file: file.name,
)
def test_what_its_content_says_it_is_is_kept(cast: Cast, client: Client, file: SimpleUploadedFile):
    row = cast.bring_to(S.IN_PROGRESS)
    client.force_login(cast.engineer)
    assert "已补充 1 个附件" in upload(client, row, file)
    kept = row.attachments.get()
    assert kept.name == file.name
    assert file.name not in kept.file.name
    assert kept.uploaded_by == cast.engineer


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("file", "words"),
    [
        (SimpleUploadedFile("报告.pdf", b"MZ\x90\x00" * 40), "不是可以接收的文件"),
        (SimpleUploadedFile("图.png", pdf().read()), "内容其实是 PDF 文件"),
        (SimpleUploadedFile("页.html", b"<script>alert(1)</script>"), "可以上传：PDF、JPG、PNG、XLSX、DOCX"),
        (SimpleUploadedFile("空.pdf", b""), "空文件"),
        (office("evil.txt", "数据.xlsx"), "不是可以接收的文件"),
        (SimpleUploadedFile("数据.xlsx", b"PK\x03\x04broken"), "不是可以接收的文件"),
    ],
    ids=["program", "renamed", "page", "empty", "zip", "broken"],
)
def test_what_is_refused_is_refused_in_words(
    cast: Cast, client: Client, file: SimpleUploadedFile, words: str
):
    row = cast.bring_to(S.IN_PROGRESS)
    client.force_login(cast.engineer)
    file.seek(0)
    assert words in upload(client, row, file)
    assert not row.attachments.exists()


@override_settings(UPLOAD_LIMIT=100)
def test_a_file_that_is_too_large_is_told_its_limit(cast: Cast, client: Client):
    row = cast.bring_to(S.IN_PROGRESS)
    client.force_login(cast.engineer)
    page = upload(client, row, pdf(salt="x" * 200))
    assert "超过每个文件" in page
    assert not row.attachments.exists()


def test_the_same_content_is_kept_once_and_ten_are_enough(cast: Cast, client: Client):
    row = cast.bring_to(S.IN_PROGRESS)
    client.force_login(cast.engineer)
    upload(client, row, png("一.png"), png("二.png"))
    assert row.attachments.count() == 1
    upload(client, row, *(png(f"{n}.png", salt=b"%d" % n) for n in range(9)))
    assert "最多 10 个附件" in upload(client, row, png("多.png", salt=b"x"))
    assert row.attachments.count() == 10


def test_no_file_chosen_is_said(cast: Cast, client: Client):
    row = cast.bring_to(S.IN_PROGRESS)
    client.force_login(cast.engineer)
    assert "请先选择文件" in upload(client, row)


def test_only_whose_turn_it_is_adds_files(cast: Cast, client: Client):
    row = cast.bring_to(S.IN_PROGRESS)
    url = reverse("projects:bottleneck_attach", args=[row.public_id])
    for person in (cast.filer, cast.county_officer, user(Role.AUDITOR, bureau())):
        client.force_login(person)
        answer = client.post(url, {"files": [png()]})
        assert answer.status_code == 403
        assert "现在不轮到您补充材料" in answer.content.decode()
    client.force_login(user(Role.FILER))
    assert client.post(url, {"files": [png()]}).status_code == 404
    assert not row.attachments.exists()


def test_a_name_loses_what_could_mislead(cast: Cast):
    row = draft(cast.filer)
    kept = services.attach(row, png("..\\..\\报\u202e告\x07 .png"), by=cast.filer)
    assert kept.name == "报告 .png"


def test_a_file_is_judged_by_the_state_that_the_problem_has_now(cast: Cast):
    row = cast.bring_to(S.IN_PROGRESS)
    as_seen = Bottleneck.objects.get(pk=row.pk)
    cast.make(row, "file_solution")
    with pytest.raises(PermissionDenied):
        services.attach(as_seen, png(), by=cast.engineer)
    assert not row.attachments.exists()


# --- Nothing on the disk without a row ---------------------------------------------------------------------


@pytest.fixture
def disk(settings: Any, tmp_path: Path) -> Callable[[], set[Path]]:
    """The files that are stored."""
    default = settings.STORAGES["default"]
    default = default | {"OPTIONS": default["OPTIONS"] | {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"default": default}
    return lambda: {path for path in tmp_path.rglob("*") if path.is_file()}


def filed_with_files(cast: Cast, row: Bottleneck, last: SimpleUploadedFile) -> None:
    data = solution(row)
    data["evidence"][0]["file"] = pdf()
    services.move(row, "file_solution", by=cast.engineer, data=data | {"files": [png(), last]})


def test_a_refused_solution_leaves_no_file_behind(cast: Cast, disk: Callable[[], set[Path]]):
    row = cast.bring_to(S.IN_PROGRESS)
    services.attach(row, png(salt=b"before"), by=cast.engineer)
    before = disk()
    assert len(before) == 1
    with pytest.raises(ValidationError):
        filed_with_files(cast, row, SimpleUploadedFile("报告.pdf", b"MZ"))
    assert disk() == before
    assert row.attachments.count() == 1
    filed_with_files(cast, row, png(salt=b"last"))
    assert len(disk()) == 4


def test_a_failing_database_leaves_no_file_behind(
    cast: Cast, disk: Callable[[], set[Path]], monkeypatch: pytest.MonkeyPatch
):
    row = cast.bring_to(S.IN_PROGRESS)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(services, "insert", fail)
        with pytest.raises(OperationalError):
            filed_with_files(cast, row, png(salt=b"last"))
    assert not disk()
    # The file is on the disk when its row is written.
    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "_insert", fail)
        with pytest.raises(OperationalError):
            services.attach(row, png(), by=cast.engineer)
    assert not disk()


# --- Download ----------------------------------------------------------------------------------------------


def test_a_download_is_private_and_harmless(cast: Cast, client: Client):
    row = cast.bring_to(S.IN_PROGRESS)
    report = services.attach(row, pdf("检测报告.pdf"), by=cast.engineer)
    photo = services.attach(row, png("照片.png"), by=cast.engineer)
    client.force_login(cast.filer)
    answer = client.get(reverse("projects:attachment", args=[report.public_id]))
    assert b"".join(answer.streaming_content).startswith(b"%PDF")
    assert answer["Content-Disposition"].startswith("attachment;")
    assert "%E6%A3%80%E6%B5%8B%E6%8A%A5%E5%91%8A.pdf" in answer["Content-Disposition"]
    assert answer["Content-Type"] == "application/pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "private, no-store"
    answer = client.get(reverse("projects:attachment", args=[photo.public_id]))
    assert b"".join(answer.streaming_content).startswith(b"\x89PNG")
    assert answer["Content-Disposition"].startswith("inline;")


def status_of(client: Client, url: str) -> int:
    """The status of a download, which is read to its end."""
    answer = client.get(url)
    if answer.streaming:
        list(answer.streaming_content)
    return answer.status_code


def test_a_download_follows_the_scope_of_its_problem(cast: Cast, client: Client):
    row = draft(cast.filer)
    url = reverse("projects:attachment", args=[services.attach(row, png(), by=cast.filer).public_id])
    assert client.get(url).status_code == 302
    for person, status in (
        (cast.filer, 200),
        (cast.county_officer, 404),
        (user(Role.FILER), 404),
        (cast.engineer, 404),
    ):
        client.force_login(person)
        assert status_of(client, url) == status
    services.move(row, "submit", by=cast.filer)
    client.force_login(cast.county_officer)
    assert status_of(client, url) == 200


def test_a_file_that_is_gone_from_the_disk_is_not_found(cast: Cast, client: Client):
    row = draft(cast.filer)
    kept = services.attach(row, png(), by=cast.filer)
    kept.file.storage.delete(kept.file.name)
    client.force_login(cast.filer)
    assert client.get(reverse("projects:attachment", args=[kept.public_id])).status_code == 404


# --- Removing ----------------------------------------------------------------------------------------------


def help_url(row: Bottleneck) -> str:
    return reverse("projects:bottleneck_edit", args=[row.public_id, "help"])


def test_a_file_is_removed_while_the_text_is_open_and_the_form_is_kept(cast: Cast, client: Client):
    row = draft(cast.filer)
    kept = services.attach(row, png(), by=cast.filer)
    client.force_login(cast.filer)
    remove = client.get(help_url(row)).context["files"][0]["remove_url"]
    data = {"version": row.version, "visibility": "parties", "tried_already": "换过两家。"}
    for _click in range(2):
        row.refresh_from_db()
        answer = client.post(remove, data | {"version": row.version})
        assert answer.url == f"{help_url(row)}#id_files"
    row.refresh_from_db()
    assert row.tried_already == "换过两家。"
    assert not row.attachments.filter(pk=kept.pk).exists()


def test_a_file_of_another_problem_is_not_removed(cast: Cast, client: Client):
    row, other = draft(cast.filer), draft(cast.filer)
    kept = services.attach(other, png(), by=cast.filer)
    client.force_login(cast.filer)
    data = {"version": row.version, "visibility": "parties"}
    client.post(f"{help_url(row)}?remove={kept.public_id}", data)
    assert other.attachments.exists()
    row.refresh_from_db()
    assert client.post(f"{help_url(row)}?remove=x", data | {"version": row.version}).status_code == 404


def test_filed_material_is_not_removed(cast: Cast, client: Client):
    row = draft(cast.filer)
    kept = services.attach(row, png(), by=cast.filer)
    services.move(row, "submit", by=cast.filer)
    client.force_login(cast.filer)
    answer = client.post(
        f"{help_url(row)}?remove={kept.public_id}", {"version": row.version, "visibility": "parties"}
    )
    assert answer.status_code == 409
    assert row.attachments.exists()


def test_a_file_is_not_removed_after_somebody_else_has_filed(cast: Cast):
    row = draft(cast.filer)
    kept = services.attach(row, png(), by=cast.filer)
    as_seen = Attachment.objects.select_related("bottleneck").get(pk=kept.pk)
    services.move(row, "submit", by=cast.filer)
    with pytest.raises(PermissionDenied):
        services.detach(as_seen, by=cast.filer)
    assert row.attachments.count() == 1
