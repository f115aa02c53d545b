"""Filing over HTTP, by 32 firms at once, for a minute in all.

`filing` is what a program of a firm sends: the whole filing in one request, with validation, event in the
record, number, event of the problem, index of twins and notices. `filing_by_steps` is what a browser sends:
three steps and the submission, each a change that is validated and recorded. The floor is a Django view with
nothing around it behind the same server, which stores such a row by one statement written by hand
(`bench.plain_filing`). All are counted in requests per second; filings per second stand beside. How SQLite
does beside PostgreSQL follows from the entries of the two.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import FILING_ROLES, Grant, Notice, User
from bench.bench_lists import Server, api_headers, page_headers, stop_all
from bench.harness import FOLDER, ROOT, Sides, benchmark
from projects.models import Bottleneck, Transition

CLIENTS = 32
# Three rounds: a minute of filing.
ROUNDS, SECONDS = 3, 20.0
# 0.2 and 0.45 of the requests per second of the floor.
MOST, GOAL = 1 / 0.2, 1 / 0.45
SECRET = "x" * 32
FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": SECRET}


def filers() -> list[User]:
    """People who file, each for another firm."""
    grants = Grant.objects.judged("the benchmark").in_force(timezone.localdate())
    rows = grants.filter(role__in=FILING_ROLES, organization__status="active").select_related("user")
    by_firm = {grant.organization_id: grant.user for grant in rows.order_by("pk")}
    by_person = {user.pk: user for user in by_firm.values()}
    return list(by_person.values())[:CLIENTS]


def page_login(user: User) -> dict[str, str]:
    login = page_headers(user)["Cookie"]
    return FORM | {"Cookie": f"{login}; {settings.CSRF_COOKIE_NAME}={SECRET}"}


def api_login(user: User) -> dict[str, str]:
    return api_headers(user) | {"Content-Type": "application/json"}


def said(pattern: Bottleneck, *names: str) -> dict[str, Any]:
    return {name: getattr(pattern, name) for name in names}


def measure_of(pattern: Bottleneck) -> dict[str, Any]:
    return pattern.measures.values("metric", "unit", "value_now", "comparison", "target")[0]


HAPPENING = ("product", "title", "choke", "symptom")
EXTENT = ("effect", "urgency")
HELP = ("cause", "nqi_elements", "nqi_gap", "help_wanted")
BESIDE = {"visibility": "government", "contact_name": "演示联系人", "contact_phone": "13800000000"}


def whole_filing(pattern: Bottleneck) -> dict[str, Any]:
    """What a program sends, with the answers of a problem that was filed before."""
    measure = {name: str(value) for name, value in measure_of(pattern).items()}
    assert pattern.chain and pattern.segment  # noqa: S101  (it was filed)
    place = {"chain": pattern.chain.code, "segment": pattern.segment.name}
    key = {"public_id": "KEY", "organization": "FIRM"}
    return key | said(pattern, *HAPPENING, *EXTENT, *HELP) | place | BESIDE | {"measures": [measure]}


def one_request(pattern: Bottleneck) -> list[dict[str, str]]:
    body = json.dumps(whole_filing(pattern), ensure_ascii=False)
    return [{"path": "/api/v1/bottlenecks/", "body": body, "leads_to": ""}]


def steps(pattern: Bottleneck) -> list[dict[str, str]]:
    """What a browser sends."""
    place = {"chain": pattern.chain_id, "segment": pattern.segment_id}
    bodies: list[dict[str, Any]] = [
        said(pattern, *HAPPENING) | place,
        said(pattern, *EXTENT) | {f"measure-0-{name}": value for name, value in measure_of(pattern).items()},
        said(pattern, *HELP) | BESIDE,
        {},
    ]
    steps = ("happening", "extent", "help", "check")
    return [
        {
            "path": f"/bottlenecks/KEY/edit/{step}/?for=FIRM",
            "body": urlencode(body | {"version": version}, doseq=True),
            "leads_to": f"/bottlenecks/KEY/{leads_to}/",
        }
        for version, (step, body, leads_to) in enumerate(
            zip(steps, bodies, [*(f"edit/{step}" for step in steps[1:]), "submitted"], strict=True), 1
        )
    ]


def load(server: Server, requests: list[dict[str, str]], clients: list[dict[str, Any]]) -> dict[str, Any]:
    """What the clients, in a process of their own, were answered."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as plan:
        json.dump({"requests": requests, "clients": clients}, plan)
        plan.flush()
        command = [sys.executable, "bench/filing_clients.py", str(server.port), str(SECONDS), plan.name]
        answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def wrong(filed: list[str]) -> int:
    """How many of the filings that were answered with a receipt are not stored with exactly one event of the
    problem, and one notice to each person at its desk, or are stored under a number given twice."""
    rows = Bottleneck.objects.judged("the benchmark").filter(public_id__in=filed, status="submitted")
    events = Counter(
        Transition.objects.filter(bottleneck__in=rows).values_list("bottleneck__public_id", flat=True)
    )
    keys = dict(Transition.objects.filter(bottleneck__in=rows).values_list("pk", "bottleneck__public_id"))
    told = Counter(
        (keys[int(source.partition(":")[2])], user)
        for source, user in Notice.objects.filter(
            source__in=[f"transition:{key}" for key in keys]
        ).values_list("source", "user_id")
    )
    right = {key for key, n in events.items() if n == 1} & {key for key, _user in told}
    twice = {key for (key, _user), n in told.items() if n > 1}
    numbers = rows.values("code").distinct().count()
    return len(filed) - len({str(key) for key in right - twice} & set(filed)) + (rows.count() - numbers)


def sides(
    requests_of: Callable[[Bottleneck], list[dict[str, str]]],
    login: Callable[[User], dict[str, str]],
    done: str,
) -> Sides:
    people = filers()
    firms = dict(
        Grant.objects.judged("the benchmark")
        .filter(user__in=people, role__in=FILING_ROLES)
        .values_list("user", "organization__uscc")
    )
    submitted = Bottleneck.objects.judged("the benchmark").filter(status="submitted")
    pattern = submitted.select_related("chain", "segment").order_by("pk")[0]
    log = FOLDER / connection.vendor / f"{requests_of.__name__}.log"
    portal, plain = Server("portal.wsgi", log), Server("bench.plain_filing")
    requests = requests_of(pattern)
    clients = [{"headers": login(user), "firm": firms[user.pk]} for user in people]
    rounds: list[dict[str, Any]] = []
    figures: dict[str, float] = {"clients": len(people)}

    def subject() -> int:
        rounds.append(load(portal, requests, clients))
        return rounds[-1]["requests"]

    def floor() -> int:
        plainly = [{"path": "/file", "body": "", "leads_to": ""}]
        answer = load(plain, plainly, clients)
        if set(answer["answers"]) != {"204"}:
            raise RuntimeError(f"The floor answered {answer['answers']}")
        return answer["requests"]

    def close() -> None:
        stop_all(portal, plain)
        answers = sum((Counter(it["answers"]) for it in rounds), Counter[str]())
        filed = [key for it in rounds for key in it["filed"]]
        figures.update(
            {
                "filings per second": len(filed) / sum(it["seconds"] for it in rounds),
                "filings": len(filed),
                "filings not stored whole and once": wrong(filed),
                "requests": answers.total(),
                f"answers other than {done}": answers.total() - answers[done],
                "database is locked": log.read_text().count("database is locked"),
                "median seconds": statistics.median(it["median"] for it in rounds),
                "95 % within seconds": max(it["p95"] for it in rounds),
            }
        )

    return Sides(subject=subject, floor=floor, close=close, counted=True, figures=figures)


@benchmark(most=MOST, goal=GOAL, rounds=ROUNDS, warm_up=False)
def filing() -> Sides:
    """Seconds of a filing in one request."""
    return sides(one_request, api_login, "201")


@benchmark(rounds=ROUNDS, warm_up=False)
def filing_by_steps() -> Sides:
    """Seconds of one of the four requests of a filing in the browser."""
    return sides(steps, page_login, "302")
