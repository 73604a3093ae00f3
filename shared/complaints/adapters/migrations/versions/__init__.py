"""The revisions, a branch for each part."""
