"""What Alembic runs: the migrations, on the connection and in the transaction that `database.migrate` has begun."""

from __future__ import annotations

from alembic import context

from vestiary.serve.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
