"""Workbooks that somebody uploads: looked at before anything reads them whole."""

import zipfile
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from openpyxl import load_workbook

# Far beyond what is typed by hand; a workbook of 1 KB can claim sixteen thousand million cells.
UNPACKED_LIMIT = 100 * 1024 * 1024
MOST_PARTS = 1000
MOST_ROWS = 50_000
MOST_COLUMNS = 200


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
