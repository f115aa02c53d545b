"""Which rows a user's grants cover."""

from common.scope import Reach, Scope, widest, widest_reaches


def test_a_subtree_swallows_the_subtrees_below_it_but_not_its_neighbours():
    paths = ["0/32/3205/", "0/32/", "0/33/3301/", "0/33/3302/"]
    assert widest(paths) == ("0/32/", "0/33/3301/", "0/33/3302/")


def test_a_path_is_not_below_another_that_merely_begins_with_the_same_digits():
    assert widest(["0/32/", "0/321/"]) == ("0/32/", "0/321/")


class Unit:
    def __init__(self, path):
        self.path = path


def test_a_scope_covers_its_subtrees_only():
    scope = Scope(bureau_paths=("0/32/3205/",))
    assert scope.covers(Unit("0/32/3205/"))
    assert scope.covers(Unit("0/32/3205/320505/"))
    assert not scope.covers(Unit("0/32/"))
    assert not scope.covers(Unit("0/32/3206/"))


def test_an_empty_scope_covers_nothing_and_the_nation_everything():
    assert not Scope().covers(Unit("0/"))
    assert Scope(everything=True).covers(Unit("0/32/"))


def test_a_reach_covers_the_rows_of_its_chain_and_not_the_bureau_as_a_whole():
    scope = Scope(reaches=(Reach("0/32/", 7),))
    assert scope.covers(Unit("0/32/3205/"), chain_id=7)
    assert not scope.covers(Unit("0/32/3205/"), chain_id=8)
    assert not scope.covers(Unit("0/32/3205/"))
    assert not scope.covers(Unit("0/33/"), chain_id=7)


def test_reaches_under_a_whole_subtree_or_under_the_same_chain_are_swallowed():
    reaches = [
        Reach("0/32/3205/", 7),
        Reach("0/32/3205/320505/", 7),
        Reach("0/32/3206/", 8),
        Reach("0/33/", 8),
    ]
    assert widest_reaches(reaches, ["0/33/"]) == (Reach("0/32/3205/", 7), Reach("0/32/3206/", 8))
    assert widest_reaches([Reach("0/32/", 7)], ["0/"]) == ()
