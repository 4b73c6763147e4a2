"""Events for tests: some fixed ones, hypothesis strategies for right ones, and the fields of each as plain values."""

from datetime import date, timedelta

import msgspec
from hypothesis import strategies as st

from ledger.account_ids import AccountKind
from ledger.channel_profile import WITH_BALANCE
from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.events import (
    Adjust,
    BankFloat,
    Bill,
    Clock,
    Close,
    CountFloat,
    Event,
    EventName,
    Freeze,
    HoldName,
    Leg,
    OpenAccount,
    OpenFloat,
    Payment,
    Post,
    Reverse,
    TopUp,
    Transfer,
    Unfreeze,
    Void,
    encode_json,
    encode_msgpack,
    encode_packed,
)
from ledger.packed_legs import AccountFlags, LegFlags
from ledger.schema import EXAMPLE_BILL, EXAMPLE_PAYMENT

PAYMENT = EXAMPLE_PAYMENT
BILL = EXAMPLE_BILL
HOUSEHOLD = PAYMENT.household
JUNE_BILL = msgspec.structs.replace(
    BILL, business_date=PAYMENT.business_date, serial="1", household=HOUSEHOLD, amount_fen=20815, value_date=None
)
ENCODERS = (encode_json, encode_msgpack, lambda event: encode_msgpack(event, as_array=True), encode_packed)


def fields_of(event: Event) -> dict[str, object]:
    """Return the fields as they stand in JSON, in their order."""
    names = [name for name in event.__struct_fields__ if getattr(event, name) is not None]
    values = {name: getattr(event, name) for name in names}
    return {"type": type(event).__name__.lower()} | {
        name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()
    }


def dates() -> st.SearchStrategy[date]:
    return st.integers(1, 65535).map(lambda days: date(1970, 1, 1) + timedelta(days=days))


def serials(form: SerialForm) -> st.SearchStrategy[str]:
    if form is SerialForm.uuid:
        return st.uuids(allow_nil=False).map(str)
    if form is SerialForm.ascii:
        return st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16)
    return st.from_regex(r"\A[0-9]{1,32}\Z").filter(lambda text: text != "0" * 32)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that has no fault."""
    channel: Channel = draw(st.sampled_from([each for each in BUILT_IN_CHANNELS if each.scope == "own"]))
    terminal = draw(st.integers(0, len(channel.rules) - 1))
    payer = channel.rules[terminal].payer
    common = {
        "channel": channel.name,
        "business_date": draw(dates()),
        "serial": draw(serials(channel.serial_form)),
        "household": draw(st.from_regex(r"\A[0-9]{13}\Z")),
        "amount_fen": draw(st.integers(channel.limits.least_fen, channel.limits.greatest_fen)),
        "value_date": draw(st.none() | dates()),
    }
    if channel.issues_bills:
        month = draw(st.integers(1970 * 12, 2150 * 12 - 1))
        return Bill(**common, period=f"{month // 12}-{month % 12 + 1:02d}", due_date=draw(dates()))
    return Payment(
        **common,
        outlet=draw(st.none() | st.integers(1, 10**18 - 1).map(str)),
        payer=draw(st.integers(1, 10**payer.digits - 1).map(str)) if payer else None,
        terminal=channel.rules[terminal].terminal if terminal else None,
    )


BITS_64 = st.sampled_from([0, 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
BITS_16 = st.integers(0, 65535)
ACCOUNTS = st.builds("{}:{}".format, st.sampled_from(list(AccountKind.__members__)), st.from_regex(r"\A[0-9]{1,33}\Z"))
MAYBE_ACCOUNTS = st.just("") | ACCOUNTS


@st.composite
def event_names(draw: st.DrawFn, **more: st.SearchStrategy[int]) -> EventName:
    """The key of some event; with a leg, a hold."""
    channel: Channel = draw(st.sampled_from(BUILT_IN_CHANNELS))
    key = (channel.name, draw(dates()), draw(serials(channel.serial_form)))
    return HoldName(*key, **{name: draw(strategy) for name, strategy in more.items()}) if more else EventName(*key)


HOLDS = event_names(leg=st.integers(0, 255))


def flags(known: type[AccountFlags | LegFlags]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(list(known.__members__)), unique=True, max_size=3).map(tuple)


LEGS = st.builds(
    Leg,
    debit=MAYBE_ACCOUNTS,
    credit=MAYBE_ACCOUNTS,
    amount_fen=BITS_64,
    book=BITS_16,
    code=BITS_16,
    flags=flags(LegFlags),
    timeout_s=st.integers(0, 2**32 - 1),
    user_data=BITS_64,
    pending=st.none() | HOLDS,
)
SETTLEMENT = {
    "pending": st.none() | HOLDS,
    "amount_fen": BITS_64,
    "user_data": BITS_64,
    "debit": MAYBE_ACCOUNTS,
    "credit": MAYBE_ACCOUNTS,
    "book": BITS_16,
    "code": BITS_16,
}
OPENING = {"flags": flags(AccountFlags), "credit_line_fen": BITS_64, "limit_parent": MAYBE_ACCOUNTS, "book": BITS_16}
OWN_FIELDS: dict[type[Event], dict[str, st.SearchStrategy[object]]] = {
    OpenAccount: {"account": MAYBE_ACCOUNTS, **OPENING},
    Transfer: {"legs": st.lists(LEGS, min_size=1, max_size=4).map(tuple)},
    Post: SETTLEMENT,
    Void: SETTLEMENT,
    Reverse: {"original": event_names(), "amount_fen": BITS_64},
    Freeze: {"account": MAYBE_ACCOUNTS},
    Unfreeze: {"account": MAYBE_ACCOUNTS},
    Close: {"account": MAYBE_ACCOUNTS},
    Clock: {},
}


@st.composite
def ledger_events(draw: st.DrawFn) -> Event:
    """Any ledger event that has no fault in itself."""
    struct = draw(st.sampled_from(list(OWN_FIELDS)))
    own = {name: draw(strategy) for name, strategy in OWN_FIELDS[struct].items()}
    value_date = draw(st.none() | dates())
    return struct("ledger", draw(dates()), draw(serials(SerialForm.ascii)), value_date, **own)


@st.composite
def adjustments(draw: st.DrawFn) -> Adjust:
    """Any adjustment that has no fault in itself."""
    plain = st.characters(min_codepoint=0x21, max_codepoint=0x9FFF, exclude_categories=["C", "Z"])
    texts = st.text(plain, min_size=1, max_size=10)
    return Adjust(
        "ledger",
        draw(dates()),
        draw(serials(SerialForm.ascii)),
        draw(st.none() | dates()),
        debit=draw(MAYBE_ACCOUNTS),
        credit=draw(MAYBE_ACCOUNTS),
        amount_fen=draw(st.integers(1, 2**63 - 1)),
        allowed_by=tuple(draw(st.lists(texts, min_size=2, max_size=4, unique=True))),
        reason=draw(texts) + draw(st.just("") | st.just(" and " * 30 + ".")),
        disputed=draw(st.none() | event_names()),
    )


def numbers(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 10**digits - 1).map(str)


@st.composite
def funds_events(draw: st.DrawFn) -> Event:
    """Any top-up, or event of a float, that has no fault."""
    with_rules = [
        (channel, rule) for channel in BUILT_IN_CHANNELS for rule in channel.rules if rule.payee or rule.funds == "float"
    ]
    channel, rule = draw(st.sampled_from(with_rules))
    payer = None if rule.payer is None or (rule.payee and rule.funds in WITH_BALANCE) else draw(numbers(rule.payer.digits))
    head = (channel.name, draw(dates()), draw(serials(channel.serial_form)), draw(st.none() | dates()))
    own = {"payer": payer, "terminal": rule.terminal or None, "amount_fen": draw(st.integers(1, 2**63 - 1))}
    if rule.payee and (rule.funds != "float" or draw(st.booleans())):
        return TopUp(*head, **own, payee=draw(numbers(rule.payee.digits)), household=draw(st.none() | numbers(13).map(thirteen)))
    return draw(st.sampled_from([OpenFloat, CountFloat, BankFloat]))(*head, **own)


def thirteen(digits: str) -> str:
    return digits.rjust(13, "0")
