"""Organisations in and out of the admin site as spreadsheets."""

import io
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from accounts.models import Role, User
from enterprises.models import Organization
from enterprises.resources import OrganizationResource
from record.models import Event
from tests import factories
from tests.boundaries import change, part
from tests.worlds import world

pytestmark = pytest.mark.django_db

IMPORT = "admin:enterprises_organization_import"
HEAD = ["统一社会信用代码", "名称", "主管单位代码", "成立日期", "企业规模", "企业称号", "年产值（元）"]


def good(**changes: str) -> list[str]:
    row = {
        "统一社会信用代码": factories.credit_code(),
        "名称": "演示精密有限公司",
        "主管单位代码": "320509",
        "成立日期": "2012/5/31",
        "企业规模": "小型",
        "企业称号": "专精特新、规上",
        "年产值（元）": "1,234,567.80",
    }
    return list((row | changes).values())


@world
def administrator() -> User:
    return factories.user(Role.ADMINISTRATOR, factories.county().parent)


@pytest.fixture
def client(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def look(client: Client, *rows: list[str]) -> str:
    """The dry run of a file."""
    lines = "\n".join(",".join(f'"{cell}"' for cell in row) for row in [HEAD, *rows])
    upload = SimpleUploadedFile("组织.csv", lines.encode(), content_type="text/csv")
    answer = client.post(reverse(IMPORT), {"import_file": upload, "format": "0", "resource": ""})
    assert answer.status_code == 200
    client.looked_at = answer  # type: ignore[attr-defined]
    return answer.content.decode()


def archive(**parts: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return stream.getvalue()


def claims_a_whole_sheet() -> bytes:
    """Two cells, and between them sixteen thousand million that a reader would fill."""
    stream, workbook = io.BytesIO(), Workbook()
    workbook.active["A1"], workbook.active["XFD1048576"] = "统一社会信用代码", "x"
    workbook.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    # Made by the test that wants it, not by every process that collects tests.
    [
        (lambda: archive(xl__workbook_xml=b" " * (101 * 1024 * 1024)), "解开后太大"),
        (lambda: archive(**{f"part{n}": b"" for n in range(1001)}), "解开后太大"),
        (claims_a_whole_sheet, "超过 50000 行或 200 列"),
        (lambda: archive(readme=b"no workbook"), "不是能打开的工作簿"),
        (lambda: b"x" * (settings.UPLOAD_LIMIT + 1), "文件太大"),
    ],
    ids=["unpacks to much", "many parts", "empty space", "no workbook", "large"],
)
def test_a_file_that_would_take_the_servers_memory_is_not_opened(
    client: Client, content: Callable[[], bytes], words: str
) -> None:
    upload = SimpleUploadedFile("组织.xlsx", content())
    before = Organization.objects.count()
    answer = client.post(reverse(IMPORT), {"import_file": upload, "format": "1", "resource": ""})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert "confirm_form" not in answer.context
    assert Organization.objects.count() == before


def confirm(client: Client) -> None:
    form = client.looked_at.context["confirm_form"]  # type: ignore[attr-defined]
    client.post(reverse("admin:enterprises_organization_process_import"), form.initial)


def test_a_good_file_is_shown_first_and_written_when_confirmed(client: Client) -> None:
    row = good()
    page = look(client, row)
    assert "演示精密有限公司" in page
    assert not Organization.objects.exists(), "the dry run writes nothing"
    confirm(client)
    written = Organization.objects.get(uscc=row[0])
    assert written.bureau.code == "320509"
    assert written.founded_on.isoformat() == "2012-05-31"
    assert written.tags == ("GS", "ZJTX")
    assert str(written.annual_output) == "1234567.80"
    assert written.source == Organization.Source.IMPORT


def test_the_events_of_a_file_are_numbered_at_its_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that others, whose transactions end sooner, do not leave them far behind."""
    look(client, good(), good(**{"名称": "另一家有限公司"}))
    before = Event._base_manager.filter(entity="enterprises.organization").count()
    assert before == 0, "the dry run leaves no events"
    after_row, seen = OrganizationResource.after_save_instance, []

    def count(*args: Any, **kwargs: Any) -> None:
        after_row(*args, **kwargs)
        seen.append(Event._base_manager.filter(entity="enterprises.organization").count())

    monkeypatch.setattr(OrganizationResource, "after_save_instance", count)
    confirm(client)
    assert seen == [0, 0]
    assert Event._base_manager.filter(entity="enterprises.organization", kind="created").count() == 2


def test_a_known_credit_code_is_changed_and_blank_cells_keep_what_is_there(client: Client) -> None:
    known = factories.organization("旧名", size="large", employees=12)
    look(client, good(**{"统一社会信用代码": known.uscc.lower(), "名称": "新名", "企业规模": ""}))
    confirm(client)
    known.refresh_from_db()
    assert (known.name, known.size, known.employees) == ("新名", "large", 12)
    assert Organization.objects.count() == 1


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("统一社会信用代码", "91350100M000100Y4Z", "只含数字和大写字母"),
        ("统一社会信用代码", "913501", "应为 18 位，现在是 6 位"),
        ("统一社会信用代码", "91350100M000100Y44", "校验位不符"),
        ("主管单位代码", "999999", "没有代码为“999999”的单位"),
        ("主管单位代码", "", "请填写主管单位代码"),
        ("主管单位代码", "330000", "不在您的管理范围内"),
        ("成立日期", "昨天", "“昨天”不是日期，请写成 2024-05-31 的样子"),
        ("成立日期", "2999-01-01", "成立日期不能晚于今天"),
        ("企业规模", "巨型", "可填：大型、中型、小型、微型"),
        ("企业称号", "好企业", "可填：专精特新、小巨人"),
        ("年产值（元）", "-5", "应为不小于 0 的数字"),
        ("名称", "", "不能为空"),
    ],
)
def test_a_fault_is_named_with_what_would_do_and_nothing_is_written(
    client: Client, column: str, value: str, sentence: str
) -> None:
    factories.bureau("330000", "浙江省市场监督管理局", factories.county().parent.parent.parent)
    page = look(client, good(), good(**{column: value}))
    assert sentence in page
    assert client.looked_at.context.get("confirm_form") is None  # type: ignore[attr-defined]
    assert not Organization.objects.exists()


def test_a_file_without_its_columns_says_which_are_missing(client: Client) -> None:
    upload = SimpleUploadedFile("x.csv", "名称\n甲\n".encode(), content_type="text/csv")
    page = client.post(reverse(IMPORT), {"import_file": upload, "format": "0"}).content.decode()
    assert "文件第一行缺少列：统一社会信用代码、主管单位代码" in page


def test_an_organisation_of_another_city_cannot_be_taken_over(client: Client) -> None:
    nation = factories.county().parent.parent.parent
    other = factories.organization("外省厂", at=factories.bureau("330000", "浙江省局", nation))
    page = look(client, good(**{"统一社会信用代码": other.uscc}))
    assert "已存在" in page
    other.refresh_from_db()
    assert other.name == "外省厂"


def test_the_export_holds_the_scope_and_no_formula(client: Client, administrator: User) -> None:
    factories.organization("=1+1")
    nation = factories.county().parent.parent.parent
    factories.organization("外省厂", at=factories.bureau("330000", "浙江省局", nation))
    address = reverse("admin:enterprises_organization_export")
    form = client.get(address).context["form"]
    chosen = {name: "on" for name in form.fields if name.startswith("organizationresource_")}
    answer = client.post(address, {"format": "0", "resource": "0", **chosen})
    text = io.BytesIO(answer.content).read().decode("utf-8-sig")
    assert text.startswith("统一社会信用代码,名称")
    assert "外省厂" not in text
    assert ",1+1," in text and "=1+1" not in text


def test_officers_do_not_import() -> None:
    client = Client()
    client.force_login(
        factories.user(Role.OFFICER, factories.county()), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get(reverse(IMPORT)).status_code == 302


# --- Two languages ------------------------------------------------------------------------------------------

TITLES = {
    "zh-hans": ["统一社会信用代码", "名称", "组织形式", "主管单位代码"],
    "en": ["Unified social credit code", "Name", "Legal form", "Code of the bureau in charge"],
}


def workbook(client: Client, language: str) -> bytes:
    client.cookies["django_language"] = language
    address = reverse("admin:enterprises_organization_export")
    form = client.get(address).context["form"]
    chosen = {name: "on" for name in form.fields if name.startswith("organizationresource_")}
    number = {word: number for number, word in form.fields["format"].choices}["xlsx"]
    return client.post(address, {"format": number, "resource": "0", **chosen}).content


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("read_in", ["zh-hans", "en"])
def test_a_workbook_is_written_in_ones_own_language_and_read_in_any(
    language: str, read_in: str, client: Client
) -> None:
    firm = factories.organization(
        "演示厂",
        size="small",
        tags=sorted(Organization.Tag.values),
        status="active",
        founded_on=date(2012, 5, 31),
        annual_output="1234567.80",
        employees=12,
    )
    content = workbook(client, language)
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet.title == {"zh-hans": "组织", "en": "Organisation"}[language]
    heads = [cell.value for cell in sheet[1]]
    assert heads[:4] == TITLES[language]
    assert len(set(heads)) == 15
    before = Organization.objects.filter(pk=firm.pk).values().get()
    Organization.objects.filter(pk=firm.pk).update(size="", tags=(), employees=None, founded_on=None)
    client.cookies["django_language"] = read_in
    upload = SimpleUploadedFile("x.xlsx", content)
    answer = client.post(reverse(IMPORT), {"import_file": upload, "format": "1", "resource": ""})
    client.looked_at = answer  # type: ignore[attr-defined]
    assert answer.context.get("confirm_form"), answer.content.decode()
    confirm(client)
    after = Organization.objects.filter(pk=firm.pk).values().get()
    assert after | {"updated_at": before["updated_at"]} == before


def test_an_imported_organisation_takes_the_place_of_one_that_waits_to_be_verified(client: Client) -> None:
    waiting = factories.organization(status=Organization.Status.APPLYING, at=factories.county().parent.parent)
    look(client, good(统一社会信用代码=waiting.uscc))
    confirm(client)
    waiting.refresh_from_db()
    assert (waiting.name, waiting.status) == ("演示精密有限公司", Organization.Status.ACTIVE)
    assert (waiting.bureau, waiting.source) == (factories.county(), Organization.Source.IMPORT)


def test_nobody_is_imported_as_waiting_to_be_verified(client: Client) -> None:
    assert "待核实" not in client.get(reverse("admin:enterprises_organization_add")).text


def test_no_organisation_comes_into_a_bureau_that_has_ended(client: Client) -> None:
    ended = factories.bureau("320585", "太仓市", factories.county().parent)
    into = factories.bureau("320506", "吴中区", factories.county().parent)
    change("merge", part("from", ended), part("to", into))
    assert "没有代码为“320585”的单位" in look(client, good(主管单位代码="320585"))
    assert "没有代码为" not in look(client, good(主管单位代码="320506"))
