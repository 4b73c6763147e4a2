"""How many events a season has, by channel and outcome."""

from collections import Counter
from dataclasses import dataclass, field

from bench.season.arrivals import Arrival
from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import Bill, Payment
from ledger.outcomes import OutcomeCode

UNKNOWN_CHANNEL = "unknown"

_CHANNELS = {channel.name for channel in BUILT_IN_CHANNELS}


@dataclass
class Tally:
    """Events by channel and outcome, and the fen of the bills and payments of each channel that are applied."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    amounts_fen: Counter[str] = field(default_factory=Counter)

    def add(self, arrival: Arrival) -> None:
        event, outcome = arrival.event, arrival.outcome
        assert outcome is not None
        channel = event.channel if event.channel in _CHANNELS else UNKNOWN_CHANNEL
        self.events[channel, outcome.name] += 1
        if outcome is OutcomeCode.applied and isinstance(event, Bill | Payment):
            self.amounts_fen[event.channel] += event.amount_fen

    @property
    def published(self) -> int:
        return self.events.total()

    def items(self) -> list[dict[str, object]]:
        """Return a line for each channel and outcome."""
        return [
            {"channel": channel, "outcome": outcome, "events": events}
            | {"amount_fen": self.amounts_fen[channel] if outcome == OutcomeCode.applied.name else 0}
            for (channel, outcome), events in sorted(self.events.items())
        ]
