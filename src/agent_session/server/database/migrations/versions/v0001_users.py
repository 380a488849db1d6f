"""Users, their logins, and the audit log."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_users()
    _make_logins()
    _make_audit()


def downgrade() -> None:
    """Remove them."""
    for table in ("audit", "api_tokens", "devices", "login_links", "users"):
        op.drop_table(table)


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("login", sa.String(255), nullable=False, unique=True),
        sa.Column("github_id", sa.BigInteger, unique=True),
        sa.Column("email", sa.String(320)),
        sa.Column("avatar_url", sa.Text),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_login", Moment),
    )


def _make_logins() -> None:
    op.create_table(
        "login_links",
        sa.Column("digest", sa.String(64), primary_key=True),
        _of_a_user(),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("used_at", Moment),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        _of_a_user(),
        sa.Column("browser", sa.String(300), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_used", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        _of_a_user(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("session", sa.String(63)),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("last_used", Moment),
    )


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("time", Moment, nullable=False, index=True),
        sa.Column("user", sa.String(255)),
        sa.Column("way", sa.String(300), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("session", sa.String(255)),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )


def _of_a_user() -> sa.Column[object]:
    return sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False)
