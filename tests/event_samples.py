"""Events for tests: two fixed ones, hypothesis strategies for right ones, and the fields of each as plain values."""

from datetime import date, timedelta

from hypothesis import strategies as st

from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.events import Bill, Event, Payment, encode_json, encode_msgpack, encode_packed
from ledger.schema import EXAMPLE_BILL, EXAMPLE_PAYMENT

PAYMENT = EXAMPLE_PAYMENT
BILL = EXAMPLE_BILL
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
    channel: Channel = draw(st.sampled_from([each for each in BUILT_IN_CHANNELS if not each.publishes_ledger_events]))
    common = {
        "channel": channel.name,
        "business_date": draw(dates()),
        "serial": draw(serials(channel.serial_form)),
        "household": draw(st.from_regex(r"\A[0-9]{13}\Z")),
        "amount_fen": draw(st.integers(1, 2**63 - 1)),
        "value_date": draw(st.none() | dates()),
    }
    if channel.issues_bills:
        month = draw(st.integers(1970 * 12, 2150 * 12 - 1))
        return Bill(**common, period=f"{month // 12}-{month % 12 + 1:02d}", due_date=draw(dates()))
    return Payment(**common, outlet=draw(st.none() | st.integers(1, 10**18 - 1).map(str)))
