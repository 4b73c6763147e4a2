"""How lines of withholding stand in a real journal, against a plain record of what was applied to them, event by event."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from ledger._core import build_batch
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.errors import FileRefused
from ledger.events import (
    Clock,
    Event,
    EventName,
    Freeze,
    HoldName,
    OpenAccount,
    Payment,
    Post,
    Reverse,
    Unfreeze,
    Void,
    encode_packed,
)
from ledger.key_lookup import EventKey
from ledger.model import Model
from ledger.outcomes import OutcomeCode
from ledger.replays import retry_serial
from ledger.withholding import FAILED, Result, Standing, Try, WithheldLines, Withholder
from peakledger.withholding.files import Instructions, RunFile
from peakledger.withholding.running import check_run
from tests.ledger_events import NOON_MS
from tests.withheld import RUN, run_line, write_run

POST = Withholder.of_bank("psbc", BUILT_IN_CHANNELS)
TRIES = [Try("psbc", RUN, 1), Try("psbc", RUN, 2), Try("psbc", f"{RUN}7", 1)]
LINES = range(1, 13)
HOUSEHOLDS = [f"33012345{number:05d}" for number in range(1, 5)]
TIMEOUT_MS = POST.terminal.instruction_timeout_s * 1000
TODAY = date(2026, 7, 23)


@dataclass
class Story:
    """Draws events about lines of several tries, and notes plainly what became of the lines."""

    random: Random
    model: Model = field(default_factory=Model)
    records: list[tuple[bytes, int]] = field(default_factory=list)
    now_ms: int = NOON_MS + 4 * 86_400_000  # when no try lies in the future
    lines: dict[tuple[Try, int], Standing] = field(default_factory=dict)
    due_ms: dict[tuple[Try, int], int] = field(default_factory=dict)
    refused: set[tuple[Try, int]] = field(default_factory=set)
    refused_posts: set[tuple[Try, int]] = field(default_factory=set)

    def tell(self, event: Event) -> OutcomeCode:
        """Publish an event; what is due by then expires first."""
        self.now_ms += 12 * 3_600_000 if self.random.random() < 0.08 else 1000
        for line, due_ms in list(self.due_ms.items()):
            if due_ms <= self.now_ms:
                del self.due_ms[line]
                self.lines[line] = self.lines[line]._replace(result=Result.expired)
        value = encode_packed(event)
        self.records.append((value, self.now_ms))
        return self.model.apply_record(value, len(self.records) - 1, self.now_ms)

    def named(self, of: Try, serial: str) -> dict[str, object]:
        return {"channel": POST.channel.name, "business_date": POST.date_of(of), "serial": serial}

    def instruct(self, of: Try, number: int) -> None:
        household, amount_fen = self.random.choice(HOUSEHOLDS), self.random.choice([100, 250])
        serial = of.serial(number)
        if (of, number) in self.refused and self.random.random() < 0.5:  # replayed from quarantine
            key = EventKey.of(POST.channel, POST.date_of(of), serial)
            serial = retry_serial(key, POST.channel.serial_form)
        event = Payment(**self.named(of, serial), household=household, amount_fen=amount_fen, terminal="withholding")
        code = self.tell(event)
        if code is OutcomeCode.applied:
            self.lines[of, number] = Standing(Result.pending, household, amount_fen, serial=UUID(serial).bytes)
            self.due_ms[of, number] = self.now_ms + TIMEOUT_MS
        elif (of, number) not in self.lines and code is OutcomeCode.account_frozen:
            self.refused.add((of, number))
            self.lines[of, number] = Standing(Result.refused, code=code, serial=UUID(serial).bytes)

    def settle(self, of: Try, number: int) -> None:
        """Answer a line, paid or refused."""
        reason = self.random.choice([0, 0, 1, 4])
        serial = self.lines[of, number].serial if (of, number) in self.lines else b""
        hold = HoldName(**self.named(of, str(UUID(bytes=serial)) if serial else of.serial(number)))
        named = self.named(of, of.answer_serial(number))
        part = {"amount_fen": 40} if self.random.random() < 0.2 else {}
        event = Void(**named, pending=hold, user_data=reason) if reason else Post(**named, pending=hold, **part)
        code = self.tell(event)
        if code.is_refusal and isinstance(event, Post):
            self.refused_posts.add((of, number))
        if code is OutcomeCode.applied:
            line = self.lines[of, number]
            paid = {"result": Result.posted, "paid_fen": part.get("amount_fen", line.amount_fen)}
            self.lines[of, number] = line._replace(**({"result": Result.voided, "reason": reason} if reason else paid))
            del self.due_ms[of, number]

    def take_back(self, of: Try, number: int) -> None:
        """Reverse the post of a line, in full or in part."""
        serial = str(UUID(int=self.random.getrandbits(128)))
        original = EventName(**self.named(of, of.answer_serial(number)))
        amount_fen = self.random.choice([0, 30])
        if self.tell(Reverse(**self.named(of, serial), original=original, amount_fen=amount_fen)) is OutcomeCode.applied:
            line = self.lines[of, number]
            left_fen = line.paid_fen - (amount_fen or line.paid_fen)
            self.lines[of, number] = line._replace(paid_fen=left_fen, result=Result.posted if left_fen else Result.reversed)

    def freeze(self, *_: object) -> None:
        type_ = self.random.choice([Freeze, Unfreeze, Unfreeze])
        account = f"household:{self.random.choice(HOUSEHOLDS)}"
        self.tell(type_("ledger", TODAY, f"Z{len(self.records)}", account=account))


def apply(directory: Path, records: list[tuple[bytes, int]]) -> None:
    batch = build_batch([(None, value, at_ms) for value, at_ms in records], 0)
    with Engine.open(directory / "payments.events-0", source="payments.events/0", segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(records))
        assert engine.wait_projected()


def told_and_found(directory: Path, seed: int) -> tuple[dict, dict]:
    """Let a story happen in a real engine; return how its lines stand by what it tells, and by the journal."""
    story = Story(Random(seed))
    for household in HOUSEHOLDS:
        story.tell(OpenAccount("ledger", TODAY, f"O{household[-4:]}", account=f"household:{household}"))
    actions = [*[story.instruct] * 4, *[story.settle] * 4, *[story.take_back] * 2, story.freeze]
    for _ in range(250):
        story.random.choice(actions)(story.random.choice(TRIES), story.random.choice(LINES))
    story.tell(Clock("ledger", TODAY, "K1"))
    apply(directory, story.records)
    lines = WithheldLines(directory, POST)
    found = {(of, number): standing._replace(seq=0) for of in TRIES for number, standing in lines.standings(of).items()}
    for line in story.refused_posts & set(story.lines):
        story.lines[line] = story.lines[line]._replace(paid_in_vain=story.lines[line].result in FAILED)
    return story.lines, found


def test_every_line_stands_as_what_was_applied_to_it_says(tmp_path):
    met: list[Standing] = []
    for seed in range(3):
        told, found = told_and_found(tmp_path / str(seed), seed)
        assert found == told
        met += found.values()
    assert {standing.result for standing in met} == set(Result) - {Result.missing}
    assert any(0 < standing.paid_fen < standing.amount_fen for standing in met)
    assert {standing.result for standing in met if standing.paid_in_vain} == FAILED
    assert any(standing.serial[6] >> 4 == 5 for standing in met)  # replayed


def test_a_run_that_came_too_early_can_be_run_again_and_the_rest_of_one_that_was_tried_again_cannot(tmp_path):
    early, first, second = Try("psbc", "20290101001", 1), *TRIES[:2]
    booked = [(early, 1), (early, 2), (first, 2), (first, 3), (second, 1)]  # line 1 of the first try is missing
    payments = [
        Payment(
            channel=POST.channel.name,
            business_date=POST.date_of(of),
            serial=of.serial(number),
            household=run_line(number).household,
            amount_fen=100,
            terminal=POST.terminal.name,
        )
        for of, number in booked
    ]
    apply(tmp_path, [(encode_packed(payment), NOON_MS + 4 * 86_400_000) for payment in payments])
    lines = WithheldLines(tmp_path, POST)
    assert {standing.code for standing in lines.standings(early).values()} == {OutcomeCode.business_date_in_future}
    assert [of for of in (early, first, second) if lines.has_come_early(of)] == [early]
    file = write_run(tmp_path / "early.csv", [run_line(1), run_line(2)], run=early.run, day="2029-01-01")
    assert check_run(Instructions(RunFile(file)), POST, lines) == {}
    file = write_run(tmp_path / "first.csv", [run_line(number) for number in (1, 2, 3)])
    with pytest.raises(FileRefused, match="line 1 was tried again in try 2 already"):
        check_run(Instructions(RunFile(file)), POST, lines)
