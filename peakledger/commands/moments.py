"""What commands about the past share: which moment they are asked about, and what the answer cost."""

from collections.abc import Collection
from typing import Annotated

import typer

from ledger.history import History
from peakledger.display import format_bytes

Explain = Annotated[bool, typer.Option("--explain", help="Tell how much of the journal was read")]


def reading_cost(histories: Collection[History]) -> dict[str, int]:
    """Return what histories have read of their journals."""
    return {
        "entries_read": sum(history.entries_read for history in histories),
        "bytes_read": sum(history.bytes_read for history in histories),
    }


def cost_sentence(cost: dict[str, int]) -> str:
    """Return what ``reading_cost`` found, for a person."""
    return f"Read {cost['entries_read']:,} entries, and {format_bytes(cost['bytes_read'])} in all."
