"""Workbooks: written from rows, and looked at before anything reads whole what somebody uploads."""

import datetime as dt
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any, TypeAlias

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.workbook.child import INVALID_TITLE_REGEX
from openpyxl.writer.excel import ExcelWriter

Value: TypeAlias = str | int | Decimal | dt.date | None
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# Far beyond what is typed by hand; a workbook of 1 KB can claim sixteen thousand million cells.
UNPACKED_LIMIT = 100 * 1024 * 1024
MOST_PARTS = 1000
MOST_ROWS = 50_000
MOST_COLUMNS = 200


# --- Writing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """One sheet: heads with their widths in characters, and rows of values. `wrap` breaks long texts."""

    title: str
    heads: Sequence[tuple[str, float]]
    rows: Iterable[Sequence[Value]]
    wrap: bool = False


def workbook(leaves: Sequence[Leaf], *, created: dt.datetime | None = None) -> bytes:
    """The sheets as a file, each with a bold head that stays in view.

    Texts are texts, whatever they begin with: none is a formula. Numbers and days are such. Given when the
    content was fixed, the same rows give the same bytes.
    """
    moment = timezone.localtime(created)
    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = moment.replace(tzinfo=None, microsecond=0)
    for leaf in leaves:
        _write(book, leaf)
    written, dated = BytesIO(), BytesIO()
    # `Workbook.save` would set the time of writing, into the properties and for each part.
    with zipfile.ZipFile(written, "w") as archive:
        ExcelWriter(book, archive).save()
    with zipfile.ZipFile(written) as archive, zipfile.ZipFile(dated, "w") as copy:
        for name in archive.namelist():
            part = zipfile.ZipInfo(name, moment.timetuple()[:6])
            copy.writestr(part, archive.read(name), zipfile.ZIP_DEFLATED)
    return dated.getvalue()


def _write(book: Workbook, leaf: Leaf) -> None:
    sheet = book.create_sheet(INVALID_TITLE_REGEX.sub(" ", leaf.title)[:31])
    sheet.freeze_panes = "B2"
    for place, (_head, width) in enumerate(leaf.heads, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    wrapped = Alignment(wrap_text=True, vertical="top") if leaf.wrap else None

    def cell(value: Value, font: Font | None = None) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
            made.data_type = "s"
        else:
            made = WriteOnlyCell(sheet, value)
            if isinstance(value, dt.date):
                made.number_format = "yyyy-mm-dd"
        if font:
            made.font = font
        if wrapped:
            made.alignment = wrapped
        return made

    bold = Font(bold=True)
    sheet.append([cell(head, bold) for head, _width in leaf.heads])
    for row in leaf.rows:
        sheet.append([cell(value) for value in row])


# --- Reading ----------------------------------------------------------------------------------------------


def refuse_oversize(upload: UploadedFile) -> None:
    """Raises ValidationError for a file that is too large, or unpacks or unfolds to too much.

    Sizes are those that the archive declares: nothing reads beyond them. Other files than workbooks are only
    weighed.
    """
    if (upload.size or 0) > settings.UPLOAD_LIMIT:
        sentence = _("文件太大，最多 %(limit)s。请分成几个文件导入。")
        raise ValidationError(sentence % {"limit": filesizeformat(settings.UPLOAD_LIMIT)})
    if not zipfile.is_zipfile(upload):
        return
    try:
        with zipfile.ZipFile(upload) as archive:
            parts = archive.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > UNPACKED_LIMIT:
            raise ValidationError(_("这个工作簿解开后太大，没有打开。请另存为新的工作簿再导入。"))
        _refuse_empty_space(load_workbook(upload, read_only=True))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as fault:
        raise ValidationError(_("这个文件不是能打开的工作簿。请用 XLSX 或 CSV 格式另存后再导入。")) from fault
    finally:
        upload.seek(0)


def _refuse_empty_space(workbook: Any) -> None:
    for sheet in workbook.worksheets:
        if (sheet.max_row or 0) > MOST_ROWS or (sheet.max_column or 0) > MOST_COLUMNS:
            sentence = _(
                "工作表“%(name)s”超过 %(rows)s 行或 %(columns)s 列。请删去空行空列，或分成几个文件。"
            )
            raise ValidationError(
                sentence % {"name": sheet.title, "rows": MOST_ROWS, "columns": MOST_COLUMNS}
            )
