"""Which typefaces a paper is set in on this machine, and which characters they can print.

The faces named by custom (方正小标宋, 仿宋_GB2312, 楷体_GB2312, 黑体; `domain.md 6.3`) are used when
installed, then free stand-ins, at last the Noto Sans SC and Noto Serif SC that a Python package carries. A
character that no face has makes Pango search every font of the machine for tens of seconds and prints an
empty box, so texts are checked first.
"""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pylopdf_fonts_zh_cn
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

# Wide coverage, tried after the face of a role for the characters that it lacks.
SERIF = ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Serif SC")
SANS = ("Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC")
RARE = (
    "BabelStone Han",
    "Plangothic P1",
    "Plangothic P2",
    "HanaMinA",
    "HanaMinB",
    "SimSun-ExtB",
    "AR PL UMing CN",
)
# What stands in for an absent serif or sans face, and the name under which the page's fetcher serves it.
PACKAGED = {
    "Noto Serif SC": ("noto-serif-sc.otf", pylopdf_fonts_zh_cn.serif_path),
    "Noto Sans SC": ("noto-sans-sc.otf", pylopdf_fonts_zh_cn.sans_path),
}
BOLD = 180  # fontconfig's weight of a demi-bold


@dataclass(frozen=True, slots=True)
class Role:
    """A typeface of the standard: faces drawn in its weight, then stand-ins that have to be bold."""

    regular: tuple[str, ...]
    bold: tuple[str, ...] = ()


ROLES = {
    # 小标宋: mark and titles
    "title": Role(
        ("方正小标宋_GBK", "方正小标宋简体", "FZXiaoBiaoSong-B05", "FZXiaoBiaoSong-B05S"),
        ("FandolSong", *SERIF),
    ),
    # 仿宋: body
    "body": Role(("仿宋_GB2312", "FangSong_GB2312", "仿宋", "FangSong", "STFangsong", "FandolFang", *SERIF)),
    # 楷体: second headings
    "kai": Role(
        (
            "楷体_GB2312",
            "KaiTi_GB2312",
            "楷体",
            "KaiTi",
            "STKaiti",
            "FandolKai",
            "LXGW WenKai",
            "AR PL UKai CN",
        ),
        SERIF,
    ),
    # 黑体: first headings, table heads
    "hei": Role(("黑体", "SimHei", "STHeiti", "FandolHei"), SANS),
    # 宋体: page numbers and tables
    "song": Role(("宋体", "SimSun", "STSong", *SERIF)),
    # Text in drawings
    "sans": Role(SANS),
}


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of this machine: CSS values by role, packaged families to load, printable characters."""

    families: dict[str, str]
    weights: dict[str, int]
    packaged: tuple[str, ...]
    coverage: frozenset[str]


def _installed() -> dict[str, tuple[int, set[str]]]:
    """Families that fontconfig knows: heaviest weight and characters."""
    wanted = {name for role in ROLES.values() for name in (*role.regular, *role.bold)} | {
        *SERIF,
        *SANS,
        *RARE,
    }
    try:
        listing = subprocess.run(
            ["fc-list", "--format", "%{family}\t%{weight}\t%{charset}\n"],  # noqa: S607
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=60,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, tuple[int, set[str]]] = {}
    for line in listing.splitlines():
        names, weight, charset = line.split("\t")
        for name in wanted.intersection(names.split(",")):
            heaviest, characters = found.get(name, (0, set()))
            # A variable face lists its weights as a range.
            heaviest = max(heaviest, int(float(weight.strip("[]").split()[-1] or 0)))
            found[name] = heaviest, characters | _characters(charset)
    return found


def _characters(charset: str) -> set[str]:
    """Fontconfig's "20-7e a0" as characters."""
    ranges = (part.partition("-") for part in charset.split())
    return {
        chr(code) for low, _dash, high in ranges for code in range(int(low, 16), int(high or low, 16) + 1)
    }


@cache
def faces() -> Faces:
    """Found once per process: which of the faces above this machine has."""
    found = _installed()
    packaged = tuple(
        name
        for name, group in (("Noto Serif SC", SERIF), ("Noto Sans SC", SANS))
        if not found.keys() & set(group)
    )
    for name in packaged:
        _file, path = PACKAGED[name]
        with TTFont(path(), lazy=True) as font:
            found[name] = 80, {chr(code) for code in font.getBestCmap()}
    families, weights = {}, {}
    for key, role in ROLES.items():
        names = [name for name in (*role.regular, *role.bold) if name in found]
        heavy = names[0] in role.bold and found[names[0]][0] >= BOLD
        names += [name for name in (*SERIF, *SANS, *RARE) if name in found and name not in names]
        families[key] = ",".join(names)
        weights[key] = 700 if heavy else 400
    return Faces(families, weights, packaged, frozenset("\t\n").union(*(found[name][1] for name in found)))


def _invisible(character: str) -> bool:
    """Format characters and variation selectors: they print nothing, and some would turn the text round."""
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or unicodedata.category(character) == "Cf"


def missing_characters(text: str) -> list[str]:
    """Characters that no face of this machine can print, in code order."""
    return sorted(character for character in set(text) - faces().coverage if not _invisible(character))


def printable(text: str) -> str:
    """The text with every character that no face has named in its place: ［U+2B5CA］."""
    unknown: Iterable[str] = set(text) - faces().coverage
    return text.translate(
        {
            ord(character): "" if _invisible(character) else f"［U+{ord(character):04X}］"
            for character in unknown
        }
    )
