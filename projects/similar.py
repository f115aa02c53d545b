"""Which problems say nearly the same (`domain.md` 3.15 V10, 4.4).

Found are candidates, by what they share of grams: each two neighbouring characters as one number, so that
Chinese needs no dictionary and both databases find them by an ordinary index. Compared are characters: what
one firm calls 轴套 another calls 衬套, and half of it stays. A word in letters and the code of a model count
as one character each; other numbers say nothing here.

What a problem says enters the index some time after it was filed (`take_in`); until then it is fresh, and
every question reads the fresh beside the index.

A character weighs by how few problems have it (`GramCount`, counted nightly), and more if a text says it in
its title and again in its symptom: that is what the text is about. Two texts are as alike as the mean of what
each of them finds of its own weight in the other.
"""

import heapq
import math
import re
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from time import sleep
from typing import Any

from django.db import transaction
from django.db.models import Count, Max
from django.db.models.signals import post_save

from common import bulk
from common.inserting import insert
from common.scope import system_job
from projects.models import Bottleneck, FreshGrams, Gram, GramCount
from projects.querysets import BottleneckQuerySet

S = Bottleneck.Status
# The columns that are compared.
SAID = ("title", "product", "symptom", "chain_id", "nqi_gap")
RUN = re.compile(r"[^\W\d_]+")
# A word in Latin letters or the code of a model (RV-40E); and what is no other letter.
WORD = re.compile(r"[a-z]+(?:[-/]?\d[a-z\d]*)?")
NO_CHARACTER = re.compile(r"[\W\d_a-z]+")
MODEL = re.compile(r"[a-z]+[-/]?\d[a-z\d]*")
CHARACTER_BITS = 21
# Above all pairs of characters.
LONG_WORD = 1 << 2 * CHARACTER_BITS
# Grams of the symptom that are indexed beside those of title and product: always the same ones of a text.
SYMPTOM_GRAMS = 8
# Rows of the index that one question may read, candidates that it measures, and grams that it asks for.
MOST_READ, CANDIDATES, MOST_GRAMS = 40_000, 100, 240
# Problems that are taken into the index by one transaction, and seconds from one to the next: as long as a
# writer of SQLite sleeps at most before it looks whether its turn has come.
AT_ONCE, PAUSE = 100, 0.1
# Common words: what every third problem says weighs next to nothing. Rarer than one in so many is none.
COMMON, LEAST_WEIGHT, RAREST = 1.0, 0.05, 2000
# How much more weighs what is said in the title and again in the symptom.
SAID_AGAIN = 3
# How much of the likeness is that chain and gap agree.
FACTS = 0.1


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def words(text: str) -> set[int]:
    """The characters of a text, its words in Latin letters and its codes of models as numbers."""
    plain = _plain(text)
    return {*map(ord, set(NO_CHARACTER.sub("", plain))), *map(_of_word, WORD.findall(plain))}


def _of_word(word: str) -> int:
    return LONG_WORD | zlib.crc32(word.encode())


def grams(text: str) -> set[int]:
    """Every two neighbouring letters or characters of a run, and every code of a model, as a number."""
    plain = _plain(text)
    found = set(map(_of_word, MODEL.findall(plain)))
    for run in RUN.findall(plain):
        codes = array("I", run.encode("utf-32-le"))
        found.update(a << CHARACTER_BITS | b for a, b in pairwise(codes))
    return found


def _scattered(gram: int) -> int:
    """An order of grams that has nothing to do with what they say."""
    return gram * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF


def indexed(title: str, product: str, symptom: str) -> set[int]:
    """The grams by which a problem is found."""
    head = grams(f"{title} {product}")
    return head | set(heapq.nsmallest(SYMPTOM_GRAMS, grams(symptom) - head, key=_scattered))


def _packed(grams: Iterable[int]) -> bytes:
    """As a fresh row has them; in JSON a question would take three times as long to read them."""
    return array("q", grams).tobytes()


def _unpacked(packed: bytes | memoryview) -> "array[int]":
    return array("q", bytes(packed))


# --- Likeness ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What somebody says of a problem; what is unknown or closed to the reader is empty."""

    title: str = ""
    product: str = ""
    symptom: str = ""
    chain_id: int | None = None
    nqi_gap: str = ""

    @classmethod
    def by(cls, row: Bottleneck) -> "Said":
        """All that a problem says."""
        return cls(**{name: getattr(row, name) for name in SAID})

    @cached_property
    def grams(self) -> set[int]:
        return grams(f"{self.title} {self.product} {self.symptom}")

    @cached_property
    def words(self) -> set[int]:
        return words(self.title) | words(self.product) | words(self.symptom)

    @cached_property
    def said_again(self) -> set[int]:
        return words(self.title) & words(self.symptom)

    def agrees_with(self, other: "Said") -> float:
        """The part of what both say of chain and gap in which they agree."""
        pairs = ((self.chain_id, other.chain_id), (self.nqi_gap, other.nqi_gap))
        known = [one == two for one, two in pairs if one and two]
        return sum(known) / len(known) if known else 1.0


def likeness(one: Said, two: Said, weights: Mapping[int, float]) -> float:
    """From 0 (nothing in common) to 1 (the same); the order of the two makes no difference."""
    if not one.words or not two.words:
        return 0.0
    weigh = weights.__getitem__
    shared = one.words & two.words
    found = sum(map(weigh, shared))
    parts = [
        (found + (SAID_AGAIN - 1) * sum(map(weigh, shared & said.said_again)))
        / (sum(map(weigh, said.words)) + (SAID_AGAIN - 1) * sum(map(weigh, said.said_again)))
        for said in (one, two)
    ]
    return sum(parts) / 2 * (1 - FACTS + FACTS * one.agrees_with(two))


class Weights(dict[int, float]):
    """What each word weighs, asked of the database as far as needed."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.learn({0})
        self.problems = max(self.counts[0], 1)

    def learn(self, wanted: Iterable[int]) -> None:
        fresh = [gram for gram in wanted if gram not in self.counts]
        known = GramCount.objects.filter(gram__in=fresh).values_list("gram", "problems")
        self.counts |= dict.fromkeys(fresh, 0) | dict(known)

    def __missing__(self, gram: int) -> float:
        rarity = -math.log(self.counts[gram] / self.problems + 1 / RAREST)
        weight = self[gram] = max(rarity - COMMON, LEAST_WEIGHT)
        return weight


# --- Asking -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Match:
    row: Bottleneck
    likeness: float


def _sharing(asked: Collection[int], most: int) -> list[int]:
    """The keys of problems that share most of the grams, most first.

    All fresh rows are read, and before the index: what is taken in meanwhile is found in one of both, and of
    what is found in both the fresh row is right.
    """
    wanted = frozenset(asked)
    rows = FreshGrams.objects.values_list("pk", "grams")
    fresh = {pk: len(wanted.intersection(_unpacked(said))) for pk, said in rows}
    index = Gram.objects.filter(gram__in=asked).values_list("bottleneck_id").annotate(n=Count("gram"))
    found = dict(index.order_by("-n", "-bottleneck_id")[: most + len(fresh)]) | fresh
    return [pk for n, pk in heapq.nlargest(most, ((n, pk) for pk, n in found.items() if n))]


class Question:
    """The problems that say nearly what is said, among any rows that may be read."""

    def __init__(self, said: Said) -> None:
        self.said, self.weights = said, Weights()

    @cached_property
    def candidates(self) -> list[int]:
        """The keys of problems that share most of the rarest grams, most first."""
        own = heapq.nsmallest(MOST_GRAMS, self.said.grams, key=_scattered)
        self.weights.learn(own)
        asked: list[int] = []
        read = 0
        for gram in sorted(own, key=lambda it: (self.weights.counts[it], it)):
            read += self.weights.counts[gram]
            if asked and read > MOST_READ:
                break
            asked.append(gram)
        # More than are measured: most of them may be closed to the reader.
        return _sharing(asked, most=6 * CANDIDATES)

    def likeness_to(self, row: Bottleneck) -> float:
        """How alike a given problem is."""
        said = Said.by(row)
        self.weights.learn(self.said.words | said.words)
        return likeness(self.said, said, self.weights)

    def among(
        self,
        rows: BottleneckQuerySet,
        *,
        at_least: float,
        limit: int,
        of_best: float = 0.0,
        fields: Collection[str] | None = None,
    ) -> list[Match]:
        """The likest of the rows, compared by the fields that are open to the reader.

        ``of_best`` is the part of the likeness of the likest that another must have.
        """
        compared = [name for name in SAID if fields is None or name.removesuffix("_id") in fields]
        read = rows.filter(pk__in=self.candidates).order_by().values_list("pk", *compared)
        open_rows = {pk: said for pk, *said in read}
        chosen = [key for key in self.candidates if key in open_rows][:CANDIDATES]
        found = {key: Said(**dict(zip(compared, open_rows[key], strict=True))) for key in chosen}
        self.weights.learn(set().union(self.said.words, *(said.words for said in found.values())))
        scores = ((likeness(self.said, said, self.weights), pk) for pk, said in found.items())
        best = heapq.nlargest(limit, (it for it in scores if it[0] >= at_least))
        best = [it for it in best if it[0] >= of_best * best[0][0]]
        by_key = rows.in_bulk([pk for _score, pk in best]) if best else {}
        return [Match(by_key[pk], score) for score, pk in best]


# --- Keeping the index ------------------------------------------------------------------------------------


def keep(row: Bottleneck) -> None:
    """Let questions find what the problem says; to be called in the transaction that changes its text.

    One row at the end of a small table: its grams would be twenty, each in another place of a large one.
    """
    said = _packed(indexed(row.title, row.product, row.symptom))
    insert([FreshGrams(bottleneck=row, grams=said)], in_place=True)


def on_save(sender: Any, instance: Bottleneck, created: bool, **kwargs: Any) -> None:
    """The text of a filed problem changes when it is returned and when it is filed, and at no other time."""
    if instance.status in (S.SUBMITTED, S.RETURNED) or (created and instance.status != S.DRAFT):
        keep(instance)


@system_job("index of similar problems")
def take_in() -> int:
    """Take what is fresh into the index; returns of how many problems."""
    problems = taken = _take_in()
    while taken == AT_ONCE:
        sleep(PAUSE)
        taken = _take_in()
        problems += taken
    return problems


def _take_in() -> int:
    """Some problems: SQLite has one writer, which keeps all others waiting.

    The fresh row is locked first, so that nobody else takes in the same problem; who changes its text waits,
    and leaves a fresh row again.
    """
    with transaction.atomic():
        rows = FreshGrams.objects.select_for_update(skip_locked=True).order_by("pk")
        fresh = dict(rows.values_list("pk", "grams")[:AT_ONCE])
        wanted = {(gram, pk) for pk, said in fresh.items() for gram in _unpacked(said)}
        known = Gram.objects.filter(bottleneck__in=fresh)
        have = set(known.values_list("gram", "bottleneck_id"))
        if changed := {pk for _gram, pk in have - wanted}:
            known.filter(bottleneck__in=changed).delete()
        kept = {(gram, pk) for gram, pk in have if pk not in changed}
        bulk.insert(Gram, ("gram", "bottleneck"), sorted(wanted - kept))
        FreshGrams.objects.filter(pk__in=fresh).delete()
    return len(fresh)


def watch() -> None:
    """Heard inside the transaction of the save, which the record opens."""
    post_save.connect(on_save, sender=Bottleneck)


def _texts(until: int | None = None) -> Iterator[tuple[int, str, str, str]]:
    rows = Bottleneck.objects.judged("the index of similar problems").exclude(status=S.DRAFT)
    if until is not None:
        rows = rows.filter(pk__lte=until)
    return rows.order_by().values_list("pk", "title", "product", "symptom").iterator(chunk_size=5000)


@system_job("index of similar problems")
def rebuild() -> int:
    """Make the whole index anew, and count; returns of how many problems. Questions wait meanwhile, who
    changes a text that was not taken in yet, and on SQLite whoever stores something."""
    counts: Counter[int] = Counter()
    entries: list[int] = []
    problems = 0
    with transaction.atomic():
        # First of all: what is filed from now on stays fresh, whether or not its text is read below.
        FreshGrams.objects.all().delete()
        last = Bottleneck.objects.aggregate(last=Max("pk"))["last"] or 0
        key_bits = last.bit_length()
        with bulk.large_load(Gram):
            for pk, title, product, symptom in _texts(until=last):
                problems += 1
                head, body = grams(f"{title} {product}"), grams(symptom)
                counts.update(head | body)
                counts.update(words(f"{title} {product} {symptom}"))
                sample = heapq.nsmallest(SYMPTOM_GRAMS, body - head, key=_scattered)
                entries.extend(gram << key_bits | pk for gram in (*head, *sample))
            Gram.objects.all().delete()
            entries.sort()
            mask = (1 << key_bits) - 1
            bulk.insert(
                Gram, ("gram", "bottleneck"), ((entry >> key_bits, entry & mask) for entry in entries)
            )
        _store_counts(counts, problems)
    return problems


@system_job("index of similar problems")
def count() -> int:
    """Count anew in how many problems each gram and word occurs; returns of how many problems."""
    counts: Counter[int] = Counter()
    problems = 0
    for _pk, title, product, symptom in _texts():
        problems += 1
        text = f"{title} {product} {symptom}"
        counts.update(grams(text) | words(text))
    with transaction.atomic():
        _store_counts(counts, problems)
    return problems


def _store_counts(counts: Counter[int], problems: int) -> None:
    GramCount.objects.all().delete()
    bulk.insert(GramCount, ("gram", "problems"), [(0, problems), *sorted(counts.items())])
