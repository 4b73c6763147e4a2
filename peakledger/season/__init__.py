"""A summer of payments as events, in the order of their arrival, each with the outcome that it must have. docs/season.md."""
