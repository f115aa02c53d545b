"""What the work of the demo brought about: results with their numbers, money of firms, firms helped."""

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

from common import bulk
from portal.demo import build, cases
from portal.demo.days import Days
from projects.models import Beneficiary, Investment, ProjectResult

# By the first element of a key project: the kind of its result, and its number.
KINDS = {
    "STD": ("standard", "团体标准", "T/YS {n}-{year}"),
    "MET": ("metrology", "计量技术规范", "JJF(演示) {n}-{year}"),
    "CER": ("certificate", "认证证书", "YS-CER-{year}-{n:05}"),
    "TST": ("method", "检测方法", "YS-FF-{year}-{n:04}"),
    "ACC": ("certificate", "认可证书", "YS-ACC-{year}-{n:05}"),
}
HELPED_IN_100 = 30


def store(rnd: random.Random, builder: build.Builder, problems: cases.Cases) -> None:
    key_projects = [dict(zip(build.KEY_PROJECT_FIELDS, row, strict=True)) for row in builder.key_projects]
    fields = ("project", "key_project", "kind", "title", "due_on", "number", "published_on")
    bulk.insert(ProjectResult, fields, map(_result, key_projects))
    fields = ("key_project", "organization", "amount", "booked_on", "voucher")
    bulk.insert(Investment, fields, _investments(rnd, builder.days, key_projects))
    bulk.insert(Beneficiary, ("bottleneck", "organization", "agreed_on"), _beneficiaries(rnd, problems))


def _result(of: dict[str, Any]) -> tuple:
    """One of each key project: published when it was accepted, else planned for its end."""
    kind, name, form = KINDS[of["nqi_elements"][:3]]
    accepted = of["accepted_on"]
    number = form.format(n=of["id"], year=accepted[:4]) if accepted else ""
    return of["project"], of["id"], kind, f"{of['name'][:80]}{name}", of["end_on"], number, accepted


def _investments(rnd: random.Random, days: Days, key_projects: list[dict[str, Any]]) -> Iterator[tuple]:
    """A first part at the contract, the rest half a year later; to the cent, as invoices are."""
    for of in key_projects:
        if of["contract_on"] is None:
            continue
        own = int(of["budget_own"]) * 100
        first = own * 3 // 10 + int(rnd.random() * 100_000)
        begun = days.of(date.fromisoformat(of["contract_on"]))
        for n, (day, fen) in enumerate(((begun, first), (begun + 180, own - first)), 1):
            if day <= days.today:
                amount = f"{fen // 100}.{fen % 100:02}"
                yield of["id"], of["lead"], amount, days.iso[day], f"演示-{of['code']}-{n}"


def _beneficiaries(rnd: random.Random, problems: cases.Cases) -> Iterator[tuple]:
    """Some solved problems help another firm of the chain."""
    columns = [cases.FIELDS.index(name) for name in ("id", "organization", "chain", "result", "resolved_at")]
    rows = [[row[column] for column in columns] for row in problems.rows]
    last: dict[int, int] = {}
    for pk, organization, chain, result, resolved_at in rows:
        other = last.get(chain)
        solved = result == "bottleneck_solved" and other not in (None, organization)
        if solved and rnd.random() * 100 < HELPED_IN_100:
            yield pk, other, resolved_at[:10]
        last[chain] = organization
