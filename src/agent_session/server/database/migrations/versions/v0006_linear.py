"""Linear: workspaces, what was received, sessions, work and what is to be sent."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "linear_workspaces",
        sa.Column("organization", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("app_user", sa.String(64), nullable=False),
        sa.Column("way", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("access_token", sa.Text),
        sa.Column("refresh_token", sa.Text),
        sa.Column("expires_at", Moment),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_table(
        "linear_received",
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("received_at", Moment, nullable=False),
    )
    _make_sessions()
    session = sa.ForeignKey("linear_sessions.id", ondelete="CASCADE")
    op.create_table(
        "linear_jobs",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("session_id", sa.Uuid, session, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("lane", sa.String(100), nullable=False, index=True),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("not_before", Moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
    )
    op.create_table(
        "linear_outgoing",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "session_id",
            sa.Uuid,
            sa.ForeignKey("linear_sessions.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("ephemeral", sa.Boolean, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("not_before", Moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("status", sa.String(20), nullable=False, index=True),
    )


def _make_sessions() -> None:
    op.create_table(
        "linear_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization", sa.String(64), nullable=False),
        sa.Column("linear_id", sa.String(64)),
        sa.Column("issue", sa.String(64), index=True),
        sa.Column("identifier", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("comment", sa.String(64)),
        sa.Column("creator", sa.String(64), nullable=False),
        sa.Column("creator_name", sa.Text, nullable=False),
        sa.Column("team", sa.String(64), nullable=False),
        sa.Column("team_key", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("container", sa.String(63), nullable=False, index=True),
        sa.Column("repository", sa.String(255)),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False, index=True),
        sa.Column("question", sa.JSON),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_activity", Moment, nullable=False),
        sa.Column("last_said", Moment, nullable=False),
        sa.Column("ended_at", Moment),
        sa.UniqueConstraint("organization", "linear_id", name="one_row_of_an_agent_session"),
    )


def downgrade() -> None:
    """Remove them."""
    for name in ("outgoing", "jobs", "sessions", "received", "workspaces"):
        op.drop_table(f"linear_{name}")
