"""The built-in channels, the profiles of others, and what the core asks of a set of channels."""

import re
from datetime import date
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from ledger import _core
from ledger.account_ids import AccountKind
from ledger.channels import BUILT_IN_CHANNELS, Channel, Fee, SerialForm, load_channels, read_profile, rules_digest
from ledger.engine import Engine
from ledger.errors import ConfigurationError
from ledger.events import HoldName, Void, encode_json, encode_packed
from ledger.journal import FrameHeader, find_end
from ledger.outcomes import OutcomeCode
from tests.event_samples import PAYMENT
from tests.ledger_events import NOON_MS


def test_fourteen_channels_publish_payments_one_bills_and_one_ledger_events():
    assert [channel.code for channel in BUILT_IN_CHANNELS if "payment" in channel.publishes] == list(range(1, 15))
    assert [channel.name for channel in BUILT_IN_CHANNELS if "bill" in channel.publishes] == ["billing"]
    assert [channel.name for channel in BUILT_IN_CHANNELS if channel.scope == "all"] == ["ledger"]


UNUSABLE = [{"code": 0}, {"code": 256}, {"name": ""}, {"name": "x" * 33}, {"code": 2}, {"name": "atm"}]


@pytest.mark.parametrize("change", UNUSABLE, ids=str)
def test_channels_that_cannot_be_told_apart_are_a_configuration_error(change):
    first, *others = BUILT_IN_CHANNELS
    with pytest.raises(ConfigurationError):
        _core.EventDecoder([msgspec.structs.replace(first, **change), *others])


def test_as_many_channels_as_there_are_codes_are_found_by_their_names():
    channels = [Channel(code, f"{'long_' * (code % 6)}{code}", "", SerialForm.digits) for code in range(1, 256)]
    decoder = _core.EventDecoder(channels)
    for channel in channels:
        code, packed = decoder.decode_fast(encode_json(msgspec.structs.replace(PAYMENT, channel=channel.name)))
        assert (code, packed[2]) == (OutcomeCode.applied, channel.code)
        unknown = msgspec.structs.replace(PAYMENT, channel=channel.name[:-1] + "x")
        assert decoder.decode_fast(encode_json(unknown))[0] == OutcomeCode.channel_unknown


PROFILE = """\
code = 15
name = "village_tablet"
chinese_name = "村级平板"
serial_form = "uuid"
publishes = ["payment", "post", "void"]
funds = "prefunded"
account = "agency:{payer:8}"

[fee]
basis_points = 30
fixed_fen = 10

[[terminals]]
name = "tablet"
chinese_name = "平板"

[[terminals]]
name = "night_file"
chinese_name = "夜间文件"
funds = "two_phase"
"""


def written(folder: Path, text: str, name: str = "tablet.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_is_read_whole(tmp_path):
    channel = read_profile(written(tmp_path, PROFILE))
    assert (channel.code, channel.name, channel.chinese_name, channel.serial_form) == (
        15,
        "village_tablet",
        "村级平板",
        SerialForm.uuid,
    )
    tablet, night_file = channel.rules
    assert (tablet.funds, tablet.payer.kind, tablet.payer.digits) == ("prefunded", AccountKind.agency, 8)
    assert (night_file.terminal, night_file.funds, night_file.payer) == ("night_file", "two_phase", None)


WRONG = [
    ("code = 15", "code = 256", 1, "code"),
    ("code = 15", 'code = "15"', 1, "code"),
    ('"village_tablet"', '"Village Tablet"', 2, "name"),
    ('"uuid"', '"roman"', 4, "serial_form"),
    ('"post", "void"', '"post", "fly"', 5, "publishes[2]"),
    (', "post", "void"', "", 20, "terminals[1].funds"),
    ('funds = "prefunded"', 'funds = "barter"', 6, "funds"),
    ('account = "agency:{payer:8}"', 'account = "agency:8"', 7, "account"),
    ('account = "agency:{payer:8}"', 'account = "agency:{payee:8}"', 7, "account"),
    ('account = "agency:{payer:8}"', 'account = "agency:{payer:19}"', 7, "account"),
    ("basis_points = 30", "basis_points = 0.3", 10, "fee.basis_points"),
    ("fixed_fen = 10", "fixed_fen = 10\ngreatest_fen = 5\nleast_fen = 6", 13, "fee.least_fen"),
    ("fixed_fen = 10", "fixed = 10", 11, "fee.fixed"),
    ("[fee]", "[limits]\nleast_fen = 9\ngreatest_fen = 8\n[fee]", 10, "limits.least_fen"),
    ('name = "night_file"', 'name = "tablet"', 18, "terminals[1].name"),
    ('name = "night_file"', 'nickname = "n"\nname = "night_file"', 18, "terminals[1].nickname"),
    ('"post", "void"', '"post", "void", "adjust"', 5, "publishes"),
    ("[fee]", "[adjust]\ntwo_persons_above_fen = 5\n[fee]", 9, "adjust"),
    ("[fee]", '[adjust]\ntwo_persons_above_fen = "much"\n[fee]', 10, "adjust.two_persons_above_fen"),
    ("[fee]", 'cut_off = "24:01"\n[fee]', 9, "cut_off"),
    ("[fee]", 'fee_account = "till:6603"\n[fee]', 9, "fee_account"),
    ("[fee]", 'fee_account = "ledger:1002"\n[fee]', 9, "fee_account"),
    ("[fee]", "[fee", 9, ""),
    ('chinese_name = "村级平板"\n', "", 0, "chinese_name"),
    ('"平板"', '"平板"\nbank = "rural"', 16, "terminals[0].bank"),
    ('"平板"', '"平板"\nretry_days = [1]', 16, "terminals[0].retry_days"),
    ('"夜间文件"', '"夜间文件"\nbank = "rural"\nretry_days = [3, 3]', 21, "terminals[1].retry_days"),
    ('"夜间文件"', '"夜间文件"\nbank = "rural"\nretry_reasons = [0]', 21, "terminals[1].retry_reasons"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "key"), WRONG, ids=[f"{wrong[:30]!r}" for _, wrong, *_ in WRONG])
def test_an_error_names_the_file_the_line_and_the_key(tmp_path, right, wrong, line, key):
    assert right in PROFILE
    path = written(tmp_path, PROFILE.replace(right, wrong, 1))
    with pytest.raises(ConfigurationError) as caught:
        read_profile(path)
    told = str(caught.value)
    assert told.startswith(str(path))
    assert f"line {line}" in told or line == 0
    assert key in told


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            'funds = "prefunded"',
            'funds = "barter"',
            "funds: 'barter' is not one of deferred, float, prefunded, stored_value, two_phase",
        ),
        ('"post", "void"', '"post", "fly"', "publishes[2]: 'fly' is not one of adjust, bank_float, bill,"),
        ('funds = "two_phase"', 'funds = "later"', "terminals[1].funds: 'later' is not one of deferred, float,"),
    ],
)
def test_a_word_that_is_none_of_the_choices_is_told_with_them(tmp_path, right, wrong, told):
    assert right in PROFILE
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        read_profile(written(tmp_path, PROFILE.replace(right, wrong, 1)))


def test_a_file_that_is_no_text_or_not_there_is_told_by_its_name(tmp_path):
    path = tmp_path / "odd.toml"
    with pytest.raises(ConfigurationError, match=r"odd\.toml: No such file"):
        read_profile(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"odd\.toml, line 1: it is not UTF-8"):
        read_profile(path)


def test_channels_of_a_directory_stand_among_the_built_in_ones(tmp_path):
    written(tmp_path, PROFILE)
    channels = load_channels(tmp_path)
    assert [channel.code for channel in channels] == sorted([15, *(channel.code for channel in BUILT_IN_CHANNELS)])
    assert load_channels("") is BUILT_IN_CHANNELS
    with pytest.raises(ConfigurationError, match="no such directory"):
        load_channels(tmp_path / "nowhere")


@pytest.mark.parametrize("change", ["code = 7", 'name = "alipay"'])
def test_a_code_or_name_that_is_taken_is_told_with_both_profiles(tmp_path, change):
    key = change.split()[0]
    line = next(line for line in PROFILE.splitlines() if line.startswith(key + " "))
    path = written(tmp_path, PROFILE.replace(line, change, 1))
    with pytest.raises(ConfigurationError, match=rf"{path}: .* of a built-in channel"):
        load_channels(tmp_path)


def test_a_fee_is_rounded_and_bounded():
    assert [Fee(basis_points=38, rounding=way).of(1000) for way in ("half_up", "up", "down")] == [4, 4, 3]
    assert [Fee(basis_points=50, rounding=way).of(100) for way in ("half_up", "up", "down")] == [1, 1, 0]
    assert Fee(basis_points=38, fixed_fen=100, least_fen=200, greatest_fen=2000).of(1) == 200
    assert Fee(basis_points=38, fixed_fen=100, least_fen=200, greatest_fen=2000).of(10**7) == 2000
    assert Fee().of(12345) == 0


def test_a_new_channel_publishes_without_code(tmp_path):
    written(tmp_path, PROFILE)
    channels = load_channels(tmp_path)
    void = Void(
        "village_tablet",
        date(2026, 7, 23),
        str(UUID(int=2)),
        pending=HoldName("village_tablet", date(2026, 7, 23), str(UUID(int=1))),
    )
    code, packed = _core.EventDecoder(channels).decode_slow(encode_json(void))
    assert (code, packed) == (OutcomeCode.applied, encode_packed(void, channels))
    assert _core.EventDecoder(channels).decode_fast(packed) == (code, packed)
    assert _core.EventDecoder(BUILT_IN_CHANNELS).decode_fast(packed)[0] == OutcomeCode.channel_unknown


def test_the_page_lists_the_fourteen_and_the_keys_of_a_profile():
    page = (Path(__file__).parent.parent / "docs" / "channels.md").read_text()
    for channel in BUILT_IN_CHANNELS[:14]:
        line = next(
            line
            for line in page.splitlines()
            if line.startswith(f"| {channel.code} | `{channel.name}` | {channel.chinese_name} |")
        )
        assert all(f"{each.name} {each.chinese_name}" in line for each in channel.terminals)
        assert all(rule.funds in line and rule.settlement in line for rule in channel.rules)
    for key in Channel.__struct_fields__:
        assert re.search(rf"^\| `{key}[.`]", page, re.M), key


def test_a_frame_says_by_which_rules_its_entries_were_made(tmp_path):
    written(tmp_path, PROFILE)
    shard = tmp_path / "events-0"
    for number, channels in enumerate((BUILT_IN_CHANNELS, load_channels(tmp_path), BUILT_IN_CHANNELS)):
        with Engine.open(shard, channels=channels, segment_bytes=4 << 20) as engine:
            engine.apply(_core.build_batch([(None, encode_json(PAYMENT), NOON_MS)], number), number + 1)
        last = FrameHeader.unpack(find_end(shard / "journal").last_frame)
        assert (last.next_offset, last.rules_digest) == (number + 1, rules_digest(channels))
    assert rules_digest(load_channels(tmp_path)) != rules_digest(BUILT_IN_CHANNELS)


def test_bytes_that_are_no_utf_8_are_told_with_their_line(tmp_path):
    path = written(tmp_path, "")
    path.write_bytes(PROFILE.encode("gb18030"))
    line = next(number for number, text in enumerate(PROFILE.splitlines(), 1) if not text.isascii())
    with pytest.raises(ConfigurationError, match=rf"tablet\.toml, line {line}: it is not UTF-8"):
        read_profile(path)
