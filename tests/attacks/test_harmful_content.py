"""What is typed or uploaded to do harm: scripts in every field, files that are not what they say, names that
lead elsewhere, text of any length. It is kept and shown harmless, or refused in words; nothing falls over."""

import io
import json
import re
import time
import zipfile
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from projects import services
from projects.models import Attachment, Bottleneck
from tests import factories
from tests.factories import Cast
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db
# As long as the shortest of the fields into which it goes: PostgreSQL refuses more.
SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert()>{{7}}"
RAW = ("<script>alert", "<img src=x")


@world
def cast() -> Cast:
    return Cast()


def test_a_script_in_any_field_is_text_on_every_page(cast: Cast) -> None:
    for row in (cast.firm, cast.lab):
        row.name = row.address = row.legal_rep = SCRIPT
        row.save()
    cast.filer.name = SCRIPT
    cast.filer.save()
    texts = ("product", "title", "symptom", "effect", "cause_analysis", "tried_already", "help_text")
    problem = factories.draft(cast.filer, **dict.fromkeys(texts, SCRIPT))
    services.attach(problem, factories.png(f"{SCRIPT}.png"), by=cast.filer)
    services.move(problem, "submit", by=cast.filer)
    project = factories.project(cast.county, name=SCRIPT)
    factories.participation(cast.firm, project)
    consortium = factories.consortium(cast.firm, name=SCRIPT)
    key_project = factories.key_project(project, lead=cast.firm, name=SCRIPT)
    addresses = [
        reverse("projects:bottleneck_detail", args=[problem.public_id]),
        reverse("projects:bottleneck_move", args=[problem.public_id, "accept"]),
        reverse("projects:bottleneck_move", args=[problem.public_id, "return"]),
        reverse("projects:bottleneck_list"),
        reverse("projects:desk") + f"?open={problem.public_id}",
        reverse("projects:project_detail", args=[project.code]),
        reverse("projects:consortium_detail", args=[consortium.code]),
        reverse("projects:key_project_detail", args=[key_project.code]),
        *(reverse(f"projects:{name}_list") for name in ("project", "consortium", "key_project")),
        reverse("enterprises:organization_detail", args=[cast.firm.uscc]),
        reverse("enterprises:organization_list"),
        reverse("search", query={"q": "<script>alert"}),
        reverse("projects:bottleneck_list", query={"q": SCRIPT, "sort": SCRIPT, "page": SCRIPT}),
    ]
    client = browser(cast.county_officer)
    seen = 0
    for address in addresses:
        response = client.get(address)
        page = response.content.decode()
        assert response.status_code < 500, address
        assert not [raw for raw in RAW if raw in page], address
        seen += "&lt;script&gt;alert" in page
    assert seen > 10, "the texts were looked at"
    own = browser(cast.filer)
    for name in ("projects:workspace", "record:who_looked"):
        assert not [raw for raw in RAW if raw in own.get(reverse(name)).content.decode()]


def test_the_answers_of_the_api_are_never_taken_for_a_page(cast: Cast) -> None:
    problem = cast.filed(title=SCRIPT)
    response = browser(cast.county_officer).get(
        f"/api/v1/bottlenecks/{problem.public_id}/", headers={"Accept": "text/html"}
    )
    assert response.headers["Content-Type"].startswith("application/json") or response.status_code == 406
    assert response.headers["X-Content-Type-Options"] == "nosniff"


# --- Files --------------------------------------------------------------------------------------------------


def archive(**parts: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return stream.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSED = {
    "a picture with a script": ("x.svg", SVG, "image/svg+xml"),
    "the same under another name": ("x.png", SVG, "image/png"),
    "a page": ("x.html", b"<!doctype html><script>alert(1)</script>", "text/html"),
    "a page that says it is a document": ("x.pdf", b"<html><script>alert(1)</script>", "application/pdf"),
    "a program": ("x.pdf", b"MZ\x90\x00\x03", "application/pdf"),
    "an archive": ("x.zip", archive(a=b"1"), "application/zip"),
    "an archive named as a table": ("x.xlsx", archive(a=b"1"), "application/zip"),
    "a broken archive": ("x.xlsx", b"PK\x03\x04" + b"\0" * 99, "application/zip"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_not_what_it_may_be_is_refused(what: str, cast: Cast) -> None:
    row = factories.draft(cast.filer)
    name, content, kind = REFUSED[what]
    address = reverse("projects:bottleneck_edit", args=[row.public_id, "help"])
    upload = SimpleUploadedFile(name, content, content_type=kind)
    response = browser(cast.filer).post(address, {"version": row.version, "files": upload})
    assert response.status_code == 422
    assert not Attachment.objects.filter(bottleneck=row).exists()


def test_a_table_that_swells_to_gigabytes_is_never_unpacked(cast: Cast) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("xl/workbook.xml", b"\0" * 200_000_000)
    row = factories.draft(cast.filer)
    started = time.process_time()
    services.attach(row, SimpleUploadedFile("x.xlsx", stream.getvalue()), by=cast.filer)
    assert time.process_time() - started < 1


NAMES = [
    "../../../etc/passwd.png",
    "..\\..\\windows\\system32.png",
    "/absolute/照片.png",
    "\u202egnp.exe.png",
    "a" * 5000 + ".png",
    "名" * 300 + ".png",
    "\U0001f4a9\u200d\u0301\u0301.png",
    'x".png; filename="evil.html',
    "con.png",
    "...png",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_file_leads_elsewhere(name: str, cast: Cast) -> None:
    row = factories.draft(cast.filer)
    upload = factories.png("x.png")
    upload._name = name
    try:
        kept = services.attach(row, upload, by=cast.filer)
    except services.ValidationError:
        return
    assert re.fullmatch(r"attachments/[0-9a-f]{2}/[0-9a-f]{32}", kept.file.name)
    assert len(kept.name) <= 200
    assert not set(kept.name) & {"/", "\\", "\u202e"}
    response = browser(cast.filer).get(reverse("projects:attachment", args=[kept.public_id]))
    assert b"".join(response.streaming_content).startswith(b"\x89PNG")
    assert "\n" not in response["Content-Disposition"]
    assert response["Content-Type"] == "image/png"


# --- Text ---------------------------------------------------------------------------------------------------

STRANGE = [
    "\u0301" * 4000,
    "\u202e\u2066反转\u2069",
    "\U0010ffff\ufffe\ufdd0",
    "ﷺ" * 2000,
    "a" * 1_000_000,
    "=cmd|' /C calc'!A0",
    "%s%n%d{0}{{x}}",
    "'; DROP TABLE projects_bottleneck; --",
    "\x07\x1b[31m\x7f",
]


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_text_breaks_no_form(text: str, cast: Cast) -> None:
    row = factories.draft(cast.filer)
    client = browser(cast.filer)
    for step, name in (("happening", "title"), ("happening", "symptom"), ("help", "contact_name")):
        address = reverse("projects:bottleneck_edit", args=[row.public_id, step])
        data = {"version": Bottleneck.objects.get(pk=row.pk).version, name: text}
        assert client.post(address, data).status_code in (302, 400, 413, 422)
    for address in (reverse("search"), reverse("projects:bottleneck_list")):
        assert client.get(address, {"q": text[:2000]}).status_code in (200, 302, 400)
    assert Client().post(reverse("login"), {"username": text, "password": text}).status_code in (
        200,
        400,
        429,
    )


@pytest.mark.any_database
@pytest.mark.parametrize(
    "kind",
    ["text/html", "application/xml", "multipart/form-data", "multipart/form-data; boundary=x", "", "a/b"],
)
@pytest.mark.parametrize(
    "body", [b"", b"<x/>", b"\xff\xfe\x00", b"--x\r\n\r\n", b"[" * 5000, b'{"version": 1e999}']
)
def test_a_body_of_the_wrong_kind_is_refused(kind: str, body: bytes, cast: Cast) -> None:
    row = cast.filed()
    client = browser(cast.county_officer)
    for address in (
        reverse("api-bottleneck-moves", args=[row.public_id, "accept"]),
        reverse("projects:bottleneck_move", args=[row.public_id, "accept"]),
    ):
        assert client.generic("POST", address, body, content_type=kind).status_code in (400, 409, 415)
    deep: Any = json.loads("[" * 900 + "]" * 900)
    answer = client.post(
        reverse("api-bottleneck-moves", args=[row.public_id, "accept"]),
        json.dumps({"version": deep}),
        content_type="application/json",
    )
    assert answer.status_code == 400


def test_a_form_of_too_many_fields_or_too_many_bytes_is_refused(cast: Cast) -> None:
    client = browser(cast.filer)
    many = {f"f{number}": "" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    assert client.post(reverse("accounts:message_choices"), many).status_code == 400
