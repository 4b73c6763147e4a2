"""Publishes a season, and holds what became of it against what must have. docs/season.md."""
