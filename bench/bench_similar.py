"""How long it takes to find the problems that say nearly the same among 150,000, and how well they are found.

The problems and their twins are made up by `bench.twin_texts`, which knows nothing of the search. A twin asks
as if it were about to be filed; right are the problem of which it is a twin and what else was filed of the
same, and nothing else. Two sets are asked, of other problems and by another seed: the first is for choosing
the threshold and says from which one on it would be right eight times of ten, the second measures what was
chosen.
"""

import itertools
import random
import statistics
import time
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from accounts.models import User
from bench import twin_texts
from bench.harness import Sides, benchmark
from common import bulk
from enterprises.models import IndustryChain
from projects import similar
from projects.models import Bottleneck

PROBLEMS, TWINS, TIMED = 150_000, 300, 40
# Every fourth problem of the sets was filed by a third firm as well.
SEVERAL = 4
SHOWN, DEEP = 5, 50
SECONDS, WANTED = 0.1, 0.8


@dataclass(frozen=True)
class Asked:
    """What is asked, and the keys that are right."""

    said: twin_texts.Made
    right: frozenset[int]


def labelled(made: dict[int, twin_texts.Made], keys: list[int], rnd: random.Random) -> list[Asked]:
    """Twins of these problems; twins that were filed before are added to what is made."""
    asked = []
    for place, key in enumerate(keys):
        right = {key}
        if place % SEVERAL == 0:
            right.add(max(made) + 1)
            made[max(made) + 1] = twin_texts.twin(made[key], rnd)
        asked.append(Asked(twin_texts.twin(made[key], rnd), frozenset(right)))
    return asked


def made_up(first: int) -> tuple[dict[int, twin_texts.Made], list[Asked], list[Asked]]:
    """Problems by key, a set to choose the threshold by, and one to measure with."""
    rnd = random.Random(20)
    made = dict(enumerate(twin_texts.problems(PROBLEMS, rnd), first))
    keys = rnd.sample(sorted(made), 2 * TWINS)
    return made, labelled(made, keys[:TWINS], rnd), labelled(made, keys[TWINS:], random.Random(21))


def first_key() -> int:
    return Bottleneck.objects.order_by("-pk").values_list("pk", flat=True)[0] + 1


def store(made: dict[int, twin_texts.Made], chains: list[int]) -> None:
    """The made-up problems beside those of the demo; otherwise like one of its accepted ones."""
    fields = [field.attname for field in Bottleneck._meta.concrete_fields]
    table = connection.ops.quote_name(Bottleneck._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(f.column) for f in Bottleneck._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table} WHERE status = 'accepted' ORDER BY id LIMIT 1")
        pattern = dict(zip(fields, cursor.fetchone(), strict=True))
    rows = (
        tuple(
            (
                pattern
                | {
                    "id": pk,
                    "public_id": uuid.UUID(int=pk).hex,
                    "code": f"DK-{pk}",
                    "chain_id": chains[one.chain],
                    "product": one.product,
                    "title": one.title,
                    "symptom": one.symptom,
                    "nqi_gap": one.gap,
                }
            ).values()
        )
        for pk, one in made.items()
    )
    bulk.insert(Bottleneck, fields, rows)
    bulk.numbers_follow(Bottleneck)
    similar.rebuild()
    bulk.analyse()


Found = list[tuple[float, int]]


def of_best(found: Found) -> Found:
    return [it for it in found if it[0] >= settings.TWINS_OF_BEST * found[0][0]]


def chosen_threshold(results: list[tuple[Asked, Found]]) -> float:
    """The lowest likeness from which on enough of what is shown is right."""
    shown = sorted(
        ((score, key in asked.right) for asked, found in results for score, key in of_best(found)),
        reverse=True,
    )
    right = itertools.accumulate(is_right for _score, is_right in shown)
    enough = [score for place, (score, _r), n in zip(itertools.count(1), shown, right, strict=False)
              if n / place >= WANTED]  # fmt: skip
    return enough[-1] if enough else 1.0


def quality(results: list[tuple[Asked, Found]]) -> dict[str, float]:
    """Of the pairs at the threshold in force."""
    twins = [
        [key for score, key in of_best(found) if score >= settings.TWINS_FROM] for _asked, found in results
    ]
    right = sum(len(asked.right & set(keys)) for (asked, _found), keys in zip(results, twins, strict=True))
    return {
        "precision": right / max(sum(map(len, twins)), 1),
        "recall": right / sum(len(asked.right) for asked, _found in results),
        f"among the first {SHOWN}": statistics.fmean(
            bool(asked.right & {key for _score, key in found[:SHOWN]}) for asked, found in results
        ),
    }


@benchmark(rounds=3, most_seconds=SECONDS)
def similarity() -> Sides:
    """Seconds of one question of the nation's officer, who sees every row."""
    chains = list(IndustryChain.objects.order_by("pk").values_list("pk", flat=True))
    made, to_choose, to_measure = made_up(first_key())
    store(made, chains)
    user = User.objects.get(username="national")
    rows = Bottleneck.objects.visible_to(user).counted().open()
    times: list[float] = []

    def ask(asked: Asked, at_least: float) -> Found:
        one = asked.said
        said = similar.Said(one.title, one.product, one.symptom, chains[one.chain], one.gap)
        started = time.perf_counter()
        matches = similar.Question(said).among(rows, at_least=at_least, limit=DEEP)
        times.append(time.perf_counter() - started)
        return [(match.likeness, match.row.pk) for match in matches]

    chosen = [(asked, ask(asked, 0.0)) for asked in to_choose]
    measured = [(asked, ask(asked, 0.0)) for asked in to_measure]
    quantiles = statistics.quantiles(times, n=20)
    return Sides(
        subject=lambda: [ask(asked, settings.TWINS_FROM) for asked in to_measure[:TIMED]],
        units=TIMED,
        figures={
            "threshold": settings.TWINS_FROM,
            "the first set would choose": chosen_threshold(chosen),
            **{f"{name} (first set)": value for name, value in quality(chosen).items()},
            **quality(measured),
            "median seconds": quantiles[9],
            "95 % within seconds": quantiles[18],
        },
    )
