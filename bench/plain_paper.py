"""The floor of the bulletins: bare WeasyPrint over the HTML and the stylesheet that the portal prints."""

from functools import cache

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration


@cache
def shared(css: str) -> tuple[FontConfiguration, CSS]:
    """Typefaces and stylesheet, read once by each process."""
    fonts = FontConfiguration()
    return fonts, CSS(string=css, font_config=fonts)


def pdf(html: str, css: str) -> bytes:
    fonts, sheet = shared(css)
    return HTML(string=html).write_pdf(font_config=fonts, stylesheets=[sheet], pdf_variant="pdf/a-2a")
