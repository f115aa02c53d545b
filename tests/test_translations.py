"""Every word that a page says is Chinese in the source and has its English in the catalogue."""

import ast
import re
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.template.loader import render_to_string
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone, translation
from django.utils.translation.template import templatize

from accounts.models import User
from bulletins.models import Bulletin
from portal.demo.figures import publish
from portal.demo.load import load
from projects.models import Bottleneck

pytestmark = pytest.mark.any_database

ROOT = settings.BASE_DIR
PACKAGES = ("accounts", "bulletins", "common", "enterprises", "portal", "projects", "record")
CATALOGUE = ROOT / "locale" / "en" / "LC_MESSAGES" / "django.po"
RENEW = f"Renew {CATALOGUE.relative_to(ROOT)} with the command in its head, then translate."

# Position of the singular, the plural and the context among the arguments, as Babel wants them.
PLAIN, PLURAL, IN_CONTEXT, PLURAL_IN_CONTEXT = (None, (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3))
MARKS = {
    "_": PLAIN,
    "gettext": PLAIN,
    "gettext_lazy": PLAIN,
    "ngettext": PLURAL,
    "ngettext_lazy": PLURAL,
    "pgettext": IN_CONTEXT,
    "pgettext_lazy": IN_CONTEXT,
    "npgettext": PLURAL_IN_CONTEXT,
    "npgettext_lazy": PLURAL_IN_CONTEXT,
}

# Chinese characters and their punctuation; quotation marks and dashes belong to both languages.
CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")

# What is Chinese whatever language the reader has chosen.
CHINESE_BY_NATURE = {
    "bulletins/agencies.py": "how bureaus are called in official papers",
    "bulletins/circular.py": "the wording of an official paper",
    "bulletins/cases.py": "the wording of an official paper",
    "bulletins/wording.py": "patterns of figures in official papers",
    "bulletins/dictionary.py": "docs/indicators.md, which is written in Chinese",
    "bulletins/paper": "the typesetting of official papers",
    "projects/management/commands/workflow.py": "docs/workflow.md, which is written in Chinese",
    "common/paper": "typefaces are called so",
    "projects/list_files.py": "lists on paper",
    "common/charts.py": "names of the regions on the map of tiles",
    "enterprises/services.py": "how official names of divisions are built",
    "portal/demo": "demo data",
    "portal/styleguide.py": "a page for developers",
    "templates/bulletins/paper": "official papers",
    "templates/paper": "official papers",
    "templates/styleguide.html": "a page for developers",
}
CHINESE_WORDS = {
    ("portal/settings.py", "简体中文"): "a language is offered in its own words",
    ("templates/partials/_language.html", "中文"): "a language is offered in its own words",
    ("common/formats.py", " 万元"): "a unit of Chinese only; other languages write yuan",
    ("common/printing.py", "万"): "running text of official papers, which are Chinese",
    ("projects/forms/filing.py", "%Y年%m月%d日"): "a way in which a date may be typed",
    ("common/forms.py", r"^\+?[0-9][0-9 ()\-]{5,19}( ?[转x#] ?[0-9]{1,6})?$"): "a typed extension",
    ("enterprises/resources.py", "%Y年%m月%d日"): "a way in which a date may be typed",
    ("enterprises/resources.py", "，"): "a separator that may be typed",
    ("enterprises/resources.py", "、"): "a separator that may be typed",
    ("bulletins/views/periods.py", r"(?<=[。.])\s+"): "the end of a sentence in either language",
}


def python_sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts)


def templates() -> Iterator[Path]:
    yield from (path for path in (ROOT / "templates").rglob("*.*") if path.is_file())


def is_chinese_by_nature(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    return any(relative.is_relative_to(place) for place in CHINESE_BY_NATURE)


# --- The catalogue -----------------------------------------------------------------------------------------


def messages_in(source: bytes) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    for _line, words, _comments, context in extract("python", BytesIO(source), keywords=MARKS):
        yield context, words if isinstance(words, tuple) else (words,)


@pytest.fixture(scope="module")
def said() -> dict[tuple[str | None, str], str]:
    """Context and text of every message of the sources, with a file that says it."""
    found = {}
    for path in python_sources():
        for context, words in messages_in(path.read_bytes()):
            found[context, words[0]] = str(path.relative_to(ROOT))
    for path in templates():
        # Django turns a template into calls of gettext between characters of no meaning.
        source = "\n".join(line.lstrip() for line in templatize(path.read_text()).splitlines())
        for context, words in messages_in(source.encode()):
            found[context, words[0]] = str(path.relative_to(ROOT))
    return found


@pytest.fixture(scope="module")
def known() -> dict[tuple[str | None, str], Message]:
    with open(CATALOGUE, "rb") as file:
        catalogue = read_po(file)
    assert not catalogue.obsolete, RENEW
    return {(entry.context, forms(entry.id)[0]): entry for entry in catalogue if entry.id}


def forms(words: str | tuple[str, ...] | list[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)


def test_the_catalogue_holds_what_the_sources_say(said, known):
    assert len(said) > 1000
    missing = {key: place for key, place in said.items() if key not in known}
    assert not missing, RENEW
    assert not known.keys() - said.keys(), RENEW


PLACEHOLDER = re.compile(r"%\((\w+)\)|(%(?:\.\d)?[a-z]|%%|\{\w*\}|</?\w+)")


def placeholders(text: str) -> list[str]:
    return sorted(name or mark for name, mark in PLACEHOLDER.findall(text))


def test_every_message_has_its_english(known):
    for entry in known.values():
        assert not entry.fuzzy, entry.id
        originals, translations = forms(entry.id), forms(entry.string)
        assert len(originals) == len(translations), entry.id
        for english in translations:
            assert english.strip(), entry.id
            assert not CHINESE.search(english), english
            assert placeholders(english) == placeholders(originals[0]), entry.id
            assert ("\n" in english) == ("\n" in originals[0]), entry.id


# --- The sources -------------------------------------------------------------------------------------------


def unmarked(node: ast.AST) -> Iterator[str]:
    """Chinese strings outside gettext, docstrings apart."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in MARKS:
            return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and CHINESE.search(node.value):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from unmarked(child)


@pytest.mark.parametrize(
    "path", [path for path in python_sources() if not is_chinese_by_nature(path)], ids=str
)
def test_python_says_nothing_in_chinese_outside_gettext(path):
    place = str(path.relative_to(ROOT))
    words = set(unmarked(ast.parse(path.read_text())))
    assert not {word for word in words if (place, word) not in CHINESE_WORDS}


TRANSLATED = re.compile(
    r"{%\s*comment.*?endcomment\s*%}|{#.*?#}|<!--.*?-->"
    r"|{%\s*blocktrans(?:late)?\b.*?endblocktrans(?:late)?\s*%}|{%\s*trans(?:late)?\b.*?%}|_\(([\"']).*?\1\)",
    re.DOTALL,
)


@pytest.mark.parametrize("path", [path for path in templates() if not is_chinese_by_nature(path)], ids=str)
def test_templates_say_nothing_in_chinese_outside_translate(path):
    text = TRANSLATED.sub("", path.read_text())
    for place, word in CHINESE_WORDS:
        if place == str(path.relative_to(ROOT)):
            text = text.replace(word, "")
    assert not [line.strip() for line in text.splitlines() if CHINESE.search(line)]


# --- The pages ---------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """The text of a page and of its attributes, without what is marked as Chinese."""

    VOID = ("br", "col", "hr", "img", "input", "link", "meta", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    @property
    def _silent(self) -> bool:
        return any(silent for _tag, silent in self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        silent = tag in ("script", "style") or (given.get("lang") or "").startswith("zh")
        if tag not in self.VOID:
            self._open.append((tag, silent))
        if not silent and not self._silent:
            self.found += [value for value in given.values() if value]

    def handle_endtag(self, tag: str) -> None:
        if any(tag == opened for opened, _silent in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(" ".join(data.split()))


def texts(value: object) -> Iterator[str]:
    """The lines of a stored value; for structured values those of every text in it."""
    if isinstance(value, str):
        yield from (" ".join(line.split()) for line in value.splitlines())
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def stored_texts() -> set[str]:
    """Every Chinese line that the database holds, longer ones cut as pages cut them too."""
    found: set[str] = set()
    for package in PACKAGES:
        for model in apps.get_app_config(package).get_models():
            names = [
                field.attname
                for field in model._meta.concrete_fields
                if isinstance(field, (models.CharField, models.TextField, models.JSONField, models.FileField))
                and not field.choices
            ]
            for row in model._base_manager.values_list(*names) if names else ():
                for value in row:
                    found.update(text for text in texts(value) if CHINESE.search(text))
    # The letter that stands for a person, and what is left of a masked name.
    found.update(user.name[0] for user in User.objects.exclude(name=""))
    found.update(bulletin.number for bulletin in Bulletin.objects.exclude(status__in=Bulletin.PREPARING))
    return found


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker) -> Iterator[set[str]]:
    """The small demo for the pages, and all the texts in it."""
    with django_db_blocker.unblock(), transaction.atomic():
        load("small", 1, timezone.localdate(), "a password", lambda _name: nullcontext())
        publish(timezone.localdate(), lambda _name: nullcontext())
        yield stored_texts()
        transaction.set_rollback(True)


def read(client: Client, address: str, status: int = 200) -> str:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    response = client.get(address, follow=True)
    assert response.status_code == status, address
    return response.content.decode()


def chinese_left(page: str, data: set[str]) -> list[str]:
    """What a page says in Chinese that is not in the data."""
    found = [words for words in Words(page).found if CHINESE.search(words)]
    everything = "\n".join(found)
    here = sorted((text for text in data if text in everything), key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, here)) or "(?!)")
    return [words for words in found if CHINESE.search(known.sub("", without_cut(words, data)))]


def without_cut(words: str, data: set[str]) -> str:
    """Without a text of the data that the page cut short at its end."""
    if words.endswith("…"):
        for start in range(len(words) - 1):
            if any(text.startswith(words[start:-1]) for text in data):
                return words[:start]
    return words


@cache
def kind_of(path: str) -> tuple[str | None, ...] | None:
    """The view behind a link, and which of its pages."""
    try:
        match = resolve(unquote(path))
    except Resolver404:
        return None
    if NO_PAGES.search(match.view_name):
        return None
    return match.view_name, match.kwargs.get("name"), match.kwargs.get("step")


def read_everything(client: Client, starts: list[str], data: set[str]) -> dict[str, list[str]]:
    """One page of each kind that links lead to, with the Chinese that it still says."""
    left, seen, waiting = {}, set(), list(starts)
    while waiting:
        address = waiting.pop(0)
        page = read(client, address)
        left[address] = chinese_left(page, data)
        for link in re.findall(r'href="(/[^"#]*)', page):
            kind = kind_of(link.split("?")[0])
            if kind and kind not in seen:
                seen.add(kind)
                waiting.append(unescape(link))
    return {address: words for address, words in left.items() if words}


# Files, the way out, pages that Swagger or Django draw, and the headings of the import file.
NO_PAGES = re.compile(
    "attachment|pdf|docx|open_file|logout|jsi18n|export|^api|^schema|import|_delete|_history"
)


@pytest.mark.django_db
def test_the_public_pages_are_english(client, demo):
    bulletin = Bulletin.objects.filter(status=Bulletin.Status.ISSUED).first()
    code = reverse("bulletins:verify_code", args=[bulletin.verification_code])
    assert not read_everything(client, ["/", "/login/?next=/desk/", code], demo)


@pytest.mark.django_db
def test_the_error_pages_are_english(demo):
    client = Client(enforce_csrf_checks=True)
    assert not chinese_left(read(client, "/no-such-page/", 404), demo)
    assert not chinese_left(read(client, "/verify/ZLTB-AAAAA/", 400), demo)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    assert not chinese_left(client.post("/login/", {"username": "a"}).content.decode(), demo)
    with translation.override("en"):
        for name in ("400.html", "403.html", "404.html", "500.html"):
            assert not chinese_left(render_to_string(name), demo)


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["filer", "institution", "county", "city", "statistician", "admin"])
def test_the_pages_of_a_role_are_english(username, client, demo):
    user = User.objects.get(username=username)
    client.force_login(user)
    rows = Bottleneck.objects.visible_to(user).order_by("status", "pk")
    one_of_each = dict(rows.values_list("status", "public_id"))
    details = [reverse("projects:bottleneck_detail", args=[key]) for key in one_of_each.values()]
    assert not read_everything(client, ["/", *details], demo)
