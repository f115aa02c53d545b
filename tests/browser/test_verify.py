"""A received file is checked in the browser and stays there; without the means it is uploaded."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect
from pypdf import PdfReader, PdfWriter

from bulletins import services
from bulletins.models import Bulletin, Lookup
from tests import factories
from tests.bulletins.ledger import Tree, project

pytestmark = pytest.mark.browser
# What is drawn on, and cannot be drawn from the code or the digest.
MARK = b"never to be sent"
BREAKS = {
    "no subtle": "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined});",
    "nothing unpacks": "delete globalThis.DecompressionStream;",
    "nothing submits again": "delete HTMLFormElement.prototype.requestSubmit;",
    "no digest": "SubtleCrypto.prototype.digest = () => Promise.reject(new DOMException());",
}
UNREADABLE = "File.prototype.arrayBuffer = () => Promise.reject(new DOMException('', 'NotFoundError'));"


@pytest.fixture
def issued() -> Bulletin:
    tree = Tree()
    project(tree.huqiu)
    services.freeze_now(services.get_period("2024"), None)
    return services.print_now(services.issue_bulletin(services.get_period("2024"), tree.suzhou))


def original(bulletin: Bulletin) -> bytes:
    return Path(bulletin.pdf.path).read_bytes()


def saved_again(document: bytes) -> bytes:
    """By another program, all of it packed."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document)))
    for page in writer.pages:
        page.compress_content_streams()
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


class Reader:
    """Somebody at `/verify/`, and all that left the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.bodies: list[bytes] = []
        page.route("**/verify/**", self._note)

    def _note(self, route: Any) -> None:
        self.bodies.append(route.request.post_data_buffer or b"")
        route.continue_()

    def checks(self, content: bytes | Path, code: str = "") -> str:
        """The answer to a file, or the first sentence that refuses it."""
        self.bodies.clear()
        self.page.goto("/verify/")
        self.page.get_by_label("核验码").fill(code)
        chosen: Any = content
        if isinstance(content, bytes):
            chosen = {"name": "通报.pdf", "mimeType": "application/pdf", "buffer": content}
        self.page.get_by_label("PDF 文件").set_input_files(chosen)
        self.page.get_by_role("button", name="核验").click()
        answer = self.page.locator("#answer, .error-summary li")
        expect(answer.first).to_be_visible()
        return answer.first.inner_text()

    @property
    def sent(self) -> int:
        return sum(map(len, self.bodies))


@pytest.mark.parametrize("way", ["here", "no script", *BREAKS])
def test_a_file_is_judged_alike_in_the_browser_and_by_upload(
    new_page: Callable[..., Page], issued: Bulletin, way: str
) -> None:
    page = new_page(java_script_enabled=way != "no script")
    if way in BREAKS:
        page.add_init_script(BREAKS[way])
    reader = Reader(page)
    document = original(issued)
    altered = saved_again(document)
    answers = {
        "真实，未被改动": document,
        "内容与原件不一致": altered,
        "没有查到": b"%PDF-1.4\n" + MARK,
        "这不是 PDF 文件": b"PK" + MARK,
        "这个文件是空的": b"",
    }
    for answer, content in answers.items():
        assert answer in reader.checks(content)
        posted = b"".join(reader.bodies)
        if way == "here":
            assert b"%PDF" not in posted and MARK not in posted
            assert reader.sent < 4_000
        elif content and (way != "no digest" or content.startswith(b"%PDF")):
            assert content in posted
    replacing = services.issue(services.replace(issued, None, "更正。"), None)
    assert "曾经印发，已被替换" in reader.checks(document)
    expect(page.get_by_role("link", name=replacing.number)).to_be_visible()
    services.withdraw(replacing, None, "印错。")
    successor = services.print_now(replacing)
    assert "已撤回，不再有效" in reader.checks(original(successor))
    rows = Lookup.objects.filter(by_file=True).values_list("state", "number")
    assert dict(rows) == {"genuine": 1, "altered": 1, "unknown": 1, "replaced": 1, "withdrawn": 1}


def test_a_report_is_compared_with_what_was_lodged(page: Page) -> None:
    content = factories.pdf().read()
    row = factories.report(sha256=hashlib.sha256(content).hexdigest())
    reader = Reader(page)
    assert "与登记的文件相同，报告有效" in reader.checks(content)
    assert "文件与登记的不同" in reader.checks(content + b" ", row.verification_code)
    assert reader.sent < 4_000


def test_thirty_megabytes_are_judged_in_the_browser_and_too_many_to_upload(
    new_page: Callable[..., Page], issued: Bulletin, tmp_path: Path
) -> None:
    large = tmp_path / "大.pdf"
    large.write_bytes(original(issued) + b"%" * 30 * 2**20)
    assert large.stat().st_size > settings.UPLOAD_LIMIT
    reader = Reader(new_page())
    assert "内容与原件不一致" in reader.checks(large)
    assert reader.sent < 4_000
    plain = new_page(java_script_enabled=False)
    assert "超过" in Reader(plain).checks(large)


@pytest.mark.parametrize("broken", [UNREADABLE, BREAKS["no digest"]])
def test_too_large_a_file_that_cannot_be_judged_is_not_uploaded(
    page: Page, tmp_path: Path, broken: str
) -> None:
    large = tmp_path / "大.pdf"
    large.write_bytes(b"%PDF-1.4" + b"%" * settings.UPLOAD_LIMIT)
    page.add_init_script(broken)
    reader = Reader(page)
    assert "文件有 20.0 MB，超过 20.0 MB" in reader.checks(large).replace("\xa0", " ")
    assert reader.sent < 4_000
    assert page.get_by_label("PDF 文件").is_enabled()


def test_a_folder_is_no_file(page: Page) -> None:
    """A dropped folder looks like a file that cannot be read."""
    reader = Reader(page)
    page.add_init_script(UNREADABLE)
    assert "读不出这个文件" in reader.checks(b"%PDF-1.4")
    # Another file may be chosen at once.
    assert page.get_by_label("PDF 文件").is_enabled()


def test_the_page_says_that_the_file_stays(new_page: Callable[..., Page]) -> None:
    here, elsewhere = new_page(), new_page(java_script_enabled=False)
    for page, sentence in ((here, "不会上传"), (elsewhere, "不会保存")):
        page.goto("/verify/")
        expect(page.get_by_text(sentence)).to_be_visible()
