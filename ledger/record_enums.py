"""The numbers that stored records carry, by name. Needs nothing of the core, so that a proof can be checked without it."""

from enum import IntEnum


class EventType(IntEnum):
    """What kind of event a channel published."""

    bill = 1
    payment = 2
    open_account = 3
    transfer = 4
    post = 5
    void = 6
    reverse = 7
    freeze = 8
    unfreeze = 9
    close = 10
    clock = 11
    top_up = 12
    open_float = 13
    count_float = 14
    bank_float = 15
    adjust = 16


class EntryKind(IntEnum):
    """What an entry of the journal does."""

    open_account = 1
    transfer = 2
    pending = 3
    post = 4
    void = 5
    expire = 6
    reverse = 7
    freeze = 8
    unfreeze = 9
    close = 10
    clock = 11
    release = 12
    note = 13


class EntryCode(IntEnum):
    """Why an entry was made."""

    open_account = 1
    bill = 2
    payment = 3
    top_up = 4
    open_float = 5
    count_float = 6
    bank_float = 7
    adjust = 8


class PayloadKind(IntEnum):
    """What the payload of an outcome holds."""

    none = 0
    record = 1
    batch = 2
