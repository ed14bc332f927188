"""Settings from the environment, read once at the edge and passed in from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tunixrt_core.errors import InvalidSettings
from tunixrt_core.util import variables

LOG_FORMS = ("text", "json")
METRICS = ("token", "open")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """What this process works with. Every field is an environment variable and an option of `tunixrt serve`."""

    home: Path
    database_url: str
    host: str = "127.0.0.1"
    port: int = 8501
    token: str | None = None
    max_upload_mb: int = 200
    log_level: str = "INFO"
    allowed_hosts: tuple[str, ...] = ()
    allow: tuple[Path, ...] = ()
    webhook: str | None = None
    log: str = "text"  # of LOG_FORMS
    metrics: str = "token"  # of METRICS
    executor: str | None = None
    bucket: str | None = None
    url: str = "http://localhost:8501"
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None
    oidc_read: tuple[str, ...] = ()
    oidc_write: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read `TUNIXRT_*`. Unknown `TUNIXRT_*` names and unusable values raise InvalidSettings, which names them."""
        if unknown := sorted(k for k in environ if k.startswith("TUNIXRT_") and k not in VARIABLES):
            raise InvalidSettings(f"{unknown[0]} is not a setting. Known settings: {', '.join(VARIABLES)}.")
        home = Path(environ.get("TUNIXRT_HOME") or "~/.tunixrt").expanduser().absolute()
        if home.exists() and not home.is_dir():
            raise InvalidSettings(f"TUNIXRT_HOME: {home} is a file; name a directory.")
        port = variables.whole("TUNIXRT_PORT", environ.get("TUNIXRT_PORT"), 8501, 1, 65535)
        return cls(
            home=home,
            database_url=_database_url(environ.get("TUNIXRT_DATABASE_URL"), home),
            host=environ.get("TUNIXRT_HOST") or "127.0.0.1",
            port=port,
            token=_token(environ.get("TUNIXRT_TOKEN")),
            max_upload_mb=variables.whole(
                "TUNIXRT_MAX_UPLOAD_MB", environ.get("TUNIXRT_MAX_UPLOAD_MB"), 200, 1, 10_000
            ),
            log_level=variables.one_of("TUNIXRT_LOG_LEVEL", environ.get("TUNIXRT_LOG_LEVEL"), "INFO", LOG_LEVELS),
            allowed_hosts=variables.hosts(environ.get("TUNIXRT_ALLOWED_HOSTS")),
            allow=variables.folders(environ.get("TUNIXRT_ALLOW")),
            webhook=variables.webhook(environ.get("TUNIXRT_WEBHOOK")),
            log=variables.one_of("TUNIXRT_LOG", environ.get("TUNIXRT_LOG"), "text", LOG_FORMS),
            metrics=variables.one_of("TUNIXRT_METRICS", environ.get("TUNIXRT_METRICS"), "token", METRICS),
            executor=environ.get("TUNIXRT_EXECUTOR") or None,
            bucket=variables.bucket(environ),
            url=variables.server_url("TUNIXRT_URL", environ.get("TUNIXRT_URL")) or f"http://localhost:{port}",
            oidc_issuer=variables.issuer(environ),
            oidc_client_id=environ.get("TUNIXRT_OIDC_CLIENT_ID") or None,
            oidc_client_secret=environ.get("TUNIXRT_OIDC_CLIENT_SECRET") or None,
            oidc_read=variables.rules(environ.get("TUNIXRT_OIDC_READ")),
            oidc_write=variables.rules(environ.get("TUNIXRT_OIDC_WRITE")),
        )

    @property
    def exports_dir(self) -> Path:
        return self.home / "datasets"

    @property
    def runs_dir(self) -> Path:
        return self.home / "runs"

    @property
    def aside_dir(self) -> Path:
        """Broken runs and files that were moved aside."""
        return self.home / "aside"

    @property
    def shares_queue(self) -> bool:
        """Whether several servers, also of several machines, may do the jobs of this home."""
        return self.database_url.startswith("postgresql") and self.executor is None

    @property
    def accelerator_lock(self) -> Path:
        """Lock that a process holds while it trains, evaluates or exports in this home; where machines share the home,
        one for each.
        """
        if not self.shares_queue:
            return self.home / "accelerator.lock"
        from tunixrt_core.util.owners import this_machine

        return self.home / f"accelerator-{this_machine()}.lock"

    @property
    def token_file(self) -> Path:
        """The access token made at the first start."""
        return self.home / "token"

    @property
    def server_log(self) -> Path:
        """Log of `python -m app`; its older parts are next to it."""
        return self.home / "logs" / "server.log"

    @property
    def audit_dir(self) -> Path:
        """The audit log: who started, stopped or deleted what."""
        return self.home / "audit"

    @property
    def check_file(self) -> Path:
        """Result of the last check of the database."""
        return self.home / "check.json"

    @property
    def seen_file(self) -> Path:
        """Items marked as seen on the overview."""
        return self.home / "seen.json"

    @property
    def models_dir(self) -> Path:
        return self.home / "models"

    @property
    def eval_sets_dir(self) -> Path:
        """Uploaded eval files."""
        return self.home / "eval-sets"

    @property
    def drafts_dir(self) -> Path:
        """Saved input of forms, and uploaded manifests."""
        return self.home / "drafts"

    @property
    def compiled_dir(self) -> Path:
        """Programs that XLA compiled, kept for the next start."""
        return self.home / "compiled"

    @property
    def slices_dir(self) -> Path:
        """Reports of TPU slices that were compiled for."""
        return self.home / "slices"


# Name -> (default, meaning). docs/reference/configuration.md lists the same names; a test compares them.
VARIABLES: dict[str, tuple[str, str]] = {
    "TUNIXRT_HOME": ("~/.tunixrt", "directory for the database, datasets, runs and models"),
    "TUNIXRT_DATABASE_URL": ("sqlite:///<home>/tunixrt.db", "SQLAlchemy URL; SQLite or PostgreSQL"),
    "TUNIXRT_HOST": ("127.0.0.1", "address the dashboard listens on"),
    "TUNIXRT_PORT": ("8501", "port the dashboard listens on"),
    "TUNIXRT_TOKEN": ("made at first start", "access token of the dashboard and the API"),
    "TUNIXRT_MAX_UPLOAD_MB": ("200", "largest upload in the browser and the API, in MB"),
    "TUNIXRT_LOG_LEVEL": ("INFO", "DEBUG, INFO, WARNING or ERROR"),
    "TUNIXRT_ALLOWED_HOSTS": ("none", "further host names the dashboard answers to, with commas between them"),
    "TUNIXRT_ALLOW": ("none", "folders besides the home for data, models and runs, with commas between them"),
    "TUNIXRT_WEBHOOK": ("none", "http(s) address that gets a message when a run ends or raises an alert"),
    "TUNIXRT_LOG": ("text", "text or json: form of the lines of the log on standard error"),
    "TUNIXRT_METRICS": ("token", "token or open: whether /metrics needs the access token"),
    "TUNIXRT_EXECUTOR": ("this process", "ray://host:port of a Ray cluster that trains, evaluates and exports"),
    "TUNIXRT_BUCKET": ("none", "s3://bucket/path, gs:// or file://, for workers without the folder of the home"),
    "TUNIXRT_URL": ("http://localhost:<port>", "address of the dashboard as its users write it, for sign-in by OpenID"),
    "TUNIXRT_OIDC_ISSUER": ("none", "address of the OpenID provider that signs users in"),
    "TUNIXRT_OIDC_CLIENT_ID": ("none", "client id of this server at the OpenID provider"),
    "TUNIXRT_OIDC_CLIENT_SECRET": ("none", "client secret of this server at the OpenID provider"),
    "TUNIXRT_OIDC_READ": ("nobody", "who may read: addresses, @domains, claim=value or *, with commas between them"),
    "TUNIXRT_OIDC_WRITE": ("nobody", "who may also write, in the same words"),
}


class Option(NamedTuple):
    """The option of `tunixrt serve` that sets a variable; `metavar` stands for its value in help."""

    name: str
    metavar: str
    repeated: bool = False


OPTIONS: dict[str, Option] = {
    "TUNIXRT_HOME": Option("--home", "DIR"),
    "TUNIXRT_DATABASE_URL": Option("--database-url", "URL"),
    "TUNIXRT_HOST": Option("--host", "ADDRESS"),
    "TUNIXRT_PORT": Option("--port", "N"),
    "TUNIXRT_TOKEN": Option("--token", "TEXT"),
    "TUNIXRT_MAX_UPLOAD_MB": Option("--max-upload-mb", "N"),
    "TUNIXRT_LOG_LEVEL": Option("--log-level", "|".join(LOG_LEVELS)),
    "TUNIXRT_ALLOWED_HOSTS": Option("--allow-host", "NAME", repeated=True),
    "TUNIXRT_ALLOW": Option("--allow", "DIR", repeated=True),
    "TUNIXRT_WEBHOOK": Option("--webhook", "URL"),
    "TUNIXRT_LOG": Option("--log", "|".join(LOG_FORMS)),
    "TUNIXRT_METRICS": Option("--metrics", "|".join(METRICS)),
    "TUNIXRT_EXECUTOR": Option("--executor", "URL"),
    "TUNIXRT_BUCKET": Option("--bucket", "URL"),
    "TUNIXRT_URL": Option("--url", "URL"),
    "TUNIXRT_OIDC_ISSUER": Option("--oidc-issuer", "URL"),
    "TUNIXRT_OIDC_CLIENT_ID": Option("--oidc-client-id", "TEXT"),
    "TUNIXRT_OIDC_CLIENT_SECRET": Option("--oidc-client-secret", "TEXT"),
    "TUNIXRT_OIDC_READ": Option("--oidc-read", "WHO", repeated=True),
    "TUNIXRT_OIDC_WRITE": Option("--oidc-write", "WHO", repeated=True),
}

NO_AUTH_HELP = "require no access token; on a loopback address only"


def option_help(variable: str) -> str:
    """What the option of a variable sets, and its default."""
    default, meaning = VARIABLES[variable]
    repeated = "; may be repeated" if OPTIONS[variable].repeated else ""
    return f"{meaning}{repeated} ({variable}; default: {default})"


def _database_url(value: str | None, home: Path) -> str:
    if not value:
        path = str(home / "tunixrt.db")
        # in a URL these have a meaning of their own
        return f"sqlite:///file:{quote(path)}?uri=true" if set("?%") & set(path) else f"sqlite:///{path}"
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise InvalidSettings("TUNIXRT_DATABASE_URL must begin with sqlite:/// or postgresql://.")
    return value.replace("postgresql://", "postgresql+psycopg://", 1)


def _token(value: str | None) -> str | None:
    if not value:
        return None
    if not is_strong_token(value):
        raise InvalidSettings("TUNIXRT_TOKEN must be at least 16 printable ASCII characters without spaces.")
    return value


def is_strong_token(value: str) -> bool:
    """Whether a token cannot be guessed, and can travel in an address and in a header."""
    return len(value) >= 16 and value.isascii() and value.isprintable() and " " not in value
