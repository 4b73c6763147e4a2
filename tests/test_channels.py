"""The built-in channels, and what the core asks of a set of channels."""

from dataclasses import replace

import msgspec
import pytest

from ledger import _core
from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.errors import ConfigurationError
from ledger.events import encode_json
from ledger.outcomes import OutcomeCode
from tests.event_samples import PAYMENT


def test_fourteen_channels_publish_payments_one_bills_and_one_ledger_events():
    assert [channel.code for channel in BUILT_IN_CHANNELS if channel.publishes == "payment"] == list(range(1, 15))
    assert [channel.name for channel in BUILT_IN_CHANNELS if channel.publishes != "payment"] == ["billing", "ledger"]


UNUSABLE = [{"code": 0}, {"code": 256}, {"name": ""}, {"name": "x" * 33}, {"code": 2}, {"name": "atm"}]


@pytest.mark.parametrize("change", UNUSABLE, ids=str)
def test_channels_that_cannot_be_told_apart_are_a_configuration_error(change):
    first, *others = BUILT_IN_CHANNELS
    with pytest.raises(ConfigurationError):
        _core.EventDecoder([replace(first, **change), *others])


def test_as_many_channels_as_there_are_codes_are_found_by_their_names():
    channels = [Channel(code, f"{'long_' * (code % 6)}{code}", "", SerialForm.digits) for code in range(1, 256)]
    decoder = _core.EventDecoder(channels)
    for channel in channels:
        code, packed = decoder.decode_fast(encode_json(msgspec.structs.replace(PAYMENT, channel=channel.name)))
        assert (code, packed[2]) == (OutcomeCode.applied, channel.code)
        unknown = msgspec.structs.replace(PAYMENT, channel=channel.name[:-1] + "x")
        assert decoder.decode_fast(encode_json(unknown))[0] == OutcomeCode.channel_unknown
