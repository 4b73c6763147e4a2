"""What commands about the past share: which moment they are asked about, and what the answer cost."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, NamedTuple, TypeVar

import typer

from ledger.errors import ConfigurationError
from ledger.history import History, Moment
from peakledger.commands.ranges import parse_day, parse_time_ms
from peakledger.display import format_bytes
from peakledger.shards import no_shard

OfShard = TypeVar("OfShard")

AsOfSeq = Annotated[int | None, typer.Option(min=0, metavar="SEQ", help="As of this entry of the journal")]
AsOfTime = Annotated[str | None, typer.Option(metavar="TIME", help="As of this ledger time, in UTC where it names no offset")]
ValueDate = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only what was posted with this value date or an earlier one, as known then")
]
Shard = Annotated[str | None, typer.Option(metavar="SHARD", help="Only this shard: TOPIC-PARTITION")]
Explain = Annotated[bool, typer.Option("--explain", help="Tell how much of the journal was read")]


class AskedMoment(NamedTuple):
    """The moment that the flags of a command name."""

    seq: int | None
    ledger_time_ms: int | None
    value_date: date | None

    @classmethod
    def parse(cls, as_of_seq: int | None, as_of_time: str | None, value_date: str | None) -> "AskedMoment":
        """Return what the flags say. Two names of one moment, and text that is neither time nor date, are errors of usage."""
        if as_of_seq is not None and as_of_time is not None:
            raise typer.BadParameter("--as-of-seq and --as-of-time name the moment twice")
        time_ms = None if as_of_time is None else parse_time_ms(as_of_time)
        return cls(as_of_seq, time_ms, None if value_date is None else parse_day(value_date))

    @property
    def is_now(self) -> bool:
        """Whether no flag was given."""
        return self == AskedMoment(None, None, None)

    def of(self, history: History) -> Moment:
        """Return the moment in one shard. Raises ``NotFound`` for an entry that the shard does not have yet."""
        return history.moment(seq=self.seq, ledger_time_ms=self.ledger_time_ms, value_date=self.value_date)


def choose_shard(shards: Mapping[str, OfShard], shard: str | None, *, counts_seq: bool = False) -> Mapping[str, OfShard]:
    """Return the shard that was named, or all. A seq counts in one shard only, so with it there must be one.

    Raises ``NotFound`` where there is no such shard, ``ConfigurationError`` where one must be named.
    """
    if shard is not None:
        if shard not in shards:
            raise no_shard(shard, shards)
        return {shard: shards[shard]}
    if counts_seq and len(shards) > 1:
        raise ConfigurationError("A seq counts in one shard only", hint=f"Name one with --shard: {', '.join(shards)}")
    return shards


def reading_cost(histories: Iterable[History]) -> dict[str, int]:
    """Return what histories have read of their journals."""
    several = list(histories)
    return {
        "entries_read": sum(history.entries_read for history in several),
        "bytes_read": sum(history.bytes_read for history in several),
    }


def cost_sentence(cost: Mapping[str, int]) -> str:
    """Return what ``reading_cost`` found, for a person."""
    return f"Read {cost['entries_read']:,} entries, and {format_bytes(cost['bytes_read'])} in all."
