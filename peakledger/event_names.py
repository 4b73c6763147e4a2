"""How events are named to people: by channel and serial, whether or not there is a profile of the channel."""

from typing import NamedTuple

from ledger.channels import Channel
from ledger.event_fields import format_serial


class ChannelAndSerial(NamedTuple):
    """Text of a channel and of a serial; ``None`` where an entry or a record has none."""

    channel: str | None
    serial: str | None


def event_name(code: int, serial: bytes, channel: Channel | None) -> ChannelAndSerial:
    """Return what to call an event whose channel has ``code``; ``channel`` is its profile, if there is one.

    Without it the channel goes by its code, and the 16 bytes of the serial by their hexadecimal digits, since nothing else tells
    their form.
    """
    if not any(serial):
        return ChannelAndSerial(channel.name if channel else str(code) if code else None, None)
    if channel is None:
        return ChannelAndSerial(str(code), serial.hex())
    return ChannelAndSerial(channel.name, format_serial(serial, channel.serial_form))
