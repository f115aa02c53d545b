"""What `/verify/` answers: genuine, altered, replaced, withdrawn, unknown."""

import io
import zlib
from pathlib import Path

import pytest
from django.test import Client
from pypdf import PdfReader, PdfWriter

from accounts.models import Role
from bulletins import services
from bulletins.checking import State, copy_of, verify
from bulletins.models import Bulletin, Period
from tests import factories
from tests.bulletins.ledger import Tree, project
from tests.worlds import world


@world
def tree() -> Tree:
    tree = Tree()
    project(tree.huqiu)
    return tree


@world
def period(tree: Tree) -> Period:
    services.freeze_now(services.get_period("2024"), None)
    return services.get_period("2024")


@world
def bulletin(period: Period, tree: Tree) -> Bulletin:
    return services.print_now(services.issue_bulletin(period, tree.suzhou))


def content(bulletin: Bulletin) -> bytes:
    return Path(bulletin.pdf.path).read_bytes()


def judge(document: bytes) -> tuple[State, Bulletin | None]:
    verdict = verify(copy=copy_of(io.BytesIO(document)))
    return verdict.state, verdict.bulletin


def rewritten(document: bytes) -> bytes:
    """Opened and saved again by another program."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document)))
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def compressed(document: bytes) -> bytes:
    """Saved with its pages packed into compressed streams."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document)))
    for page in writer.pages:
        page.compress_content_streams()
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def test_the_very_file_and_its_code_are_genuine(bulletin: Bulletin) -> None:
    assert judge(content(bulletin)) == (State.GENUINE, bulletin)
    assert verify(code=bulletin.verification_code).state == State.GENUINE


@pytest.mark.parametrize("typed", ["{lower}", " {spaced} ", "{bare}", "{wide}"])
def test_a_code_may_be_typed_as_people_type(bulletin: Bulletin, typed: str) -> None:
    code = bulletin.verification_code
    wide = "".join(chr(ord(c) + 0xFEE0) if c != " " else c for c in code)
    text = typed.format(
        lower=code.lower(), spaced=code.replace("-", " "), bare=code.replace("-", ""), wide=wide
    )
    assert verify(code=text).bulletin == bulletin


@pytest.mark.parametrize("change", [rewritten, compressed, lambda document: document + b"\n%"])
def test_our_paper_with_other_bytes_is_altered(bulletin: Bulletin, change: object) -> None:
    assert callable(change)
    assert judge(change(content(bulletin))) == (State.ALTERED, bulletin)


@pytest.mark.parametrize(("before", "state"), [(1_999, State.ALTERED), (2_000, State.UNKNOWN)])
def test_codes_are_looked_for_in_two_thousand_streams(bulletin: Bulletin, before: int, state: State) -> None:
    """Each of them ends with a line that reads like the beginning of another."""
    streams = [b""] * before + [zlib.compress(bulletin.verification_code.encode())]
    document = b"%PDF-1.7\n" + b"".join(b"stream\n%s\nendstream\nendobj\n" % one for one in streams)
    assert judge(document)[0] == state


def test_a_replaced_bulletin_leads_to_the_one_in_force(bulletin: Bulletin) -> None:
    document = content(bulletin)
    second = services.issue(services.replace(bulletin, None, "更正一"), None)
    third = services.issue(services.replace(second, None, "更正二"), None)
    verdict = verify(copy=copy_of(io.BytesIO(document)))
    assert (verdict.state, verdict.bulletin, verdict.successor) == (State.REPLACED, bulletin, third)
    assert verify(code=third.verification_code).state == State.GENUINE


def test_a_successor_is_named_once_it_is_issued(bulletin: Bulletin) -> None:
    successor = services.replace(bulletin, None, "更正")
    assert verify(code=bulletin.verification_code).successor is None
    client = Client()
    client.force_login(factories.user(Role.STATISTICIAN, bulletin.bureau))
    asked = [f"/api/v1/bulletins/{bulletin.public_id}/", "/api/v1/bulletins/?sort=id"]
    answers = [client.get(address).json() for address in asked]
    assert answers[0]["replaced_by"] is None
    (listed,) = [row for row in answers[1]["results"] if row["public_id"] == str(bulletin.public_id)]
    assert listed["replaced_by"] is None
    services.issue(successor, None)
    assert verify(code=bulletin.verification_code).successor == successor
    assert client.get(asked[0]).json()["replaced_by"] == str(successor.public_id)


def test_a_withdrawn_bulletin_says_so(bulletin: Bulletin) -> None:
    services.withdraw(bulletin, None, "数据有误")
    verdict = verify(code=bulletin.verification_code)
    assert (verdict.state, verdict.bulletin) == (State.WITHDRAWN, bulletin)
    assert verdict.bulletin is not None
    assert verdict.bulletin.withdraw_reason == "数据有误"


def test_drafts_are_unknown_to_the_public(period: Period, tree: Tree) -> None:
    draft = services.print_now(services.draft_bulletin(period, tree.suzhou, None))
    assert verify(code=draft.verification_code).state == State.UNKNOWN
    assert judge(content(draft)) == (State.UNKNOWN, None)


@pytest.mark.parametrize(
    "document", [b"", b"%PDF-1.4 nothing", b"stream\n" * 5000, b"stream\n\x78\x9c" + b"\x00" * 100]
)
def test_other_files_are_unknown(bulletin: Bulletin, document: bytes) -> None:
    assert judge(document) == (State.UNKNOWN, None)


@pytest.mark.parametrize("code", ["", "ZLTB", "hello", "ZLTB-3VCRY-6NHMK-MPG22"])
def test_other_codes_are_unknown(bulletin: Bulletin, code: str) -> None:
    assert verify(code=code).state == State.UNKNOWN
