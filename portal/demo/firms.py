"""Organisations: names that look like names of their trade, credit codes with right check characters."""

import random

from common.uscc import ALPHABET, WEIGHTS
from portal.demo.catalogue import BRANDS, FIRM_WORDS, INSTITUTIONS, Chain
from portal.demo.places import Unit

FIELDS = (
    "id",
    "uscc",
    "name",
    "former_names",
    "legal_form",
    "bureau",
    "registered_division",
    "operating_division",
    "address",
    "legal_rep",
    "founded_on",
    "gbt4754_class",
    "size",
    "tags",
    "annual_output",
    "employees",
    "status",
    "source",
    "is_test",
    "created_at",
    "updated_at",
)
# The organisation code (positions 9 to 17) of every demo firm begins so; no register gives such codes out.
MARK = "DEM"
INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
SPACE = 31**5
CREATED = "2022-01-04 01:00:00"
TAGS = ("", "", "", "", "GXJS", "GS", "GS,GXJS", "GXJS,ZJTX", "GS,GXJS,ZJTX", "XJR,ZJTX", "DXGJ,GS,GXJS")
SIZES = ("micro",) * 7 + ("small",) * 10 + ("medium",) * 2 + ("large",)
EMPLOYEES = {"micro": (3, 19), "small": (20, 299), "medium": (300, 999), "large": (1000, 9000)}


class CreditCodes:
    """Unified social credit codes in an order that looks like none, each once."""

    def __init__(self) -> None:
        self._next = 0
        self._prefixes: dict[tuple[str, str], int] = {}
        self._values = {character: n for n, character in enumerate(ALPHABET)}
        inner = {character: int(character, 36) for character in ALPHABET}
        self._inner = [inner[character] for character in ALPHABET]
        self._inner_mark = sum(inner[c] * w for c, w in zip(MARK, INNER_WEIGHTS[:3], strict=True))

    def take(self, kind: str, division: str) -> str:
        start = self._prefixes.get((kind, division))
        if start is None:
            text = kind + division + MARK
            start = sum(self._values[c] * w for c, w in zip(text, WEIGHTS[:11], strict=True))
            self._prefixes[(kind, division)] = start
        self._next += 1
        serial = self._next * 1_299_709 % SPACE
        serial, e = divmod(serial, 31)
        serial, d = divmod(serial, 31)
        serial, c = divmod(serial, 31)
        a, b = divmod(serial, 31)
        v = self._inner
        check = 11 - (self._inner_mark + v[a] * 10 + v[b] * 5 + v[c] * 8 + v[d] * 4 + v[e] * 2) % 11
        inner = "X" if check == 10 else "0" if check == 11 else str(check)
        total = (
            start + a * WEIGHTS[11] + b * WEIGHTS[12] + c * WEIGHTS[13] + d * WEIGHTS[14] + e * WEIGHTS[15]
        )
        total += self._values[inner] * WEIGHTS[16]
        x = ALPHABET
        return f"{kind}{division}{MARK}{x[a]}{x[b]}{x[c]}{x[d]}{x[e]}{inner}{x[-total % 31]}"


class Firms:
    """All organisations so far; ``rows`` are ready to be stored, the other lists go by key."""

    def __init__(
        self, rnd: random.Random, chains: list[Chain], codes_of_divisions: dict[int, str], nowhere: Unit
    ) -> None:
        self._random = rnd.random
        self._chains = chains
        self._divisions = codes_of_divisions
        self._codes = CreditCodes()
        # Founded from 1996 to 2021, before anything else here happens.
        self._founded = [
            f"{year}-{month:02d}-{day:02d}"
            for year in range(1996, 2022)
            for month in (3, 6, 9, 11)
            for day in (2, 8, 15, 23)
        ]
        self._words = [FIRM_WORDS[chain.trade] for chain in chains]
        self.rows: list[tuple] = []
        self.name: list[str] = [""]
        self.uscc: list[str] = [""]
        self.leaf: list[Unit] = [nowhere]
        self.chain: list[int] = [0]
        # The project of 2024 on which a firm has its first part; 0 for the others.
        self.project: list[int] = [0]

    def firm(
        self, leaf: Unit, chain: int, project: int = 0, *, large: bool = False, name: str = "", test: int = 0
    ) -> int:
        """A new enterprise; returns its key."""
        r = self._random
        words = self._words[chain]
        city = leaf.city
        if not name:
            brand = BRANDS[int(r() * len(BRANDS))]
            extra = BRANDS[int(r() * len(BRANDS))][0] if r() < 0.6 else ""
            tail = "股份有限公司" if large else "有限公司"
            name = f"演示·{city.place}{brand}{extra}{words[int(r() * len(words))]}{tail}"
        size = ("large", "medium")[r() < 0.4] if large else SIZES[int(r() * 20)]
        low, high = EMPLOYEES[size]
        employees = low + int(r() * (high - low))
        classes = self._chains[chain].classes
        status = "deregistered" if r() < 0.008 and not large else "active"
        return self._add(
            leaf,
            chain,
            project=project,
            kind="91",
            name=name,
            form="enterprise",
            klass=classes[int(r() * len(classes))],
            size=size,
            tags="GS,GXJS" if large else TAGS[int(r() * 11)],
            output=employees * (300_000 + int(r() * 900_000)),
            employees=employees,
            status=status,
            test=test,
        )

    def institution(self, leaf: Unit, chain: int, kind: int, serial: int, name: str = "") -> int:
        """A new enabling institution of the kind in the catalogue."""
        _kinds, _elements, word, prefix, _weight = INSTITUTIONS[kind]
        brand = BRANDS[serial % len(BRANDS)]
        name = name or f"演示·{leaf.city.place}{brand}{word}"
        form = {"9": "enterprise", "1": "public", "5": "social"}[prefix[0]]
        return self._add(
            leaf,
            chain,
            kind=prefix,
            name=name,
            form=form,
            klass="7450",
            employees=20 + int(self._random() * 600),
        )

    def _add(
        self,
        leaf: Unit,
        chain: int,
        *,
        kind: str,
        name: str,
        form: str,
        klass: str,
        employees: int,
        project: int = 0,
        size: str = "",
        tags: str = "",
        output: int | None = None,
        status: str = "active",
        test: int = 0,
    ) -> int:
        division = leaf.division_id or (leaf.city.division_id if leaf.city is not leaf else None)
        uscc = self._codes.take(kind, self._divisions.get(division or 0, "650000"))
        pk = len(self.name)
        r = self._random
        self.rows.append(
            (
                pk, uscc, name, "[]", form, leaf.id, division, division,
                f"{leaf.short_name}演示路{1 + int(r() * 988)}号", "",
                self._founded[int(r() * len(self._founded))], klass, size, tags, output, employees, status,
                "import", test, CREATED, CREATED,
            )
        )  # fmt: skip
        self.name.append(name)
        self.uscc.append(uscc)
        self.leaf.append(leaf)
        self.chain.append(chain)
        self.project.append(project)
        return pk
