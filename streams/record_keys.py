"""Which household's partition an event belongs to, as far as the event itself says."""

from collections.abc import Iterable

from ledger.account_ids import household_of_account
from ledger.event_fields import NO_ACCOUNT
from ledger.layouts import PACKED_EVENT, EventType
from ledger.packed_legs import PackedLeg, unpack_legs

# The first leg of these names every account that they touch; behind it an adjustment has its note.
_OF_THE_FIRST_LEG = {EventType.open_account, EventType.freeze, EventType.unfreeze, EventType.close, EventType.adjust}
_OF_ALL_LEGS = {EventType.transfer, EventType.post, EventType.void}
_SETTLES = 0x0006  # of packed_leg.flags: it posts or voids a hold


def household_of(packed: bytes) -> bytes | None:
    """Return the only household that an event touches, the key of its record: 13 digits.

    None where it names no household or several, or settles a hold without naming both accounts, or reverses an event.
    """
    fields = PACKED_EVENT.unpack(packed)
    if fields["household"]:
        return b"%013d" % fields["household"]
    if fields["event_type"] in _OF_THE_FIRST_LEG:
        return _only_household(unpack_legs(packed[PACKED_EVENT.size :])[:1])
    if fields["event_type"] in _OF_ALL_LEGS:
        legs = unpack_legs(packed[PACKED_EVENT.size :])
        if not any(leg.flags & _SETTLES and NO_ACCOUNT in leg[:2] for leg in legs):
            return _only_household(legs)
    return None


def _only_household(legs: Iterable[PackedLeg]) -> bytes | None:
    households = {household for leg in legs for account in leg[:2] if (household := household_of_account(account))}
    return households.pop().encode() if len(households) == 1 else None
