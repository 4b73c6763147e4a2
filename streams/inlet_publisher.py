"""Publishes events to the inlets by the priority of their channels, so that their order survives the way through two topics."""

import time
from collections.abc import Iterable, Mapping

from ledger._core import EventDecoder
from ledger.account_ids import AccountKind, format_account
from ledger.channels import Channel
from ledger.event_fields import NO_ACCOUNT
from ledger.layouts import PACKED_EVENT, EventType
from ledger.outcomes import OutcomeCode
from ledger.packed_legs import unpack_legs
from streams.inlets import Inlet
from streams.publisher import SinkPublisher

# Of these no household's account is touched; what their channel publishes itself is in the same inlet.
_OF_NO_HOUSEHOLD = {EventType.top_up, EventType.open_float, EventType.count_float, EventType.bank_float}
_NO_HOUSEHOLD = b"-"
# Their first leg names every account that they touch.
_OF_NAMED_ACCOUNTS = {EventType.open_account, EventType.freeze, EventType.unfreeze, EventType.close, EventType.adjust}
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

    async def publish(self, packed: bytes, value: bytes) -> None:
        """Take an event: as it is packed, which says where it goes, and as the value to publish. Raises PublishFailed."""
        fields = PACKED_EVENT.unpack(packed)
        inlet = self._inlets[fields["channel"]]
        partition = None if fields["event_type"] in {EventType.bill, EventType.payment} else 0
        await self._publish(inlet, _key_of(packed, inlet), value, partition)

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
    fields = PACKED_EVENT.unpack(packed)
    if fields["household"]:
        return b"%013d" % fields["household"]
    if fields["event_type"] in _OF_NAMED_ACCOUNTS:
        return _only_household(packed)
    return _NO_HOUSEHOLD if inlet is Inlet.interactive and fields["event_type"] in _OF_NO_HOUSEHOLD else None


def _only_household(packed: bytes) -> bytes | None:
    leg, *_ = unpack_legs(packed[PACKED_EVENT.size :])
    accounts = [format_account(account).split(":") for account in leg[:2] if account != NO_ACCOUNT]
    households = [number for kind, number in accounts if kind == AccountKind.household.name]
    return households[0].encode() if len(households) == 1 else None
