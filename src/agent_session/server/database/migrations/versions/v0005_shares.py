"""Links with which strangers watch a session, and where browsers get notifications."""

import sqlalchemy as sa
from alembic import op

from agent_session.server.database.models import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "shares",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("session", sa.String(63), nullable=False),
        sa.Column("began", Moment, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("last_used", Moment),
    )
    op.create_table(
        "push_subscriptions",
        sa.Column("device_id", sa.Uuid, sa.ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("p256dh", sa.String(100), nullable=False),
        sa.Column("auth", sa.String(30), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("push_subscriptions")
    op.drop_table("shares")
