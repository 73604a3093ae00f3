"""How Alembic runs the revisions: on the connection that it is given, in that connection's transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="redress_revision")
context.run_migrations()
