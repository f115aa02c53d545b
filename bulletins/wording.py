"""The wording of a block with its figures locked.

A drafted text falls apart into words, which an editor may change, and figures, which nobody types: numbers
with their measure, changes against the year before, dates, and what the composer has locked as a whole (a
region with its figure). In a template each figure is a placeholder, ``⟦2⟧``; in the browser it shows what it
stands for, ``⟦2:14,391⟧``. An official paper is Chinese, hence so are the patterns.
"""

import re
import unicodedata
from dataclasses import dataclass

from django.utils.functional import cached_property
from django.utils.translation import gettext as _

LOCKED, FREED = "\ue000", "\ue001"
_DATE = r"\d{4}年(?:第[一二三四]季度|[上下]半年|\d{1,2}月(?:\d{1,2}日(?:\d{1,2}时)?)?)?"
_CHANGE = (
    r"同比(?:增长|下降|提高|降低)[\d.]+(?:个百分点|%|倍)|与上年同期持平|上年同期(?:为零|没有报送|没有比率)"
)
_NUMBER = r"\d[\d,]*(?:\.\d+)?[万亿%]?"
_FIGURE = re.compile(f"{LOCKED}(.*?){FREED}|({_CHANGE}|{_DATE}|{_NUMBER})", re.DOTALL)
_PLACEHOLDER = re.compile(r"⟦\s*(\d{1,4})\s*(?:[:：]([^⟦⟧]*))?⟧")
# Those who give standards their numbers; of an industry, a region, an association, a firm.
_STANDARDS = (
    r"GBZ?|GJB|ISO|IEC|ITU|EN|ASTM|DIN|JIS|JJG|JJF|DB\d{2}|T/[A-Z]+|Q/[A-Z]+|"
    r"(?:AQ|BB|CB|CH|CJ|CNAS|DA|DL|DZ|EJ|FZ|GA|GH|GM|GY|HB|HG|HJ|HY|JB|JC|JG|JR|JT|JY|LB|LD|LS|LY|MH|MT|MZ|NB|NY|"
    r"QB|QC|QJ|QX|RB|SB|SC|SF|SH|SJ|SL|SN|SY|TB|TD|TY|WB|WH|WJ|WM|WS|WW|XB|XF|YB|YC|YD|YS|YY|YZ|ZY)"
)
# After these a number is no longer that of a standard but one of things.
_MEASURES = "个家项件条台起户万亿千百元倍%％‰"
# Numbers that an editor types: dates, clauses, and the numbers of documents and standards.
_TYPED = re.compile(
    r"(?:19|20)\d{2}年第\d+号|(?:19|20)\d{2}年(?:\d{1,2}月(?:\d{1,2}日)?)?|\d{1,2}月(?:\d{1,2}日)?|〔\d{4}〕\d+号|"
    rf"第\d{{1,3}}[条款]|(?<![A-Za-z])(?:{_STANDARDS})(?:/[A-Z]+)?[ 　]?\d+(?:[.-]\d+)*(?:[—-]\d{{4}})?"
    rf"(?![\d.,]|\s*[{_MEASURES}])"
)
# What would make another number of a figure that it stands beside, right before it and right after it.
_JOINING = r"[\s,.．'’/·+*×−－-]*"
_BEFORE = re.compile(r"(?:[百千万]分之|[负.．+−－-])\s*$")
_AFTER = re.compile(r"\s*(?:[万亿千百十倍成%％‰]|[.．点][〇零一二三四五六七八九])")
_SIDE_BY_SIDE = re.compile(rf"⟦(\d+)⟧(?={_JOINING}⟦(\d+)⟧)")
_DIGITS = re.compile(r"[\d０-９][\d０-９,，.．]*\w?")
_SIZE = re.compile(rf"{_NUMBER}倍?")
LONGEST = 2000


def lock(words: str) -> str:
    """The words as one figure, whatever stands in them."""
    return f"{LOCKED}{words}{FREED}"


@dataclass(frozen=True)
class Drafted:
    """A text as the draft has it: its template and what the placeholders stand for."""

    template: str
    figures: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        return self.fill(self.template)

    @cached_property
    def shown(self) -> str:
        return self.show(self.template)

    def fill(self, template: str) -> str:
        """The text that is printed."""
        return _PLACEHOLDER.sub(lambda found: self.figures[int(found[1]) - 1], template)

    def show(self, template: str) -> str:
        """The text as it is edited: the placeholders name their figures."""
        return _PLACEHOLDER.sub(lambda found: f"⟦{found[1]}:{self.figures[int(found[1]) - 1]}⟧", template)

    @cached_property
    def base(self) -> str:
        """What the text says but for its numbers: its words, and the names and directions in its figures."""
        return "\n".join([self.template, *(_SIZE.sub("0", figure) for figure in self.figures)])

    def read(self, typed: str) -> str:
        """The template of what was typed; a line feed in a paragraph is a space too many."""
        words = " ".join(_visible(typed).split("\n")).replace("\r", "").strip()
        return _PLACEHOLDER.sub(lambda found: f"⟦{int(found[1])}⟧", words)

    def faults(self, typed: str) -> list[str]:
        """What is wrong with a typed text, in sentences: each figure stands in it once, and no other."""
        if len(typed) > LONGEST:
            return [_("这一段超过 %(limit)d 字，请分开写。") % {"limit": LONGEST}]
        typed = _visible(typed)
        found = [(int(number), shown) for number, shown in _PLACEHOLDER.findall(typed)]
        numbers = [number for number, _shown in found]
        said = []
        for number, figure in enumerate(self.figures, 1):
            place = f"⟦{number}:{figure}⟧"
            if number not in numbers:
                said.append(_("缺少锁定的数字 %(place)s，请放回原处，或恢复原稿。") % {"place": place})
            elif numbers.count(number) > 1:
                said.append(_("锁定的数字 %(place)s 出现了不止一次，请只留一处。") % {"place": place})
        for number, shown in found:
            if not 1 <= number <= len(self.figures):
                said.append(_("没有 ⟦%(number)d⟧ 这个锁定的数字，请删去。") % {"number": number})
            elif shown and shown != self.figures[number - 1]:
                said.append(
                    _("锁定的数字 ⟦%(number)d⟧ 是“%(figure)s”，不能改成“%(typed)s”。")
                    % {"number": number, "figure": self.figures[number - 1], "typed": shown}
                )
        said += self._joined(self.read(typed))
        words = _PLACEHOLDER.sub(" ", typed)
        if "⟦" in words or "⟧" in words:
            said.append(_("锁定的数字要连同两边的 ⟦ ⟧ 一起保留。"))
        said += [
            _("“%(digits)s”是手工输入的数字。数字只能取自统计数据；日期、文号和标准号可以输入。")
            % {"digits": digits}
            for digits in [*_DIGITS.findall(_TYPED.sub(" ", words)), *filter(_is_number, words)]
        ]
        return said

    def _joined(self, template: str) -> list[str]:
        """Figures that their neighbours make into other ones, where the draft has no such neighbours."""
        said = []
        drafted_pairs = set(_SIDE_BY_SIDE.findall(self.template))
        for one, other in _SIDE_BY_SIDE.findall(template):
            if (one, other) not in drafted_pairs:
                said.append(
                    _("锁定的数字 ⟦%(one)s⟧ 和 ⟦%(other)s⟧ 连在一起会读成另一个数，请用文字隔开。")
                    % {"one": one, "other": other}
                )
        drafted_beside = self._beside(self.template)
        for number, words in self._beside(template).items():
            if extra := [one for one in words if one not in drafted_beside.get(number, [])]:
                said.append(
                    _("锁定的数字 ⟦%(number)d⟧ 旁边的“%(words)s”会改变它的大小，请删去。")
                    % {"number": number, "words": extra[0]}
                )
        return said

    def _beside(self, template: str) -> dict[int, list[str]]:
        """What stands right before and after the figures that are numbers and would change their size."""
        found: dict[int, list[str]] = {}
        for place in _PLACEHOLDER.finditer(template):
            number = int(place[1])
            figure = self.figures[number - 1] if 1 <= number <= len(self.figures) else ""
            if not re.fullmatch(_NUMBER, figure):
                continue
            beside = (_BEFORE.search(template[: place.start()]), _AFTER.match(template[place.end() :]))
            found[number] = [one[0].strip() for one in beside if one]
        return found


def _visible(typed: str) -> str:
    """Without characters that nobody sees, behind which figures would stand side by side."""
    return "".join(one for one in typed if unicodedata.category(one) != "Cf")


def _is_number(one: str) -> bool:
    """①, ½, Ⅻ; numbers in Chinese characters cannot be told from words."""
    return one != "〇" and unicodedata.category(one) in ("No", "Nl")


def drafted(text: str) -> Drafted:
    """The parts of a text as the composer wrote it. Brackets of our own in names are written otherwise."""
    figures: list[str] = []

    def place(found: re.Match[str]) -> str:
        figures.append(found[1] if found[1] is not None else found[2])
        return f"⟦{len(figures)}⟧"

    plain = text.replace("⟦", "〔").replace("⟧", "〕")
    return Drafted(_FIGURE.sub(place, plain), tuple(figures))
