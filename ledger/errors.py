"""Exceptions: for misuse and damage only. What a channel may expect is an outcome code (``ledger.outcomes``)."""


class PeakledgerError(Exception):
    """Base of all exceptions that Peakledger raises on purpose. ``hint`` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "", **numbers: object) -> None:
        super().__init__(message)
        self.hint = hint
        self.numbers = numbers

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.numbers:
            text += " (" + ", ".join(f"{name} {value}" for name, value in self.numbers.items()) + ")"
        return f"{text}. {self.hint}" if self.hint else text


class ConfigurationError(PeakledgerError):
    """A setting that cannot be used."""


class NameInvalid(PeakledgerError):
    """A text that can be no account, or no serial of its channel."""


class FileInvalid(PeakledgerError):
    """A file from outside that cannot be used. Numbers: ``line``, ``column``."""


class FileRefused(FileInvalid):
    """A file that is refused as a whole for what it says: nothing was published. Numbers: ``line``, ``column``."""


class EventInvalid(PeakledgerError):
    """An event that any ledger would refuse, whatever its state. Numbers: ``code``."""


class LedgerNotFound(PeakledgerError):
    """No ledger where one was expected."""


class NotFound(PeakledgerError):
    """No account, event or quarantined record under this name."""


class LedgerLocked(PeakledgerError):
    """Another process writes this ledger. Numbers: ``pid``, ``epoch``."""


class Fenced(PeakledgerError):
    """Another process took this ledger over; nothing more may be written. Numbers: ``epoch``, ``found``."""


class FormatVersionMismatch(PeakledgerError):
    """A file written by another version. Numbers: ``path``, ``expected``, ``found``."""


class JournalDamaged(PeakledgerError):
    """The journal is not what was written. Numbers: ``segment``, ``seq``, ``byte_offset``, ``expected``, ``found``."""


class JournalWriteFailed(PeakledgerError):
    """The operating system refused a write or flush; the engine has stopped. Numbers: ``segment``, ``byte_offset``, ``errno``."""


class KeyTableDamaged(PeakledgerError):
    """A key table file is not what was written. Numbers: ``path``, ``expected``, ``found``."""


class EventRefused(PeakledgerError):
    """What a command was to book is refused, by what can be checked before or by the ledger. Numbers: ``offset``."""


class ProofInvalid(PeakledgerError):
    """A proof does not show what it says, or not with this digest. Numbers: ``last_seq``, ``seq``, ``line``."""


class ProjectionDamaged(PeakledgerError):
    """A projection cannot be trusted; it can be rebuilt. Numbers: ``path``, ``seq``."""


class DepositLow(PeakledgerError):
    """Deposits are below the alarm level of their channel. Numbers: ``deposits``."""


class SourceUnavailable(PeakledgerError):
    """Kafka cannot be reached, or refuses what was asked of it."""


class CorruptBatch(PeakledgerError):
    """A record batch whose bytes are damaged. Numbers: ``base_offset``, ``byte_offset``, ``expected``, ``found``."""


class PositionLost(PeakledgerError):
    """The source no longer has the records that come next. Numbers: ``next_offset``, ``first_offset``."""


class TimestampAhead(PeakledgerError):
    """A record dated so far ahead that ledger time must not follow. Numbers: ``offset``, ``timestamp_ms``, ``now_ms``."""


class SourceMismatch(PeakledgerError):
    """This ledger was made from another topic or partition. Numbers: ``expected``, ``found``."""


class NotSettled(PeakledgerError):
    """A business date that cannot be settled or closed, or not yet. Numbers: ``balance_fen``, ``pending_fen``."""


class BalancesBehind(PeakledgerError):
    """The balances lack what was published before, and a command that decides by them did nothing; or an engine ended without
    room for them on the disk. Numbers: ``records``; or ``expected``, ``found``."""


class PublishFailed(PeakledgerError):
    """A topic did not take what was published. Numbers: ``partition``, ``records``; or ``batches``, ``timeout_s``."""
