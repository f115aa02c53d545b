"""A list as paper and as workbook: the same columns as on the page, in Chinese whoever asks.

A list is an official paper. What is published gives the same bytes each time: they are made of frozen facts
and of the moment of publication.
"""

import datetime as dt
from hashlib import sha256

from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common import formats
from common.paper import Cell, Column, Row, Sheet, Table, printing, sheet, sheet_html
from common.workbooks import Leaf, workbook
from projects.listed import Fact, Reading
from projects.models import QualityList

LANGUAGE = "zh-hans"
# A rendered paper is kept for a day, by what stands on it.
KEPT = 24 * 60 * 60
# The longest columns are set for reading; others take a dozen characters.
CHARACTERS = 12


def file_name(quality_list: QualityList, suffix: str) -> str:
    with translation.override(LANGUAGE):
        return f"{quality_list}（{quality_list.bureau.short_name}）.{suffix}"


def _moment(quality_list: QualityList) -> dt.datetime:
    """When the content was fixed; of a draft, the minute."""
    return quality_list.published_at or timezone.now().replace(second=0, microsecond=0)


def _named(quality_list: QualityList) -> dict[str, str]:
    """What chain and bureau are called, of a published list as they were then."""
    return quality_list.heading or {"chain": quality_list.chain.name, "bureau": quality_list.bureau.name}


def _head(quality_list: QualityList) -> list[tuple[str, str]]:
    """What stands over the lines: pairs of label and text."""
    facts = [
        (_("清单编号"), quality_list.code),
        (_("产业链"), _named(quality_list)["chain"]),
        (_("清单单位"), _named(quality_list)["bureau"]),
        (_("版本"), _("第 %(n)d 版") % {"n": quality_list.version}),
        (_("状态"), str(quality_list.get_status_display())),
        (_("实施日期"), formats.day(quality_list.effective_on)),
        (_("发布日期"), formats.day(quality_list.published_at) if quality_list.published_at else ""),
        (_("编制说明"), quality_list.notes),
    ]
    if quality_list.status == QualityList.Status.SUPERSEDED:
        # A version stays what it was when it was published: its paper does not change with its successor.
        facts[4] = (_("状态"), str(QualityList.Status.PUBLISHED.label))
    return [(label, text) for label, text in facts if text]


def _shown(reading: Reading) -> list[Fact]:
    """Columns that stand on paper and in which some line says something."""
    lines = reading.lines
    return [
        fact
        for fact in reading.columns
        if fact.on_paper and any(fact.say(line.value(fact)) for line in lines)
    ]


def as_workbook(reading: Reading) -> bytes:
    quality_list = reading.quality_list
    with translation.override(LANGUAGE):
        shown = reading.columns
        lines = Leaf(
            quality_list.get_kind_display(),
            [(_("序号"), 6), *((str(fact.label), CHARACTERS * max(fact.width, 1)) for fact in shown)],
            [
                [number, *(fact.cell(line.value(fact)) for fact in shown)]
                for number, line in enumerate(reading.lines, start=1)
            ],
            wrap=True,
        )
        about = _head(quality_list)
        if reading.hidden:
            about.append((_("不公开的项数"), reading.hidden))
        head = Leaf(_("说明"), [(_("项目"), 16), (_("内容"), 70)], about, wrap=True)
        return workbook([lines, head], created=_moment(quality_list))


def as_sheet(reading: Reading) -> Sheet:
    quality_list, moment = reading.quality_list, _moment(reading.quality_list)
    named = _named(quality_list)
    with translation.override(LANGUAGE):
        shown = _shown(reading)
        table = Table(
            "",
            (
                Column(_("序号"), 0.5, "center"),
                *(
                    Column(str(fact.label), fact.width, "center" if fact.is_day else "start")
                    for fact in shown
                ),
            ),
            tuple(
                Row((str(number), *(Cell(fact.say(line.value(fact)) or None) for fact in shown)))
                for number, line in enumerate(reading.lines, start=1)
            ),
        )
        counted = _("共 %(n)d 项") % {"n": len(reading.lines)}
        if reading.hidden:
            counted = _("公开 %(n)d 项；不公开的项数：%(hidden)s") % {
                "n": len(reading.lines),
                "hidden": reading.hidden,
            }
        return Sheet(
            title=f"{named['chain']}{quality_list.get_kind_display()}",
            sub="　".join(
                [
                    named["bureau"],
                    _("第 %(n)d 版") % {"n": quality_list.version},
                    _("%(day)s 起实施") % {"day": formats.day(quality_list.effective_on)},
                    counted,
                ]
            ),
            issuer=named["bureau"],
            date=timezone.localdate(moment),
            created=moment,
            code=quality_list.code,
            url=settings.PUBLIC_URL + reverse("projects:quality_list", args=[quality_list.public_id]),
            tables=(table,) if reading.lines else (),
            notes=(_("编制说明：%(notes)s") % {"notes": quality_list.notes},) if quality_list.notes else (),
            watermark="" if quality_list.is_frozen else "草案",
        )


def as_pdf(reading: Reading) -> bytes:
    """The paper; of what was printed already, the same file."""
    html = sheet_html(as_sheet(reading))
    key = f"sheet:{sha256(html.encode()).hexdigest()}"
    kept = cache.get(key)
    if kept is None:
        kept = printing.to_pdf(html, sheet.STYLE)
        cache.set(key, kept, KEPT)
    return kept
