"""What an operator's replay of refused events publishes, in which order; and which reversals can be replayed by themselves.

A refusal whose reason may pass has burnt its event's key: under it the event is refused for ever. So a replay publishes such an
event under another serial, which follows from the first. Replayed twice, or delivered twice and replayed each time, it is still
the same event, and applied once.
"""

import base64
import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from uuid import UUID

import msgspec

from ledger.channels import Channel, SerialForm
from ledger.event_fields import format_date, format_serial, parse_date, parse_serial
from ledger.event_structs import Adjust, Event, EventName, Reverse
from ledger.events import Refusal, decode_event, encode_json
from ledger.key_lookup import EventKey, KeyLookup
from ledger.layouts import EventType, PayloadKind
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine, Quarantined, State

Record = tuple[bytes | None, bytes | None]

_NAMING = {EventType.reverse, EventType.adjust}  # events that name another event


def _naming(event: Event | Refusal) -> tuple[str, EventName | None]:
    """Return the field by which an event names another one, and what stands there."""
    if isinstance(event, Reverse):
        return "original", event.original
    return ("disputed", event.disputed) if isinstance(event, Adjust) else ("", None)


def retry_serial(key: EventKey, form: SerialForm) -> str:
    """Return the serial under which an event is tried again whose own ``key`` is burnt: one that no channel draws by itself."""
    digest = hashlib.sha256(key.channel.to_bytes(2, "little") + key.business_date.to_bytes(2, "little") + key.serial).digest()
    if form is SerialForm.uuid:
        return str(UUID(bytes=digest[:16], version=5))
    if form is SerialForm.ascii:
        return "~" + base64.b32encode(digest)[:15].decode().lower()
    return f"9{int.from_bytes(digest) % 10**31:031d}"


def retry_key(key: EventKey, channel: Channel) -> EventKey:
    """Return the key under which an event of ``channel`` is tried again whose own ``key`` is burnt."""
    return key._replace(serial=parse_serial(retry_serial(key, channel.serial_form), channel.serial_form))


class Replays:
    """Prepares replays of one shard's quarantined events."""

    def __init__(self, shard_directory: Path | str, quarantine: Quarantine, channels: Iterable[Channel]) -> None:
        """``quarantine`` is up to date. Raises LedgerNotFound."""
        self._lookup = KeyLookup(shard_directory)
        self._quarantine = quarantine
        self._channels = tuple(channels)
        self._by_name = {channel.name: channel for channel in self._channels}
        self._by_code = {channel.code: channel for channel in self._channels}

    def ready_reversals(self) -> list[Quarantined]:
        """Return the reversals and adjustments whose event was applied by now, in the order in which they came."""
        reasons = [OutcomeCode.reversal_not_found, OutcomeCode.disputed_event_not_found]
        waiting = self._quarantine.items(reasons=reasons, states=[State.waiting], limit=None)
        originals = {event.offset: self._original(event) for event in waiting}
        applied = self.applied_keys({key for key in originals.values() if key})
        return [event for event in waiting if originals[event.offset] in applied]

    def records(self, events: Collection[Quarantined]) -> list[Record]:
        """Return key and value of what is published for events, in the order to publish them: what may be reversed, then the
        reversals and adjustments, each in the order in which they came.

        They name an event by the key under which that was applied, or is published with it. Raises ValueError where an
        event is a damaged batch.
        """
        ordered = sorted(events, key=lambda event: (event.event_type in _NAMING, event.offset))
        renamed = self.applied_keys({key for event in ordered if (key := self._original(event))})
        return [self._record(event, renamed) for event in ordered]

    def applied_keys(self, keys: Collection[EventKey]) -> dict[EventKey, EventKey]:
        """Return, for those keys whose event was applied, under its own key or in a retry, the key under which it was."""
        applied: dict[EventKey, EventKey] = {}
        tried = {key: key for key in keys}
        while tried:
            known = self._lookup.find(set(tried.values()))
            applied |= {key: now for key, now in tried.items() if now in known and known[now].code is OutcomeCode.applied}
            burnt = {key: now for key, now in tried.items() if now in known and key not in applied}
            tried = {key: self._retry_key(now) for key, now in burnt.items() if now.channel in self._by_code}
        return applied

    def _record(self, event: Quarantined, renamed: dict[EventKey, EventKey]) -> Record:
        """Return what is published for an event. Its own new key goes into ``renamed``, for the reversals behind it."""
        key, value, _ = event.record()
        said = decode_event(value, self._channels)
        if isinstance(said, Refusal):
            return key, value
        again = self._under_new_key(event, said, renamed)
        field, name = _naming(again)
        if name and (renamed_to := renamed.get(self._key_of(name))):
            again = msgspec.structs.replace(again, **{field: self._name_of(renamed_to)})
        return (key, value) if again == said else (key, encode_json(again))

    def _under_new_key(self, event: Quarantined, said: Event, renamed: dict[EventKey, EventKey]) -> Event:
        if not (event.code.is_transient or event.code is OutcomeCode.id_already_failed):
            return said
        own = EventKey(event.channel, event.business_date, event.serial)
        retry = renamed[own] = self._retry_key(own)
        return msgspec.structs.replace(said, serial=self._name_of(retry).serial)

    def _original(self, event: Quarantined) -> EventKey | None:
        """Return the key that a reversal or an adjustment names; None of any other event."""
        if event.payload_kind is not PayloadKind.record or event.event_type not in _NAMING:
            return None
        said = decode_event(event.record()[1], self._channels)
        _, name = _naming(said)
        return self._key_of(name) if name else None

    def _retry_key(self, key: EventKey) -> EventKey:
        return retry_key(key, self._by_code[key.channel])

    def _key_of(self, name: EventName) -> EventKey:
        channel = self._by_name[name.channel]
        serial = parse_serial(name.serial, channel.serial_form)
        return EventKey(channel.code, parse_date(name.business_date.isoformat()), serial)

    def _name_of(self, key: EventKey) -> EventName:
        channel = self._by_code[key.channel]
        return EventName(channel.name, format_date(key.business_date), format_serial(key.serial, channel.serial_form))
