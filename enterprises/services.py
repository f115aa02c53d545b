"""The reference data: administrative divisions from a dated list, and the bureaus that serve them."""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from enterprises.models import Bureau, Division
from record.recording import loaded

DATA = Path(__file__).resolve().parent / "data"
# The list of 民政部 as of the end of 2023; later lists are loaded over it.
DIVISIONS = DATA / "divisions-2023.csv"
DIVISIONS_VALID_FROM = date(2023, 12, 31)
# The corps has no code in GB/T 2260; 660000 and 6601xx to 6614xx are internal (`domain.md` 3.2).
CORPS = DATA / "corps-2023.csv"

# In the standard, but they take no part here (`domain.md` 3.2).
OUTSIDE = frozenset({"710000", "810000", "820000"})
SEPARATELY_PLANNED = frozenset({"210200", "330200", "350200", "370200", "440300"})
# Bureaus that are not called 市场监督管理局.
OWN_NAMES = {"000000": "国家市场监督管理总局", "120000": "天津市市场监督管理委员会"}

ETHNIC_NAMES = "朝鲜 土家 苗 藏 羌 彝 布依 侗 哈尼 壮 傣 白 景颇 傈僳 回 蒙古 哈萨克 柯尔克孜 维吾尔".replace(
    " ", "|"
)
AUTONOMOUS = re.compile(rf"^(.{{2,}}?)(?:(?:{ETHNIC_NAMES})族?)+自治[区州]$")
SUFFIX = re.compile(r"^(.{2,}?)(?:自治区|自治州|地区|省|市|盟)$")


@dataclass(frozen=True)
class Listed:
    """One line of a list of divisions."""

    code: str
    name: str
    level: int
    parent_code: str


@dataclass(frozen=True)
class Loaded:
    """What a list changed."""

    added: int
    renamed: int
    ended: int
    unchanged: int


def short_name_of(name: str, level: int) -> str:
    """江苏, 延边, 内蒙古; counties keep their name, which would often be one character."""
    if level not in (Division.Level.PROVINCE, Division.Level.CITY):
        return name
    match = AUTONOMOUS.match(name) or SUFFIX.match(name)
    return match.group(1) if match else name


def read_divisions(path: Path) -> list[Listed]:
    """The lines of a list, parents before children.

    Raises ValidationError with the line number for a bad code, a double, an unknown parent or a level that
    does not stand below its parent's.
    """
    by_code: dict[str, Listed] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = ("code", "name", "level", "parent_code")
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise ValidationError(
                _("区划表缺少列：%(missing)s。应有的列：%(columns)s。"),
                params={"missing": ", ".join(missing), "columns": ", ".join(columns)},
            )
        for row in reader:
            line = {"line": reader.line_num, "code": row["code"]}
            if not re.fullmatch(r"\d{6}", row["code"] or ""):
                raise ValidationError(_("第 %(line)d 行：“%(code)s”不是 6 位数字的区划代码。"), params=line)
            if row["code"] in by_code:
                raise ValidationError(_("第 %(line)d 行：代码 %(code)s 重复。"), params=line)
            if row["level"] not in {"0", "1", "2", "3"} or not row["name"]:
                raise ValidationError(
                    _("第 %(line)d 行（%(code)s）：要有名称，层级为 0、1、2 或 3。"), params=line
                )
            by_code[row["code"]] = Listed(
                row["code"], row["name"], int(row["level"]), row["parent_code"] or ""
            )
    for item in by_code.values():
        parent = by_code.get(item.parent_code)
        if (item.level > 0) != (parent is not None) or (parent and parent.level >= item.level):
            raise ValidationError(
                _("%(code)s %(name)s：上级代码“%(parent)s”不在表中，或层级不高于它。"),
                params={"code": item.code, "name": item.name, "parent": item.parent_code},
            )
    return sorted(by_code.values(), key=lambda item: (item.level, item.code))


@transaction.atomic
def load_divisions(path: Path = DIVISIONS, valid_from: date = DIVISIONS_VALID_FROM) -> Loaded:
    """Bring the divisions up to a dated list: new codes begin on its day, codes it no longer has end on it.

    A retired code that comes back is refused, since codes are never given out again (`domain.md` 3.2).
    """
    listed = read_divisions(path)
    known = {division.code: division for division in Division.objects.all()}
    if back := [item.code for item in listed if item.code in known and known[item.code].valid_to]:
        raise ValidationError(
            _("这些代码已停用，不能再次启用：%(codes)s。"), params={"codes": ", ".join(back[:10])}
        )
    added, renamed, moved = 0, [], []
    for _level, items in groupby(listed, key=attrgetter("level")):
        new = []
        for item in items:
            division, parent = known.get(item.code), known.get(item.parent_code)
            if division is None:
                new.append(
                    Division(
                        code=item.code,
                        name=item.name,
                        short_name=short_name_of(item.name, item.level),
                        level=item.level,
                        parent=parent,
                        valid_from=valid_from,
                    )
                )
                continue
            if division.name != item.name:
                division.name, division.short_name = item.name, short_name_of(item.name, item.level)
                renamed.append(division)
            if division.parent_id != (parent.pk if parent else None):
                division.parent = parent
                moved.append(division)
        known |= {division.code: division for division in Division.objects.bulk_create(new, batch_size=500)}
        added += len(new)
    Division.objects.bulk_update(renamed, ["name", "short_name"], batch_size=500)
    Division.objects.bulk_update(moved, ["parent"], batch_size=500)
    codes = {item.code for item in listed}
    gone = [
        division.pk for division in known.values() if division.code not in codes and not division.valid_to
    ]
    ended = Division.objects.filter(pk__in=gone).update(valid_to=valid_from)
    if changed := added + len(renamed) + len(moved) + ended:
        loaded(Division, changed, path.name)
    return Loaded(added, len(renamed), ended, len(listed) - added - len(renamed))


def bureau_name(division: Division, parent: Bureau | None) -> str:
    """苏州市市场监督管理局, 苏州市虎丘区市场监督管理局: districts carry the name of their city."""
    if division.code in OWN_NAMES:
        return OWN_NAMES[division.code]
    prefix = ""
    if division.name.endswith("区") and division.level == Division.Level.COUNTY and parent:
        prefix = "" if division.name.startswith(parent.short_name[:2]) else parent.short_name
    return f"{prefix}{division.name}市场监督管理局"


@transaction.atomic
def found_bureaus() -> int:
    """Found the missing bureaus of the divisions in force and of the corps; returns how many.

    The tree follows the parents of the list: the districts of a municipality report to it directly, and the
    cities of the corps (6590xx) are served by the bureaus of its divisions and not by Xinjiang.
    """
    bureaus = {bureau.code: bureau for bureau in Bureau.objects.all()}
    divisions = {
        division.code: division
        for division in Division.objects.filter(valid_to__isnull=True).select_related("parent")
    }
    with CORPS.open(encoding="utf-8", newline="") as file:
        corps = list(csv.DictReader(file))
    served_by_corps = {row["division_code"] for row in corps} - {""}

    wanted: dict[int, list[Bureau]] = defaultdict(list)
    parent_codes: dict[str, str] = {}
    outside = set(OUTSIDE)
    for division in sorted(divisions.values(), key=lambda division: (division.level, division.code)):
        parent_code = division.parent.code if division.parent else ""
        if parent_code in outside:
            outside.add(division.code)
        if division.code in outside or division.code in served_by_corps or division.code in bureaus:
            continue
        parent_codes[division.code] = parent_code
        wanted[division.level].append(
            Bureau(
                code=division.code,
                short_name=division.name,
                level=division.level,
                division=division,
                is_separately_planned=division.code in SEPARATELY_PLANNED,
            )
        )
    for row in corps:
        if row["code"] not in bureaus and row["parent_code"] in {*divisions, *parent_codes, *bureaus}:
            parent_codes[row["code"]] = row["parent_code"]
            wanted[int(row["level"])].append(
                Bureau(
                    code=row["code"],
                    name=row["name"],
                    short_name=row["short_name"],
                    level=int(row["level"]),
                    division=divisions.get(row["division_code"]),
                )
            )
    for level in sorted(wanted):
        for bureau in wanted[level]:
            bureau.parent = bureaus.get(parent_codes[bureau.code])
            bureau.path = f"{bureau.parent.path if bureau.parent else ''}{bureau.code}/"
            if bureau.division and not bureau.name:
                bureau.name = bureau_name(bureau.division, bureau.parent)
        bureaus |= {
            bureau.code: bureau for bureau in Bureau.objects.bulk_create(wanted[level], batch_size=500)
        }
    if parent_codes:
        loaded(Bureau, len(parent_codes), "")
    return len(parent_codes)
