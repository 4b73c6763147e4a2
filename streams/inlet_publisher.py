"""Publishes events to the inlets by the priority of their channels, so that their order survives the way through two topics."""

import time
from collections.abc import Iterable, Mapping

from ledger._core import EventDecoder
from ledger.channels import Channel
from ledger.layouts import PACKED_EVENT, EventType
from ledger.outcomes import OutcomeCode
from streams.inlets import Inlet
from streams.publisher import SinkPublisher
from streams.record_keys import household_of

# Of these no household's account is touched; what their channel publishes itself is in the same inlet.
_OF_NO_HOUSEHOLD = {EventType.top_up, EventType.open_float, EventType.count_float, EventType.bank_float}
_NO_HOUSEHOLD = b"-"
_ASK_PYTHON = 0xFFFF


class InletPublisher:
    """Publishes to one started publisher for each inlet.

    An event follows one of its household in the other inlet only when that is acknowledged, and with a later time: the release of
    the inlets goes by what was there before, and by time.
    """

    def __init__(self, publishers: Mapping[Inlet, SinkPublisher], channels: Iterable[Channel]) -> None:
        channels = tuple(channels)
        self._publishers = publishers
        self._decoder = EventDecoder(channels)
        self._inlets = {channel.code: Inlet(channel.priority) for channel in channels}
        self._unacknowledged: dict[Inlet, set[bytes | None]] = {inlet: set() for inlet in Inlet}
        self._time_ms = 0

    async def publish(self, packed: bytes, value: bytes, household: bytes | None = None) -> None:
        """Take an event: as it is packed, which says where it goes, and as the value to publish.

        ``household`` is whose it is where it does not say so itself. Raises PublishFailed.
        """
        inlet = self._inlets[PACKED_EVENT.unpack(packed)["channel"]]
        key = household_of(packed) or household
        if key:
            await self._publish(inlet, key, value, None)
        else:
            await self._publish(inlet, _key_of(packed, inlet), value, 0)

    @property
    def partition_count(self) -> int:
        """How many partitions each inlet has."""
        return self._publishers[Inlet.interactive].partition_count

    async def publish_record(self, key: bytes | None, value: bytes | None, *, partition: int) -> None:
        """Take a record for a partition that is named, as a SinkPublisher does, but under the key that an inlet needs.

        A value that is no event here may be one of any household. Raises PublishFailed.
        """
        code, packed = self._decoder.decode_fast(value)
        if code == _ASK_PYTHON:
            code, packed = self._decoder.decode_slow(value)
        if code == OutcomeCode.applied:
            inlet = self._inlets[PACKED_EVENT.unpack(packed)["channel"]]
            await self._publish(inlet, _key_of(packed, inlet), value, partition)
        else:
            await self._publish(Inlet.interactive, None, value, partition)

    async def _publish(self, inlet: Inlet, key: bytes | None, value: bytes | None, partition: int | None) -> None:
        if self._may_follow(key, other := Inlet.batch if inlet is Inlet.interactive else Inlet.interactive):
            await self._flush(other)
        self._unacknowledged[inlet].add(key)
        self._time_ms = max(self._time_ms, time.time_ns() // 1_000_000)
        await self._publishers[inlet].publish_record(key, value, self._time_ms, partition)

    async def flush(self) -> None:
        """Return when every event taken so far is acknowledged. Raises PublishFailed."""
        for inlet in Inlet:
            await self._flush(inlet)

    def _may_follow(self, key: bytes | None, other: Inlet) -> bool:
        """Return whether an event of this key may be of the same household as one under way to the other inlet."""
        under_way = self._unacknowledged[other]
        return bool(under_way) if key is None else key in under_way or None in under_way

    async def _flush(self, inlet: Inlet) -> None:
        await self._publishers[inlet].flush()
        self._unacknowledged[inlet].clear()
        self._time_ms += 1


def _key_of(packed: bytes, inlet: Inlet) -> bytes | None:
    """Return the record key: the household; None where the event may be of any."""
    if key := household_of(packed):
        return key
    of_none = PACKED_EVENT.unpack(packed)["event_type"] in _OF_NO_HOUSEHOLD
    return _NO_HOUSEHOLD if inlet is Inlet.interactive and of_none else None
