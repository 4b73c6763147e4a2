"""What a run publishes: a payment for each line that the journal does not have yet, where nothing speaks against the whole."""

from collections.abc import Iterator, Mapping

from ledger.errors import FileRefused
from ledger.events import Payment
from ledger.outcomes import OutcomeCode
from ledger.withholding import MISSING, Result, Standing, Try, WithheldLines, Withholder
from peakledger.withholding.files import Instruction, Instructions

_TOO_EARLY = OutcomeCode.business_date_in_future  # leaves the key free: the line can be run again when its date has come
_FINAL = frozenset({Result.reversed, Result.voided, Result.expired, Result.refused})


def check_run(run: Instructions, withholder: Withholder, withheld: WithheldLines) -> Mapping[int, Standing]:
    """Return how the lines stand that the journal has of this try.

    Raises FileRefused where the file differs from what was booked under its number, or another try of a line is open or paid.
    """
    of = run.heading.of
    withholder.check(of, run.heading.business_date)
    for number in range(1, of.number):
        _check_earlier(run, of._replace(number=number), withheld, must_know=number == 1)
    known = {number: each for number, each in withheld.standings(of).items() if each.code is not _TOO_EARLY}
    compare(run, known)
    return known


def _check_earlier(run: Instructions, earlier: Try, withheld: WithheldLines, *, must_know: bool) -> None:
    known = withheld.standings(earlier)
    for line in run:
        standing = known.get(line.number, MISSING)
        if standing.result is Result.missing and not must_know:
            continue
        if standing.result not in _FINAL:
            hint = (
                "A line is tried again when no try of it is open or paid; make the file anew with peakledger withholding retries"
            )
            raise _refused(run, line.number, f"is {standing.result} in try {earlier.number}", hint)
        if standing.result is not Result.refused:
            _check_same(run, line, standing)


def compare(run: Instructions, known: Mapping[int, Standing]) -> None:
    """Raise FileRefused where a line shows that another file was run under the number of this one.

    The last line is published before all others: where any is known, and it is not, the file that was run had another last line.
    """
    unseen = set(known)
    for line in run:
        if standing := known.get(line.number):
            unseen.discard(line.number)
            if standing.result is not Result.refused:
                _check_same(run, line, standing)
    hint = "A run's number is used once; ask the bank which of the two files is right"
    if unseen:
        raise _refused(run, min(unseen), "was booked, and is not in this file", hint)
    if known and run.last.number not in known:
        hint += ". Where the engine is behind, wait until it has caught up"
        raise _refused(run, run.last.number, "is the last in this file, and was not in the file that was run", hint)


def _check_same(run: Instructions, line: Instruction, standing: Standing) -> None:
    for name, here, there in (
        ("household", line.household, standing.household),
        ("amount_fen", line.amount_fen, standing.amount_fen),
    ):
        if here != there:
            hint = "A run's number is used once; ask the bank which of the two files is right"
            raise _refused(run, line.number, f"has {name} {here}, and was booked with {there}", hint)


def _refused(run: Instructions, number: int, problem: str, hint: str) -> FileRefused:
    return FileRefused(f"run {run.heading.of.run}: line {number} {problem}", hint=hint)


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
