"""Prompts that wait for their turn, and answers that are given again."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "prompts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("session", sa.String(63), nullable=False, index=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )
    op.create_table(
        "kept_answers",
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.JSON),
        sa.Column("created_at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("kept_answers")
    op.drop_table("prompts")
