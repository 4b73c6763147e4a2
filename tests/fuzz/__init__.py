"""Coverage-guided fuzzing: one module a subject, each run by ``python -m tests.fuzz.<subject> --seconds N``."""
