"""How bureaus are called in official papers: number, region words, addressee (`domain.md` 6.2, 6.3)."""

from collections.abc import Collection

from enterprises.models import Bureau

# 机关代字 begins with the abbreviation of the province (`domain.md` 3.2).
ABBREVIATIONS = {
    "110000": "京", "120000": "津", "130000": "冀", "140000": "晋", "150000": "内蒙古", "210000": "辽",
    "220000": "吉", "230000": "黑", "310000": "沪", "320000": "苏", "330000": "浙", "340000": "皖",
    "350000": "闽", "360000": "赣", "370000": "鲁", "410000": "豫", "420000": "鄂", "430000": "湘",
    "440000": "粤", "450000": "桂", "460000": "琼", "500000": "渝", "510000": "川", "520000": "黔",
    "530000": "滇", "540000": "藏", "610000": "陕", "620000": "甘", "630000": "青", "640000": "宁",
    "650000": "新", "660000": "兵",
}  # fmt: skip
# What people of a region call all of it, by the last characters of its name.
WHOLE = (
    ("兵团", "全兵团"),
    ("自治区", "全区"),
    ("省", "全省"),
    ("市", "全市"),
    ("州", "全州"),
    ("盟", "全盟"),
    ("地区", "全地区"),
    ("县", "全县"),
    ("旗", "全旗"),
    ("区", "全区"),
    ("师", "全师"),
)


def number(bureau: Bureau, year: int, sequence: int | None) -> str:
    """发文字号: 国质强链〔2025〕1号; without a number while it is a draft."""
    if bureau.level == Bureau.Level.NATIONAL:
        mark = "国"
    else:
        mark = ABBREVIATIONS.get(bureau.code) or bureau.short_name
    return f"{mark}质强链〔{year}〕{sequence or '　'}号"


def issue(year: int, sequence: int | None, total: int | None) -> str:
    """期号 of a brief: 2025年第3期（总第17期）; without numbers while it is a draft."""
    return f"{year}年第{sequence or '　'}期（总第{total or '　'}期）"


def region(bureau: Bureau) -> str:
    """The short name in tables and lists: 江苏, 新疆兵团, 苏州市."""
    if bureau.code == "660000":
        return "新疆兵团"
    if bureau.level == Bureau.Level.PROVINCE and bureau.division:
        return bureau.division.short_name
    return bureau.short_name


def whole(bureau: Bureau) -> str:
    """全国, 全省, 全市: all that a bureau answers for."""
    if bureau.level == Bureau.Level.NATIONAL:
        return "全国"
    for ending, words in WHOLE:
        if bureau.short_name.endswith(ending):
            return words
    return bureau.short_name


def addressee(bureau: Bureau, below: Collection[int]) -> str:
    """主送机关: the bureaus next below, which are of these levels."""
    if bureau.level == Bureau.Level.NATIONAL:
        return "各省、自治区、直辖市和新疆生产建设兵团市场监管局（厅、委）"
    if Bureau.Level.CITY in below:
        if bureau.code == "660000":
            return "各师市市场监管局"
        return "各市（州、盟、地区）市场监管局"
    if Bureau.Level.COUNTY in below:
        return "各县（市、区、旗）市场监管局"
    return "各市场监管所，各有关单位"
