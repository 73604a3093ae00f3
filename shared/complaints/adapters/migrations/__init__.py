"""The one Alembic tree of all schemas. `complaints.adapters.database.migrate` runs it, also from an installed wheel.

A part's tables are a branch of their own: its first revision has ``down_revision = None`` and ``branch_labels =
("<part>",)`` and names in ``depends_on`` what it needs of other parts. So parts change their tables without waiting for
one another, and ``migrate`` brings all branches to their heads. A revision is a module ``versions/<part>_<nnnn>.py``
and, where SQL says it better, a script of the same name beside it; once released it is never edited.
"""
