"""Settings of the portal. Everything that differs between installations comes from the environment.

Each variable stands in the README's configuration table (a test compares them). Any of them may also be
given as a file: `SECRET_KEY_FILE=/run/secrets/key` is read in place of `SECRET_KEY`.
"""

import logging
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bootstrap_wrapper import get_bootstrap_dir
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from environs import FileAwareEnv, validate

env = FileAwareEnv(strip_whitespace=True)
BASE_DIR = Path(__file__).resolve().parent.parent

# --- Environment -------------------------------------------------------------------------------------------

PRODUCTION = (
    env.str("PORTAL_ENV", "development", validate=validate.OneOf(["development", "production"]))
    == "production"
)
DEBUG = env.bool("DEBUG", False)

# Everything the portal writes on this machine: database, files, broker, cache, logs of `make run`.
VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var").absolute()
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)


def kept_secret(name: str) -> str:
    """A secret made on first use and kept for development, readable by its owner only."""
    path = VAR_DIR / name
    try:
        with open(path, "x", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


if PRODUCTION:
    missing = [
        f"{name} must be set in production: {what}."
        for name, what in {
            "SECRET_KEY": "a random string of at least 50 characters",
            "ALLOWED_HOSTS": "the host names under which the portal is reached, separated by commas",
            "DATABASE_URL": "such as postgres://user:password@host/name",
        }.items()
        if not env.str(name, "")
    ]
    if DEBUG:
        missing.append("DEBUG must be off in production: it shows the code and the data to everybody.")
    if missing:
        raise ImproperlyConfigured("\n".join(missing))

SECRET_KEY = env.str("SECRET_KEY", "") or kept_secret("secret_key")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

# Printed in bulletins and QR codes, where no request can tell the address.
PUBLIC_URL = env.str(
    "PUBLIC_URL", f"https://{ALLOWED_HOSTS[0]}" if PRODUCTION else "http://127.0.0.1:8000"
).rstrip("/")

# --- Applications ------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "portal.admin_config.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "rest_framework",
    "rest_framework.authtoken",
    "common",
    "record",
    "enterprises",
    "accounts",
    "projects",
    "bulletins",
    "portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.middleware.NoNulMiddleware",
    "portal.middleware.NoOverflowMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.grants.GrantMiddleware",
    "portal.middleware.ActingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.AdminPolicyMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.security.sessions.SessionClockMiddleware",
    "accounts.security.second_factor.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
    "portal.middleware.OvertakenMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.grants.shell",
            ],
        },
    },
]
MESSAGE_STORAGE = "portal.messages.UnopenedStorage"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Databases ---------------------------------------------------------------------------------------------

DATABASES = {
    "default": env.dj_db_url(
        "DATABASE_URL",
        f"sqlite:///{VAR_DIR / 'portal.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"]["ENGINE"] = "common.postgresql"
    # Values travel beside the statement, so that the busiest can be planned once (`common.prepared`).
    DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = True
# Off behind a pooler that hands connections on between transactions and knows no prepared statements.
PREPARED_STATEMENTS = env.bool("PREPARED_STATEMENTS", True)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue at BEGIN instead of failing in the middle; readers never wait (write-ahead log). Whoever
    # holds a receipt has filed, also after a power cut: a change is on the disk before it is answered.
    DATABASES["default"]["ENGINE"] = "common.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL;"
            "PRAGMA synchronous=FULL;"
            "PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-65536;"
            "PRAGMA mmap_size=268435456;"
            "PRAGMA journal_size_limit=67108864;"
            # In pages. A filing changes 41, mostly the same as the last: they go to the database less often.
            "PRAGMA wal_autocheckpoint=4000;"
        ),
    }

# --- Cache -------------------------------------------------------------------------------------------------

_CACHE = env.dj_cache_url("CACHE_URL", f"file://{VAR_DIR / 'cache'}")
# A folder that is full loses a third of its files at random, counters of requests too. Every write looks
# through it: 5 ms with 2,000 files, 50 with 20,000. What is hidden of small figures is written rarely.
_IN_FILES = _CACHE["BACKEND"].endswith("FileBasedCache")
CACHES = {
    "default": _CACHE | ({"OPTIONS": {"MAX_ENTRIES": 2_000}} if _IN_FILES else {}),
    "small_cells": _CACHE
    | (
        {"LOCATION": f"{_CACHE['LOCATION']}/small_cells", "OPTIONS": {"MAX_ENTRIES": 20_000}}
        if _IN_FILES
        else {}
    ),
    # Parts of pages that are the same for a minute; each process keeps its own.
    "template_fragments": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "fragments",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    },
}

# --- Background jobs ---------------------------------------------------------------------------------------
# The database row is the job and the message only a doorbell: late acknowledgement where the broker can,
# and a sweep that rings again where it cannot.

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem:"):
    BROKER_DIR = VAR_DIR / "broker"
    (BROKER_DIR / "messages").mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.05,
    }
else:
    # Longer than any task may run, or a running one would be handed out again.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 20 * 60,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 10,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 15 * 60
CELERY_TASK_TIME_LIMIT = 16 * 60
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = env.int("WORKER_PROCESSES", 2)
CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_BEAT_SCHEDULER = "portal.celery:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    # An unread sweep is worth nothing once the next is due, so none pile up while no worker runs.
    "sweep": {"task": "bulletins.tasks.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "follow": {"task": "bulletins.tasks.follow", "schedule": 30.0, "options": {"expires": 30}},
    "seal": {"task": "record.tasks.seal", "schedule": 5.0, "options": {"expires": 5}},
    "seal left out": {
        "task": "record.tasks.seal_left_out",
        "schedule": 86_400.0,
        "options": {"expires": 86_400},
    },
    "mail": {"task": "accounts.tasks.send_mails", "schedule": 30.0, "options": {"expires": 30}},
    "sessions": {
        "task": "accounts.tasks.forget_sessions",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "boundaries": {
        "task": "projects.tasks.carry_out_boundaries",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "follow up": {"task": "projects.tasks.follow_up", "schedule": 86_400.0, "options": {"expires": 86_400}},
    "evidence": {"task": "projects.tasks.ask_again", "schedule": 900.0, "options": {"expires": 900}},
    "clocks": {"task": "projects.tasks.tell_of_clocks", "schedule": 1800.0, "options": {"expires": 1800}},
    "figures": {
        "task": "bulletins.tasks.remind_of_figures",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "frozen": {
        "task": "bulletins.tasks.check_frozen",
        "schedule": 86_400.0,
        "options": {"expires": 86_400},
    },
    "notices": {
        "task": "accounts.tasks.forget_notices",
        "schedule": 24 * 3600.0,
        "options": {"expires": 24 * 3600},
    },
    "fresh grams": {"task": "projects.tasks.take_in_grams", "schedule": 60.0, "options": {"expires": 60}},
    "grams": {"task": "projects.tasks.count_grams", "schedule": 86400.0, "options": {"expires": 3600}},
}

# --- Mail --------------------------------------------------------------------------------------------------

# Without a mail server, files in VAR_DIR/mail. A server that hangs keeps nobody waiting for long.
email = env.dj_email_url("EMAIL_URL", f"file:///{VAR_DIR / 'mail'}")
globals().update({"EMAIL_TIMEOUT": 20} | {name: value for name, value in email.items() if value})
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("MAIL_FROM", "") or f"noreply@{urlsplit(PUBLIC_URL).hostname}"
# From this hour on, what was told until then is sent to those who want one mail a day.
DAILY_MAIL_HOUR = 8
# For so long the inbox keeps what was read; no clock stays amber half as long.
NOTICE_KEEP_DAYS = env.int("NOTICE_KEEP_DAYS", 180, validate=validate.Range(min=90))

# --- Users and login ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "accounts.backends.GrantBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name", "email")},
    },
    {"NAME": "accounts.security.passwords.LengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.security.passwords.CommonPiecesValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 60 * 60

# From the login on, whatever happens; the cookie goes with the browser.
SESSION_COOKIE_AGE = 12 * 60 * 60
# Without a request (GB/T 22239-2019, 8.1.4.1 b); filing takes longer than clearing an inbox.
IDLE_MINUTES_BUREAU = env.int("IDLE_MINUTES_BUREAU", 30)
IDLE_MINUTES = env.int("IDLE_MINUTES", 120)
# For people of bureaus and superusers.
REQUIRE_SECOND_FACTOR = env.bool("REQUIRE_SECOND_FACTOR", PRODUCTION)

ACCOUNT_ADAPTER = "accounts.security.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
ACCOUNT_RATE_LIMITS = {
    # Failures with a password, from devices in which the person never signed in: in all from one address
    # (an office has one), and for one name wherever from. Known devices have a limit of their own.
    "failed": "60/15m/ip,20/h/key",
    "failed_on_known_device": "20/h/key",
    # Codes of the second factor, by person.
    "login_failed": "10/h/key",
    # Names of people who do not exist, or to whom one may not give a role, by who tries them.
    "unknown_person": "20/h/key",
    # Mails to addresses that somebody wants to have.
    "new_address": "30/h/ip,5/h/key",
    "login": "600/m/ip",
    "reset_password": "30/h/ip,5/h/key",
}
ACCOUNT_FORMS = {
    "login": "accounts.security.forms.LoginForm",
    "change_password": "accounts.security.forms.ChangePasswordForm",
    "set_password": "accounts.security.forms.SetPasswordForm",
    "reset_password": "accounts.security.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.security.forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.security.forms.ReauthenticateForm",
}
# Without rows for addresses beside `User.email`, from which a link would go to an address of old.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
MFA_ADAPTER = "accounts.security.adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # accounts are opened by others; nobody squats on an address
MFA_FORMS = {
    "activate_totp": "accounts.security.forms.ActivateForm",
    "authenticate": "accounts.security.forms.CodeForm",
    "reauthenticate": "accounts.security.forms.CodeAgainForm",
}
SOCIALACCOUNT_ADAPTER = "accounts.security.adapters.BureauLoginAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        # Identity services of bureaus: [{"id", "name", "issuer", "client_id", "secret"}, …].
        "APPS": [
            {
                "provider_id": service["id"],
                "name": service["name"],
                "client_id": service["client_id"],
                "secret": service["secret"],
                "settings": {
                    "server_url": service["issuer"].rstrip("/"),
                    "issuer": service["issuer"],
                    # Who somebody is there is all that is asked: no name, no address.
                    "scope": ["openid"],
                    "fetch_userinfo": False,
                },
            }
            for service in env.json("OIDC_SERVICES", [])
        ],
    }
}

# An office shares one address and a name is no secret: only the pair of both is locked.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "accounts.security.views.locked_out"
AXES_CLIENT_IP_CALLABLE = "common.throttle.client_address"
AXES_VERBOSE = False

# --- Language and time -------------------------------------------------------------------------------------

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

# --- Handling ----------------------------------------------------------------------------------------------

# On which terms published figures may be taken away.
OPEN_DATA_LICENCE = env.str("OPEN_DATA_LICENCE", "CC BY 4.0")
OPEN_DATA_LICENCE_URL = env.str("OPEN_DATA_LICENCE_URL", "https://creativecommons.org/licenses/by/4.0/")

# Outside the scope of a reader figures are told that rest upon so many things or more, or none.
SMALL_CELLS_BELOW = env.int("SMALL_CELLS_BELOW", 5, validate=validate.Range(min=1))
# A ratio to less than this many things is shown, but gives a unit no place in a ranking.
RANKING_LEAST_DENOMINATOR = env.int("RANKING_LEAST_DENOMINATOR", 5, validate=validate.Range(min=1))

# Working days for each step of a problem (docs: the transition table in projects/workflow.py).
WORKING_DAY_LIMITS = {
    "submitted": 5,
    "returned": 10,
    "accepted": 5,
    "accepted_by_province": 10,
    "dispatched": 3,
    "awarded": 20,
    "suspended": 60,
    "solution_filed": 10,
    "verification": 15,
    "reopened": 5,
}
# Of the problems of a chain's segment, the solved share in per cent: red below the first number, green from
# the second (domain.md 3.7 leaves the rule open).
QUALITY_MAP_RULE = (60, 90)
# How long a posted challenge stays open at least, in days; within how many months of its solution a problem
# may be reopened; and how many working days after its limit a late one is reported to the level above.
POSTING_DAYS = 20
REOPEN_MONTHS = 12
ESCALATE_AFTER_WORKING_DAYS = 3
# Within which a bureau verifies or refuses who wants to join, in working days as well.
REGISTRATION_WORKING_DAYS = 5

# --- Twins -------------------------------------------------------------------------------------------------

# From which likeness on (0 to 1) two problems are laid before the city's officers as perhaps the same, and
# from which one is shown to somebody who is filing; and which part of the likeness of its likest twin another
# must have: what is far less alike is a neighbour. Precision and recall at these: `make bench`.
TWINS_FROM, TWINS_OF_BEST = 0.7, 0.9
RELATED_FROM = 0.55

# --- Files -------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("bootstrap", get_bootstrap_dir())]
STORAGES = {
    # Uploads and bulletins have no address of their own: a view checks the reader's right, then sends them.
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": VAR_DIR / "files",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "portal.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Fonts and pictures are compressed already; source maps are large and only developers fetch them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["gif", "jpg", "png", "webp", "woff", "woff2", "gz", "br", "map"]
UPLOAD_LIMIT = env.int("UPLOAD_LIMIT_MB", 20) * 1024 * 1024

# --- Demo --------------------------------------------------------------------------------------------------

# Of all demo accounts; `manage.py demo` makes one up when it is empty.
DEMO_PASSWORD = env.str("DEMO_PASSWORD", "")

# --- Transport and browser security ------------------------------------------------------------------------

# Only behind a proxy that sets these headers itself; otherwise any client could pretend.
TRUST_PROXY = env.bool("TRUST_PROXY", False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 365 * 24 * 3600 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = PRODUCTION
# Browsers take a cookie of this name only over HTTPS, from this host, for all of it.
COOKIE_PREFIX = "__Host-" if PRODUCTION else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}django_language"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# The admin theme evaluates Alpine expressions and writes its colours into style elements.
# Only administrators see it, and it still loads nothing from elsewhere.
ADMIN_CONTENT_SECURITY_POLICY = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

# --- API ---------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # Token first: its challenge makes a missing login a 401 and not a 403.
        "accounts.authentication.TokenLogin",
        "common.authentication.SessionLogin",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["common.renderers.FastJSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "portal.api.on_exception",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": _("质量强链工作门户接口"),
    "DESCRIPTION": _(
        "数据范围与登录用户在页面上能看到的相同。用登录会话或令牌访问：令牌由管理员在后台发放，"
        "写在请求头 Authorization: Token … 中。列表按页给出，每页至多 200 条，按 next 翻页。"
        "出错时一律返回 error：code 供程序判断，message 和 fields 供人阅读。"
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "BottleneckStatus": "projects.models.Bottleneck.Status",
        "BottleneckRoute": "projects.models.Bottleneck.Route",
        "EvidenceKind": "projects.models.Evidence.Kind",
        "NqiElement": "enterprises.models.NqiElement",
        "SpecDemandStatus": "projects.models.SpecDemand.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.api.describe_failures",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": None,
}

# --- Admin -------------------------------------------------------------------------------------------------


def _admin_entry(icon: str, title: Any, model: str) -> dict[str, Any]:
    """A line of the admin's rail; drawn for those who may open it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


UNFOLD = {
    "SITE_TITLE": _("质量强链工作门户"),
    "SITE_HEADER": _("质量强链工作门户"),
    "SITE_SUBHEADER": _("后台管理"),
    "SITE_URL": "/",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("img/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "4px",
    "THEME": "light",
    "DASHBOARD_CALLBACK": "portal.dashboard.dashboard",
    "STYLES": [lambda _request: static("css/admin.css")],
    # The blue of static/css/tokens.css, from tint to dark.
    "COLORS": {
        "primary": {
            "50": "#e8f1fa",
            "100": "#d3e4f5",
            "200": "#a9c9ea",
            "300": "#7aaadc",
            "400": "#4585c8",
            "500": "#1d69b6",
            "600": "#0b57a4",
            "700": "#084480",
            "800": "#063461",
            "900": "#042444",
            "950": "#02172d",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "items": [
                    {"title": _("概览"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
                ]
            },
            {
                "title": _("用户与权限"),
                "items": [
                    _admin_entry("person", _("用户"), "accounts.user"),
                    _admin_entry("key", _("授权"), "accounts.grant"),
                    _admin_entry("token", _("接口令牌"), "authtoken.tokenproxy"),
                    _admin_entry("passkey", _("统一身份关联"), "socialaccount.socialaccount"),
                ],
            },
            {
                "title": _("组织"),
                "items": [
                    _admin_entry("domain", _("全部组织"), "enterprises.organization"),
                    _admin_entry("factory", _("企业"), "enterprises.enterprise"),
                    _admin_entry("science", _("赋能机构"), "enterprises.institution"),
                ],
            },
            {
                "title": _("工作台账"),
                "items": [
                    _admin_entry("link", _("质量强链项目"), "projects.chainproject"),
                    _admin_entry("group", _("项目参与"), "projects.participation"),
                    _admin_entry("hub", _("联合体"), "projects.consortium"),
                    _admin_entry("target", _("重点攻关项目"), "projects.keyproject"),
                    _admin_entry("flag", _("堵点卡点问题"), "projects.bottleneck"),
                    _admin_entry("history", _("办理记录"), "projects.transition"),
                    _admin_entry("merge", _("相似问题的结论"), "projects.twinjudgement"),
                    _admin_entry("description", _("规范需求单"), "projects.specdemand"),
                ],
            },
            {
                "title": _("统计与通报"),
                "items": [
                    _admin_entry("calendar_month", _("统计期间"), "bulletins.period"),
                    _admin_entry("inventory_2", _("统计快照"), "bulletins.snapshot"),
                    _admin_entry("bar_chart", _("统计值"), "bulletins.statvalue"),
                    _admin_entry("description", _("通报"), "bulletins.bulletin"),
                ],
            },
            {
                "title": _("操作记录"),
                "items": [
                    _admin_entry("manage_search", _("操作记录"), "record.event"),
                    _admin_entry("link", _("记录链"), "record.seal"),
                    _admin_entry("today", _("每日根值"), "record.dayroot"),
                ],
            },
            {
                "title": _("基础数据"),
                "items": [
                    _admin_entry("account_tree", _("市场监管部门"), "enterprises.bureau"),
                    _admin_entry("map", _("行政区划"), "enterprises.division"),
                    _admin_entry("conveyor_belt", _("产业链"), "enterprises.industrychain"),
                    _admin_entry("segment", _("产业链环节"), "enterprises.chainsegment"),
                    _admin_entry("groups", _("技术委员会"), "projects.technicalcommittee"),
                    _admin_entry("tag", _("编号序列"), "enterprises.numberseries"),
                ],
            },
            {
                "title": _("明细"),
                "collapsible": True,
                "items": [
                    _admin_entry("flag_circle", _("项目目标"), "projects.projectgoal"),
                    _admin_entry("public", _("参与地区"), "projects.projectregion"),
                    _admin_entry("diversity_3", _("联合体成员"), "projects.consortiummembership"),
                    _admin_entry("checklist", _("里程碑"), "projects.milestone"),
                    _admin_entry("straighten", _("指标值"), "projects.measure"),
                    _admin_entry("verified", _("证据"), "projects.evidence"),
                    _admin_entry("attach_file", _("附件"), "projects.attachment"),
                    _admin_entry("lab_profile", _("检验检测报告"), "projects.inspectionreport"),
                ],
            },
        ],
    },
}
# Import and export ask for the model permissions; off by default in the package.
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "change"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# --- Logging -----------------------------------------------------------------------------------------------
# To stderr, one line each. Ids and addresses of pages only: no bodies, no query strings, no contact data.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.logs.OneLineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.log_level("LOG_LEVEL", logging.INFO)},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Logs the names of subset glyph tables at INFO for each font of each document.
        "fontTools": {"level": "WARNING"},
        # Ten lines of progress per document.
        "weasyprint": {"level": "WARNING"},
    },
}
