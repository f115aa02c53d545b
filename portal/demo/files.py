"""Small real files for the attachments: a one-page report as PDF, a measured curve as PNG."""

import struct
import zlib
from collections.abc import Sequence


def pdf(lines: Sequence[str]) -> bytes:
    """A page with the lines, in the Chinese font that every PDF reader brings along."""
    text = "".join(
        f"BT /F1 {18 if n == 0 else 11} Tf 60 {770 - 26 * n} Td <{line.encode('utf-16-be').hex()}> Tj ET\n"
        for n, line in enumerate(lines)
    )
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}endstream",
        "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H"
        " /DescendantFonts [6 0 R] >>",
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /FontDescriptor 7 0 R >>",
        "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880]"
        " /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    ]
    file, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n{body}\nendobj\n".encode("ascii")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    return file + (
        f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    ).encode("ascii")


def png(values: Sequence[int], *, height: int = 120, step: int = 4) -> bytes:
    """The values (0 to 99) as a dark line on white, ``step`` pixels each."""
    width = step * len(values)
    rows = [bytearray(b"\xff" * width) for _row in range(height)]
    for n, value in enumerate(values):
        top = height - 10 - value
        for x in range(n * step, (n + 1) * step):
            rows[top][x] = rows[top + 1][x] = 60
    for x in range(width):
        rows[height - 6][x] = 180

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows)))
        + chunk(b"IEND", b"")
    )
