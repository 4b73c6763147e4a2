"""What the bank's answers come to: a hold that is paid is posted, one that is refused is given back."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from ledger.errors import FileRefused
from ledger.events import Event, HoldName, Post, Void
from ledger.withholding import MISSING, Result, Standing, Try, WithheldLines, Withholder
from peakledger.withholding.files import AnswerLine, Answers, Totals
from peakledger.withholding.running import check_same

_PAID = frozenset({Result.posted, Result.reversed})


class Effect(StrEnum):
    """What comes of an answer."""

    posted = "posted"
    voided = "voided"
    answered_before = "answered_before"
    not_held = "not_held"
    refused = "refused"


class Answered(NamedTuple):
    """An answer, how its line stands, and what comes of it."""

    line: AnswerLine
    standing: Standing
    effect: Effect
    is_new: bool  # to be published


class CheckedAnswers:
    """The answers to a try, none of which speaks against the whole.

    ``totals`` counts and adds up the lines by what comes of them; ``new`` counts those that are to be published, and
    ``paid_in_vain`` those that the bank paid and that cannot be posted.
    """

    def __init__(self, answers: Answers, withholder: Withholder, withheld: WithheldLines) -> None:
        """Raises FileRefused where a line is not of the run, was booked otherwise, or was answered otherwise before."""
        self._answers, self._channel = answers, withholder.channel.name
        of, day = answers.heading
        self._run_date = withholder.date_of(of)
        if day < self._run_date:
            raise FileRefused(f"{day} lies before the try itself", hint=f"Its business date is {self._run_date}")
        self._standings = withheld.standings(of)
        self._refused_before = withheld.refused_answers(of, day)
        self.totals = {effect: Totals() for effect in Effect}
        self.new = self.paid_in_vain = 0
        for line in answers:
            _check(of, line, self._standings)
            answered = self._answered(line)
            self.totals[answered.effect].add(line.amount_fen)
            self.new += answered.is_new
            self.paid_in_vain += answered.effect in (Effect.not_held, Effect.refused) and line.is_paid

    def _answered(self, line: AnswerLine) -> Answered:
        standing = self._standings[line.number]
        refused_before = self._refused_before.get(line.number)
        effect = effect_of(line, standing, is_burnt=refused_before is not None and refused_before.code.is_transient)
        is_new = effect in (Effect.posted, Effect.voided)
        is_new |= effect is Effect.not_held and line.is_paid and refused_before is None
        return Answered(line, standing, effect, is_new)

    def events(self) -> Iterator[tuple[str, Event]]:
        """Yield what is to be published: the household, and the event that ends its hold.

        Where the bank has paid what is not held, the ledger refuses the event, which waits in quarantine for a person.
        """
        for answered in map(self._answered, self._answers):
            if answered.is_new:
                yield answered.line.household, self._event(answered)

    def _event(self, answered: Answered) -> Event:
        of, day = self._answers.heading
        line, serial = answered.line, answered.standing.serial
        hold = HoldName(self._channel, self._run_date, str(UUID(bytes=serial)) if any(serial) else of.serial(line.number))
        named = (self._channel, day, of.answer_serial(line.number))
        return Post(*named, pending=hold) if line.is_paid else Void(*named, pending=hold, user_data=line.reason)


def effect_of(line: AnswerLine, standing: Standing, *, is_burnt: bool = False) -> Effect:
    """Return what comes of an answer to a line that stands so; ``is_burnt``: its key failed before, and does so for ever."""
    if standing.result is Result.pending and is_burnt:
        return Effect.refused
    if standing.result is Result.pending:
        return Effect.posted if line.is_paid else Effect.voided
    if standing.result in _PAID or standing.result is Result.voided:
        return Effect.answered_before
    return Effect.not_held


def _check(of: Try, line: AnswerLine, standings: Mapping[int, Standing]) -> None:
    standing = standings.get(line.number, MISSING)
    place = f"run {of.run}, try {of.number}: line {line.number}"
    if standing.result is Result.missing:
        hint = "Ask the bank for a right file; where the engine is behind, wait until it has caught up"
        raise FileRefused(f"{place} is not in the journal", hint=hint)
    if standing.result is not Result.refused:
        check_same(of, line.number, line.household, line.amount_fen, standing)
    answered_otherwise = standing.result is Result.voided if line.is_paid else standing.result in _PAID
    if answered_otherwise:
        hint = "Ask the bank which of its two answers is right"
        raise FileRefused(f"{place} was {standing.result} before, and is answered otherwise now", hint=hint)
