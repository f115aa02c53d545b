"""Rules of the house that no linter knows."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).resolve().parent.parent
APPS = ["portal", "bulletins", "projects", "accounts", "enterprises", "common"]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_package_of_ours_shadows_the_standard_library() -> None:
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert ours >= set(APPS)
    assert ours & sys.stdlib_module_names == set()


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_requirements_are_pinned_and_hashed_and_name_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(index-url|extra-index-url|find-links)", text, re.MULTILINE)
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert len(entries) > 30
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_what_runs_is_locked_alike_for_tests() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.M))

    assert pins("runtime") - pins("dev") == set()


def test_decisions_are_numbered_once() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^(\d+)\. \*\*", text, re.MULTILINE)
    assert [number for number, times in Counter(numbers).items() if times > 1] == []


def test_migrations_have_names() -> None:
    unnamed = [relative(path) for app in APPS for path in (ROOT / app).glob("migrations/*_auto_*.py")]
    assert unnamed == []


# Paper is rendered by WeasyPrint, to which no content policy applies.
PAGES = [path for path in (ROOT / "templates").rglob("*.html") if "paper" not in path.parts]


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_pages_have_no_inline_script_or_style(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)
    found = re.findall(
        r"<style\b[^>]*>|\sstyle=|\son[a-z]+=|<script\b(?![^>]*\b(?:src|type=\"application/json\"))", text
    )
    assert found == []
