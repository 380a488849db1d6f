"""Agents of users, with their logins; and the models of prompts in line."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table and the column."""
    op.add_column("prompts", sa.Column("model", sa.String(255)))
    op.create_table(
        "agents",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("kind", sa.String(63), nullable=False),
        sa.Column("model", sa.String(255)),
        sa.Column("way", sa.String(20), nullable=False),
        sa.Column("provider", sa.String(100)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("login", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_used", Moment),
        sa.UniqueConstraint("user_id", "name", name="one_agent_of_a_name"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("agents")
    with op.batch_alter_table("prompts") as prompts:
        prompts.drop_column("model")
