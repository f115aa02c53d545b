"""From HTML to PDF/A: typefaces, colour profile, and a fetcher that loads nothing from outside.

What a paper looks like stands in its stylesheet; `$names` in it are filled in with the typefaces of this
machine. The same document with the same stylesheet gives the same bytes.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

from weasyprint import CSS, HTML, Document
from weasyprint.css import ColorProfile
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from . import fonts
from .justify import justify

PDF_VARIANT, OUTPUT_INTENT, PROFILE = "pdf/a-2a", "sRGB", "sRGB2014.icc"


class _Fetcher(URLFetcher):
    """Gives the packaged typefaces and nothing else: no network, no file, whatever the text may ask for."""

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        for file, path in fonts.PACKAGED.values():
            if url == f"paper:{file}":
                return URLFetcherResponse(url, BytesIO(path().read_bytes()), {"Content-Type": "font/otf"})
        raise ValueError("Papers load nothing from outside.")


@dataclass(frozen=True, slots=True)
class _Resources:
    """What papers of one kind share in a process: typefaces, parsed stylesheet, colour profile, fetcher."""

    fonts: FontConfiguration
    stylesheet: CSS
    profile: bytes
    fetcher: _Fetcher


def stylesheet(path: Path) -> str:
    """The layout of a kind of papers as CSS, with the typefaces of this machine."""
    faces = fonts.faces()
    names = {f"{role}_family": families for role, families in faces.families.items()}
    names |= {f"{role}_weight": str(weight) for role, weight in faces.weights.items()}
    names["packaged"] = "".join(
        f'@font-face {{ font-family: {name}; src: url("paper:{fonts.PACKAGED[name][0]}") }}\n'
        for name in faces.packaged
    )
    return Template(path.read_text(encoding="utf-8")).substitute(names)


@cache
def resources(path: Path) -> _Resources:
    """Made once per process and stylesheet."""
    configuration, fetcher = FontConfiguration(), _Fetcher()
    css = CSS(string=stylesheet(path), font_config=configuration, url_fetcher=fetcher)
    profile = (files("weasyprint.pdf") / PROFILE).read_bytes()
    return _Resources(configuration, css, profile, fetcher)


# The shared typefaces serve one document at a time.
_printing = threading.Lock()


def layout(html: str, style: Path) -> tuple[Document, dict[str, Any]]:
    """The pages of a paper, lines justified, and the options to write them with."""
    shared = resources(style)
    options: dict[str, Any] = {
        "pdf_variant": PDF_VARIANT,
        "pdf_identifier": hashlib.sha256(html.encode()).digest()[:16],
        "output_intent": OUTPUT_INTENT,
    }
    # Asked for "srgb", WeasyPrint would open its profile for each document and never close it. A profile
    # object comes out with other bytes when written a second time, so each document has its own.
    profile = ColorProfile(BytesIO(shared.profile), PROFILE, "relative-colorimetric", (["r"], ["g"], ["b"]))
    document = HTML(string=html, url_fetcher=shared.fetcher).render(
        shared.fonts,
        color_profiles={OUTPUT_INTENT: profile},
        stylesheets=[shared.stylesheet],
        **options,
    )
    for page in document.pages:
        justify(page)
    return document, options


def to_pdf(html: str, style: Path) -> bytes:
    """The document as PDF/A-2."""
    with _printing:
        document, options = layout(html, style)
        return document.write_pdf(**options)
