"""The search for problems that say nearly the same."""

import random
import threading
from collections import defaultdict

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from projects import services, similar, tasks
from projects.models import Bottleneck, FreshGrams, Gram, GramCount
from projects.similar import Question, Said, grams, likeness, words
from tests.factories import Cast, at_once, draft, filing_values, organization, user

pytestmark = pytest.mark.django_db

EVEN: dict[int, float] = defaultdict(lambda: 1.0)
CHINESE = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x4E80), min_size=2, max_size=40)
WORDS = st.lists(CHINESE.filter(lambda word: len(word) > 3), min_size=2, max_size=6, unique=True)
SAYINGS = st.builds(
    Said,
    title=CHINESE,
    product=CHINESE,
    symptom=CHINESE,
    chain_id=st.sampled_from([None, 1, 2]),
    nqi_gap=st.sampled_from(["", "met_missing", "capacity"]),
)


@pytest.fixture
def cast() -> Cast:
    return Cast()


def indexed(row: Bottleneck) -> set[int]:
    similar.take_in()
    return set(Gram.objects.filter(bottleneck=row).values_list("gram", flat=True))


# --- Words ------------------------------------------------------------------------------------------------


def test_a_text_is_taken_apart_into_neighbours_without_numbers_and_punctuation():
    assert grams("柔轮，寿命9100h") == grams("柔轮 寿命")
    assert len(grams("谐波减速器")) == 4
    assert grams("ＧＢ／Ｔ") == grams("gb/t")
    assert grams("𠮷野") == {ord("𠮷") << similar.CHARACTER_BITS | ord("野")}
    assert grams("2026 年 3 月 —— 100%") == set()


def test_what_is_compared_are_characters_and_whole_words_in_letters():
    assert words("轴套，100 微米！") == set(map(ord, "轴套微米"))
    assert words("ＲＯ膜") == words("ro 膜") == words("ro") | {ord("膜")}
    assert not words("ro") & words("or")


def test_the_code_of_a_model_finds_and_counts_as_one_word():
    assert words("RV-40E 减速器") - words("减速器") == words("rv-40e") == grams("RV-40E") - grams("RV E")
    assert words("RV-40E") != words("RV-20E")
    assert grams("寿命9100h") == grams("寿命80h")


@given(SAYINGS)
def test_what_says_the_same_is_wholly_alike(said):
    assert likeness(said, said, EVEN) == pytest.approx(1)


@given(SAYINGS, SAYINGS, st.integers(0, 9))
def test_likeness_has_no_direction_and_stays_between_nothing_and_all(one, two, salt):
    weights = {word: 0.05 + word * (salt + 1) % 7 for word in one.words | two.words}
    assert likeness(one, two, weights) == pytest.approx(likeness(two, one, weights))
    assert 0 <= likeness(one, two, weights) <= 1 + 1e-9


@given(WORDS, st.randoms())
def test_the_order_of_words_changes_nothing(words, rnd):
    turned = list(words)
    rnd.shuffle(turned)
    one, two = Said(title="".join(words)), Said(title="".join(turned))
    assert likeness(one, two, EVEN) == pytest.approx(1)


def test_facts_that_differ_make_it_less_alike_and_unknown_ones_do_not():
    here = Said("柔轮变形超差", "谐波减速器", "抽检超差", 1, "met_missing")
    elsewhere = Said("柔轮变形超差", "谐波减速器", "抽检超差", 2, "met_missing")
    unknown = Said("柔轮变形超差", "谐波减速器", "抽检超差")
    assert likeness(here, unknown, EVEN) == pytest.approx(1)
    assert likeness(here, elsewhere, EVEN) == pytest.approx(1 - similar.FACTS / 2)


def test_a_short_text_inside_a_long_one_is_half_of_it_and_little_more():
    short, long = Said(title="轴承"), Said(title="轴承滚道在精磨之后早期剥落")
    assert likeness(short, long, EVEN) == pytest.approx((1 + 2 / len(long.words)) / 2)


def test_other_names_that_share_a_character_leave_likeness():
    bushing = [Said(title=f"减速器{name}裂纹") for name in ("轴套", "衬套", "滤网")]
    assert likeness(bushing[0], bushing[1], EVEN) > likeness(bushing[0], bushing[2], EVEN)


def test_what_the_title_says_and_the_symptom_says_again_counts_more():
    said = Said(title="柔轮裂纹", symptom="柔轮抽检不合格")
    about_it, beside_it = Said(title="柔轮报废"), Said(title="裂纹报废")
    assert likeness(said, about_it, EVEN) > likeness(said, beside_it, EVEN)


# --- The index --------------------------------------------------------------------------------------------


def test_a_draft_is_not_in_the_index_and_a_filed_problem_is_as_it_reads(cast):
    row = draft(cast.filer, title="柔轮早期剥落")
    assert not indexed(row)
    services.move(row, "submit", by=cast.filer)
    assert indexed(row) == similar.indexed(row.title, row.product, row.symptom) >= grams("柔轮早期剥落")


def test_the_index_follows_the_text_of_a_returned_problem(cast):
    row = cast.bring_to("returned", title="柔轮早期剥落")
    services.revise(row, by=cast.filer, version=row.version, values={"title": "齿圈渗碳层过浅"})
    row.refresh_from_db()
    assert grams("齿圈渗碳层过浅") <= indexed(row)
    assert not grams("早期剥落") & indexed(row)


def test_what_is_not_kept_leaves_the_index_as_it_was(cast):
    row = cast.bring_to("returned")
    before = indexed(row)
    with pytest.raises(services.StaleRow):
        services.revise(row, by=cast.filer, version=row.version - 1, values={"title": "齿圈渗碳层过浅"})
    assert indexed(row) == before


def test_rebuilding_makes_what_keeping_has_made(cast):
    for number in range(5):
        cast.filed(title=f"柔轮{'甲乙丙丁戊'[number]}类裂纹", symptom="热处理后抽检发现。" * (number + 1))
    draft(cast.filer, title="未提交的草稿")
    fresh = FreshGrams.objects.values()[0]
    assert similar.take_in() == 5
    kept = set(Gram.objects.values_list("gram", "bottleneck_id"))
    Gram.objects.all().delete()
    FreshGrams.objects.create(**fresh)
    call_command("similar", "rebuild", verbosity=0)
    assert not FreshGrams.objects.exists()
    assert set(Gram.objects.values_list("gram", "bottleneck_id")) == kept
    counts = dict(GramCount.objects.values_list("gram", "problems"))
    assert counts[0] == 5
    assert counts[grams("柔轮").pop()] == 5
    assert counts[grams("甲类").pop()] == counts[ord("甲")] == 1
    assert counts[ord("轮")] == 5
    assert not grams("草稿") & counts.keys()
    GramCount.objects.all().delete()
    call_command("similar", "count", verbosity=0)
    assert dict(GramCount.objects.values_list("gram", "problems")) == counts


# --- What is fresh ----------------------------------------------------------------------------------------


def say(row: Bottleneck, title: str) -> None:
    """Change the text of a filed problem."""
    row.title = title
    with transaction.atomic():
        similar.keep(row)


def candidates(title: str) -> list[int]:
    return Question(Said(title=title)).candidates


def test_keeping_writes_one_row_and_reads_none(cast, django_assert_num_queries):
    row = cast.filed()
    for title in ("柔轮早期剥落", "齿圈渗碳层过浅"):
        with django_assert_num_queries(1):
            similar.keep(Bottleneck(pk=row.pk, title=title))
    assert FreshGrams.objects.count() == 1 and not Gram.objects.exists()


def test_a_problem_is_found_once_before_and_after_it_is_taken_in(cast):
    row = cast.filed(title="柔轮早期剥落")
    before = candidates("柔轮早期剥落")
    assert similar.take_in() == 1
    assert before == candidates("柔轮早期剥落") == [row.pk]
    assert not FreshGrams.objects.exists()


def test_a_changed_text_is_found_by_what_it_says_now(cast):
    row = cast.filed(title="柔轮早期剥落")
    similar.take_in()
    say(row, "柔轮渗碳层过浅")
    for _stage in ("fresh", "taken in"):
        assert candidates("渗碳层过浅") == candidates("柔轮") == [row.pk]
        assert candidates("早期剥落") == []
        similar.take_in()
    assert not FreshGrams.objects.exists()


def test_taking_in_twice_changes_nothing(cast):
    rows = [cast.filed(title=f"柔轮{n}裂纹") for n in "甲乙丙"]
    assert similar.take_in() == 3
    kept = set(Gram.objects.values_list("gram", "bottleneck_id"))
    say(rows[0], rows[0].title)
    assert (similar.take_in(), similar.take_in()) == (1, 0)
    assert set(Gram.objects.values_list("gram", "bottleneck_id")) == kept


@pytest.mark.parametrize("seed", range(4))
def test_who_asks_does_not_notice_what_is_fresh(cast, seed, monkeypatch):
    """Against a count by hand, while none, some and all of it are taken in and texts change."""
    rnd = random.Random(seed)  # noqa: S311
    rows = [cast.filed() for _n in range(8)]
    said = {row: (row.title, row.product, row.symptom) for row in rows}
    # One turn of taking in takes few, and is the only one.
    monkeypatch.setattr(similar, "AT_ONCE", 3)
    for _turn in range(12):
        row, title = rnd.choice(rows), "".join(rnd.choices("柔轮早期剥落", k=6))
        say(row, title)
        said[row] = (title, row.product, row.symptom)
        asked = "".join(rnd.choices("柔轮早期剥落", k=8))
        shared = {row.pk: len(similar.indexed(*said[row]) & grams(asked)) for row in rows}
        expected = sorted((pk for pk, n in shared.items() if n), key=lambda pk: (-shared[pk], -pk))
        assert candidates(asked) == expected
        if rnd.random() < 0.5:
            similar._take_in()
            assert candidates(asked) == expected


def test_what_is_taken_in_while_somebody_asks_is_found_once(cast, monkeypatch):
    rows = [cast.filed(title="柔轮早期剥落") for _n in range(3)]
    unpacked = similar._unpacked

    def meanwhile(packed):
        monkeypatch.setattr(similar, "_unpacked", unpacked)
        assert similar.take_in() == 3
        return unpacked(packed)

    monkeypatch.setattr(similar, "_unpacked", meanwhile)
    assert candidates("柔轮早期剥落") == [row.pk for row in reversed(rows)]
    assert not FreshGrams.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_workers_take_in_each_problem_once(monkeypatch):
    cast = Cast()
    rows = [cast.filed(title=f"柔轮{n}裂纹") for n in "甲乙丙丁戊己庚辛"]
    monkeypatch.setattr(similar, "AT_ONCE", 2)
    assert sum(at_once(*[similar.take_in] * 4)) == len(rows)
    assert not FreshGrams.objects.exists()
    assert set(Gram.objects.values_list("gram", "bottleneck_id")) == {
        (gram, row.pk) for row in rows for gram in similar.indexed(row.title, row.product, row.symptom)
    }


@pytest.mark.django_db(transaction=True)
def test_a_text_that_changes_while_it_is_taken_in_is_not_lost(monkeypatch):
    row = Cast().filed(title="柔轮早期剥落")
    store, changing = similar.bulk.insert, []

    def change():
        say(row, "齿圈渗碳层过浅")
        connection.close()

    def meanwhile(*what):
        changing.append(threading.Thread(target=change))
        changing[0].start()
        changing[0].join(0.3)
        store(*what)

    with monkeypatch.context() as patched:
        patched.setattr(similar.bulk, "insert", meanwhile)
        assert similar._take_in() == 1
    changing[0].join()
    for _stage in ("fresh", "taken in"):
        assert candidates("渗碳层过浅") == [row.pk]
        assert candidates("早期剥落") == []
        similar.take_in()
    assert not FreshGrams.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_text_that_is_being_changed_is_taken_in_when_it_stands():
    row = Cast().filed(title="柔轮早期剥落")
    taking = threading.Thread(target=lambda: (similar.take_in(), connection.close()))
    with transaction.atomic():
        say(row, "齿圈渗碳层过浅")
        taking.start()
        taking.join(0.3)
    taking.join()
    similar.take_in()
    assert indexed(row) == similar.indexed(row.title, row.product, row.symptom)


def test_others_store_between_one_turn_of_taking_in_and_the_next(cast, monkeypatch):
    for _n in range(3):
        cast.filed()
    monkeypatch.setattr(similar, "AT_ONCE", 2)
    later: list[Bottleneck] = []

    def meanwhile(_seconds):
        if not later:
            later.append(cast.filed())

    monkeypatch.setattr(similar, "sleep", meanwhile)
    assert similar.take_in() == 4
    assert later and not FreshGrams.objects.exists()


def test_a_worker_takes_in_what_is_fresh_every_minute(cast):
    cast.filed()
    tasks.take_in_grams.apply(throw=True)
    assert Gram.objects.exists() and not FreshGrams.objects.exists()
    entry = settings.CELERY_BEAT_SCHEDULE["fresh grams"]
    assert (entry["task"], entry["schedule"]) == (tasks.take_in_grams.name, 60)


# --- Asking -----------------------------------------------------------------------------------------------


def ask(rows, at_least=0.5, **said):
    found = Question(Said(**said)).among(rows, at_least=at_least, limit=10)
    return [match.row for match in found]


def test_the_likest_comes_first_and_what_is_unlike_does_not_come(cast):
    twin = cast.filed(title="柔轮热处理后径向变形超差", product="谐波减速器", symptom="抽检径向变形超差。")
    near = cast.filed(title="柔轮热处理后表面硬度不均", product="谐波减速器", symptom="里氏硬度相差大。")
    cast.filed(title="面料染色牢度不达标", product="功能性面料", symptom="摩擦后掉色。")
    rows = Bottleneck.objects.visible_to(cast.filer)
    title = "径向变形超差：柔轮在热处理后"
    said = {"title": title, "product": "谐波减速器", "symptom": "径向变形超差 12 微米"}
    assert ask(rows, 0.7, **said) == [twin]
    assert ask(rows, 0.3, **said) == [twin, near]
    assert ask(rows, title="2026") == []


def test_what_is_far_less_alike_than_the_likest_can_be_left_out(cast):
    near = cast.filed(title="柔轮热处理后表面硬度不均", symptom="里氏硬度相差大。")
    twin = cast.filed(title="柔轮热处理后径向变形超差", symptom="抽检径向变形超差。")
    rows = Bottleneck.objects.visible_to(cast.filer)
    question = Question(Said.by(twin))
    found = [question.among(rows, at_least=0.3, limit=5, of_best=part) for part in (0.0, 0.9)]
    assert [[match.row for match in matches] for matches in found] == [[twin, near], [twin]]


def test_closed_fields_find_nothing(cast):
    cast.filed(title="关于某工序的问题", symptom="环氧层在低温循环后开裂")
    rows = Bottleneck.objects.visible_to(cast.filer)
    assert ask(rows, symptom="环氧层在低温循环后开裂")
    question = Question(Said(symptom="环氧层在低温循环后开裂"))
    assert question.among(rows, at_least=0.01, limit=5, fields={"title", "chain"}) == []


@pytest.mark.parametrize("who", ["filer", "county_officer", "engineer"])
def test_nothing_outside_the_scope_is_found(cast, who):
    other = user("filer", organization(at=cast.city))
    for _n in range(3):
        services.move(draft(other, **filing_values()), "submit", by=other)
    own = cast.filed()
    seen = Bottleneck.objects.visible_to(getattr(cast, who))
    found = ask(seen, 0.0, title=own.title, product=own.product, symptom=own.symptom)
    assert set(found) <= set(seen)
    assert (own in found) == (own in seen)
