"""The payment ledger engine and its read models. Knows nothing of Kafka, of channels' files or of HTTP."""

from ledger.version import __version__

__all__ = ["__version__"]
