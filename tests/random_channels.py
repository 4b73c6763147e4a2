"""Random events of the fourteen channels, in few accounts, so that cards run dry, floats are short and keys meet again."""

from itertools import islice
from random import Random
from uuid import UUID

from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.event_fields import parse_serial
from ledger.layouts import PACKED_EVENT, EventType
from ledger.model_state import LedgerState
from tests.ledger_events import IN_FULL, Named, settling

CHANNELS = [channel for channel in BUILT_IN_CHANNELS if "payment" in channel.publishes]
REMEMBERED = 1000  # of all channels


def serial_of(channel: Channel, count: int) -> bytes:
    text = str(UUID(int=count + 1)) if channel.serial_form is SerialForm.uuid else f"{count}"
    return parse_serial(text, channel.serial_form)


def channel_event(chance: Random, state: LedgerState, count: int, business_date: int, household: int) -> bytes:
    """Return an event that some channel may publish; now and then one that it may not."""
    channel = chance.choice(CHANNELS)
    type_ = EventType[chance.choice([*channel.publishes, "payment", chance.choice(BUILT_IN_CHANNELS).publishes[-1]])]
    key = {"channel": channel.code, "business_date": business_date, "serial": serial_of(channel, count)}
    if type_ in (EventType.post, EventType.void, EventType.reverse):
        return naming_event(chance, state, type_, channel, key)
    terminal = chance.randrange(len(channel.rules) + (chance.randrange(20) == 0))
    head = {"version": 1, "event_type": type_, "value_date": business_date, "terminal": terminal, "detail": 0} | key
    head["amount_fen"] = chance.choice([*[1, 100, 150] * 6, 0, 2**63 - 1])
    if type_ is EventType.payment:
        head |= {"household": household, "detail": chance.choice([0, 7])}
    elif type_ is EventType.top_up:
        head |= {"household": chance.choice([0, household]), "detail": chance.choice([1, 2])}
    pays = channel.rules[terminal % len(channel.rules)].payer is not None and (
        type_ is not EventType.top_up or channel.rules[terminal % len(channel.rules)].funds == "float"
    )
    head["payer"] = chance.choice([1, 2]) if pays else 0
    if chance.randrange(30) == 0:
        head[chance.choice(["payer", "detail", "terminal"])] ^= chance.choice([1, 2**60])  # the last is too great for any
        head["terminal"] &= 0xFF
    return PACKED_EVENT.pack(**head)


def naming_event(chance: Random, state: LedgerState, type_: EventType, channel: Channel, key: dict[str, object]) -> bytes:
    """Return a post, void or reversal of an event that most often is the channel's own and exists."""
    any_channel = chance.randrange(20) == 0
    known = [name for name in islice(reversed(state.keys), REMEMBERED) if any_channel or name.channel == channel.code]
    head = {"version": 1, "event_type": type_, "value_date": key["business_date"], "detail": 1} | key
    if not known:
        return PACKED_EVENT.pack(**head | {"event_type": EventType.payment})
    name = chance.choice(known)
    named = Named(name.serial, 0, name.business_date, name.channel)
    flags = {EventType.post: 2, EventType.void: 4, EventType.reverse: 0}[type_]
    amount_fen = IN_FULL if type_ is EventType.post else chance.choice([0, 0, 1]) * (type_ is EventType.reverse)
    return PACKED_EVENT.pack(**head) + settling(named, amount_fen, flags)
