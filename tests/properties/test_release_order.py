"""Whatever is published while inlets are released, and whenever a release is killed: no household's records change places, none
is lost or released twice, and the order is the one that a plain oracle finds."""

import asyncio
from dataclasses import dataclass, field

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.inlets import Inlet
from streams.merging import Merge, Record, Released
from streams.release import Release, ReleaseRules

HOUSEHOLDS = [b"3301234567890", b"3301234567891", b"3301234567892", b"3301234567893"]
RULES = ReleaseRules(ahead=2, window=4)

inlets = st.sampled_from(list(Inlet))
keyed = st.tuples(inlets, st.sampled_from(HOUSEHOLDS))
with_and_without_keys = st.tuples(inlets, st.sampled_from([*HOUSEHOLDS, *HOUSEHOLDS, None]))


class Killed(Exception):
    """The process ends here."""


@dataclass
class Topics:
    """Inlets and events in memory. What is still to be published arrives whenever somebody looks, as ``draw`` decides."""

    draw: st.DataObject
    to_publish: list[tuple[Inlet, bytes | None]]
    published: list[tuple[Inlet, Record]] = field(default_factory=list)
    inlets: dict[Inlet, list[Record]] = field(default_factory=lambda: {inlet: [] for inlet in Inlet})
    events: list[Record] = field(default_factory=list)
    released: Released = field(default_factory=Released)
    positions: dict[Inlet, int] = field(default_factory=dict)

    def start(self) -> Release:
        self.positions = {Inlet.interactive: self.released.interactive_next, Inlet.batch: self.released.batch_next}
        return Release(self, self, self.released, RULES)

    def publish_some(self) -> None:
        for _ in range(self.draw.draw(st.sampled_from([0, 1, 2, 40]))):
            if self.to_publish:
                inlet, key = self.to_publish.pop(0)
                time_ms = len(self.published)
                record = (len(self.inlets[inlet]), time_ms, key, b"%d" % time_ms)
                self.inlets[inlet].append(record)
                self.published.append((inlet, record))

    async def read(self, inlet: Inlet, timeout_s: float) -> tuple[list[Record], int]:
        self.publish_some()
        start = self.positions[inlet]
        released = self.released.interactive_next if inlet is Inlet.interactive else self.released.batch_next
        assert start - released < RULES.window  # no more is read ahead, whatever waits
        self.positions[inlet] = end = min(len(self.inlets[inlet]), start + self.draw.draw(st.integers(1, 4)))
        return self.inlets[inlet][start:end], end

    async def end_offset(self, inlet: Inlet) -> int:
        self.publish_some()
        end = len(self.inlets[inlet])
        self.publish_some()
        return end

    async def write(self, records: list[Record], released: Released) -> int:
        if self.draw.draw(st.integers(0, 9)) == 0:
            raise Killed
        self.events += records
        self.released = released
        return len(self.events)

    async def release_all(self) -> None:
        release = self.start()
        while self.to_publish or sum(map(len, self.inlets.values())) > len(self.events):
            try:
                if not await release.move(self.draw.draw(st.integers(0, RULES.ahead))):
                    await release.wait()
            except Killed:
                release = self.start()


@given(st.data(), st.lists(with_and_without_keys, max_size=60))
def test_no_two_records_of_a_household_change_places_and_each_is_released_once(data, to_publish):
    topics = Topics(data, list(to_publish))
    asyncio.run(topics.release_all())
    times = [record[1] for record in topics.events]
    assert sorted(times) == list(range(len(to_publish)))
    for household in HOUSEHOLDS:
        own = [record[1] for record in topics.events if record[2] == household]
        assert own == sorted(own)
    interactive = [record for record in topics.events if to_publish[record[1]][0] is Inlet.interactive]
    assert interactive == sorted(interactive)
    for place, (_, time_ms, key, _) in enumerate(topics.events):
        if key is None:  # it may be of any household
            assert all(before < time_ms or to_publish[before][0] is Inlet.interactive for before in times[:place])
            assert all(behind > time_ms for behind in times[place + 1 :])


@given(st.lists(keyed, max_size=60), st.integers(0, 5))
def test_an_interactive_record_waits_for_none_but_its_households_and_those_who_had_room(to_publish, room):
    records = [(inlet, (number, number, key, None)) for number, (inlet, key) in enumerate(to_publish)]
    of = {inlet: [record for its, record in records if its is inlet] for inlet in Inlet}
    merge = Merge(Released())
    merge.batch.add(of[Inlet.batch], len(records))
    merge.add_interactive(of[Inlet.interactive], len(records))
    taken = merge.take(at_most=len(records) + 1, room=room, batch_before=len(records), is_batch_whole=True)
    assert taken == plain_order(of[Inlet.interactive], of[Inlet.batch], room)
    left = [record for record in of[Inlet.batch] if record not in taken]
    if left:
        assert (merge.released.batch_next, merge.released.interactive_next) == (left[0][0], len(records))
        lifted = {record[0] for record in taken if record in of[Inlet.batch] and record[0] > left[0][0]}
        assert merge.released.lifted_offsets() == lifted


@given(st.integers(0, 2**40), st.sets(st.integers(0, 5000)))
def test_lifted_offsets_are_found_again(batch_next, above):
    offsets = {batch_next + distance for distance in above}
    released = Released.of(7, batch_next, offsets)
    assert (released.interactive_next, released.batch_next, released.lifted_offsets()) == (7, batch_next, offsets)


def test_half_a_million_lifted_records_fit_into_one_record_of_the_topic():
    assert len(msgspec.json.encode(Released.of(0, 0, range(1, 500_000, 2)))) < 100_000


def plain_order(interactive: list[Record], batch: list[Record], room: int) -> list[Record]:
    """Every interactive record behind the earlier batch records of its household; then as many others as there is room for."""
    order: list[Record] = []
    for record in interactive:
        order += [earlier for earlier in batch if earlier not in order and earlier[2] == record[2] and earlier[1] <= record[1]]
        order.append(record)
    return order + [record for record in batch if record not in order][:room]
