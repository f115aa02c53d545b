"""What the figures of a unit look like on a page: verdict, tiles, ranking, table (`domain.md` 5.6, 6.2)."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache

from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from bulletins import figures, rebased
from bulletins.disclosure import Reader
from bulletins.indicators import CATALOGUE, HEADLINES, Indicator, Kind
from bulletins.models import Period, Snapshot
from bulletins.rebased import Boundaries
from common import charts, formats, printing
from enterprises.models import Bureau, IndustryChain

RANKED_BY = "I15"
# How problems went through the states, in the order of their life.
FLOW = ("I12", "I13", "I14", "I15", "I16", "I17", "I18")
LED, JOINED = "I01L", "I01P"
CHAINS_SHOWN = 12
SERIES_LENGTH = 8
# By what regions may be ranked and coloured.
RANKABLE = (*HEADLINES, "I19", "I21", "I23", "I24")
# Two points are a line, but no course.
SERIES_AT_LEAST = 3
# Two columns can be held against each other.
TREND_AT_LEAST = 2


def address(period: Period, bureau: Bureau, chain: IndustryChain | None = None) -> str:
    """The dashboard of a unit and period, of one chain or of all."""
    of_chain = {"chain": chain.code} if chain else {}
    return reverse("bulletins:figures", query=of_chain | {"period": period.code, "bureau": bureau.code})


def figure_address(snapshot: Snapshot, bureau: Bureau, code: str, chain: IndustryChain | None = None) -> str:
    """The passport of a figure: of a frozen version for good, else of what is newest then."""
    period = snapshot.period.code
    version = [snapshot.version] if snapshot.version else []
    name = "bulletins:passport" if version else "bulletins:figure_rows"
    query = {"chain": chain.code} if chain else None
    return reverse(name, args=[period, *version, bureau.code, code], query=query)


def recount_address(snapshot: Snapshot, bureau: Bureau, code: str, chain: IndustryChain | None) -> str:
    address, mark, query = figure_address(snapshot, bureau, code, chain).partition("?")
    return f"{address}recount/{mark}{query}"


def unit_address(snapshot: Snapshot, bureau: Bureau) -> str:
    """All figures of a unit in one frozen version."""
    return reverse("bulletins:unit_figures", args=[snapshot.period.code, snapshot.version, bureau.code])


def compare_address(before: Snapshot, after: Snapshot, unit: str, code: str, chain: str = "") -> str:
    """The rows by which a figure differs between two snapshots; unit and chain by their codes."""
    return reverse(
        "bulletins:compare_rows",
        args=[before.code, after.code, unit, code],
        query={"chain": chain} if chain else None,
    )


def definition_address(code: str) -> str:
    return f"{reverse('bulletins:definitions')}#{code}"


@lru_cache(maxsize=256)
def _drawn(chart: charts.Chart, _language: str) -> SafeString:
    """The same figures give the same drawing; frozen ones are asked for again and again."""
    return charts.render(chart)


def draw(chart: charts.Chart) -> SafeString:
    return _drawn(chart, get_language() or "")


@dataclass(frozen=True)
class Line:
    """One figure as printed, with its change and the addresses of its rows and of its definition."""

    indicator: Indicator
    value: str
    parts: str
    previous: str
    change: printing.Change
    late: str
    href: str
    how: str
    sparkline: SafeString | str


@dataclass(frozen=True)
class Cell:
    value: str
    href: str = ""
    note: str = ""


@dataclass(frozen=True)
class Region:
    """A line of the table of regions; `of_which` ones stand under their province and are not ranked."""

    name: str
    code: str
    href: str
    rank: str
    of_which: bool
    cells: list[Cell]
    share: str = ""


@dataclass(frozen=True)
class ChainLine:
    name: str
    cells: list[Cell]


class Board:
    """The figures of one unit in one snapshot, read once and shared by all that is drawn of them.

    ``by`` is the figure by which regions are ranked and coloured, ``shown`` says which of them the reader may
    see, ``series`` are the snapshots that the sparklines go through; ``reader`` is told what it may know.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        bureau: Bureau,
        reader: Reader,
        *,
        by: str = RANKED_BY,
        shown: Callable[[Bureau], bool] = lambda _unit: True,
        series: Iterable[Snapshot] = (),
        chain: IndustryChain | None = None,
        boundaries: str = Boundaries.THEN,
    ) -> None:
        self.snapshot, self.period, self.bureau, self.by = snapshot, snapshot.period, bureau, by
        self.reader, self.shown, self.snapshots, self.chain = reader, shown, list(series), chain
        # What differs between both readings may be a small figure: for those in charge alone.
        self.is_rebased = boundaries == Boundaries.NOW and reader.covers(bureau, chain)
        self.definitions = figures.definitions(snapshot)
        # What the tables show: the seven figures, and the one they are ranked by.
        self.columns = [self.definitions[code] for code in dict.fromkeys((*HEADLINES, by))]
        # Looked up once: a page has hundreds of these addresses.
        self._boards = address(self.period, bureau, chain).removesuffix(bureau.code)
        rows = figure_address(snapshot, bureau, RANKED_BY)
        self._rows = rows.removesuffix(f"{bureau.code}/{RANKED_BY}/")

    def board_address(self, unit: Bureau) -> str:
        return self._boards + unit.code

    def rows_address(self, unit: Bureau, code: str) -> str:
        of_chain = f"?chain={self.chain.code}" if self.chain else ""
        return f"{self._rows}{unit.code}/{code}/{of_chain}"

    # --- the unit itself ---

    @cached_property
    def headlines(self) -> dict[str, figures.Headline]:
        lines = figures.headline(self.snapshot, self.bureau, tuple(CATALOGUE), self.chain, self.read)
        return {line.indicator.code: line for line in lines}

    def read(
        self,
        snapshot: Snapshot | None,
        bureau: Bureau,
        codes: Collection[str],
        chain: IndustryChain | None,
    ) -> dict[str, figures.Value]:
        """What is told of a unit, of other snapshots where asked for in the boundaries of now."""
        if (
            snapshot is None
            or snapshot == self.snapshot
            or not (self.is_rebased and self.reader.covers(bureau, chain))
        ):
            return self.reader.of_unit(snapshot, bureau, codes, chain)
        return rebased.of_unit(snapshot, bureau, codes, chain)

    def value(self, code: str) -> int | None:
        """A count of the unit."""
        return self.headlines[code].figure.value

    @property
    def verdict(self) -> SafeString:
        """One sentence that says how it stands, each number leading to its passport; what was not reported is
        left out."""
        known = [
            self._linked(words, code)
            for code, words in (
                ("I01", _("实施质量强链项目 %(n)s 个")),
                ("I12", _("提出问题 %(n)s 个")),
                (RANKED_BY, _("解决 %(n)s 个")),
            )
            if self.value(code) is not None
        ]
        change = self.headlines[RANKED_BY].change
        if known and change.direction != "none":
            known.append(format_html("{}", change.text))
        facts = mark_safe(pgettext("between clauses", "，").join(known)) if known else self._silence()
        told = {"period": escape(self.period.name), "unit": escape(self.bureau.short_name), "facts": facts}
        return mark_safe(_("%(period)s，%(unit)s%(facts)s。") % told)

    def _linked(self, words: str, code: str) -> SafeString:
        """A clause whose number is a link."""
        href, number = self.rows_address(self.bureau, code), formats.count(self.value(code))
        return mark_safe(escape(words) % {"n": format_html('<a href="{}">{}</a>', href, number)})

    def _silence(self) -> str:
        if self.headlines[RANKED_BY].figure.withheld:
            return _("的数按规定不予公开")
        return _("没有报送数据")

    @property
    def hides_own(self) -> bool:
        """Whether any figure of the unit is not told."""
        return any(line.figure.withheld or line.before.withheld for line in self.headlines.values())

    @property
    def hides(self) -> bool:
        """Whether any figure of the unit or of its regions is not told."""
        told = (figure for unit in self.units for figure in self._values[unit.pk].values())
        return self.hides_own or any(figure.withheld for figure in told)

    def lines(self, codes: Iterable[str] = HEADLINES) -> list[Line]:
        """Figures of the unit in the given order, each against the same period of the year before."""
        return [self._line(self.headlines[code]) for code in codes]

    def _line(self, headline: figures.Headline) -> Line:
        code = headline.indicator.code
        return Line(
            headline.indicator,
            headline.text,
            headline.parts,
            headline.previous_text,
            headline.change,
            headline.late_text if headline.late else "",
            self.rows_address(self.bureau, code),
            definition_address(code),
            self._sparkline(headline.indicator),
        )

    @property
    def all_lines(self) -> list[Line]:
        return self.lines(CATALOGUE)

    @cached_property
    def flow(self) -> list[tuple[Line, float]]:
        """What became of the problems: the figures, and the share of each in the largest in per cent."""
        lines = self.lines(FLOW)
        most = max((self.value(code) or 0 for code in FLOW), default=0) or 1
        return [(line, round((self.value(line.indicator.code) or 0) * 100 / most, 1)) for line in lines]

    @cached_property
    def series(self) -> dict[str, list[figures.Value]]:
        """The figures of the tables in the snapshots before and in this one; blank where counted by other
        rules."""
        codes = [one.code for one in self.columns]
        told = rebased.series if self.is_rebased else figures.series
        known = told(self.snapshots, self.bureau, codes, self.chain)
        return {
            code: [
                self._told(other, code, found.get(code, figures.NOT_REPORTED))
                for other, found in zip(self.snapshots, known, strict=True)
            ]
            for code in codes
        }

    def _told(self, snapshot: Snapshot, code: str, figure: figures.Value) -> figures.Value:
        if not figures.comparable(code, self.snapshot, snapshot):
            return figures.NOT_REPORTED
        figure = figures.of_chain(self.definitions[code], self.chain, figure)
        return self.reader.told(snapshot, code, self.bureau, self.chain, figure)

    @cached_property
    def trend(self) -> SafeString | None:
        """The figure by which regions are ranked, period by period; None where too few can be compared."""
        by = self.definitions[self.by]
        bars = tuple(
            charts.Bar(
                other.period.code,
                figures.number(by, figure),
                figures.shown(by, figure),
                figure_address(other, self.bureau, self.by, self.chain),
            )
            for other, figure in zip(self.snapshots, self.series[self.by], strict=True)
        )
        if sum(bar.value is not None for bar in bars) < TREND_AT_LEAST:
            return None
        title = _("%(unit)s%(indicator)s历期变化") % {"unit": self.bureau.short_name, "indicator": by.name}
        return draw(charts.Columns(title, bars, unit=str(by.unit), width=charts.NARROW))

    def _sparkline(self, indicator: Indicator) -> SafeString | str:
        if len(self.snapshots) < SERIES_AT_LEAST or indicator.code not in HEADLINES:
            return ""
        values = [figures.number(indicator, figure) for figure in self.series[indicator.code]]
        if sum(value is not None for value in values) < SERIES_AT_LEAST:
            return ""
        title = _("%(name)s，%(first)s至%(last)s") % {
            "name": indicator.name,
            "first": self.snapshots[0].period.name,
            "last": self.period.name,
        }
        if not all(figures.comparable(indicator.code, self.snapshot, other) for other in self.snapshots):
            title = _("%(title)s（有的期间口径不同，不作比较）") % {"title": title}
        return draw(charts.Sparkline(title, tuple(values)))

    # --- the regions below ---

    @cached_property
    def units(self) -> list[Bureau]:
        return [unit for unit in figures.regions(self.snapshot, self.bureau) if self.shown(unit)]

    @cached_property
    def ranked(self) -> list[Bureau]:
        """The units directly below; planned cities are "of which" under their province and have no rank."""
        return [unit for unit in self.units if unit.parent_id == self.bureau.pk]

    @cached_property
    def _values(self) -> dict[int, dict[str, figures.Value]]:
        codes = {*HEADLINES, LED, JOINED, self.by}
        return self.reader.values(self.snapshot, self.units, codes, self.chain)

    def figure(self, unit: Bureau, code: str) -> figures.Value:
        """A figure of a region."""
        stored = self._values[unit.pk].get(code, figures.NOT_REPORTED)
        return figures.of_chain(self.definitions[code], self.chain, stored)

    def of(self, unit: Bureau, code: str) -> int | Decimal | None:
        """The exact number of a region."""
        return figures.number(self.definitions[code], self.figure(unit, code))

    def printed(self, unit: Bureau, code: str) -> str:
        return figures.shown(self.definitions[code], self.figure(unit, code))

    @cached_property
    def places(self) -> dict[int, printing.Rank]:
        """The places of the units directly below."""
        by = self.definitions[self.by]
        ranks = figures.ranked(by, [self.figure(unit, self.by) for unit in self.ranked])
        return dict(zip((unit.pk for unit in self.ranked), ranks, strict=True))

    @cached_property
    def shares(self) -> dict[int, str]:
        """What each unit directly below, and the unit by itself, has of the whole; they add to 100.0.

        Only of what may be added up: neither distinct things nor ratios.
        """
        by, whole = self.definitions[self.by], self.value(self.by)
        if (
            self._withholds(by)
            or by.distinct
            or by.kind not in (Kind.SUM, Kind.MONEY)
            or not whole
            or not self.ranked
        ):
            return {}
        parts = {unit.pk: self.figure(unit, self.by).value or 0 for unit in self.ranked}
        parts[self.bureau.pk] = whole - sum(parts.values())
        if parts[self.bureau.pk] < 0:
            return {}
        printed = printing.shares(list(parts.values()))
        found = {unit: str(share) for unit, share in zip(parts, printed, strict=True)}
        # What was not reported is no zero.
        blank = (unit.pk for unit in self.ranked if self.figure(unit, self.by).value is None)
        return found | dict.fromkeys(blank, formats.BLANK)

    def _withholds(self, column: Indicator) -> bool:
        """Whether a figure of one of the regions, or what the unit counts itself, is not told."""
        return any(self.figure(unit, column.code).withheld for unit in self.ranked)

    @property
    def own_share(self) -> str:
        return self.shares.get(self.bureau.pk, "")

    @property
    def tiles(self) -> SafeString:
        """The 31 provinces and the corps as tiles, coloured and labelled by one figure."""
        return draw(
            charts.TileGrid(
                title=_("各地区%(indicator)s") % {"indicator": CATALOGUE[self.by].name},
                unit=str(CATALOGUE[self.by].unit),
                tiles=tuple(
                    charts.Tile(
                        unit.code,
                        self.of(unit, self.by),
                        self.printed(unit, self.by),
                        self.board_address(unit),
                    )
                    for unit in self.ranked
                ),
            )
        )

    @cached_property
    def ranking(self) -> SafeString | None:
        """The units with a place, the most first; None where there is nothing to rank."""
        rows = [(unit, self.of(unit, self.by)) for unit in self.ranked]
        known = sorted(
            ((unit, value) for unit, value in rows if value is not None and self.places[unit.pk].place),
            key=lambda row: (-row[1], row[0].code),
        )
        if not known:
            return None
        return draw(
            charts.HorizontalBars(
                title=_("%(unit)s各地区%(indicator)s")
                % {"unit": self.bureau.short_name, "indicator": CATALOGUE[self.by].name},
                unit=str(CATALOGUE[self.by].unit),
                bars=tuple(
                    charts.Bar(unit.short_name, value, self.printed(unit, self.by), self.board_address(unit))
                    for unit, value in known
                ),
                width=charts.NARROW,
            )
        )

    @cached_property
    def regions(self) -> list[Region]:
        """The units below, each with the seven figures and its rank."""
        return [
            Region(
                unit.short_name,
                unit.code,
                self.board_address(unit),
                str(self.places.get(unit.pk, "")),
                unit.pk not in self.places,
                list(self._cells(unit)),
                self.shares.get(unit.pk, ""),
            )
            for unit in self.units
        ]

    def _cells(self, unit: Bureau) -> Iterator[Cell]:
        for column in self.columns:
            note = self._across(unit) if column.code == "I01" else ""
            yield Cell(self.printed(unit, column.code), self.rows_address(unit, column.code), note)

    def _across(self, unit: Bureau) -> str:
        """Cross-region projects: those led are part of the total, those joined are not (rule 3)."""
        parts = [
            words % {"n": formats.count(self.of(unit, code))}
            for code, words in ((LED, _("牵头 %(n)s")), (JOINED, _("参与 %(n)s")))
            if self.of(unit, code)
        ]
        return _("跨区域%(parts)s") % {"parts": " / ".join(parts)} if parts else ""

    @cached_property
    def total(self) -> list[Cell]:
        """The unit's own figures, counted at its level."""
        return [Cell(line.value, line.href) for line in self.lines(one.code for one in self.columns)]

    @cached_property
    def differences(self) -> list[int | None]:
        """By how much the regions together exceed the unit; None where a figure is missing or no sum."""
        found: list[int | None] = []
        for one in self.columns:
            parts = [self.figure(unit, one.code).value or 0 for unit in self.ranked]
            whole = self.value(one.code)
            if whole is None or one.kind == Kind.MEDIAN or self._withholds(one):
                found.append(None)
            else:
                found.append(sum(parts) - whole)
        return found

    def _amount(self, column: Indicator, smallest: int) -> str:
        return figures.text(column, figures.number(column, figures.Value(smallest)))

    @cached_property
    def own(self) -> list[Cell]:
        """What the unit counts itself, beside its regions; nothing where all lies with the regions.

        Of distinct things no such part can be told.
        """
        cells = [
            Cell("" if more is None or one.distinct else self._amount(one, -more))
            for one, more in zip(self.columns, self.differences, strict=True)
        ]
        has_own = any(
            more and not one.distinct for one, more in zip(self.columns, self.differences, strict=True)
        )
        return cells if has_own else []

    @cached_property
    def repeated(self) -> list[Cell]:
        """Distinct things that several regions count (rule 1), where the unit has none of its own."""
        if self.own:
            return []
        cells = [
            Cell(formats.count(more) if more and one.distinct else "")
            for one, more in zip(self.columns, self.differences, strict=True)
        ]
        return cells if any(cell.value for cell in cells) else []

    # --- the chains ---

    @cached_property
    def chains(self) -> list[ChainLine]:
        """The chains with most of the figure by which regions are ranked, each with the seven figures."""
        rows: dict[IndustryChain, dict[str, figures.Value]] = {}
        if self.chain:
            return []
        stored = self.snapshot.values.filter(
            bureau=self.bureau, chain__isnull=False, indicator__in=[one.code for one in self.columns]
        ).select_related("chain")
        for row in stored:
            figure = figures.Value(row.value, row.late, row.numerator, row.denominator)
            if row.chain:
                rows.setdefault(row.chain, {})[row.indicator] = figure
        for chain, known in rows.items():
            for one in self.columns:
                figure = figures.of_chain(one, chain, known.get(one.code, figures.NOT_REPORTED))
                known[one.code] = self.reader.told(self.snapshot, one.code, self.bureau, chain, figure)
        by = self.definitions[self.by]

        def weight(chain: IndustryChain) -> int | Decimal:
            return figures.number(by, rows[chain][self.by]) or 0

        order = sorted(rows, key=lambda chain: (-weight(chain), chain.code, chain.name))
        return [
            ChainLine(
                chain.name,
                [
                    Cell(
                        figures.shown(one, rows[chain][one.code]),
                        f"{self.rows_address(self.bureau, one.code)}?chain={chain.code}",
                    )
                    for one in self.columns
                ],
            )
            for chain in order[:CHAINS_SHOWN]
        ]


@dataclass(frozen=True)
class Pair:
    """A figure beside that of another unit or period, with the passports of both."""

    indicator: Indicator
    one: Cell
    other: Cell
    difference: str


class Beside:
    """All figures of a board held against those of another unit, or of the same in another period."""

    def __init__(self, board: Board, snapshot: Snapshot, bureau: Bureau) -> None:
        self.board, self.snapshot, self.bureau = board, snapshot, bureau

    @property
    def labels(self) -> list[str]:
        """What sets the two apart."""
        sides = (self.board.bureau, self.board.period), (self.bureau, self.snapshot.period)
        if self.bureau == self.board.bureau:
            return [period.name for _unit, period in sides]
        if self.snapshot == self.board.snapshot:
            return [unit.short_name for unit, _period in sides]
        return [f"{unit.short_name} {period.name}" for unit, period in sides]

    @cached_property
    def pairs(self) -> list[Pair]:
        board = self.board
        found = board.read(self.snapshot, self.bureau, tuple(CATALOGUE), board.chain)
        return [self._pair(line, found) for line in board.headlines.values()]

    def _pair(self, line: figures.Headline, found: dict[str, figures.Value]) -> Pair:
        one, chain = line.indicator, self.board.chain
        other = figures.of_chain(one, chain, found.get(one.code, figures.NOT_REPORTED))
        numbers = line.value, figures.number(one, other)
        if not figures.comparable(one.code, self.board.snapshot, self.snapshot):
            difference = _("口径不同")
        elif numbers[0] is None or numbers[1] is None:
            difference = formats.BLANK
        else:
            difference = figures.difference_text(one, numbers[0] - numbers[1])
        return Pair(
            one,
            Cell(line.text, self.board.rows_address(self.board.bureau, one.code), line.parts),
            Cell(
                figures.shown(one, other),
                figure_address(self.snapshot, self.bureau, one.code, chain),
                figures.parts(one, other),
            ),
            difference,
        )


def snapshots_before(period: Period, periods: Iterable[Period]) -> list[Snapshot]:
    """The newest snapshot of each of these periods of one kind, up to the given one, the oldest first."""
    same = [p for p in periods if p.kind == period.kind and p.end_on <= period.end_on]
    newest: dict[int, Snapshot] = {}
    for snapshot in Snapshot.objects.readable().filter(period__in=same).select_related("period"):
        newest.setdefault(snapshot.period_id, snapshot)
    return sorted(newest.values(), key=lambda s: s.period.end_on)[-SERIES_LENGTH:]
