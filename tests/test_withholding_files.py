"""The files of batch withholding: what is read of them, and every fault with its line and column."""

import pytest

from ledger.errors import FileRefused
from ledger.withholding import Try
from peakledger.withholding.files import AnswerFile, Answers, Instruction, Instructions, RunFile
from tests.withheld import RUN, answer_line, answer_rows, run_line, run_rows, write_rows, write_run

LINES = [run_line(1), run_line(2, 250, "李　秀英"), run_line(3, 2**63 - 1, "\ue000䶮")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_run_is_read_in_every_encoding(tmp_path, encoding):
    file = RunFile(write_run(tmp_path / "run.csv", LINES, encoding))
    assert (file.heading.of, str(file.heading.business_date)) == (Try("psbc", RUN, 1), "2026-07-23")
    assert list(file.lines()) == LINES
    read = Instructions(file)
    assert list(read) == [Instruction(line.number, line.household, line.amount_fen) for line in LINES]
    assert (len(read), read.last.number, read.sum_fen) == (3, 3, 350 + 2**63 - 1)


def test_an_encoding_that_is_told_is_believed(tmp_path):
    path = write_run(tmp_path / "run.csv", LINES)
    with pytest.raises(FileRefused, match="is not GB18030"):
        Instructions(RunFile(path, "GB18030"))


FAULTS = [
    (1, 0, "heading", "the first row behind the header must be run", "line"),
    (1, 1, "2026072", "no number of a run", "household"),
    (1, 2, "23.07.2026", "not a date", "amount_fen"),
    (1, 4, "0", "not the number of a try", "account"),
    (1, 4, "01", "not the number of a try", "account"),
    (1, 4, "9" * 5000, "not the number of a try", "account"),
    (2, 0, "x", "neither the number of a line", "line"),
    (2, 0, "01", "neither the number of a line", "line"),
    (3, 0, "1", "line 1 comes behind line 1: each number once", "line"),
    (3, 0, "3", "there must be no gap", "line"),
    (3, 1, "330123450000", "13 digits", "household"),
    (3, 1, "3301234500001", "stands in an earlier line already", "household"),
    (3, 2, "0", "no amount", "amount_fen"),
    (3, 2, "-1", "no amount", "amount_fen"),
    (3, 2, str(2**63), "no amount", "amount_fen"),
    (3, 3, "2026-13", "not a month", "period"),
    (3, 4, "62-17", "no number of an account", "account"),
    (3, 5, " ", "no name", "holder"),
    (3, 5, "\x07", "no name", "holder"),
    (3, 2, "249", "the sum in fen of total is", "amount_fen"),
    (5, 1, "2", "the count of lines of total is 3, the trailer says '2'", "household"),
    (5, 3, "1", "nothing behind its totals", "period"),
]


@pytest.mark.parametrize(("row", "column", "value", "told", "name"), FAULTS)
def test_a_fault_is_told_with_line_and_column(tmp_path, row, column, value, told, name):
    rows = run_rows(LINES)
    rows[row][column] = value
    with pytest.raises(FileRefused, match=told) as raised:
        Instructions(RunFile(write_rows(tmp_path / "run.csv", rows)))
    line = 6 if told.startswith("the sum") else row + 1  # a sum is wrong at the trailer
    assert raised.value.numbers == {"line": line, "column": name}
    assert "nothing of this one was published" in raised.value.hint


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "does not begin with the header"),
        (run_rows(LINES)[:1], "the first row behind the header"),
        (run_rows(LINES)[:-1], "there is no trailer"),
        (run_rows([]), "there are no lines"),
        ([*run_rows(LINES), ["4", "3301234500004", "1", "2026-06", "1", "x"]], "more behind the trailer"),
        ([*run_rows(LINES)[:3], ["2"]], "a row has 1 fields instead of 6"),
    ],
)
def test_a_file_that_lacks_a_part_or_has_one_too_many_is_refused(tmp_path, rows, told):
    with pytest.raises(FileRefused, match=told):
        Instructions(RunFile(write_rows(tmp_path / "run.csv", rows)))


def test_bytes_that_are_in_neither_encoding_are_told_with_their_line(tmp_path):
    path = write_run(tmp_path / "run.csv", LINES, "gb18030")
    path.write_bytes(path.read_bytes().replace("张德福".encode("gb18030"), b"\xff\xff\xff"))
    with pytest.raises(FileRefused, match="is neither UTF-8 nor GB18030") as raised:
        Instructions(RunFile(path))
    assert raised.value.numbers["line"] == 3


@pytest.mark.parametrize(
    ("kind", "rows", "other"),
    [
        (RunFile, run_rows(LINES), run_rows(LINES, run=f"{RUN}7")),
        (AnswerFile, answer_rows([answer_line(1)]), answer_rows([answer_line(1)], day="2026-07-25")),
    ],
)
def test_a_file_that_another_takes_the_place_of_is_refused(tmp_path, kind, rows, other):
    file = kind(write_rows(tmp_path / "file.csv", rows))
    write_rows(tmp_path / "file.csv", other)
    with pytest.raises(FileRefused, match="the file was changed while it was read"):
        list(file.lines())


# --- Answers ------------------------------------------------------------------------------------------------------------

ANSWERS = [answer_line(1), answer_line(2, 250, reason=1), answer_line(5, 400)]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_answers_are_read_in_every_encoding(tmp_path, encoding):
    file = AnswerFile(write_rows(tmp_path / "answer.csv", answer_rows(ANSWERS), encoding))
    assert (file.heading.of, str(file.heading.business_date)) == (Try("psbc", RUN, 1), "2026-07-24")
    assert list(Answers(file)) == list(file.lines()) == ANSWERS


@pytest.mark.parametrize(
    ("row", "column", "value", "told", "name"),
    [
        (1, 0, "run", "the first row behind the header must be answer", "line"),
        (2, 3, "maybe", "neither paid nor refused", "result"),
        (2, 4, "01", "what is paid has no reason", "reason"),
        (3, 4, "", "no reason, 1 to 99", "reason"),
        (3, 4, "100", "no reason, 1 to 99", "reason"),
        (3, 4, "9" * 5000, "no reason, 1 to 99", "reason"),
        (5, 2, "501", "the sum in fen of paid is 500, the trailer says '501'", "amount_fen"),
        (6, 1, "2", "the count of lines of refused is 1, the trailer says '2'", "household"),
        (6, 0, "rest", "must come that of what is refused", "line"),
    ],
)
def test_a_fault_of_an_answer_is_told_with_line_and_column(tmp_path, row, column, value, told, name):
    rows = answer_rows(ANSWERS)
    rows[row][column] = value
    with pytest.raises(FileRefused, match=told) as raised:
        Answers(AnswerFile(write_rows(tmp_path / "answer.csv", rows)))
    assert raised.value.numbers == {"line": row + 1, "column": name}


@pytest.mark.parametrize(("end", "told"), [(-1, "must come that of what is refused"), (-2, "there are no trailers")])
def test_answers_without_both_trailers_are_refused(tmp_path, end, told):
    with pytest.raises(FileRefused, match=told):
        Answers(AnswerFile(write_rows(tmp_path / "answer.csv", answer_rows(ANSWERS)[:end])))
