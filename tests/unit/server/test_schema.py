"""The database's versions: each migration up and down with rows on both databases, and what is refused."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from agent_session.errors import AgentSessionError, ConfigurationError
from agent_session.server.database import schema
from agent_session.server.database.models import Base
from agent_session.server.errors import SchemaDiffers
from agent_session.server.settings import Settings

VERSIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory.from_config(schema._configuration()).walk_revisions()))
]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(server_state=tmp_path / "state", database_url=database_url)


def value(column: sa.Column[Any], number: int) -> Any:
    """Something that such a column can hold."""
    if column.foreign_keys:
        return None
    python = {
        sa.Uuid: uuid.uuid4(),
        sa.DateTime: datetime(2026, 11, 28, 12, tzinfo=UTC),
        sa.Boolean: True,
        sa.Integer: number,
        sa.JSON: ["a"],
    }
    return next((found for kind, found in python.items() if isinstance(column.type, kind)), f"{number}")


def fill(connection: sa.Connection) -> dict[str, int]:
    """Put a row into each table that has none."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        if table.name == "alembic_version" or connection.scalar(
            sa.select(sa.func.count()).select_from(table)
        ):
            continue
        row = {column.name: value(column, 1) for column in table.columns}
        for column in table.columns:
            for key in column.foreign_keys:
                row[column.name] = connection.scalar(sa.select(key.column))
        connection.execute(table.insert().values(**row))
    return {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for table in metadata.sorted_tables
        if table.name != "alembic_version"
    }


def filled(settings: Settings) -> dict[str, int]:
    with schema._connection(settings) as connection:
        return fill(connection)


def test_each_migration_goes_up_and_down_with_rows(settings: Settings) -> None:
    before = "base"
    for version in VERSIONS:
        schema.upgrade(settings, version)
        assert set(filled(settings).values()) == {1}
        schema.downgrade(settings, before)
        schema.upgrade(settings, version)
        filled(settings)
        before = version
    schema.downgrade(settings, "base")
    assert schema.inspect(settings).rows == {}


def test_the_migrations_files_are_called_after_their_versions() -> None:
    assert schema._known() == set(VERSIONS)
    assert schema.newest() == VERSIONS[-1]


def test_the_migrations_make_what_the_models_say(settings: Settings) -> None:
    schema.upgrade(settings)
    with schema._connection(settings) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_an_older_file_is_moved_up_by_itself_and_a_copy_is_kept(tmp_path: Path) -> None:
    settings = Settings(server_state=tmp_path / "state")
    schema.make_ready(settings)
    assert schema.inspect(settings).version == VERSIONS[-1]
    assert [
        file.name for file in settings.server_state.glob("*.sqlite3.*") if file.suffix[1:].isdigit()
    ] == []
    if len(VERSIONS) > 1:
        schema.downgrade(settings, VERSIONS[0])
        schema.make_ready(settings)
        assert (settings.server_state / f"database.sqlite3.{VERSIONS[0]}").exists()


def test_an_older_postgresql_is_refused_with_the_command_to_type(tmp_path: Path, postgres: Any) -> None:
    settings = Settings(server_state=tmp_path / "state", database_url=postgres.new())
    with pytest.raises(SchemaDiffers, match="has no tables yet") as refused:
        schema.make_ready(settings)
    assert refused.value.hint == "agent-session db upgrade"
    schema.upgrade(settings)
    schema.make_ready(settings)


def test_a_newer_database_is_refused(settings: Settings) -> None:
    schema.upgrade(settings)
    with schema._connection(settings) as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    for change in (schema.make_ready, schema.upgrade):
        with pytest.raises(SchemaDiffers, match="a newer agent-session"):
            change(settings)


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:1/none"
    settings = Settings(server_state=tmp_path / "state", database_url=url)
    with pytest.raises(ConfigurationError) as refused:
        schema.inspect(settings)
    assert isinstance(refused.value, AgentSessionError)
    assert "hunter2" not in refused.value.message
