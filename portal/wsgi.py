import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from common.frames import with_room

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = with_room(get_wsgi_application())

# All views are loaded before anybody waits for one, and stay: garbage is looked for among what comes later.
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
