"""What the exit status of a command means; docs/configuration.md shows the same table."""

from enum import IntEnum

from ledger import errors


class ExitCode(IntEnum):
    """Exit status of every command."""

    ok = 0
    unexpected = 1
    usage = 2
    damage = 3
    locked = 4
    source = 5
    not_found = 6
    refused_lines = 7
    unavailable = 8
    proof_invalid = 9
    differs = 10
    refused_file = 11
    not_settled = 12
    refused_event = 13
    behind = 14
    low = 15

    @property
    def sentence(self) -> str:
        """What the status tells, without a full stop."""
        return SENTENCES[self]


SENTENCES: dict[ExitCode, str] = {
    ExitCode.ok: "done; also a clean stop by SIGTERM or SIGINT",
    ExitCode.unexpected: "a failure that no other status names",
    ExitCode.usage: "a flag, a setting, an argument or a file cannot be used",
    ExitCode.damage: "a journal, a key table or a projection is damaged, or was written by another format version",
    ExitCode.locked: "another process writes this ledger, or took it over",
    ExitCode.source: "the source lost the next records, has a corrupt batch or a date far ahead, or is another one",
    ExitCode.not_found: "no such ledger, shard, account, event or quarantined record",
    ExitCode.refused_lines: "publish met lines that are no events; the others were published if --keep-going was given",
    ExitCode.unavailable: "Kafka cannot be reached, or refuses what was asked of it",
    ExitCode.proof_invalid: "a proof does not show what it says, or not with the digest given",
    ExitCode.differs: "the journal differs: from the channel's file in reconcile, from what was told in season-report, "
    "from the bank's answers in withholding results",
    ExitCode.refused_file: "a file is refused as a whole, and nothing of it was published: one of withholding, "
    "or one that settle takes for that of another date or channel",
    ExitCode.not_settled: "a business date cannot be settled or closed now, or its clearing account is not at zero",
    ExitCode.refused_event: "an adjustment is refused, before it is published or by the ledger; "
    "or the replay of a line of withholding that was tried again since",
    ExitCode.behind: "the balances lack what was published before, or another try of a run is being published: "
    "withholding run, or quarantine replay of a line, published nothing; or run ended, and lost nothing, "
    "without room for balances on the disk",
    ExitCode.low: "a deposit is below its channel's alarm level, or used up in a shard",
}

_BY_ERROR: dict[type[errors.PeakledgerError], ExitCode] = {
    errors.ConfigurationError: ExitCode.usage,
    errors.NameInvalid: ExitCode.usage,
    errors.FileInvalid: ExitCode.usage,
    errors.FileRefused: ExitCode.refused_file,
    errors.EventRefused: ExitCode.refused_event,
    errors.LedgerNotFound: ExitCode.not_found,
    errors.NotFound: ExitCode.not_found,
    errors.LedgerLocked: ExitCode.locked,
    errors.Fenced: ExitCode.locked,
    errors.FormatVersionMismatch: ExitCode.damage,
    errors.JournalDamaged: ExitCode.damage,
    errors.KeyTableDamaged: ExitCode.damage,
    errors.ProjectionDamaged: ExitCode.damage,
    errors.ProofInvalid: ExitCode.proof_invalid,
    errors.NotSettled: ExitCode.not_settled,
    errors.BalancesBehind: ExitCode.behind,
    errors.DepositLow: ExitCode.low,
    errors.SourceUnavailable: ExitCode.unavailable,
    errors.PublishFailed: ExitCode.unavailable,
    errors.EventInvalid: ExitCode.refused_lines,
    errors.CorruptBatch: ExitCode.source,
    errors.PositionLost: ExitCode.source,
    errors.TimestampAhead: ExitCode.source,
    errors.SourceMismatch: ExitCode.source,
}


def exit_code_of(error: errors.PeakledgerError) -> ExitCode:
    """Return the exit status that an error ends a command with."""
    return next((_BY_ERROR[class_] for class_ in type(error).__mro__ if class_ in _BY_ERROR), ExitCode.unexpected)
