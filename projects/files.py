"""What an uploaded file may be: judged by its content, never by its name (`domain.md` 3.11, 3.14)."""

import hashlib
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

import puremagic
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from projects.models import Attachment, Bottleneck
from projects.models.bottlenecks import attachment_path

# An office file is a zip with these parts inside; anything else in a zip is refused.
OFFICE_PARTS = {
    "xl/workbook.xml": ".xlsx",
    "word/document.xml": ".docx",
}
MIME_BY_SUFFIX = {
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
SAME_SUFFIX = {".jpeg": ".jpg", ".jfif": ".jpg"}
ACCEPTED = gettext_lazy("PDF、JPG、PNG、XLSX、DOCX")
# Of one problem.
MAX_ATTACHMENTS = 10


def clean_name(name: str) -> str:
    """The name without folders, control and direction characters, at most 200 characters with its suffix."""
    base = PurePath(name.replace("\\", "/")).name
    base = "".join(c for c in unicodedata.normalize("NFC", base) if unicodedata.category(c)[0] != "C").strip(
        " ."
    )
    stem, dot, suffix = base.rpartition(".")
    base = f"{stem[: 199 - len(suffix)]}.{suffix}" if dot and len(suffix) <= 10 else base[:200]
    return re.sub(r"\s+", " ", base) or "file"


def _zip_suffix(upload: UploadedFile) -> str | None:
    try:
        with zipfile.ZipFile(upload) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return None
    return next((suffix for part, suffix in OFFICE_PARTS.items() if part in names), None)


def suffix_by_content(upload: UploadedFile) -> str | None:
    """The suffix that the content deserves, or None when it is nothing we take."""
    upload.seek(0)
    head = upload.read(8192)
    upload.seek(0)
    if head.startswith(b"PK\x03\x04"):
        suffix = _zip_suffix(upload)
        upload.seek(0)
        return suffix
    try:
        suffix = puremagic.from_string(head)
    except (puremagic.PureError, ValueError):
        return None
    suffix = SAME_SUFFIX.get(suffix, suffix)
    return suffix if suffix in MIME_BY_SUFFIX else None


@contextmanager
def removed_on_failure() -> Iterator[list[Attachment]]:
    """Files of the attachments put on the list are removed when the block fails: a rollback leaves them."""
    stored: list[Attachment] = []
    try:
        yield stored
    except BaseException:
        for attachment in stored:
            attachment.file.storage.delete(attachment_path(attachment))
        raise


def check(upload: UploadedFile) -> str:
    """The content type of an acceptable file; raises ValidationError with what would be accepted."""
    name = clean_name(upload.name or "")
    if not upload.size:
        raise ValidationError(_("“%s”是空文件，没有上传。") % name)
    if upload.size > settings.UPLOAD_LIMIT:
        raise ValidationError(
            _("“%(name)s”有 %(size)s，超过每个文件 %(limit)s 的上限。可以压缩图片或拆成几个文件。")
            % {
                "name": name,
                "size": filesizeformat(upload.size),
                "limit": filesizeformat(settings.UPLOAD_LIMIT),
            }
        )
    found = suffix_by_content(upload)
    if found is None:
        raise ValidationError(
            _("“%(name)s”不是可以接收的文件。可以上传：%(accepted)s。") % {"name": name, "accepted": ACCEPTED}
        )
    claimed = PurePath(name).suffix.lower()
    if SAME_SUFFIX.get(claimed, claimed) != found:
        raise ValidationError(
            _("“%(name)s”的内容其实是 %(found)s 文件，与文件名不符。请改正文件名或换一个文件。")
            % {"name": name, "found": found.lstrip(".").upper()}
        )
    return MIME_BY_SUFFIX[found]


def keep(
    locked: Bottleneck, upload: UploadedFile, *, by: User | None, stored: list[Attachment]
) -> Attachment:
    """Keep a file with a locked problem; what reaches the disk is put on the list first."""
    mime = check(upload)
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    if known := locked.attachments.filter(sha256=digest.hexdigest()).first():
        return known
    if locked.attachments.count() >= MAX_ATTACHMENTS:
        raise ValidationError(_("每个问题最多 %d 个附件，请先删除不需要的。") % MAX_ATTACHMENTS)
    attachment = Attachment(
        bottleneck=locked,
        file=upload,
        name=clean_name(upload.name or ""),
        size=upload.size or 0,
        mime=mime,
        sha256=digest.hexdigest(),
        uploaded_by=by,
    )
    stored.append(attachment)
    attachment.save()
    return attachment
