"""``peakledger outlets``: what the commands answer with, and what they end with."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

import lmdb
import pytest

from ledger.layouts import OUTLET_TOTAL
from tests.commands import Ended, in_a_process
from tests.test_outlets import HEADER, ROW


@pytest.fixture
def peakledger(tmp_path, monkeypatch, command):
    """Runs ``peakledger outlets`` in an empty directory that has a registry file, in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outlets.csv").write_text(f"{HEADER}\n{ROW}\n2{ROW.replace('newsstand', 'bank')}\n")
    return partial(command, "outlets")


def test_loading_again_tells_what_changed(peakledger, tmp_path):
    assert peakledger("load", "outlets.csv", "--json").items == [{"outlets": 2, "added": 2, "changed": 0, "removed": 0}]
    (tmp_path / "next.csv").write_text(f"{HEADER}\n{ROW.replace('2026-08-20', '')}\n3{ROW}\n")
    assert peakledger("load", "next.csv", "--json").items == [{"outlets": 2, "added": 1, "changed": 1, "removed": 1}]


def test_a_file_with_a_fault_is_not_loaded(peakledger, tmp_path):
    peakledger("load", "outlets.csv")
    (tmp_path / "wrong.csv").write_text(f"{HEADER}\n{ROW.replace('331083', 'Yuhuan')}\n")
    ended = peakledger("load", "wrong.csv")
    assert ended.status == 2 and "line 2, column county" in ended.err
    assert len(peakledger("list", "--json").items) == 2


def test_checking_prints_every_fault_and_ends_with_status_2(peakledger, tmp_path):
    (tmp_path / "wrong.csv").write_text(f"{HEADER}\nx{ROW}\n{ROW}\n{ROW}\n")
    ended = peakledger("check", "wrong.csv", "--json")
    assert ended.status == 2
    assert [(item["line"], item["column"]) for item in ended.items] == [(2, "number"), (4, "number")]
    assert peakledger("check", "outlets.csv").status == 0


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ["57600117", "257600117"]),
        (["--kind", "bank"], ["257600117"]),
        (["--county", "331083"], ["57600117", "257600117"]),
        (["--agency", "1"], []),
        (["--open-on", "2026-08-20"], []),
    ],
)
def test_a_list_has_the_outlets_that_were_asked_for(peakledger, filters, found):
    peakledger("load", "outlets.csv")
    assert [item["outlet"] for item in peakledger("list", *filters, "--json").items] == found


def test_an_outlet_is_shown_by_its_number_whatever_zeros_it_is_written_with(peakledger):
    peakledger("load", "outlets.csv")
    (item,) = peakledger("show", "0057600117", "--json").items
    assert item == json.loads(
        '{"outlet":"57600117","agency":"5761001","county":"331083","kind":"newsstand","name":"广陵路报刊亭",'
        '"longitude":121.22703,"latitude":28.13214,"open_since":"2026-06-15","closed_since":"2026-08-20"}'
    )


def test_an_outlet_that_is_not_there_ends_with_status_6_and_no_number_with_2(peakledger):
    assert [peakledger("show", number).status for number in ("99", "none")] == [6, 2]


@pytest.fixture
def paid(peakledger, tmp_path, monkeypatch):
    """The payments of the documentation's example, in a ledger of the empty directory."""
    for key, value in {"STREAM": "stream", "CLOSE_AFTER_DAYS": "36500", "FUTURE_DAYS": "366"}.items():
        monkeypatch.setenv(f"PEAKLEDGER_{key}", value)
    payments = Path(__file__).parent.parent / "docs" / "example-outlet-payments.jsonl"

    def publish(encoding: str) -> None:
        for command in (["topics", "create"], ["publish", str(payments), "--encoding", encoding], ["run", "--stop-at-end"]):
            assert in_a_process(*command, cwd=tmp_path).status == 0

    return publish


@pytest.mark.parametrize("encoding", ["packed", "json", "msgpack"])
def test_totals_are_those_of_the_payments_and_reversals_that_were_published(peakledger, paid, encoding):
    paid(encoding)
    found = {item["outlet"]: (item["payments"], item["net_fen"]) for item in peakledger("totals", "--json").items}
    assert found == {"57600003": (2, 20815), "57600117": (1, 7755), "57600118": (1, 15200)}
    assert peakledger("totals", "--format", "json").items == peakledger("totals", "--json").items
    assert peakledger("totals", "--by", "day", "--business-date", "2026-07-24", "--format", "csv").out == (
        "day,payments,payments_fen,reversals,reversals_fen,net_fen\n2026-07-24,1,7755,1,9640,-1885\n"
    )


def test_totals_of_days_without_payments_are_none(peakledger, paid):
    paid("packed")
    assert "Nothing was paid" in peakledger("totals", "--business-date", "..2026-07-22").out
    assert peakledger("totals", "--business-date", "2026-07-24..2026-07-23").status == 2


def change_total(shard: Path, day: date, outlet: int, channel: int, change: Callable[[bytes], bytes | None]) -> None:
    """Change what is stored of a total behind everybody's back, or take it away."""
    key = (day - date(1970, 1, 1)).days.to_bytes(2, "big") + outlet.to_bytes(8, "big") + channel.to_bytes(2, "big")
    with closing(lmdb.open(str(shard / "outlets"), max_dbs=3)) as env:
        totals = env.open_db(b"totals", create=False)
        with env.begin(write=True, db=totals) as txn:
            changed = change(txn.get(key))
            assert txn.delete(key) if changed is None else txn.put(key, changed)


def test_verify_names_the_totals_that_are_not_those_of_the_journal(peakledger, paid, command, tmp_path):
    def ended(directory: Path) -> Ended:
        return command("verify", "--data", str(directory), "--json")

    paid("json")
    sound, copy = tmp_path / "peakledger-data", tmp_path / "copy"
    peakledger("load", "outlets.csv")
    assert (ended(sound).status, ended(sound).items[0]["outlets_seq"]) == (0, 11)
    shutil.copytree(sound, copy)
    shard = copy / "payments.events-0"

    def a_fen_more(stored: bytes) -> bytes:
        total = OUTLET_TOTAL.unpack(stored)
        return OUTLET_TOTAL.pack(**total | {"payments_fen": total["payments_fen"] + 1})

    change_total(shard, date(2026, 7, 24), 57600117, 6, a_fen_more)
    found = ended(copy)
    place = "outlet 57600117, county 331083, channel citizen_card, business_date 2026-07-24"
    assert (found.status, found.items[0]["sound"]) == (3, False)
    assert f"payments.events-0: {place}, field payments_fen, expected 7755, found 7756\n" in found.err
    assert f"differ from the journal ({place}, field payments_fen, expected 7755, found 7756, totals_differing 1," in found.err

    change_total(shard, date(2026, 7, 23), 57600118, 7, lambda stored: None)
    found = ended(copy)
    place = "outlet 57600118, county unknown, channel unionpay_pos, business_date 2026-07-23"
    assert f"{place}, field payments, expected 1, found None\n" in found.err and "totals_differing 2" in found.err

    change_total(shard, date(2026, 7, 23), 57600003, 7, lambda stored: stored[:-1])
    assert ended(copy).status == 3 and "A total of an outlet has a wrong size" in ended(copy).err
    assert command("rebuild", "--data", str(copy)).status == 0
    assert ended(copy).status == ended(sound).status == 0


def test_without_a_ledger_there_are_no_totals(peakledger):
    assert peakledger("totals").status == 6


def test_a_day_that_is_none_is_an_error_of_usage(peakledger):
    assert peakledger("list", "--open-on", "today").status == 2
