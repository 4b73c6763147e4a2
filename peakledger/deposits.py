"""What is left of the deposits that prefunded channels are paid from, and which are so low that somebody should be told."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from ledger.account_ids import AccountKind
from ledger.channel_profile import Channel
from ledger.history import History

_NEWEST_LINES = 16  # of a deposit that more than one channel may be paid from: whose it is shows in what moved it last


class Deposit(NamedTuple):
    """One account over all shards. Amounts are in fen and leave the account's credit line out: below zero that is in use.

    ``left_fen`` is what is left in all shards, ``least_fen`` in the shard that has the least. ``alarm_level_fen`` is the greatest
    of its ``channels``.
    """

    account: str
    channels: tuple[str, ...]
    shards: int
    left_fen: int
    least_fen: int
    alarm_level_fen: int

    @property
    def is_low(self) -> bool:
        """Whether somebody should be told. A channel whose alarm level is 0 never wants to know."""
        return self.alarm_level_fen > 0 and (self.left_fen < self.alarm_level_fen or self.least_fen <= 0)


def prefunded(channels: Collection[Channel]) -> list[Channel]:
    """Return the channels of which some kind of terminal is paid from deposits."""
    return [channel for channel in channels if any(rule.funds == "prefunded" for rule in channel.rules)]


def find_deposits(histories: Mapping[str, History], channels: Collection[Channel]) -> Iterator[Deposit]:
    """Yield the open deposits of all prefunded ``channels``, by account."""
    by_form: dict[tuple[AccountKind, int], list[Channel]] = defaultdict(list)
    for channel in prefunded(channels):
        for rule in channel.rules:
            if rule.funds == "prefunded" and rule.payer and channel not in by_form[rule.payer.kind, rule.payer.digits]:
                by_form[rule.payer.kind, rule.payer.digits].append(channel)
    left_fen: dict[str, dict[str, int]] = defaultdict(dict)
    for shard, history in histories.items():
        for kind in sorted({kind for kind, _ in by_form}):
            for balance in history.balances.items_of(kind):
                if _form(balance.account) in by_form and not balance.is_closed:
                    left = balance.credits_posted - balance.debits_posted - balance.debits_pending
                    left_fen[balance.account][shard] = left
    for account, lefts in sorted(left_fen.items()):
        owners = _owners(account, by_form[_form(account)], [histories[shard] for shard in lefts])
        level_fen = max(channel.alarm_level_fen for channel in owners)
        names = tuple(channel.name for channel in owners)
        yield Deposit(account, names, len(lefts), sum(lefts.values()), min(lefts.values()), level_fen)


def _form(account: str) -> tuple[AccountKind, int]:
    kind, _, number = account.partition(":")
    return AccountKind[kind], len(number)


def _owners(account: str, channels: list[Channel], histories: list[History]) -> list[Channel]:
    """Return whose deposit an account is: of several channels that its number fits, those that moved it last."""
    if len(channels) == 1:
        return channels
    lines = [line for history in histories for line in history.statement(account, limit=_NEWEST_LINES).lines]
    seen = {line.channel for line in lines}
    return [channel for channel in channels if channel.code in seen] or channels
