"""Writes a circular or brief from a snapshot, with what editors made of it (`domain.md` 5.6, 6.2).

The wording is Chinese whatever language the reader uses: it is an official document. Every claim rests on a
stored figure; where a figure is missing or zero, the sentence says so or is left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from bulletins import agencies, dashboard, figures, trees, wording
from bulletins.disclosure import Reader
from bulletins.figures import HIDDEN, NOT_REPORTED, Headline
from bulletins.indicators import HEADLINES, Kind
from bulletins.models import Bulletin, Period, StatValue, Wording
from bulletins.paper import (
    Attachment,
    Block,
    Cell,
    Circular,
    Definitions,
    Figure,
    FigureRow,
    Masthead,
    Paragraph,
    RegionRow,
    Section,
    Table,
    Verification,
    figures_table,
    region_table,
)
from bulletins.paper.render import chinese_number
from common import charts, formats, printing
from common.printing import Number, Rank, prose
from enterprises.models import BoundaryChange, Bureau, IndustryChain
from projects import boundaries

# How the seven figures are named in the columns of the region table.
COLUMNS = ("实施\n项目", "创新\n联合体", "链主\n企业", "链员\n企业", "赋能\n机构", "攻关\n项目", "解决\n问题")
# How each stands in the national sentence; {n} is the number.
PHRASES = {
    "I01": "实施质量强链项目{n}个",
    "I03": "组建质量技术创新联合体{n}个",
    "I05": "参与的链主企业{n}家",
    "I07": "链员企业{n}家",
    "I09": "赋能机构{n}家",
    "I10": "实施重点攻关项目{n}个",
    "I15": "解决质量堵点卡点问题{n}个",
}
# Firms stand side by side in it, everything else is set off.
BESIDE = {"I07": "、", "I09": "、"}
DISTINCT = ("I05", "I07", "I09")
RANKED_BY = "I15"
NAMED = 5
NAMED_IN_NOTES = 10
BARS = 12
FEWEST_DRAWINGS = 2


# Paragraphs that are empty in every draft: here, and in a series, one adds what the figures cannot say.
FREE: dict[str, Any] = {
    "overall.more": _("总体情况：补充"),
    "practice.more": _("主要做法和成效：补充"),
    "problems.more": _("存在问题：补充"),
    "demands.more": _("下一步工作要求：补充"),
    "copies": _("抄送"),
    "note": _("附注"),
}


def title(period: Period, bureau: Bureau, kind: str = Bulletin.Kind.CIRCULAR) -> str:
    """标题; Chinese whatever language is active."""
    with translation.override("zh-hans"):
        if kind == Bulletin.Kind.BRIEF:
            return f"{period.name}{agencies.whole(bureau)}质量强链工作进展"
        return f"{bureau.name}关于{period.name}质量强链工作进展情况的通报"


@dataclass(frozen=True, slots=True)
class EditorBlock:
    """A block of text as the desk shows it: the draft, and what an editor made of it.

    ``must_stand`` says that the paper has a hole without it.
    """

    key: str
    heading: str
    drafted: wording.Drafted
    kept: Wording | None
    must_stand: bool

    @property
    def is_outdated(self) -> bool:
        """The draft reads otherwise than what was edited, and is printed until somebody has looked."""
        return self.kept is not None and self.kept.base != self.drafted.base

    @property
    def template(self) -> str:
        return self.kept.text if self.kept and not self.is_outdated else self.drafted.template

    @property
    def text(self) -> str:
        """As it is printed."""
        return self.drafted.fill(self.template)

    @property
    def shown(self) -> str:
        """As it is edited."""
        return self.drafted.show(self.template)

    @property
    def digest(self) -> str:
        """Changes with the draft and with every edit."""
        kept = (self.kept.base, self.kept.text) if self.kept else ()
        return hashlib.sha256(repr((self.drafted, kept)).encode()).hexdigest()[:16]


def compose(bulletin: Bulletin) -> Circular:
    """The whole paper of a bulletin; call with Chinese active."""
    return _Composer(bulletin).paper()


def reader_of(bulletin: Bulletin) -> Reader | None:
    """By whose eyes a paper reads figures: what is issued by itself nobody has looked at, so it tells what
    anybody is told. What people sign is the word of their office, and prints all.

    A later correction, of whatever period, may hide more: what was printed stays printed, and is told so.
    """
    if not bulletin.edition_id:
        return None
    frozen = [one for one in (bulletin.snapshot, bulletin.compared_with) if one and one.version]
    until = max([bulletin.created_at, *(one.finished_at for one in frozen if one.finished_at)])
    return Reader(AnonymousUser(), until)


def headline(bulletin: Bulletin, codes: Sequence[str] = HEADLINES) -> list[Headline]:
    """Figures of a bulletin as they stand in it."""
    reader = reader_of(bulletin)
    return figures.headline(
        bulletin.snapshot,
        bulletin.bureau,
        codes,
        read=reader.of_unit if reader else figures.of_unit,
        against=lambda _snapshot: bulletin.compared_with,
    )


def blocks(bulletin: Bulletin) -> list[EditorBlock]:
    """The blocks of a bulletin that may be worded otherwise, in their order."""
    with translation.override("zh-hans"):
        composer = _Composer(bulletin)
        composer.paper()
    return list(composer.blocks.values())


def block(bulletin: Bulletin, key: str) -> EditorBlock | None:
    """The block with this key; None where the draft has none."""
    return next((one for one in blocks(bulletin) if one.key == key), None)


def growth(this: Number | None, last: Number | None) -> str:
    """The change against the year before in words (`domain.md` 5.6); empty when this year has no figure."""
    if this is None:
        return ""
    if not last:
        return "上年同期没有报送" if last is None else "上年同期为零"
    found = printing.growth(this, last)
    if found.direction == "flat":
        return "与上年同期持平"
    if found.direction == "down":
        return f"同比下降{found.number}"
    return f"同比增长{found.number}{'倍' if found.times else ''}"


def points(this: Number | None, last: Number | None) -> str:
    """The difference of two percentages in words."""
    if this is None or last is None:
        return "" if this is None else "上年同期没有比率"
    difference = Decimal(this) - Decimal(last)
    if not difference:
        return "与上年同期持平"
    size = printing.half_up(abs(difference), 1)
    return f"同比{'提高' if difference > 0 else '降低'}{size}个百分点"


def listing(items: Sequence[str], mark: str = "、") -> str:
    return mark.join(items)


def _some(names: Sequence[str]) -> str:
    """The first of them by name, and how many there are."""
    if len(names) <= NAMED_IN_NOTES:
        return listing(names)
    return f"{listing(names[:NAMED_IN_NOTES])}等{len(names)}个"


class _Composer:
    """One circular in the making: the figures read once, then section by section."""

    def __init__(self, bulletin: Bulletin) -> None:
        self.bulletin, self.snapshot, self.period = bulletin, bulletin.snapshot, bulletin.snapshot.period
        # Named and placed as when the figures were frozen, whatever became of the bureau since.
        self.unit = trees.as_of(self.snapshot, bulletin.bureau)
        self.whole = agencies.whole(self.unit)
        self.before = bulletin.compared_with
        self.indicators = figures.definitions(self.snapshot)
        self.lines = {line.indicator.code: line for line in headline(bulletin, tuple(self.indicators))}
        self.rows = figures.regions(self.snapshot, self.unit)
        self.reader = reader_of(bulletin)
        read = self.reader.values if self.reader else figures.values
        self.values = read(self.snapshot, self.rows)
        self.wordings = {one.key: one for one in bulletin.wordings.all()}
        self.blocks: dict[str, EditorBlock] = {}

    def words(self, key: str, heading: str, text: str) -> str:
        """A text as it is printed: as drafted, or as an editor worded it."""
        drafted = wording.drafted(text)
        block = EditorBlock(key, heading, drafted, self.wordings.get(key), bool(text))
        self.blocks[key] = block
        return block.text

    def say(self, key: str, heading: str, text: str, lead: str = "") -> tuple[Paragraph, ...]:
        """A paragraph; none where nothing is said."""
        printed = self.words(key, heading, text)
        return (Paragraph(printed, lead),) if printed else ()

    def more(self, key: str) -> tuple[Paragraph, ...]:
        return self.say(key, FREE[key], "")

    def paper(self) -> Circular:
        return self.brief() if self.bulletin.kind == Bulletin.Kind.BRIEF else self.circular()

    def brief(self) -> Circular:
        """简报: news and figures, no demands; numbered by issues (`domain.md` 6.1)."""
        bulletin, paper = self.bulletin, self.circular()
        year = (bulletin.issued_on or timezone.localdate(bulletin.created_at)).year
        people = (("编辑", bulletin.edited_by), ("审核", bulletin.reviewed_by), ("签发", bulletin.issued_by))
        sections = {section.heading: section for section in paper.blocks if isinstance(section, Section)}
        dropped = sections.keys() & {"存在问题", "下一步工作要求"}
        for key in [key for key in self.blocks if key.split(".")[0] in ("problems", "demands", "copies")]:
            del self.blocks[key]
        del self.blocks["addressee"]
        return replace(
            paper,
            mark="质量强链工作简报",
            number=agencies.issue(year, bulletin.doc_seq, bulletin.total_seq),
            addressee="",
            masthead=Masthead(
                tuple(f"{role}：{person.get_full_name() or person}" for role, person in people if person)
            ),
            blocks=tuple(b for b in paper.blocks if getattr(b, "heading", "") not in dropped),
            copies_to="",
            attachments=(),
            lines=self._lines(),
            keywords=("质量强链", "简报", *paper.keywords[2:]),
        )

    def _lines(self) -> tuple[tuple[str, str], ...]:
        """报, 送, 发: to the superior, to the partners, to those below."""
        drafted = (
            ("report", "报", self.unit.parent.name if self.unit.parent else ""),
            ("send", "送", ""),
            ("hand_out", "发", self._addressee()),
        )
        lines = ((label, self.words(key, label, text)) for key, label, text in drafted)
        return tuple((label, text.rstrip("。.")) for label, text in lines if text)

    def _addressee(self) -> str:
        return agencies.addressee(self.unit, {unit.level for unit in trees.below(self.snapshot, self.unit)})

    def circular(self) -> Circular:
        bulletin = self.bulletin
        issued = not bulletin.is_prepared
        drafted_on = timezone.localdate(bulletin.created_at)
        date = bulletin.issued_on or drafted_on
        verify = reverse("bulletins:verify_code", args=[bulletin.verification_code])
        return Circular(
            mark=f"{self.unit.name}文件",
            issuer=self.unit.name,
            number=agencies.number(self.unit, bulletin.doc_year or date.year, bulletin.doc_seq),
            title=bulletin.title,
            addressee=self.words("addressee", "主送机关", self._addressee()),
            blocks=(
                *self.opening(),
                Section("总体情况", self.overall()),
                Section("主要做法和成效", self.practice()),
                *self.cases(),
                Section("分地区进展" if self.rows else "分产业链进展", self.progress()),
                Section("存在问题", self.problems()),
                Section("下一步工作要求", self.demands()),
            ),
            date=date,
            created=self.snapshot.finished_at or bulletin.created_at,
            verification=Verification(
                bulletin.verification_code,
                settings.PUBLIC_URL + verify,
                root_on=bulletin.record_day,
                root=bulletin.record_root,
            ),
            issued=issued,
            attachments=(
                Attachment("质量强链指标表", (self.all_figures(),)),
                Attachment("统计口径说明", (self.definitions(),)),
            ),
            copies_to=self.words("copies", FREE["copies"], ""),
            note=self.words("note", FREE["note"], "").strip("（）()"),
            summary=self.sentence(),
            keywords=("质量强链", "通报", self.period.name, bulletin.verification_code),
        )

    # --- reading -----------------------------------------------------------------------------------------

    def value(self, code: str) -> int | None:
        """A count of the unit."""
        return self.lines[code].figure.value

    def number(self, code: str) -> int:
        return self.value(code) or 0

    def is_withheld(self, code: str) -> bool:
        return self.lines[code].figure.withheld

    def is_blank(self, code: str) -> bool:
        """Nothing was reported."""
        return self.value(code) is None and not self.is_withheld(code)

    def has(self, code: str) -> bool:
        """It is more than nothing; what is withheld is."""
        return bool(self.number(code)) or self.is_withheld(code)

    def said(self, code: str) -> str:
        return HIDDEN if self.is_withheld(code) else prose(self.number(code))

    def growth(self, code: str) -> str:
        """The change against the year before; nothing where there is no such year, or a side is withheld."""
        line = self.lines[code]
        if not self.before or line.figure.withheld or line.before.withheld:
            return ""
        if not figures.comparable(code, self.snapshot, self.before):
            return "口径不同，不作比较"
        words = points if line.indicator.kind == Kind.RATIO else growth
        return words(line.value, line.previous)

    def of(self, unit: Bureau, code: str) -> int | None:
        return self.values[unit.pk].get(code, NOT_REPORTED).value

    def hides(self, unit: Bureau, code: str) -> bool:
        return self.values[unit.pk].get(code, NOT_REPORTED).withheld

    def count_of(self, unit: Bureau, code: str) -> str | None:
        return HIDDEN if self.hides(unit, code) else _count(self.of(unit, code))

    @cached_property
    def hides_places(self) -> bool:
        """Some parts cannot be ranked, though they have figures."""
        return any(self.hides(unit, RANKED_BY) for unit in self.parts)

    @cached_property
    def parts(self) -> list[Bureau]:
        """The units that make up the whole; a planned city is part of its province."""
        return [unit for unit in self.rows if unit.parent_id == self.unit.pk]

    @cached_property
    def places(self) -> dict[int, Rank]:
        return dict(
            zip(
                (unit.pk for unit in self.parts),
                printing.ranks([self.of(unit, RANKED_BY) for unit in self.parts]),
                strict=True,
            )
        )

    @cached_property
    def ranked(self) -> list[Bureau]:
        """Parts with figures, the most problems solved first; ties in code order."""
        reported = [unit for unit in self.parts if self.of(unit, RANKED_BY) is not None]
        return sorted(reported, key=lambda unit: (-(self.of(unit, RANKED_BY) or 0), unit.code))

    @cached_property
    def silent(self) -> list[Bureau]:
        """Parts that reported none of the seven figures."""
        return [unit for unit in self.parts if all(self.count_of(unit, code) is None for code in HEADLINES)]

    @cached_property
    def source(self) -> str:
        return f"质量强链工作门户，{self.period.name}统计快照第{self.snapshot.version}版"

    def link(self, code: str, unit: Bureau | None = None) -> str:
        """The passport of a figure in the very version that is printed."""
        return settings.PUBLIC_URL + dashboard.figure_address(self.snapshot, unit or self.unit, code)

    @property
    def address(self) -> str:
        """All figures of the unit in the printed version, short enough for a QR code."""
        return settings.PUBLIC_URL + dashboard.unit_address(self.snapshot, self.unit)

    def sentence(self) -> str:
        """The national sentence with the seven figures in the published order (`domain.md` 6.2)."""
        said = [
            (BESIDE.get(code, "，"), PHRASES[code].format(n=self.said(code)))
            for code in HEADLINES
            if not self.is_blank(code)
        ]
        if not said:
            return f"{self.period.name}，{self.whole}没有报送质量强链工作数据。"
        figures_said = "".join(mark + words for mark, words in said)[1:]
        text = f"{self.period.name}，{self.whole}共{figures_said}"
        missing = [str(self.indicators[code].name) for code in HEADLINES if self.is_blank(code)]
        return f"{text}；{listing(missing)}没有报送。" if missing else f"{text}。"

    # --- text --------------------------------------------------------------------------------------------

    def opening(self) -> list[Block]:
        end = self.period.end_on
        cut_off = f"{end.year}年{end.month}月{end.day}日24时"
        replaced = self.bulletin.replaces.judged("named in its successor").first()
        text = (
            f"按照质量强链工作部署，现将{self.period.name}{self.whole}质量强链工作进展情况通报如下。"
            f"数据截至{cut_off}，取自{self.source}。"
        )
        if self.snapshot.version > 1:
            text += f"该版本为更正版本，更正原因：{self.snapshot.reason}。"
        if replaced:
            text += f"本通报替换{replaced.number}。"
        return [*self.say("opening", "开头", text)]

    def overall(self) -> tuple[Block, ...]:
        blocks: list[Block] = [*self.say("overall.sentence", "总体情况", self.sentence())]
        changes = [
            wording.lock(f"{self.indicators[code].name}{words}")
            for code in HEADLINES
            if (words := self.growth(code))
        ]
        if changes:
            text = f"与上年同期相比：{listing(changes, '，')}。"
            blocks += self.say("overall.changes", "总体情况：与上年比较", text)
        blocks += [*self.more("overall.more"), self.seven_figures()]
        return tuple(blocks)

    def seven_figures(self) -> Table:
        notes = ["链主企业、链员企业和赋能机构按统一社会信用代码去重计数。"]
        if (net := self._net()) is not None:
            notes.append(
                f"解决问题为总数；期间反弹重开{self.number('I17')}个，净解决{formats.count(net)}个。"
            )
        if self.before is None:
            notes.append("没有上年同期数，不作比较。")
        elif not self.before.version:
            notes.append("上年同期数取自尚未冻结的汇总。")
        if any(line.figure.withheld or line.before.withheld for line in self.lines.values()):
            notes.append(f"“{HIDDEN}”表示按规定不单独公布或者尚未发布。")
        notes += [*self._late_notes(), *self._coverage_notes(), *self._boundary_notes()]
        return figures_table(
            f"{self.period.name}{self.whole}质量强链主要指标",
            [self._figure_row(self.lines[code]) for code in HEADLINES],
            notes=tuple(notes),
            source=self.source,
            address=self.address,
        )

    def _net(self) -> int | None:
        solved = self.value("I15")
        return None if solved is None or self.is_withheld("I17") else solved - self.number("I17")

    def _late_notes(self) -> list[str]:
        late = [
            f"{line.indicator.name}{line.late_text}{_late_unit(line)}"
            for line in self.lines.values()
            if line.late
        ]
        return [f"以前期间冻结后补报、计入本期的有：{listing(late)}。"] if late else []

    def _boundary_notes(self) -> list[str]:
        """What changed of the boundaries since the year before, which counts as they were then."""
        if not self.before:
            return []
        since = BoundaryChange.objects.done().of(trees.within(self.snapshot, self.unit))
        known = since.filter(
            effective_on__gt=self.before.period.start_on,
            effective_on__lte=self.period.end_on,
            ended_at__lte=self.snapshot.created_at,
        )
        told = [
            f"{boundaries.in_words(change, _in_full)}（{change.document}）"
            for change in known.prefetch_related("parts__bureau").order_by("effective_on", "pk")
        ]
        return [f"上年同期数按当时的区划统计；{_some(told)}。"] if told else []

    def _coverage_notes(self) -> list[str]:
        """Who of the unit and those below it was excused, and who had confirmed nothing, at the freeze."""
        kept = self.bulletin.snapshot.coverage
        if not kept:
            return []
        within = trees.within(self.snapshot, self.unit)
        names = {unit.code: unit.short_name for unit in trees.units(self.snapshot, bureau__in=within)}
        excused = [
            f"{names[line['bureau']]}（{line['reason']}）"
            for line in kept["excused"]
            if line["bureau"] in names
        ]
        missing = [names[code] for code in kept["missing"] if code in names]
        changed = [names[code] for code in kept.get("changed", []) if code in names]
        notes = []
        if excused:
            notes.append(f"经批准免报的单位：{_some(excused)}。")
        if missing:
            notes.append(f"冻结时数字未经逐级确认的单位：{_some(missing)}。")
        if changed:
            notes.append(f"通过审核之后数字又有变动的单位：{_some(changed)}。")
        return notes

    def _figure_row(self, line: Headline) -> FigureRow:
        return FigureRow(
            str(line.indicator.name),
            str(line.indicator.unit),
            _blank(line.text),
            _blank(line.previous_text),
            self.growth(line.indicator.code) or None,
            self.link(line.indicator.code),
        )

    def practice(self) -> tuple[Block, ...]:
        claims = [
            Section("项目带动，上下游联动。", self._projects()),
            Section("企业参与，机构赋能。", self._firms()),
            Section("聚焦堵点，逐项解决。", self._solving()),
        ]
        kept = [section for section in claims if section.blocks]
        none = self.say("practice.none", "主要做法和成效", "本期没有可通报的进展数据。") if not kept else ()
        return (*kept, *none, *self.more("practice.more"))

    def cases(self) -> tuple[Section, ...]:
        """典型案例, of firms that agreed."""
        told: list[Block] = []
        for number, case in enumerate(self.bulletin.cases, 1):
            name, chain = case["title"].rstrip("。"), case["chain"] and f"（{case['chain']}）"
            lead = f"{chinese_number(number)}是{name}{chain}。"
            told += self.say(f"case.{case['row']}", f"典型案例：{case['title']}", case["solution"], lead)
        return (Section("典型案例", tuple(told)),) if told else ()

    def _projects(self) -> tuple[Block, ...]:
        if self.is_blank("I02"):
            return ()
        text = f"截至期末，在施质量强链项目{self.said('I02')}个"
        if self.has("I01L") or self.has("I01P"):
            text += f"；跨区域项目牵头{self.said('I01L')}个、参与{self.said('I01P')}个（参与数不计入总数）"
        if not self.is_blank("I04"):
            text += f"；2024年以来累计组建质量技术创新联合体{self.said('I04')}个"
            if self.has("I04D"):
                text += f"，另有{self.said('I04D')}个已解散"
        return self.say("practice.projects", "项目带动", f"{text}。")

    def _firms(self) -> tuple[Block, ...]:
        if not self.has("I07U"):
            return ()
        text = (
            f"参与项目的链主和链员企业去重后共{self.said('I07U')}家，"
            f"其中链主企业参与{self.said('I06')}家次、链员企业参与{self.said('I08')}家次"
        )
        if self.has("I09"):
            text += f"；{self.said('I09')}家赋能机构提供计量、标准、检验检测、认证认可等质量技术服务"
        return self.say("practice.firms", "企业参与", f"{text}。")

    def _solving(self) -> tuple[Block, ...]:
        if not any(self.has(code) for code in ("I12", "I13", "I15")):
            return ()
        text = (
            f"企业提出问题{self.said('I12')}个，受理{self.said('I13')}个，"
            f"解决{self.said('I15')}个，其中清单内解决{self.said('I16')}个；"
            f"截至期末在清单问题{self.said('I14')}个。"
        )
        rate, days = self.lines["I19"], self.lines["I20"]
        if rate.value is not None:
            text += f"清单问题解决率{rate.text}%（{rate.parts}）。"
        if days.value is not None:
            text += f"从受理到核验用时的中位数为{days.text}天。"
        if self.has("I21"):
            text += f"受益企业{self.said('I21')}家。"
        if self.has("I25"):
            text += (
                f"揭榜挂帅发榜{self.said('I25')}个、揭榜{self.said('I25T')}个、解决{self.said('I25A')}个。"
            )
        if self.has("I11"):
            text += f"完成重点攻关项目{self.said('I11')}个。"
        if self.has("I23"):
            text += f"产出标准、规范和证书{self.said('I23')}项。"
        if self.has("I24"):
            text += f"带动企业投入{self.lines['I24'].text}万元。"
        if self.rows and (best := self._best_chains()):
            text += f"解决问题较多的产业链有{best}。"
        return self.say("practice.solving", "聚焦堵点", text)

    def _best_chains(self) -> str:
        return listing([wording.lock(f"{name}（{prose(n)}个）") for name, n in self.chains[:NAMED]])

    @cached_property
    def chains(self) -> list[tuple[str, int]]:
        """Chains with problems solved, the most first."""
        rows = StatValue.objects.filter(
            snapshot=self.snapshot, bureau=self.unit, indicator=RANKED_BY, chain__isnull=False
        )
        told = [
            (row.chain.name, row.value or 0)
            for row in rows.order_by("-value", "chain__code").select_related("chain")
            if row.chain and not self._hides_chain(row.chain)
        ]
        return told[:BARS]

    def _hides_chain(self, chain: IndustryChain) -> bool:
        reader = self.reader
        return reader is not None and reader.withholds(self.snapshot, RANKED_BY, self.unit, chain)

    # --- regions -----------------------------------------------------------------------------------------

    def progress(self) -> tuple[Block, ...]:
        blocks: list[Block] = []
        if self.rows:
            blocks += [*self.say("progress", "分地区进展", self._leaders_and_laggards()), self.region_table()]
        else:
            best = self._best_chains()
            none = "本期没有可公布的按产业链统计的解决问题数。"
            if not self.reader:
                none = "本期没有按产业链统计的解决问题数。"
            text = f"解决问题较多的产业链有{best}。" if best else none
            blocks += self.say("progress", "分产业链进展", text)
        blocks += [Figure(chart, source=self.source) for chart in self.drawings()]
        return tuple(blocks)

    def _leaders_and_laggards(self) -> str:
        solved = [unit for unit in self.ranked if self.of(unit, RANKED_BY)]
        if not solved and self.hides_places:
            return "各地区主要指标见表2。"
        if not solved:
            return "各地区本期都没有解决质量堵点卡点问题的记录，主要指标见表2。"
        text = f"各地区主要指标见表2，解决问题数居前的有{self._with_places(_with_ties(solved, self.places))}"
        behind = [unit for unit in reversed(self.ranked) if unit not in _with_ties(solved, self.places)]
        if behind and not self.hides_places:
            names = [
                wording.lock(f"{agencies.region(unit)}（{self.of(unit, RANKED_BY)}个）")
                for unit in behind[:NAMED]
            ]
            text += f"；居后的有{listing(names)}"
        if self.silent:
            names_of_silent = wording.lock(listing([agencies.region(unit) for unit in self.silent]))
            text += f"；{names_of_silent}没有报送数据"
        return f"{text}。"

    def _with_places(self, units: Sequence[Bureau]) -> str:
        return listing(
            [
                wording.lock(
                    f"{agencies.region(unit)}（{prose(self.of(unit, RANKED_BY) or 0)}个，"
                    f"{'并列' if self.places[unit.pk].tied else ''}第{self.places[unit.pk].place}）"
                )
                for unit in units
            ]
        )

    def region_table(self) -> Table:
        total = tuple(
            Cell(HIDDEN if self.is_withheld(code) else _count(self.value(code)), self.link(code))
            for code in HEADLINES
        )
        rows = [RegionRow(self.whole, total, kind="total")]
        for unit in self.rows:
            part = unit.pk in self.places
            cells = tuple(Cell(self.count_of(unit, code), self.link(code, unit)) for code in HEADLINES)
            rows.append(
                RegionRow(
                    agencies.region(unit),
                    cells,
                    self.places.get(unit.pk),
                    "plain" if part else "of_which",
                )
            )
        notes = ["“—”表示没有报送；按解决问题数排名，数量相同的并列，按代码顺序排列。", *self._overlaps()]
        if any(self.hides(unit, code) for unit in self.rows for code in HEADLINES):
            notes.append(f"“{HIDDEN}”表示按规定不单独公布，不参加排名。")
        if len(self.parts) < len(self.rows):
            notes.append("计划单列市为所在省的其中数，不另计入合计，不参加排名。")
        return region_table(
            f"{self.period.name}各地区质量强链主要指标",
            COLUMNS,
            rows,
            rank_title="解决\n排名",
            unit="个、家",
            notes=tuple(notes),
            source=self.source,
            address=self.address,
        )

    def _overlaps(self) -> list[str]:
        """Rule 1: the sum of the parts, the figure without repetition, and the difference."""
        said = []
        for code in DISTINCT:
            if self.is_withheld(code) or any(self.hides(unit, code) for unit in self.parts):
                continue
            together = sum(self.of(unit, code) or 0 for unit in self.parts)
            apart = together - self.number(code)
            if apart > 0:
                said.append(
                    f"{self.indicators[code].name}各地区相加{formats.count(together)}家，"
                    f"{self.whole}去重后{formats.count(self.number(code))}家，相差{formats.count(apart)}家"
                )
        return [f"去重：{'；'.join(said)}。同一企业在几个地区参与时，各地区各计一次。"] if said else []

    def drawings(self) -> list[charts.Chart]:
        drawn: list[charts.Chart] = []
        if self.unit.level == Bureau.Level.NATIONAL:
            drawn.append(
                charts.TileGrid(
                    f"{self.period.name}各地区解决质量堵点卡点问题数",
                    tuple(
                        charts.Tile(
                            unit.code,
                            self.of(unit, RANKED_BY),
                            self.count_of(unit, RANKED_BY) or formats.BLANK,
                            self.link(RANKED_BY, unit),
                        )
                        for unit in self.parts
                    ),
                    unit="个",
                )
            )
        if any(self.of(unit, RANKED_BY) for unit in self.ranked):
            best = self.ranked[:BARS]
            drawn.append(
                charts.HorizontalBars(
                    f"{self.period.name}解决质量堵点卡点问题数"
                    + (f"前{BARS}位地区" if len(self.ranked) > BARS else "地区排名"),
                    tuple(
                        charts.Bar(
                            agencies.region(unit),
                            self.of(unit, RANKED_BY),
                            formats.count(self.of(unit, RANKED_BY)),
                            self.link(RANKED_BY, unit),
                        )
                        for unit in best
                    ),
                    unit="个",
                )
            )
        if self.unit.level != Bureau.Level.NATIONAL and self.chains:
            drawn.append(
                charts.HorizontalBars(
                    f"{self.period.name}各产业链解决质量堵点卡点问题数",
                    tuple(charts.Bar(name, n, formats.count(n)) for name, n in self.chains),
                    unit="个",
                )
            )
        if len(drawn) < FEWEST_DRAWINGS and self.number("I12"):
            drawn.append(self._course_of_problems())
        return drawn

    def _course_of_problems(self) -> charts.Chart:
        return charts.HorizontalBars(
            f"{self.period.name}问题办理情况",
            tuple(
                charts.Bar(
                    str(line.indicator.name),
                    line.value,
                    line.text,
                    self.link(line.indicator.code),
                    line.previous,
                    line.previous_text,
                )
                for line in (self.lines[code] for code in ("I12", "I13", "I15"))
                if not line.figure.withheld
            ),
            unit="个",
            series="本期",
            previous_series="上年同期",
        )

    # --- what is wrong, what is asked --------------------------------------------------------------------

    def _most(self, code: str) -> list[str]:
        """The parts with most of something unwelcome."""
        units = [unit for unit in self.parts if self.of(unit, code)]
        units.sort(key=lambda unit: (-(self.of(unit, code) or 0), unit.code))
        return [wording.lock(f"{agencies.region(unit)}（{self.of(unit, code)}个）") for unit in units[:NAMED]]

    def problems(self) -> tuple[Block, ...]:
        said: list[Block] = []
        if self.has("I18"):
            text = f"截至期末，{self.said('I18')}个问题超过办理时限"
            said += self._problem("overdue", "部分问题逾期未办。", self._with_most(text, "I18"))
        if self.has("I17"):
            text = f"期间有{self.said('I17')}个已核验解决的问题反弹重开"
            said += self._problem("reopened", "解决成效有待巩固。", self._with_most(text, "I17"))
        idle = [
            agencies.region(unit)
            for unit in self.parts
            if self.of(unit, "I12") and not self.of(unit, RANKED_BY) and not self.hides(unit, RANKED_BY)
        ]
        if idle:
            text = f"{wording.lock(listing(idle))}有企业提出问题，本期没有解决的记录。"
            said += self._problem("idle", "进度不平衡。", text)
        if self.silent:
            names = wording.lock(listing([agencies.region(unit) for unit in self.silent]))
            said += self._problem("silent", "数据报送不全。", f"{names}没有报送数据，表中以“—”表示。")
        if not said:
            text = "截至期末，没有逾期未办和反弹重开的问题。"
            said += self.say("problems.none", "存在问题", text)
        return (*said, *self.more("problems.more"))

    def _problem(self, key: str, lead: str, text: str) -> tuple[Paragraph, ...]:
        return self.say(f"problems.{key}", f"存在问题：{lead.rstrip('。')}", text, lead)

    def _with_most(self, text: str, code: str) -> str:
        most = self._most(code)
        return f"{text}，较多的地区有{listing(most)}。" if most else f"{text}。"

    def demands(self) -> tuple[Block, ...]:
        asked: list[Block] = []
        if self.has("I18"):
            text = "各办理单位要对逾期问题逐项明确承担机构和完成时限，在下一统计期截止前办结。"
            asked += self._demand("overdue", "办结逾期问题。", text)
        if self.has("I17"):
            text = "各受理单位要核对反弹原因，重新攻关，并由未经手的人员再次核验。"
            asked += self._demand("reopened", "巩固解决成效。", text)
        text = "各地要引导企业随时填报堵点卡点问题，及时核实、受理和列入清单。"
        if self.has("I14"):
            text = (
                f"对在清单的{self.said('I14')}个问题，承担机构要按期提交解决办法和证据，"
                "经企业确认、他人核验后方可销号。"
            )
        asked += self._demand("running", "抓好在办问题。", text)
        text = "各地要在每个统计期截止后核对数据；冻结之后补报的，计入下一统计期。"
        asked += self._demand("reporting", "按时报送数据。", text)
        return (*asked, *self.more("demands.more"))

    def _demand(self, key: str, heading: str, text: str) -> tuple[Section, ...]:
        said = self.say(f"demands.{key}", f"下一步工作要求：{heading.rstrip('。')}", text)
        return (Section(heading, said, run_in=True),) if said else ()

    # --- attachments -------------------------------------------------------------------------------------

    def all_figures(self) -> Table:
        return figures_table(
            f"{self.period.name}{self.whole}质量强链指标",
            [self._figure_row(line) for line in self.lines.values()],
            notes=tuple(self._late_notes()),
            source=self.source,
            address=self.address,
        )

    def definitions(self) -> Definitions:
        return Definitions(
            tuple(
                (
                    f"{indicator.name}（{indicator.unit}）",
                    f"{indicator.counted}。时间：{indicator.time_rule}；归属：{indicator.place_rule}；"
                    f"计数：{indicator.key}。{indicator.note}口径版本{indicator.version}。",
                )
                for indicator in self.indicators.values()
            )
        )


def _in_full(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _count(value: int | None) -> str | None:
    return None if value is None else formats.count(value)


def _blank(text: str) -> str | None:
    return None if text == formats.BLANK else text


def _late_unit(line: Headline) -> str:
    """Of ratios and medians it is rows that came late."""
    return "项" if line.indicator.kind in (Kind.RATIO, Kind.MEDIAN) else str(line.indicator.unit)


def _with_ties(units: Sequence[Bureau], places: dict[int, Rank]) -> list[Bureau]:
    """The first few, and everybody who shares the place of the last of them."""
    if len(units) <= NAMED:
        return list(units)
    last = places[units[NAMED - 1].pk].place
    return [unit for unit in units if (places[unit.pk].place or 0) <= (last or 0)]
