from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import api
from portal.health import healthz, readyz
from portal.search import search
from portal.views import home, role_switch

handler400 = "portal.api.bad_request"

interface: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(), name="api_docs"),
    path("", include(api.router.urls)),
    path("<path:rest>", api.Nowhere.as_view()),
]
urlpatterns = [
    path("api/v1/", include(interface)),
    path("", home, name="home"),
    path("", include("accounts.security.urls")),
    path("", include("accounts.urls")),
    path("language/", set_language, name="set_language"),
    path("role/", role_switch, name="role_switch"),
    path("search/", search, name="search"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("", include("record.urls")),
    path("", include("enterprises.urls")),
    path("", include("projects.urls")),
    path("", include("bulletins.urls")),
    path("admin/", admin.site.urls),
]

if settings.DEBUG:
    from portal.styleguide import styleguide

    urlpatterns.append(path("styleguide/", styleguide, name="styleguide"))
