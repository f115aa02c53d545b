"""One box over everything that has a name or a number, within the scope of the reader."""

from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.models import User
from common.scope import note_miss
from enterprises.models import Organization
from projects.field_classes import FieldClass, is_open, reader_of
from projects.models import Bottleneck, ChainProject, Consortium, KeyProject
from projects.querysets import SEARCHED

# Hits shown of each kind; the list behind the link shows all.
TOP = 5
LONGEST = 100


class Kind(NamedTuple):
    """A kind of thing to be found. ``code`` is the column of its number, ``key`` that of its address.

    ``reader`` says as what the user reads these rows: what is closed to it is neither searched nor shown.
    """

    name: str
    heading: Any
    rows: Any
    code: str
    key: str
    list_url: str
    page_url: str
    reader: FieldClass = FieldClass.PARTIES

    def search(self, user: User, text: str) -> Any:
        rows = self.rows(user)
        if self.reader == FieldClass.PARTIES:
            return rows.search(text)
        return rows.search(text, [path for path in SEARCHED if is_open([path], self.reader)])

    def shows(self, name: str) -> bool:
        return self.reader == FieldClass.PARTIES or is_open([name], self.reader)


def _of_others(user: User, reader: FieldClass) -> Any:
    """Problems of others, for those who read them in this way."""
    if reader_of(user) != reader:
        return Bottleneck.objects.none()
    return Bottleneck.objects.shared_with(user).select_related("organization")


KINDS = (
    Kind(
        "bottlenecks",
        _("堵点卡点问题"),
        lambda user: Bottleneck.objects.visible_to(user).counted().select_related("organization"),
        "code",
        "public_id",
        "projects:bottleneck_list",
        "projects:bottleneck_detail",
    ),
    Kind(
        "shared",
        _("系统内共享的问题"),
        lambda user: _of_others(user, FieldClass.GOVERNMENT),
        "code",
        "public_id",
        "projects:shared_list",
        "projects:bottleneck_detail",
        FieldClass.GOVERNMENT,
    ),
    Kind(
        "published",
        _("已公开的问题"),
        lambda user: _of_others(user, FieldClass.PUBLIC),
        "code",
        "public_id",
        "projects:published_list",
        "projects:bottleneck_detail",
        FieldClass.PUBLIC,
    ),
    Kind(
        "projects",
        _("质量强链项目"),
        lambda user: ChainProject.objects.visible_to(user).counted().select_related("bureau"),
        "code",
        "code",
        "projects:project_list",
        "projects:project_detail",
    ),
    Kind(
        "consortia",
        _("质量技术创新联合体"),
        lambda user: Consortium.objects.visible_to(user).counted().select_related("bureau"),
        "code",
        "code",
        "projects:consortium_list",
        "projects:consortium_detail",
    ),
    Kind(
        "key_projects",
        _("重点攻关项目"),
        lambda user: KeyProject.objects.visible_to(user).counted().select_related("lead"),
        "code",
        "code",
        "projects:key_project_list",
        "projects:key_project_detail",
    ),
    Kind(
        "organizations",
        _("企业和机构"),
        lambda user: Organization.objects.visible_to(user).select_related("bureau"),
        "uscc",
        "uscc",
        "enterprises:organization_list",
        "enterprises:organization_detail",
    ),
)


class Hit(NamedTuple):
    href: str
    name: SafeString
    code: SafeString
    beside: str
    row: Any


class Found(NamedTuple):
    """The first hits of a kind, and the list of all of them when there are more."""

    heading: Any
    hits: list[Hit]
    more: str


@login_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Hits by kind; a number typed in full leads to its page at once."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    user: User = request.user  # type: ignore[assignment]
    if text and (address := _exact(user, text)):
        return redirect(address)
    found = [_found(kind, user, text) for kind in KINDS] if text else []
    return render(request, "portal/search.html", {"q": text, "found": [one for one in found if one.hits]})


def _exact(user: User, text: str) -> str:
    """The page of the one thing that bears this number, empty when there is none."""
    for kind in KINDS:
        if not kind.shows(kind.code):
            continue
        row = kind.rows(user).filter(**{kind.code: text.upper()}).first()
        if row:
            return reverse(kind.page_url, args=[getattr(row, kind.key)])
    for kind in KINDS if text.isascii() else ():
        if kind.reader == FieldClass.PARTIES:
            note_miss(kind.rows(user).model, **{kind.code: text.upper()})
    return ""


def _found(kind: Kind, user: User, text: str) -> Found:
    # Without a total: to count every name that contains a common word is the dearest part of a search.
    shown = list(kind.search(user, text).order_by("-pk")[: TOP + 1])
    hits = [
        Hit(
            reverse(kind.page_url, args=[getattr(row, kind.key)]),
            marked(str(row), text),
            marked(getattr(row, kind.code) or "", text) if kind.shows(kind.code) else SafeString(),
            _beside(row) if kind.shows("organization") else "",
            row,
        )
        for row in shown[:TOP]
    ]
    more = f"{reverse(kind.list_url)}?{urlencode({'q': text})}" if len(shown) > TOP else ""
    return Found(kind.heading, hits, more)


def _beside(row: Any) -> str:
    """Whose it is: the firm of a problem, the lead of a key project, the unit of everything else."""
    owner = getattr(row, "lead", None) if isinstance(row, KeyProject) else getattr(row, "organization", None)
    return str(owner or row.bureau)


def marked(words: str, text: str) -> SafeString:
    """The words with every occurrence of the text marked."""
    parts = words.split(text)
    mark = format_html("<mark>{}</mark>", text)
    return format_html_join(mark, "{}", ((part,) for part in parts))
