"""The version of the tables is read, moved by migrations, and refused where it does not fit."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from agent_session.errors import ConfigurationError, Hint
from agent_session.server.database.connection import prepare_sqlite
from agent_session.server.errors import SchemaDiffers
from agent_session.server.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
UPGRADE = Hint("db", ["upgrade"])


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a database holds: its version ("" for none), this release's, and the rows of each table."""

    url: str
    version: str
    newest: str
    rows: dict[str, int]


def inspect(settings: Settings) -> Inspection:
    """Look at the database. Raises ConfigurationError where it cannot be reached."""
    with _connection(settings) as connection:
        found = sa.MetaData()
        found.reflect(connection)
        return Inspection(
            url=shown(settings.url),
            version=_version(connection),
            newest=newest(),
            rows={
                table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in found.sorted_tables
                if table.name != "alembic_version"
            },
        )


def shown(url: str) -> str:
    """A database's address without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def newest() -> str:
    """The version of this release."""
    return max(_known())


def upgrade(settings: Settings, version: str = "head") -> None:
    """Move the tables up to a version. Of an SQLite file a copy is kept beside it."""
    from alembic import command

    if settings.is_sqlite:
        _keep_a_copy(settings)
    with _connection(settings) as connection:
        _check_known(settings, connection)
        command.upgrade(_configuration(connection), version)


def downgrade(settings: Settings, version: str) -> None:
    """Move the tables down to a version; what only newer tables hold is lost."""
    from alembic import command

    with _connection(settings) as connection:
        command.downgrade(_configuration(connection), version)


def make_ready(settings: Settings) -> None:
    """Move an SQLite file of this server's own up; refuse another database that is not up to date."""
    with _connection(settings) as connection:
        _check_known(settings, connection)
        version = _version(connection)
    if version == newest():
        return
    if settings.is_sqlite:
        upgrade(settings)
        return
    had = f"is of version {version}" if version else "has no tables yet"
    raise SchemaDiffers(
        shown(settings.url), f"the database {had}; this release needs {newest()}", hint=UPGRADE
    )


def _check_known(settings: Settings, connection: sa.Connection) -> None:
    version = _version(connection)
    if version and version not in _known():
        raise SchemaDiffers(
            shown(settings.url),
            f"a newer agent-session has moved the database to version {version}; this one knows {newest()}",
            hint=Hint("version"),
        )


def _version(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(sa.text("select version_num from alembic_version")) or ""


def _known() -> set[str]:
    """The versions that have a migration: their files are called after them, and alembic costs 0.3 s."""
    return {file.name[1:5] for file in (MIGRATIONS / "versions").glob("v[0-9]*.py")}


def _configuration(connection: sa.Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _keep_a_copy(settings: Settings) -> None:
    file = Path(sa.make_url(settings.url).database or "")
    if not file.is_file():
        return
    with _connection(settings) as connection:
        version = _version(connection)
    if version in {"", newest()}:
        return
    copy = file.with_name(f"{file.name}.{version}")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(0o600)


@contextmanager
def _connection(settings: Settings) -> Iterator[sa.Connection]:
    """A connection for synchronous use, whose changes are kept at the end of the block."""
    url = settings.url.replace("sqlite+aiosqlite", "sqlite")
    if settings.is_sqlite:
        settings.server_state.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    if settings.is_sqlite:
        sa.event.listen(engine, "connect", prepare_sqlite)
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise ConfigurationError(shown(settings.url), reason, hint=Hint("db", ["inspect"])) from error
    finally:
        engine.dispose()
