"""Room for the frames of many calls."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def with_room(call: Callable[P, R]) -> Callable[P, R]:
    """The same call, with room for all frames that follow.

    CPython keeps frames in chunks of 16 KB and gives the last one back to the system as soon as it is empty.
    Calls that go to and fro over the end of a chunk ask for it again and again, a hundred times a request;
    after a frame of 160 KB a chunk has room.
    """

    def roomy(*args: P.args, **kwargs: P.kwargs) -> R:
        return call(*args, **kwargs)

    roomy.__code__ = roomy.__code__.replace(co_stacksize=20_000)
    return roomy
