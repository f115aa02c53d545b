"""Files handed to a reader, who may see what the next one at the same machine may not."""

from typing import Any

from django.http import FileResponse, Http404, HttpResponse
from django.utils.http import content_disposition_header


def made(content: bytes, mime: str, name: str) -> HttpResponse:
    """What was made for this reader, to be saved under this name."""
    response = HttpResponse(content, content_type=mime)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-store"
    return response


def uploaded(file: Any, mime: str, name: str, *, shown: bool = True) -> FileResponse:
    """What somebody uploaded, shown or saved, and never run by the browser; 404 when the file is gone."""
    try:
        content = file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(content, as_attachment=not shown, filename=name, content_type=mime)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response
