"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID, NAME = sa.String(40), sa.String(120)


def upgrade() -> None:
    """Make all tables."""
    for name in ("people", "garments"):
        op.create_table(name, *_common(), sa.Column("details", sa.JSON(), nullable=False))
    op.create_table("batches", *_common())
    for name in ("people", "garments", "batches"):
        op.create_index(f"ix_{name}_owner", name, ["owner"])
        op.create_index(f"ix_{name}_expires", name, ["expires"])
    _make_fittings()
    op.create_table(
        "keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("rate", sa.Integer()),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("used", sa.Float(53)),
        sa.Column("revoked", sa.Float(53)),
    )
    op.create_table(
        "idempotency",
        sa.Column("owner", NAME, primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("expires", sa.Float(53), nullable=False),
    )
    op.create_index("ix_idempotency_expires", "idempotency", ["expires"])


def _common() -> list[sa.Column[object]]:
    return [
        sa.Column("id", ID, primary_key=True),
        sa.Column("owner", NAME, nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("expires", sa.Float(53), nullable=False),
    ]


def _make_fittings() -> None:
    op.create_table(
        "fittings",
        *_common(),
        sa.Column("batch", ID, sa.ForeignKey("batches.id", ondelete="CASCADE")),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("person", ID, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("garments", sa.JSON(), nullable=False),
        sa.Column("engine", NAME, nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("worker", NAME),
        sa.Column("lease", sa.Float(53)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("blob", NAME),
    )
    op.create_index("ix_fittings_queue", "fittings", ["state", "created", "place"])
    op.create_index("ix_fittings_owner", "fittings", ["owner", "created"])
    for column in ("batch", "person", "expires", "worker"):
        op.create_index(f"ix_fittings_{column}", "fittings", [column])
