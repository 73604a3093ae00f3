"""``Opener`` of a process that was given no key: every personal value stays sealed."""

from __future__ import annotations

from uuid import UUID

from complaints.adapters.desk_views import LeftSealed


class NeverOpened(LeftSealed):
    """Opens nothing."""

    def forget(self, subject: UUID) -> None:
        """Nothing is known of it."""
