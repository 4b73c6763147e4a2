"""``peakledger household``: the bills of a household, what paid each of them, and what it owes (电费查询)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from ledger.bills import Bills, Debit, DebitKind, LateChargeRule, Payment, Posting
from ledger.channels import Channel
from ledger.errors import ConfigurationError, NotFound
from ledger.event_fields import format_date, format_period
from ledger.history import History, shard_histories
from ledger.households import HouseholdBills, household_bills
from peakledger import config
from peakledger.commands.moments import AskedMoment, AsOfSeq, AsOfTime, Explain, Shard, choose_shard, cost_sentence, reading_cost
from peakledger.commands.options import (
    Config,
    Data,
    Json,
    LateChargePaidFirst,
    LateChargePermille,
    channels_by_code,
    check_household,
)
from peakledger.display import console, format_yuan, show
from peakledger.event_names import event_name

Item = dict[str, Any]


def household(
    *,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The 13 digits of the household", callback=check_household)],
    on: Annotated[
        str | None, typer.Option(metavar="DATE", help="As of the end of this day, by value date; late charges run up to it")
    ] = None,
    as_of_seq: AsOfSeq = None,
    as_of_time: AsOfTime = None,
    late_charge_permille: LateChargePermille = None,
    late_charge_paid_first: LateChargePaidFirst = None,
    shard: Shard = None,
    explain: Explain = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show a household's bills, oldest first, what paid each of them, what is paid ahead, and what is to pay.

    As things are now, or as of the end of a day, also one to come; as far as is known now, or was known at a moment of the past.
    Reads this household's entries in the journal and no others. Works while an engine runs and while none does.
    """
    flags = {
        "data": data,
        "late_charge_permille": late_charge_permille,
        "late_charge_paid_first": late_charge_paid_first,
    }
    settings = config.load(flags, config=config_file)
    rule = LateChargeRule(settings.late_charge_permille, settings.late_charge_paid_first)
    asked = AskedMoment.parse(as_of_seq, as_of_time, on)
    name, history = _only_shard(shard_histories(settings.data), number, shard)
    found = household_bills(history, number, rule, moment=asked.of(history))
    channels = channels_by_code(settings)
    cost = reading_cost([history])
    if as_json:
        show("household", _debit_items(found.bills, channels), as_json=True, more=_whole(number, name, found, channels) | cost)
        return
    items = _debit_items(found.bills, channels)
    hide = [key for key in ("reversed_fen", "accrued_fen") if not any(item[key] for item in items)]
    rows = [item | {"payments": _payments_text(item["payments"])} for item in items]
    show("household", rows, as_json=False, hide=["seq", "detail", "business_date", "value_date", *hide], empty="No bills.")
    for sentence in _sentences(found):
        console.print(sentence)
    if explain:
        console.print(cost_sentence(cost))


def _only_shard(histories: Mapping[str, History], number: str, shard: str | None) -> tuple[str, History]:
    """Return the shard that has the household. Raises ``NotFound``, and ``ConfigurationError`` where several have it."""
    chosen = choose_shard(histories, shard)
    having = {name: history for name, history in chosen.items() if history.balances.slot_of(f"household:{number}") is not None}
    if not having:
        raise NotFound(f"No such household: {number}", hint="An account opens with the first event that names it")
    if len(having) > 1:
        raise ConfigurationError(
            f"Household {number} is in several shards: its events did not keep to one partition",
            hint=f"Name one with --shard: {', '.join(having)}",
        )
    return next(iter(having.items()))


def _debit_items(bills: Bills, channels: Mapping[int, Channel]) -> list[Item]:
    credits = {credit.posting.seq: credit.posting for credit in bills.credits}
    return [_debit_item(debit, credits, channels) for debit in bills.debits]


def _debit_item(debit: Debit, credits: Mapping[int, Posting], channels: Mapping[int, Channel]) -> Item:
    posting = debit.posting
    names_month = debit.kind is not DebitKind.other
    return {
        "kind": debit.kind.value,
        "period": format_period(posting.period) if names_month else None,
        "due_date": format_date(posting.due_date) if names_month else None,
        "seq": posting.seq,
        "detail": posting.detail,
        "business_date": format_date(posting.business_date),
        "value_date": format_date(posting.value_date),
        "amount_fen": posting.amount_fen,
        "reversed_fen": debit.reversed_fen,
        "paid_fen": debit.paid_fen,
        "owed_fen": debit.owed_fen,
        "accrued_fen": debit.accrued_fen,
        "payments": [_part_item(payment, credits[payment.seq], channels) for payment in debit.payments],
    }


def _part_item(payment: Payment, credit: Posting, channels: Mapping[int, Channel]) -> Item:
    return {"seq": payment.seq, "amount_fen": payment.amount_fen, **_credit_fields(credit, channels)}


def _credit_fields(credit: Posting, channels: Mapping[int, Channel]) -> Item:
    name = event_name(credit.channel, credit.serial, channels.get(credit.channel))
    return {
        "channel": name.channel,
        "business_date": format_date(credit.business_date),
        "value_date": format_date(credit.value_date),
        "serial": name.serial,
    }


def _whole(number: str, shard: str, found: HouseholdBills, channels: Mapping[int, Channel]) -> Item:
    """Return what the document tells of the household beside its bills."""
    bills = found.bills
    credits = [
        {
            "seq": credit.posting.seq,
            "amount_fen": credit.posting.amount_fen,
            "reversed_fen": credit.reversed_fen,
            "prepaid_fen": credit.prepaid_fen,
            **_credit_fields(credit.posting, channels),
        }
        for credit in bills.credits
    ]
    return {
        "household": number,
        "shard": shard,
        "as_of_seq": found.seq,
        "day": found.day,
        "owed_fen": bills.owed_fen,
        "prepaid_fen": bills.prepaid_fen,
        "accrued_fen": bills.accrued_fen,
        "to_pay_fen": bills.to_pay_fen,
        "credits": credits,
    }


def _payments_text(payments: Iterable[Item]) -> str:
    """Return what paid a bill for a person: ``alipay 2026-07-23 208.15``."""
    return ", ".join(f"{one['channel'] or '?'} {one['value_date']} {format_yuan(one['amount_fen'])}" for one in payments) or "-"


def _sentences(found: HouseholdBills) -> list[str]:
    """Say what the household owes and has paid ahead, and what it is to pay."""
    bills = found.bills
    state = f"Owed: {format_yuan(bills.owed_fen)} yuan. Paid ahead: {format_yuan(bills.prepaid_fen)} yuan."
    accrued = f" (with late charges of {format_yuan(bills.accrued_fen)} yuan that are not booked)" if bills.accrued_fen else ""
    return [state, f"To pay on {found.day}: {format_yuan(bills.to_pay_fen)} yuan{accrued}."]
