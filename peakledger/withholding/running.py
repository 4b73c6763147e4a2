"""What a run publishes: a payment for each line that the journal does not have yet, where nothing speaks against the whole."""

from collections.abc import Iterator, Mapping

from ledger.errors import FileRefused
from ledger.events import Payment
from ledger.withholding import FAILED, MISSING, TOO_EARLY, Result, Standing, Try, WithheldLines, Withholder
from peakledger.withholding.files import Instruction, Instructions

_FINAL = FAILED | {Result.reversed}
_DECIDE = "Drop it with peakledger quarantine drop when the money is back with the bank; then peakledger withholding retries"
_OTHER_FILE = "A run's number is used once; ask the bank which of the two files is right"


def check_run(run: Instructions, withholder: Withholder, withheld: WithheldLines) -> Mapping[int, Standing]:
    """Return how the lines stand that the journal has of this try.

    Raises FileRefused where the file differs from what was booked under its number, or another try of a line is open or paid.
    """
    of = run.heading.of
    withholder.check(of, run.heading.business_date)
    for number in range(1, of.number):
        _check_earlier(run, of._replace(number=number), withheld, must_know=number == 1)
    known = {number: each for number, each in withheld.standings(of).items() if each.code is not TOO_EARLY}
    compare(run, known)
    for number in range(of.number + 1, len(withholder.dates(of.run)) + 1):
        _check_later(run, known, withheld.standings(of._replace(number=number)), number)
    return known


def _check_earlier(run: Instructions, earlier: Try, withheld: WithheldLines, *, must_know: bool) -> None:
    known = withheld.standings(earlier)
    for line in run:
        standing = known.get(line.number, MISSING)
        if standing.result is Result.missing and not must_know:
            continue
        if standing.result not in _FINAL:
            hint = "A line is tried again when none of its tries is open or paid; peakledger withholding retries makes the file"
            raise _refused(run.heading.of, line.number, f"is {standing.result} in try {earlier.number}", hint)
        if standing.paid_in_vain:
            problem = f"was paid in try {earlier.number}; its post waits in quarantine for a person"
            raise _refused(run.heading.of, line.number, problem, _DECIDE)
        if standing.result is not Result.refused:
            check_same(run.heading.of, *line, standing)


def _check_later(run: Instructions, known: Mapping[int, Standing], later: Mapping[int, Standing], number: int) -> None:
    """Refuse to finish a run that was broken off where a line of the rest was tried again since."""
    for line in run if later else ():
        if line.number in later and line.number not in known:
            hint = "It is too late for the rest of this file: the calendar goes on from the later try"
            raise _refused(run.heading.of, line.number, f"was tried again in try {number} already", hint)


def compare(run: Instructions, known: Mapping[int, Standing]) -> None:
    """Raise FileRefused where a line shows that another file was run under the number of this one.

    The last line is published before all others: where any is known, and it is not, the file that was run had another last line.
    """
    unseen = set(known)
    for line in run:
        if standing := known.get(line.number):
            unseen.discard(line.number)
            if standing.result is not Result.refused:
                check_same(run.heading.of, *line, standing)
    if unseen:
        raise _refused(run.heading.of, min(unseen), "was booked, and is not in this file", _OTHER_FILE)
    if known and run.last.number not in known:
        hint = f"{_OTHER_FILE}. Where the engine is behind, wait until it has caught up"
        raise _refused(run.heading.of, run.last.number, "is the last in this file, and was not in the file that was run", hint)


def check_same(of: Try, number: int, household: str, amount_fen: int, standing: Standing) -> None:
    """Raise FileRefused where a line was booked with another household or amount."""
    for name, here, there in (("household", household, standing.household), ("amount_fen", amount_fen, standing.amount_fen)):
        if here != there:
            raise _refused(of, number, f"has {name} {here}, and was booked with {there}", _OTHER_FILE)


def _refused(of: Try, number: int, problem: str, hint: str) -> FileRefused:
    return FileRefused(f"run {of.run}: line {number} {problem}", hint=hint)


def payments(run: Instructions, withholder: Withholder, known: Mapping[int, Standing]) -> Iterator[Payment]:
    """Yield the payments to publish, the last line's first: nothing else may be published before it is acknowledged."""
    of, last = run.heading.of, run.last
    if last.number not in known:
        yield _payment(of, last, run, withholder)
    for line in run:
        if line.number not in known and line.number != last.number:
            yield _payment(of, line, run, withholder)


def _payment(of: Try, line: Instruction, run: Instructions, withholder: Withholder) -> Payment:
    return Payment(
        channel=withholder.channel.name,
        business_date=run.heading.business_date,
        serial=of.serial(line.number),
        household=line.household,
        amount_fen=line.amount_fen,
        terminal=withholder.terminal.name,
    )
