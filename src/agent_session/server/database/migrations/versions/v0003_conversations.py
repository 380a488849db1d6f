"""Conversations and their messages (/api/agent-sessions)."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("session_name", sa.String(255)),
        sa.Column("description", sa.Text),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("agent_name", sa.String(255)),
        sa.Column("agent_instructions", sa.Text),
        sa.Column("container", sa.String(63)),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.UniqueConstraint("user_id", "session_id", name="one_conversation_of_a_user"),
    )
    op.create_table(
        "conversation_messages",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "session_id", sa.Uuid, sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False, index=True,
        ),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("tool_call_id", sa.String(255)),
        sa.Column("tool_name", sa.String(255)),
        sa.Column("extra_data", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
    )  # fmt: skip


def downgrade() -> None:
    """Remove them."""
    op.drop_table("conversation_messages")
    op.drop_table("conversations")
