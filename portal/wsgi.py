import gc
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

_answer = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with room for all frames that follow.

    CPython keeps frames in chunks of 16 KB and gives the last one back to the system as soon as it is empty.
    Calls that go to and fro over the end of a chunk ask for it again and again; after a frame of 160 KB a
    chunk has room for a request.
    """
    return _answer(environ, start_response)


application.__code__ = application.__code__.replace(co_stacksize=20_000)

# All views are loaded before anybody waits for one, and stay: garbage is looked for among what comes later.
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
