"""The suites: each measures one thing, beside what it is compared with, in one interleaved run."""
