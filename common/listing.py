"""Lists of many rows: columns declared once for table, order and export; pages that all cost the same."""

import csv
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any
from urllib.parse import quote

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.db.models import F, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import OrderBy
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.views import View

from common import formats
from common.templatetags.portal_ui import look_of
from common.workbooks import XLSX, Leaf, Value, workbook

Row = Mapping[str, Any]
# What a spreadsheet would take for a formula (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
XLSX_ROWS = 10_000
# Keys that stand in an address as they are.
PLAIN = re.compile(r"[A-Za-z0-9-]+")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


# --- Pages ------------------------------------------------------------------------------------------------


class TwoEndedPaginator(Paginator):
    """Numbered pages of keys; counted once, and read from whichever end is nearer.

    A database finds row 180,000 by walking over the 179,999 before it. Read backwards from the end, the
    last page costs what the first does, and the dearest one lies in the middle. Only keys are walked over,
    out of a covering index where there is one; the cells of the page are fetched by key afterwards. Keyset
    pages would be even in the middle, but have no numbers: nobody could send a colleague to "page 7".
    """

    object_list: Any

    def page(self, number: int | str) -> Page:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        stop = min(start + self.per_page, self.count)
        from_end = self.count - stop
        if from_end < start:
            keys = list(self.object_list.reverse()[from_end : self.count - start])[::-1]
        else:
            keys = list(self.object_list[start:stop])
        return Page(keys, number, self)


def ordering(model: type[Model], paths: Iterable[str]) -> list[OrderBy]:
    """`order_by` terms for paths (``-`` for descending), the key last so that the order is total.

    Blanks stand last on every database; where a column has none this is left out, or no index would serve.
    """
    terms = []
    for path in [*paths, "pk"]:
        column = F(path.removeprefix("-"))
        last = True if _nullable(model, path.removeprefix("-")) else None
        terms.append(column.desc(nulls_last=last) if path.startswith("-") else column.asc(nulls_last=last))
    return terms


@cache
def _nullable(model: type[Model], path: str) -> bool:
    options = model._meta
    for name in path.split(LOOKUP_SEP):
        column = options.pk if name == "pk" else options.get_field(name)
        if column.null:
            return True
        options = column.related_model._meta if column.related_model else options
    return False


# --- Columns ---------------------------------------------------------------------------------------------

Write = Callable[[Row], str]
_special = re.compile(r"[&<>\"']").search


def escape(text: str) -> str:
    """Text as HTML; hardly any cell has a character that needs it."""
    return html.escape(text) if _special(text) else text


class Column:
    """A column of a list: words as they are stored under ``path``.

    ``order`` are the paths to sort by, the path itself unless given; ``sub`` is a second column that stands
    below in the same cell, and beside in files; ``annotations`` compute what the paths name.
    """

    numeric = False

    def __init__(
        self,
        name: str,
        label: Any,
        path: str,
        *,
        order: tuple[str, ...] | None = None,
        css: str = "",
        shown: bool = True,
        sub: "Column | None" = None,
        annotations: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.label, self.path = name, label, path
        self.annotations = annotations or {}
        self.order = order if order is not None else () if annotations else (path,)
        self.css, self.shown, self.sub = css, shown, sub

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,)

    def writer(self) -> Write:
        """Gives the text of a row for files, in the language of now."""
        path = self.path
        return lambda row: "" if row[path] is None else str(row[path])

    def value(self, text: str) -> Value:
        """The written text as a value of a workbook."""
        if self.numeric and NUMBER.fullmatch(text):
            return Decimal(text)
        return text or None

    def drawer(self) -> Write:
        """Gives the HTML of a row's cell, in the language of now."""
        write = self.writer()

        def draw(row: Row) -> str:
            text = write(row)
            if not text:
                return formats.BLANK
            return html.escape(text) if _special(text) else text

        return draw


class Title(Column):
    """What a row is called, linked to its page ``url``, whose only argument is the column ``key``."""

    def __init__(self, *args: Any, url: str, key: str, blank: Any = formats.BLANK, **options: Any) -> None:
        super().__init__(*args, css="cell-title", **options)
        self.url, self.key, self.blank = url, key, blank

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, self.key)

    def drawer(self) -> Write:
        write, key, blank = self.writer(), self.key, str(self.blank)
        # One address is looked up and the keys are put into it: fifty look-ups would be a millisecond.
        before, after = _around_key(self.url)

        def draw(row: Row) -> str:
            return (
                f'<a href="{before}{quote(str(row[key]))}{after}" data-open>{escape(write(row)) or blank}</a>'
            )

        return draw


@cache
def _around_key(url: str) -> list[str]:
    for stand_in in ("0", "00000000-0000-0000-0000-000000000000"):
        try:
            return reverse(url, args=[stand_in]).split(stand_in)
        except NoReverseMatch:
            continue
    raise NoReverseMatch(url)


class Words(Column):
    """The words for the values of a code list."""

    def __init__(self, *args: Any, choices: Iterable[tuple[Any, Any]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.choices = list(choices)

    def words(self) -> dict[Any, str]:
        return {code: str(word) for code, word in self.choices}

    def writer(self) -> Write:
        words, path = self.words(), self.path
        return lambda row: words.get(row[path], "")

    def drawer(self) -> Write:
        path = self.path
        words = {code: escape(word) for code, word in self.words().items()}
        return lambda row: words.get(row[path], formats.BLANK)


class CodeWords(Words):
    """The words for the codes of a `CodeSetField`, which nobody sorts by."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, order=(), **options)

    def writer(self) -> Write:
        words, path = self.words(), self.path
        return lambda row: formats.listed(words[code] for code in row[path] or () if code in words)


class State(Words):
    """A state of a model in colour, shape and word."""

    def __init__(self, *args: Any, model: type[Model], **options: Any) -> None:
        status: Any = model._meta.get_field("status")
        super().__init__(*args, choices=status.choices, css="tight", **options)
        self.model_name = status.model._meta.model_name

    def drawer(self) -> Write:
        path = self.path
        badges = {code: _badge(code, word, self.model_name) for code, word in self.words().items()}
        return lambda row: badges[row[path]]


@cache
def _badge(code: str, label: str, model_name: str) -> str:
    """Drawn once per state and language, not once per row."""
    context = {"label": label, "look": look_of(code, model_name)}
    return render_to_string("partials/_state_badge.html", context).strip()


class Number(Column):
    numeric = True

    def drawer(self) -> Write:
        path = self.path
        return lambda row: formats.count(row[path])


class Wan(Column):
    """Money, stored in yuan and shown in 万元."""

    numeric = True

    def writer(self) -> Write:
        path = self.path
        return lambda row: "" if row[path] is None else formats.wan(row[path]).replace(",", "")

    def drawer(self) -> Write:
        path = self.path
        return lambda row: formats.wan(row[path])


class Day(Column):
    """A day, or the day of a moment."""

    numeric = True

    def writer(self) -> Write:
        path = self.path

        def write(row: Row) -> str:
            value = row[path]
            if value is None:
                return ""
            return formats.day(value) if isinstance(value, datetime) else value.isoformat()

        return write

    def value(self, text: str) -> Value:
        return date.fromisoformat(text) if text else None


# --- The view ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """Head of a shown column."""

    label: str
    sort: str
    numeric: bool


class ListPage(LoginRequiredMixin, View):
    """A list whose whole state stands in its address: filters, order, page; the session keeps the columns.

    Three queries for the rows, however many there are: total, keys, cells.
    """

    model: type[Model]
    filterset_class: type
    columns: tuple[Column, ...]
    default_sort: str
    heading: Any
    per_page = 50
    filter_lead = "q"
    # Rows stand under headings of this column as long as they are ordered by it.
    grouped_by = ""
    template_name = "listing.html"
    empty_title: Any = _("没有符合条件的记录")
    empty_text: Any = _("减少筛选条件，或换一个关键词。")
    empty_symbol = "search"

    def get_queryset(self) -> QuerySet:
        rows: Any = self.model._default_manager
        return rows.visible_to(self.request.user)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        filterset = self.filterset_class(request.GET, self.get_queryset(), request=request)
        ordered = filterset.qs.order_by(*self._order())
        if kind := request.GET.get("export"):
            return self._export(kind, ordered)
        paginator = TwoEndedPaginator(ordered.values_list("pk", flat=True), self.per_page)
        page = paginator.get_page(request.GET.get("page"))
        columns = self.shown_columns()
        context = {
            "filter": filterset,
            "filter_lead": self.filter_lead,
            "page": page,
            "heading": self.heading,
            "headings": [
                Heading(str(column.label), column.name if column.order else "", column.numeric)
                for column in columns
            ],
            "body": self._body(columns, list(page.object_list)),
            "default_sort": self.default_sort,
            "all_columns": [(column, column in columns) for column in self.columns[1:]],
            "xlsx_allowed": paginator.count <= XLSX_ROWS,
            "filtered": any(value for name, value in request.GET.items() if name not in ("sort", "page")),
            "tabs": self.tabs(),
            "empty": {"title": self.empty_title, "text": self.empty_text, "symbol": self.empty_symbol},
        }
        return render(request, self.template_name, context | self.more_context(context))

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        """What the template of a special list needs beyond the list."""
        return {}

    def tabs(self) -> list[dict[str, Any]]:
        """Neighbouring lists, for `partials/_tabs.html`."""
        return []

    def post(self, request: HttpRequest) -> HttpResponse:
        """Remember which columns to show."""
        remembered = request.session.get("columns", {})
        known = {column.name for column in self.columns}
        remembered[self.list_name] = [name for name in request.POST.getlist("columns") if name in known]
        request.session["columns"] = remembered
        return redirect(request.get_full_path())

    @property
    def list_name(self) -> str:
        match = self.request.resolver_match
        return match.view_name if match else ""

    def shown_columns(self) -> list[Column]:
        """The first column always, then those the user chose, or those shown at first."""
        chosen_names = self.request.session.get("columns", {}).get(self.list_name)
        return [
            column
            for place, column in enumerate(self.columns)
            if place == 0 or (column.shown if chosen_names is None else column.name in chosen_names)
        ]

    def _orders(self) -> dict[str, tuple[str, ...]]:
        return {column.name: column.order for column in self.columns if column.order}

    def _asked(self) -> str:
        """The name of the order, with a minus for the other way round."""
        asked = self.request.GET.get("sort", "")
        return asked if asked.removeprefix("-") in self._orders() else self.default_sort

    def _sort(self) -> str:
        return self._asked().removeprefix("-")

    def _order(self) -> list[OrderBy]:
        asked = self._asked()
        paths = self._orders()[asked.removeprefix("-")]
        if asked.startswith("-"):
            paths = tuple(path[1:] if path.startswith("-") else f"-{path}" for path in paths)
        return ordering(self.model, paths)

    def _rows(self, queryset: QuerySet, columns: Iterable[Column]) -> QuerySet:
        """The cells of the columns and nothing else, without a model instance."""
        with_subs = _flat(columns)
        annotations = {name: value for column in with_subs for name, value in column.annotations.items()}
        paths = dict.fromkeys(path for column in with_subs for path in column.paths)
        return queryset.annotate(**annotations).values("pk", *paths)

    def _body(self, columns: list[Column], keys: list[Any]) -> SafeString:
        """The rows of the table, drawn here: a template spends ten times as long on as many cells."""
        heads = [column for column in self.columns if column.name == self.grouped_by == self._sort()]
        rows = self._rows(self.model._base_manager.filter(pk__in=keys), [*columns, *heads])
        by_key = {row["pk"]: row for row in rows}
        cells = [_cell(column, first=place == 0) for place, column in enumerate(columns)]
        lines = {key: "".join([draw(by_key[key]) for draw in cells]) for key in keys if key in by_key}
        if not heads:
            return mark_safe("".join([f"<tr data-row>{line}</tr>" for line in lines.values()]))
        write, span = heads[0].writer(), len(columns)
        return mark_safe(
            "".join(
                f'<tr class="row-group"><th colspan="{span}" scope="rowgroup">{escape(head)}</th></tr>'
                + "".join([f"<tr data-row>{lines[key]}</tr>" for key in group])
                for head, group in groupby(lines, key=lambda key: write(by_key[key]))
            )
        )

    # --- files ---

    def _export(self, kind: str, ordered: QuerySet) -> HttpResponseBase:
        """What is seen, all pages of it: the same rows in the same order with the same columns."""
        columns = _flat(self.shown_columns())
        name = f"{self.heading}-{formats.day(timezone.now())}"
        rows = self._rows(ordered, columns)
        if kind == "xlsx" and ordered.count() <= XLSX_ROWS:
            response: HttpResponseBase = HttpResponse(
                xlsx_file(str(self.heading), columns, rows),
                content_type=XLSX,
            )
            response["Content-Disposition"] = content_disposition_header(True, f"{name}.xlsx")
            return response
        response = StreamingHttpResponse(
            csv_lines(columns, rows.iterator(chunk_size=2000)), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = content_disposition_header(True, f"{name}.csv")
        return response


def _flat(columns: Iterable[Column]) -> list[Column]:
    return [part for column in columns for part in (column, column.sub) if part]


def _cell(column: Column, *, first: bool) -> Write:
    """Draws the whole cell of a row; on a phone it names its column."""
    css = " ".join(filter(None, ["num" if column.numeric else "", column.css]))
    attributes = f' class="{css}"' if css else ""
    if not first:
        attributes += f' data-label="{escape(str(column.label))}"'
    draw = column.drawer()
    if column.sub is None:
        return lambda row: f"<td{attributes}>{draw(row)}</td>"
    below = column.sub.drawer()
    return lambda row: f'<td{attributes}>{draw(row)}<span class="cell-sub">{below(row)}</span></td>'


# --- Files ------------------------------------------------------------------------------------------------


class _Line:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def disarmed(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_lines(columns: list[Column], rows: Iterable[Row]) -> Iterator[str]:
    """Lines of a CSV file that Excel opens as UTF-8."""
    writer = csv.writer(_Line())
    heads = [str(column.label) for column in columns]
    # A number may begin with a minus; words that do are disarmed.
    cells = [column.writer() if column.numeric else _disarming(column.writer()) for column in columns]
    yield "\ufeff" + writer.writerow(heads)
    for row in rows:
        yield writer.writerow([write(row) for write in cells])


def _disarming(write: Write) -> Write:
    return lambda row: disarmed(write(row))


def xlsx_file(heading: str, columns: list[Column], rows: Iterable[Row]) -> bytes:
    """The rows as a workbook of one sheet."""
    writers = [(column, column.writer()) for column in columns]
    return workbook(
        [
            Leaf(
                heading,
                [(str(column.label), 40 if isinstance(column, Title) else 18) for column in columns],
                ([column.value(write(row)) for column, write in writers] for row in rows),
            )
        ]
    )
