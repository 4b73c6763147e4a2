"""Random records for a ledger that meets everything: holds settled right, wrong and late, reversals, limits, duplicates, bills.

All choices come from one ``random.Random``, so that a seed makes a run again, and hypothesis, handing in its own, shrinks it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from random import Random

from ledger.account_ids import clearing_account, parse_account, revenue_account
from ledger.events import Bill, Payment, Refusal, decode_event, encode_packed
from ledger.layouts import PACKED_EVENT, PACKED_LEG, EventType
from ledger.model import Model
from ledger.model_events import (
    LEG_BALANCING_CREDIT,
    LEG_BALANCING_DEBIT,
    LEG_CLOSING_CREDIT,
    LEG_CLOSING_DEBIT,
    LEG_PENDING,
    LEG_POST_PENDING,
    LEG_VOID_PENDING,
)
from ledger.model_state import (
    ACCOUNT_CLOSED,
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
)
from ledger.notes import Note
from ledger.parameters import LedgerParameters
from tests import ledger_events as make
from tests.event_samples import ENCODERS
from tests.ledger_events import IN_FULL, NOON_MS, Named, leg
from tests.random_channels import channel_event

PARAMETERS = LedgerParameters(close_after_days=5)
DAY_MS = 86_400_000
EVENTS_A_GENERATION = 200  # then other accounts take over, before all are closed or full
ACCOUNTS = 10  # more than limits may stand above one
REMEMBERED = 40
GREATEST_ID = b"\xff" * 16

AMOUNTS = [0, 1, 2, 99, *[100] * 16, 2**63, 2**63, IN_FULL]
ACCOUNT_FLAGS = [
    *[0] * 12,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS | ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_CLOSED,
]
LEG_FLAGS = [
    *[0] * 20,
    *[LEG_PENDING] * 20,
    LEG_BALANCING_DEBIT,
    LEG_BALANCING_CREDIT | LEG_PENDING,
    LEG_BALANCING_DEBIT | LEG_BALANCING_CREDIT,
    LEG_CLOSING_DEBIT | LEG_PENDING,
    LEG_CLOSING_CREDIT | LEG_PENDING,
    LEG_CLOSING_DEBIT,
    LEG_POST_PENDING | LEG_PENDING,
]
PLAIN_CHANNELS = ("alipay", "one_stop", "digital_tv")


class RandomLedger:
    """A stream of records: ``records(n)`` yields the next n as (timestamp_ms, value).

    Events that are to name others choose from those that ``model`` applied last.
    """

    def __init__(self, chance: Random, model: Model) -> None:
        self.chance = chance
        self.model = model
        self.now_ms = NOON_MS
        self.count = 0
        self.values: deque[bytes] = deque(maxlen=REMEMBERED)

    def records(self, count: int) -> Iterator[tuple[int, bytes | None]]:
        for _ in range(count):
            yield self.timestamp_ms(), self.encoded(self.value())
            self.count += 1

    @property
    def today(self) -> int:
        return PARAMETERS.ledger_date(self.now_ms)

    @property
    def generation(self) -> int:
        return self.count // EVENTS_A_GENERATION

    def one_in(self, n: int) -> bool:
        return self.chance.randrange(n) == 0

    def timestamp_ms(self) -> int:
        """Move the clock now and then, and rarely by days; a record may also come late."""
        if self.one_in(4):
            self.now_ms += self.chance.choice([1, 500, 1000, 2000])
        if self.one_in(300):
            self.now_ms += self.chance.choice([1, 3, 6]) * DAY_MS
        return self.now_ms - self.chance.choice([0, 0, 0, 700])

    def value(self) -> bytes | None:
        kind = self.chance.randrange(100)
        if kind < 5 and self.values:
            return self.chance.choice(self.values)
        if kind < 12 and self.values:
            return self.changed(self.chance.choice(self.values))
        if kind == 12:
            return self.chance.choice([None, b"", b"{", b"\x01\x04"])
        value = self.event()
        self.values.append(value)
        return value

    def encoded(self, value: bytes | None) -> bytes | None:
        """Return an event in any of the encodings; packed where it has a fault, or an account that has no text."""
        if not self.one_in(4) or not value or GREATEST_ID in value:
            return value
        event = decode_event(value)
        return value if isinstance(event, Refusal) else self.chance.choice(ENCODERS)(event)

    def changed(self, value: bytes) -> bytes:
        """Return an event with the key of another and something else in it."""
        head, legs = PACKED_EVENT.unpack(value), list(PACKED_LEG.unpack_all(value[PACKED_EVENT.size :]))
        way = self.chance.randrange(4)
        if not legs and head["amount_fen"] and way:
            name = self.chance.choice(["household", "amount_fen", "payer", "terminal"]) if way < 3 else "detail"
            head[name] ^= 1 << self.chance.choice([0, 32]) if name == "detail" else 1
        elif way == 0 or not legs:
            head["value_date"] ^= 1
        elif way == 1 and head["event_type"] == EventType.transfer:
            legs.append(legs[0])
            head["detail"] += 1
        elif way == 2 and head["event_type"] == EventType.transfer:
            return make.clock(head["serial"].rstrip(b"\0").decode(), business_date=head["business_date"])
        elif head["event_type"] == EventType.adjust:
            return self.changed_adjustment(head, legs)
        else:
            self.change_leg(self.chance.choice(legs), EventType(head["event_type"]))
        return PACKED_EVENT.pack(**head) + b"".join(PACKED_LEG.pack(**fields) for fields in legs)

    def changed_adjustment(self, head: dict[str, int], legs: list[dict[str, object]]) -> bytes:
        """Return an adjustment with the key of another, and another note, or else another leg."""
        if self.one_in(2):
            note = Note(("Wang Min", "x"), self.chance.choice(["other", "x" * 200])).pack()
            legs[1:] = PACKED_LEG.unpack_all(note)
        else:
            self.change_leg(legs[0], EventType.adjust)
        return PACKED_EVENT.pack(**head | {"detail": len(legs)}) + b"".join(PACKED_LEG.pack(**fields) for fields in legs)

    def change_leg(self, fields: dict[str, object], type_: EventType) -> None:
        """Change a field that the event type has."""
        settles = ("amount_fen", "debit_account", "credit_account", "book", "code", "user_data", "pending_leg")
        names = {
            EventType.transfer: (*settles, "flags", *["timeout_s", "user_data"] * 3),
            EventType.post: (*settles, *["pending_leg"] * 4),
            EventType.void: (*settles, *["pending_leg"] * 4),
            EventType.reverse: ("amount_fen",),
            EventType.adjust: ("amount_fen", "debit_account", "credit_account", "pending_business_date"),
            EventType.open_account: ("amount_fen", "debit_account", "credit_account", "book", "flags"),
        }
        name = self.chance.choice(names.get(type_, ("debit_account",)))
        if name.endswith("account"):
            fields[name] = self.account().to_bytes(16, "little")
        elif name == "pending_leg":
            fields[name] = 1 if fields["pending_channel"] else 0
        else:
            fields[name] ^= 1

    # --- Events ---

    def event(self) -> bytes:
        if self.place < ACCOUNTS:
            return self.open_account()
        kinds = [
            *[self.transfer] * 20,
            *[self.post] * 8,
            *[self.void] * 4,
            *[self.reverse] * 5,
            *[self.adjust] * 3,
            *[self.household_event] * 8,
            *[self.channel_event] * 12,
            *[self.open_account] * 3,
            self.mark,
            self.clock,
            *[self.settle_date] * 2,
        ]
        return self.chance.choice(kinds)()

    @property
    def place(self) -> int:
        """How many events of its generation came before."""
        return self.count % EVENTS_A_GENERATION

    def serial(self) -> str:
        return f"{self.count}"

    def head(self) -> dict[str, int]:
        if self.one_in(40):
            return {"business_date": self.today + self.chance.choice([-7, -6, -5, -1, 1, 2])}
        return {"business_date": self.today}

    def transfer(self) -> bytes:
        head = self.head()
        count = self.chance.choice([1, 1, 1, 1, 2, 3])
        legs = [self.leg(number, head["business_date"]) for number in range(count)]
        return make.transfer(self.serial(), *legs, **head)

    def leg(self, number: int, business_date: int) -> bytes:
        chance = self.chance
        if self.one_in(8):
            flags = chance.choice([LEG_POST_PENDING, LEG_POST_PENDING, LEG_VOID_PENDING, LEG_POST_PENDING | LEG_VOID_PENDING])
            own = Named(self.serial(), chance.randrange(number + 1), business_date)
            return make.settling(chance.choice([self.hold(), own, None]), self.settled(flags), flags)
        flags = chance.choice(LEG_FLAGS)
        fields = {"timeout_s": chance.choice([0, 1, 2, 3]) if flags & LEG_PENDING or self.one_in(50) else 0}
        if self.one_in(30):
            fields |= chance.choice([{"book": 0}, {"book": 2}, {"code": 0}, {"pending": self.hold()}])
        return leg(self.account(), self.account(), self.amount(), flags=flags, user_data=chance.choice([0, 5]), **fields)

    def post(self) -> bytes:
        return make.post(self.serial(), self.hold(), self.settled(LEG_POST_PENDING), **self.head(), **self.named_again())

    def void(self) -> bytes:
        return make.void(self.serial(), self.hold(), self.settled(LEG_VOID_PENDING), **self.head(), **self.named_again())

    def settled(self, flags: int) -> int:
        in_full = IN_FULL if flags & LEG_POST_PENDING else 0
        return self.chance.choice([in_full, in_full, in_full, 1, 100, self.amount()])

    def named_again(self) -> dict[str, int]:
        """Return what a post or void may leave out, most often nothing."""
        some = [{"debit": self.account()}, {"credit": self.account()}, {"book": 2}, {"code": 8}, {"user_data": 6}, {"code": 7}]
        return self.chance.choice(some) if self.one_in(6) else {}

    def reverse(self) -> bytes:
        return make.reverse(self.serial(), self.applied(), self.chance.choice([0, 0, 1, 50, 101]), **self.head())

    def adjust(self) -> bytes:
        disputed = self.chance.choice([self.applied(), self.applied(), None])
        reason = self.chance.choice(['读数 "有误" \\ twice', "x" * self.chance.randrange(1, 201)])
        names = self.chance.choice([("Wang Min", "李华"), ("a" * 32, "b" * 32, "c" * 32, "d" * 32)])
        amount_fen = self.chance.choice([1, 100, 100, 100, 2**63 - 1])
        return make.adjust(
            self.serial(),
            self.account(),
            self.account(),
            amount_fen,
            disputed=disputed,
            allowed_by=names,
            reason=reason,
            **self.head(),
        )

    def open_account(self) -> bytes:
        chance = self.chance
        name, parent = self.account(), self.account() if self.one_in(3) else 0
        if self.place < ACCOUNTS:
            name = self.plain_account(self.place)
            if self.place > 0 and self.generation % 3 == 0:  # a chain of limits, one longer than may be
                return make.open_account(self.serial(), name, parent=self.plain_account(self.place - 1), **self.head())
            if self.place > 0 and parent:
                parent = self.plain_account(chance.randrange(self.place))
        return make.open_account(
            self.serial(),
            name,
            flags=chance.choice(ACCOUNT_FLAGS),
            book=chance.choice([1] * 40 + [0, 2]),
            line_fen=chance.choice([0, 0, 0, 150, 1000, IN_FULL]),
            parent=parent,
            **self.head(),
        )

    def mark(self) -> bytes:
        made = self.chance.choice([*[make.freeze] * 3, *[make.unfreeze] * 6, make.close])
        return made(self.serial(), self.account(), **self.head())

    def clock(self) -> bytes:
        return make.clock(self.serial(), **self.head())

    def settle_date(self) -> bytes:
        """Return one of the events by which the date of a channel comes to its end, whether or not that is right now."""
        days = self.today + self.chance.choice([-3, -1, 0, 1, 2])
        clearing = clearing_account(self.chance.choice([3, 12, 13, 101]), date(1970, 1, 1) + timedelta(days=days))
        way, other = self.chance.randrange(8), self.plain_account(0)
        if way < 3:
            return make.transfer(self.serial(), leg(other, clearing, IN_FULL, flags=LEG_BALANCING_CREDIT), **self.head())
        if way < 4:
            held = leg(other, clearing, 0, flags=LEG_PENDING | LEG_CLOSING_CREDIT, timeout_s=2)
            return make.transfer(self.serial(), held, **self.head())
        if way < 6:
            return make.open_account(self.serial(), clearing, flags=self.chance.choice([0, 0, ACCOUNT_CLOSED]), **self.head())
        return make.close(self.serial(), clearing, **self.head())

    def household_event(self) -> bytes:
        """Return a bill or a payment, of a household that may have been opened with limits."""
        common = {
            "business_date": date(1970, 1, 1) + timedelta(days=self.head()["business_date"]),
            "serial": f"{self.count}",
            "household": f"{self.generation:012d}{self.chance.randrange(2)}",
            "amount_fen": self.chance.choice([*[1, 100] * 9, 2**63 - 1]),
        }
        if self.one_in(2):
            return encode_packed(Bill(channel="billing", **common, period="2026-07", due_date=date(2026, 8, 15)))
        return encode_packed(Payment(channel=self.chance.choice(PLAIN_CHANNELS), **common))

    def channel_event(self) -> bytes:
        household = self.generation * 10 + self.chance.randrange(2)
        return channel_event(self.chance, self.model.state, self.count, self.head()["business_date"], household)

    # --- What events name ---

    def account(self) -> int:
        """Return one of the few accounts of now; rarely none, the greatest id, or one that bills and payments open."""
        kind = self.chance.randrange(100)
        if kind < 2:
            return kind * (2**128 - 1)
        if kind == 5:
            return parse_account(f"{self.generation:012d}0")
        if kind == 6:
            return clearing_account(13, date(1970, 1, 1) + timedelta(days=self.today))
        if kind == 7 and self.generation % 2:
            return revenue_account(1)
        return self.plain_account(kind % ACCOUNTS)

    def plain_account(self, number: int) -> int:
        return parse_account(f"ledger:{self.generation * ACCOUNTS + number:06d}")

    def amount(self) -> int:
        return self.chance.choice(AMOUNTS)

    def hold(self) -> Named:
        recent = list(islice(reversed(self.model.state.holds), REMEMBERED))
        if not recent or self.one_in(12):
            return replace(self.applied(), leg=self.chance.choice([0, 0, 0, 1]))
        name = self.chance.choice(recent)
        return Named(name.key.serial, name.leg, name.key.business_date, name.key.channel)

    def applied(self) -> Named:
        recent = list(islice(reversed(self.model.state.keys), REMEMBERED))
        if not recent or self.one_in(20):
            return Named("nowhere", business_date=self.today)
        key = self.chance.choice(recent)
        return Named(key.serial, 0, key.business_date, key.channel)
