"""Folders: where downloads are kept for the user, and where a project keeps its data."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Downloads that any project of this user may share: ``REDRESS_CACHE_DIR``, else the user's cache folder."""
    if chosen := os.environ.get("REDRESS_CACHE_DIR"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "redress"


def data_dir() -> Path:
    """Everything that the local servers keep: ``REDRESS_DATA_DIR``, else ``.redress`` in the current folder."""
    return Path(os.environ.get("REDRESS_DATA_DIR") or ".redress").expanduser().absolute()
