"""What a ledger is created with. Stored in its journal, and the same for ever: other numbers would replay to another ledger."""

from dataclasses import dataclass
from datetime import date

EPOCH = date(1970, 1, 1)
MINUTES_PER_DAY = 1440
MS_PER_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class LedgerParameters:
    """The calendar of a ledger.

    The ledger date is the day of ledger time, ``utc_offset_minutes`` east of UTC. A business date is refused as closed when it
    lies more than ``close_after_days`` before the ledger date, and as in the future when it lies more than ``future_days`` after.
    """

    utc_offset_minutes: int = 480
    close_after_days: int = 400
    future_days: int = 1

    def ledger_date(self, ledger_time_ms: int) -> int:
        """Return the ledger date, in days since 1970-01-01, at a ledger time."""
        return (ledger_time_ms // MS_PER_MINUTE + self.utc_offset_minutes) // MINUTES_PER_DAY

    def first_time_ms(self, business_date: date) -> int:
        """Return the ledger time from which on an event of a business date is not refused as one in the future."""
        days = (business_date - EPOCH).days - self.future_days
        return (days * MINUTES_PER_DAY - self.utc_offset_minutes) * MS_PER_MINUTE
