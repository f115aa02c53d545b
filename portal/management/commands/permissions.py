"""Write the table of permissions as a document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal.permissions import KINDS, TABLE, Answer, Entry, Relation, Rule, addresses

HEAD = """# Who may do what where

Written by `manage.py permissions` from `portal/permissions.py`; not to be edited by hand. The tests ask every
address as every kind of user below, on rows in every relation, and compare the answers with this table.

- **exists for**: for everybody else the address answers 404, as if there were no such row.
- **GET**, **POST**: who is answered; everybody else who sees the row gets 403 with the reason. “—”: 405.
- Without a login only addresses marked “public” answer; all others lead to the login (the API: 401).
- What lists, search, figures and exports contain follows from the same scope: see “Relations”.
"""

RELATIONS = """## Relations

A row is a user's **own** when it belongs to the bureau of the grant or to the organisation, **subordinate**
below that bureau, **sibling** under the same superior (of a firm: another firm of its bureau), **superior**
at the bureau above, **foreign** anywhere else. Letters below: O, D (down), S, U (up), F; “•”: always.
"""

LETTERS = {
    Relation.OWN: "O",
    Relation.SUBORDINATE: "D",
    Relation.SIBLING: "S",
    Relation.SUPERIOR: "U",
    Relation.FOREIGN: "F",
}


def text() -> str:
    return "\n".join([HEAD, *_addresses(), "", RELATIONS, *_rules()]) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _addresses() -> Iterator[str]:
    routes = dict(addresses())
    for heading, chosen in (
        ("Pages", lambda entry: not entry.is_of_admin and not entry.is_of_api),
        ("Interface for programs", lambda entry: entry.is_of_api),
        ("Admin site", lambda entry: entry.is_of_admin),
    ):
        yield f"## {heading}\n"
        yield _line("name", "address", "exists for", "GET", "POST")
        yield _line(*["---"] * 5)
        for entry in filter(chosen, TABLE):
            address = f"`/{routes[entry.name].replace('|', chr(92) + '|')}`"
            yield _line(
                entry.label, address, _sees(entry), *(_may(entry, rule) for rule in (entry.read, entry.write))
            )
        yield ""


def _sees(entry: Entry) -> str:
    words = entry.sees.words
    if entry.row and words == "anybody":
        words = "everybody" if entry.public else "whoever is signed in"
    return f"{words} (public)" if entry.public else words


def _may(entry: Entry, rule: Rule | None) -> str:
    if rule is None:
        return "—"
    words = rule.words if entry.door.words == "anybody" else f"{rule.words}, among {entry.door.words}"
    return words if entry.refusal == Answer.REFUSED else f"{words} (others: {entry.refusal})"


def _rules() -> Iterator[str]:
    rules = {
        rule.words: rule
        for entry in TABLE
        for rule in (entry.sees, entry.read, entry.write, entry.door)
        if rule is not None
    }
    kinds = [kind for kind in KINDS if kind.name != "anonymous"]
    yield _line("who", *(kind.name for kind in kinds))
    yield _line(*["---"] * (len(kinds) + 1))
    for words, rule in sorted(rules.items()):
        cells = []
        for kind in kinds:
            held = [LETTERS[relation] for relation in kind.relations if rule.holds(kind, relation)]
            everywhere = len(held) == len(kind.relations) and rule.holds(kind, None)
            cells.append("•" if everywhere else "".join(held))
        yield _line(words, *cells)


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=settings.BASE_DIR / "docs" / "permissions.md")

    def handle(self, *args: Any, **options: Any) -> None:
        options["output"].write_text(text(), encoding="utf-8")
