"""The fourteen channels on a real broker: payments by each kind of terminal, their duplicates, refusals and reversals."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import confluent_kafka as ck
import msgspec
import pytest

from ledger.account_ids import format_account
from ledger.channels import BUILT_IN_CHANNELS, Channel, PostingRule, SerialForm
from ledger.model import Model
from ledger.outcomes import OutcomeCode
from ledger.projections.balances import BalanceReader
from tests.kafka.producing import ANY_TIME
from tests.kafka.running import run_to_the_end, settings
from tests.ledger_check import check_journal, frames
from tests.ledger_events import NOON_MS
from tests.waiting import PATIENCE_S

DAY = date(2026, 7, 23)
CHANNELS = [channel for channel in BUILT_IN_CHANNELS if "payment" in channel.publishes]
Step = tuple[dict[str, object], str]  # an event, and what is to become of it


class Story:
    """What one kind of terminal of a channel publishes. Payments of another kind come under other serials and payers."""

    def __init__(self, channel: Channel, rule: PostingRule, number: int) -> None:
        self.channel, self.rule = channel, rule
        self.payer = {"payer": f"{number + 1}"} if rule.payer else {}
        self.terminal = {"terminal": rule.terminal} if rule.terminal else {}
        self.serials = iter(range(1000 * number + 1, 1000 * number + 1000))

    def event(self, type_: str, day: date = DAY, **fields: object) -> dict[str, object]:
        number = next(self.serials)
        serial = str(UUID(int=number)) if self.channel.serial_form is SerialForm.uuid else f"{number}"
        return {"type": type_, "channel": self.channel.name, "business_date": day.isoformat(), "serial": serial} | fields

    def payment(self, amount_fen: int = 20_000) -> dict[str, object]:
        return self.event("payment", household="3301234567890", amount_fen=amount_fen) | self.payer | self.terminal

    def naming(self, type_: str, field: str, event: dict[str, object], day: date = DAY) -> dict[str, object]:
        return self.event(type_, day, **{field: {name: event[name] for name in ("channel", "business_date", "serial")}})

    def steps(self) -> Iterator[Step]:
        if self.rule.funds in ("stored_value", "prefunded"):
            top_up = self.event("top_up", payee=self.payer["payer"], amount_fen=30_000) | self.terminal
            yield from ((top_up, "applied"), (top_up, "exists"))
        payment = self.payment()
        yield payment, "applied"
        yield payment, "exists"
        yield payment | {"amount_fen": 19_999}, "exists_with_different_amount"
        yield self.payment() | {"payer": "0"}, "payer_malformed"
        yield self.payment(self.channel.limits.greatest_fen + 1), self.too_great()
        yield from self.funds_steps(payment)
        yield from self.reversal_steps(payment)

    def too_great(self) -> str:
        return "amount_too_great" if self.channel.limits.greatest_fen == 2**63 - 1 else "amount_outside_limits"

    def funds_steps(self, payment: dict[str, object]) -> Iterator[Step]:
        """Confirm or refuse instructions; ask more of a card or deposit than it has; count a float."""
        if self.rule.funds == "two_phase":
            refused = self.payment()
            yield refused, "applied"
            yield self.naming("post", "pending", payment, DAY + timedelta(1)), "applied"
            yield self.naming("void", "pending", refused, DAY + timedelta(1)), "applied"
            yield self.naming("post", "pending", refused, DAY + timedelta(1)), "pending_transfer_already_voided"
        elif self.rule.funds == "float":
            yield self.event("open_float", amount_fen=500) | self.payer | self.terminal, "applied"
            yield self.event("count_float", amount_fen=20_450) | self.payer | self.terminal, "applied"
            yield self.event("bank_float", amount_fen=20_451) | self.payer | self.terminal, "exceeds_debits"
        elif self.rule.payer:
            yield self.payment(), "exceeds_credits"

    def reversal_steps(self, payment: dict[str, object]) -> Iterator[Step]:
        if "reverse" not in self.channel.publishes:
            yield self.naming("reverse", "original", payment), "channel_unknown"
        elif self.rule.funds != "two_phase":
            late = DAY + timedelta(self.channel.reversal_days + 1)
            yield self.naming("reverse", "original", payment, late), "reversal_window_closed"
            yield self.naming("reverse", "original", payment), "applied"
            yield self.naming("reverse", "original", payment), "already_reversed"


def check_the_same(shard: Path, model: Model) -> None:
    """Check that a shard has the entries, outcomes and balances of the oracle."""
    consumed, entries = check_journal(shard)
    assert (consumed, entries) == (model.records_consumed, b"".join(model.entries))
    *_, last = frames(shard)
    counted = (last.events_applied, last.events_existing, last.events_refused)
    assert counted == (model.events_applied, model.events_existing, model.events_refused)
    reader = BalanceReader(shard)
    for account in model.accounts.values():
        found = reader.get(format_account(account.id))
        assert (found.debits_posted, found.credits_posted) == (account.debits_posted, account.credits_posted)
        assert (found.debits_pending, found.credits_pending) == (account.debits_pending, account.credits_pending)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_pays_repeats_is_refused_and_reverses(kafka_broker, new_topic, tmp_path, channel):
    stories = [Story(channel, rule, number) for number, rule in enumerate(channel.rules)]
    steps = [step for story in stories for step in story.steps()]
    values = [msgspec.json.encode(event) for event, _ in steps]
    model = Model()
    outcomes = [model.apply_record(value, offset, NOON_MS) for offset, value in enumerate(values)]
    assert outcomes == [OutcomeCode[expected] for _, expected in steps]
    topic = new_topic(settings=ANY_TIME)
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers, "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value, partition=0, timestamp=NOON_MS)
    assert producer.flush(PATIENCE_S) == 0
    run_to_the_end(kafka_broker, topic, settings(tmp_path))
    check_the_same(tmp_path / f"{topic}-0", model)
