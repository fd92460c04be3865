"""All that can be set, read from the environment here and nowhere else. The README lists it with defaults."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
LONGEST_NAME = 100  # characters
env = environ.FileAwareEnv()  # NAME_FILE gives the value of NAME


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(name: str, value: str) -> str:
    """An http(s) address without a slash at its end; stops start-up with a sentence when it is none."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be an address such as https://gateway.example.com, not {value!r}.")
    return value.rstrip("/").removesuffix("/api/v1")


NOT_PUBLIC = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "svc",
    "home.arpa",
    "test",
)


def public_host(url: str) -> str:
    """The host of an address where people outside may know it; empty for one of an internal network."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return host if ipaddress.ip_address(host).is_global else ""
    except ValueError:
        is_internal = "." not in host or any(host.endswith(f".{ending}") for ending in NOT_PUBLIC)
        return "" if is_internal else host


def in_one_line(name: str, value: str) -> str:
    if len(value) > LONGEST_NAME or not value.isprintable():
        raise ImproperlyConfigured(f"{name} must be one line of at most {LONGEST_NAME} characters, not {value!r}.")
    return value.strip()


def at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise ImproperlyConfigured(f"{name} must be 1 or more, not {value}.")
    return value


def one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


# The process

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)  # set by `make demo` alone: one-click sign-in, cookies over plain http
SECRET_KEY = env.str("SECRET_KEY", default="only-for-development" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY must be set: a long random text that only this installation knows.")
if not (DEBUG or DEMO) and (len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5):
    raise ImproperlyConfigured(
        "SECRET_KEY must be random and at least 50 characters long: the tokens in sessions are sealed with it. "
        'One is made by python -c "import secrets; print(secrets.token_urlsafe(48))".'
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
ANSWER_LIMIT = env.int("ANSWER_LIMIT", default=64 * 1024 * 1024)  # bytes of one answer, over all its events
CONVERSATION_LIMIT = env.int("CONVERSATION_LIMIT", default=8 * 1024 * 1024)  # bytes of it that an agent is sent
SHUTDOWN_GRACE = env.float("SHUTDOWN_GRACE", default=2.0)  # seconds that running answers go on after SIGTERM

# The gateway

GATEWAY_URL = origin("GATEWAY_URL", env.str("GATEWAY_URL", default="http://127.0.0.1:9000"))
GATEWAY_NAME = in_one_line("GATEWAY_NAME", env.str("GATEWAY_NAME", default=""))  # what people know it by
if not GATEWAY_NAME:
    GATEWAY_NAME = public_host(GATEWAY_URL)  # empty: "the gateway"; an internal address is nobody's business
GATEWAY_KIND = one_of("GATEWAY_KIND", env.str("GATEWAY_KIND", default="simplaix"), ("simplaix",))
GATEWAY_DIALECT = one_of("GATEWAY_DIALECT", env.str("GATEWAY_DIALECT", default="auto"), ("auto", "guide", "released"))
GATEWAY_AGENTS = env.list("GATEWAY_AGENTS", default=[])  # agent ids, for people who may not list agents
GATEWAY_IS_EMBEDDED = DEMO and is_loopback(GATEWAY_URL)
CONNECT_HOSTS = env.list("CONNECT_HOSTS", default=[])  # hosts that Connect may lead to without asking
CONFIRMATION_LIMIT = env.int("CONFIRMATION_LIMIT", default=300)  # seconds a held call waits for its answer
APPROVAL_HOLD = env.float("APPROVAL_HOLD", default=5.0)  # seconds that an approval can be taken back; 0: sent at once
APPROVAL_TWO_PEOPLE = [  # risks whose calls two people have to approve; Portico alone asks for the second one
    one_of("APPROVAL_TWO_PEOPLE", risk, ("low", "medium", "high", "critical"))
    for risk in env.list("APPROVAL_TWO_PEOPLE", default=[])
]

# Rooms

INSTALLED_APPS = [
    *(["daphne"] if "runserver" in sys.argv else []),  # it replaces that command; its imports cost others 0.7 s
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "django_htmx",
    "accounts",
    "agents",
    "credentials",
    "confirmations",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.static.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "config.errors.InWords",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # Innermost and synchronous only: Django then runs the whole chain in one thread hop.
    "accounts.middleware.GatewayMiddleware",
]
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
                "accounts.context_processors.frame",
            ],
            "builtins": [
                "django.contrib.humanize.templatetags.humanize",
                "accounts.templatetags.characters",
                "accounts.templatetags.moments",
            ],
        },
    }
]

# People and sessions

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.GatewayBackend"]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "agents:catalogue"
SESSION_TOKEN_KEYS = env.list("SESSION_TOKEN_KEYS", default=[])  # Fernet keys, newest first; none: from SECRET_KEY
for key in SESSION_TOKEN_KEYS:
    try:
        Fernet(key)
    except ValueError:
        sentence = "SESSION_TOKEN_KEYS must be Fernet keys: 32 bytes each, in URL-safe base64."
        raise ImproperlyConfigured(sentence) from None
SESSION_ENGINE = "accounts.session_store"
MESSAGE_STORAGE = "accounts.notes.NewestNotes"  # they end with the session that they belong to
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024**2  # bytes of a form
CSRF_FAILURE_VIEW = "config.errors.forged"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not (DEBUG or DEMO)
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds; the gateway's token ends sooner
IDENTITY_CHECK = 300  # seconds between two questions whether the gateway still knows this person
SIGN_IN_FAILURES = 10  # an account and address, in
SIGN_IN_FAILURES_AN_ADDRESS = 300  # of all accounts, in
SIGN_IN_FAILURES_AN_ACCOUNT = 50  # from all addresses, before each further attempt takes a second, in
SIGN_IN_PAUSE = 300  # seconds

# Who may be connected to one process

CONNECTIONS = at_least_one("CONNECTIONS", env.int("CONNECTIONS", default=4096))
CONNECTIONS_AN_ADDRESS = at_least_one("CONNECTIONS_AN_ADDRESS", env.int("CONNECTIONS_AN_ADDRESS", default=1024))
FORWARDED_ALLOW_IPS = env.str("FORWARDED_ALLOW_IPS", default="127.0.0.1,::1")  # proxies that say whose request it is

# What one person may have open or begin, in each process

OPEN_SOCKETS = at_least_one("OPEN_SOCKETS", env.int("OPEN_SOCKETS", default=100))  # pages that are kept live
OPEN_FOLLOWERS = at_least_one("OPEN_FOLLOWERS", env.int("OPEN_FOLLOWERS", default=100))  # answers that are watched
RUNS_A_MINUTE = at_least_one("RUNS_A_MINUTE", env.int("RUNS_A_MINUTE", default=120))
SECRETS_A_MINUTE = at_least_one("SECRETS_A_MINUTE", env.int("SECRETS_A_MINUTE", default=60))  # keys and tokens stored
DRAFTS_A_MINUTE = at_least_one("DRAFTS_A_MINUTE", env.int("DRAFTS_A_MINUTE", default=240))  # a page keeps 150 at most
EXPORTS_A_MINUTE = at_least_one("EXPORTS_A_MINUTE", env.int("EXPORTS_A_MINUTE", default=60))
SEARCHES_A_MINUTE = at_least_one("SEARCHES_A_MINUTE", env.int("SEARCHES_A_MINUTE", default=240))
SIGN_INS_A_MINUTE = at_least_one("SIGN_INS_A_MINUTE", env.int("SIGN_INS_A_MINUTE", default=300))
DRAFTS_KEPT = at_least_one("DRAFTS_KEPT", env.int("DRAFTS_KEPT", default=500))

# What is kept

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # SQLite's defaults answer "database is locked" to twenty writers; with these, none was seen.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DATABASES["default"]["CONN_MAX_AGE"] = 60  # seconds; `config.asgi` closes those of pages at once
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
REDIS_URL = env.str("REDIS_URL", default="")  # none: one process, whose run logs and news are in memory
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured(f"REDIS_URL must be an address such as redis://127.0.0.1:6379/0, not {REDIS_URL!r}.")
CACHES = {  # with Redis the pauses of sign-in hold for all processes; by Django's own bound 300 others end them
    "default": {
        "BACKEND": "config.cache.RedisOrMemory" if REDIS_URL else "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    }
}

# Pages

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],  # the nonce is for the import map alone
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.LineFormatter", "format": "{levelname} {name}: {message}", "style": "{"}
    },
    "filters": {"outage": {"()": "config.logs.OneLineAnOutage"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["outage"]}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="WARNING")},
}
