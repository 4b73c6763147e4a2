"""Fuzzes the decoders of events: ``python -m tests.fuzz.decoders --seconds N``."""

from itertools import product

from ledger import event_fields, event_shapes, events, nested_values, notes, packed_legs
from ledger.channels import BUILT_IN_CHANNELS
from ledger.schema import EXAMPLES
from tests.decoders import core_agrees_with_plain_python
from tests.event_samples import ENCODERS, fields_of
from tests.fuzz import runner
from tests.wrong_events import KINDS, wrong_events

SEEDS = [*(encode(event) for encode, event in product(ENCODERS, EXAMPLES)), *(wrong_events(kind, 1)[0] for kind in KINDS)]
NAMES = [*(name for event in EXAMPLES for name in fields_of(event)), *(channel.name for channel in BUILT_IN_CHANNELS)]
WORDS = [name.encode() for name in dict.fromkeys(NAMES)] + [b"null", b"true", b"\\u0061", b"1970-01-01", b"0" * 32, b"0" * 13]
FOLLOWED = (events, event_fields, event_shapes, nested_values, notes, packed_legs)

if __name__ == "__main__":
    runner.run("decoders", core_agrees_with_plain_python, SEEDS, WORDS, followed=FOLLOWED)
