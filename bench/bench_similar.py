"""How long it takes to find the problems that say nearly the same among 150,000, and how well they are found.

The problems and their twins are made up by `bench.twin_texts`, which knows nothing of the search. Each twin
asks as if it were about to be filed; right is the one problem of which it is a twin, and nothing else.
"""

import random
import uuid

from django.conf import settings
from django.db import connection

from accounts.models import User
from bench import twin_texts
from bench.harness import Sides, benchmark
from common import bulk
from enterprises.models import IndustryChain
from projects import similar
from projects.models import Bottleneck

PROBLEMS, TWINS, TIMED = 150_000, 400, 40
SHOWN = 5
SECONDS = 0.1


def store(rnd: random.Random) -> dict[int, twin_texts.Made]:
    """The made-up problems beside those of the demo, by key; otherwise like one of its accepted ones."""
    fields = [field.attname for field in Bottleneck._meta.concrete_fields]
    table = connection.ops.quote_name(Bottleneck._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(f.column) for f in Bottleneck._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table} WHERE status = 'accepted' ORDER BY id LIMIT 1")
        pattern = dict(zip(fields, cursor.fetchone(), strict=True))
    chains = list(IndustryChain.objects.order_by("pk").values_list("pk", flat=True))
    first = Bottleneck.objects.order_by("-pk").values_list("pk", flat=True)[0] + 1
    made = dict(enumerate(twin_texts.problems(PROBLEMS, rnd), first))
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
    return made


@benchmark(rounds=3, most_seconds=SECONDS)
def similarity() -> Sides:
    """Seconds of one question of the nation's officer, who sees every row."""
    rnd = random.Random(20)
    made = store(rnd)
    user = User.objects.get(username="national")
    rows = Bottleneck.objects.visible_to(user).counted().open()
    chains = list(IndustryChain.objects.order_by("pk").values_list("pk", flat=True))
    asked = [(pk, twin_texts.twin(made[pk], rnd)) for pk in rnd.sample(sorted(made), TWINS)]

    def ask(one: twin_texts.Made, at_least: float) -> list[similar.Match]:
        said = similar.Said(one.title, one.product, one.symptom, chains[one.chain], one.gap)
        return similar.Question(said).among(rows, at_least=at_least, limit=50)

    found = shown = right = 0
    for pk, one in asked:
        matches = ask(one, 0.0)
        right += pk in [match.row.pk for match in matches[:SHOWN]]
        twins = [match.row.pk for match in matches if match.likeness >= settings.TWINS_FROM]
        shown, found = shown + len(twins), found + (pk in twins)
    timed = [one for _pk, one in asked[:TIMED]]
    return Sides(
        subject=lambda: [ask(one, settings.TWINS_FROM) for one in timed],
        units=TIMED,
        figures={
            "threshold": settings.TWINS_FROM,
            "precision": found / max(shown, 1),
            "recall": found / TWINS,
            f"among the first {SHOWN}": right / TWINS,
        },
    )
