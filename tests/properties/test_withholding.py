"""Files of withholding, however they are spoilt, against plain judges: a file is right as a whole or refused as a whole."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.channels import BUILT_IN_CHANNELS
from ledger.errors import FileRefused
from ledger.withholding import MISSING, Result, Standing, Try, Withholder
from peakledger.withholding.answers import Effect, effect_of
from peakledger.withholding.files import AnswerFile, Answers, Instructions, RunFile
from peakledger.withholding.retries import Fate, fate_of
from peakledger.withholding.running import compare
from tests.withheld import DAY, RUN, answer_line, answer_rows, run_line, run_rows, write_rows, write_run

POST = Withholder.of_bank("psbc", BUILT_IN_CHANNELS)
NAMES = st.text(st.characters(min_codepoint=0x20, blacklist_categories=("Cs",)), min_size=1, max_size=8).filter(str.strip)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "file.csv"


@given(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(["UTF-8", "GB18030"]))
def test_every_name_comes_back_in_both_encodings(path, names, encoding):
    lines = [run_line(number, holder=name) for number, name in enumerate(names, 1)]
    text = io.StringIO()
    csv.writer(text).writerows(run_rows(lines))
    path.write_bytes(text.getvalue().encode(encoding))
    assert list(RunFile(path, encoding).lines()) == lines


FIELDS = [
    "",
    "0",
    "1",
    "2",
    "3",
    "01",
    "-1",
    "7x",
    "100",
    "200",
    "300",
    "1e2",
    "total",
    "run",
    "paid",
    "refused",
    "99",
    "2026-06",
]


@st.composite
def spoilt(draw, rows):
    """Rows of a right file of which some are dropped, repeated, changed or in another place."""
    rows = [list(row) for row in rows]
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(1, len(rows) - 1))
        match draw(st.sampled_from(["drop", "repeat", "move", "change"])):
            case "drop" if len(rows) > 2:
                del rows[place]
            case "repeat":
                rows.insert(draw(st.integers(1, len(rows))), list(rows[place]))
            case "move":
                rows.insert(draw(st.integers(1, len(rows) - 1)), rows.pop(place))
            case _:
                rows[place][draw(st.integers(0, len(rows[place]) - 1))] = draw(st.sampled_from(FIELDS))
    return rows


def is_number(text, greatest=2**63 - 1):
    return text.isdigit() and 0 < int(text) <= greatest


def is_right_run(rows):
    """Judge the rows behind the header by what the page says, with no thought of order or speed."""
    head, *lines, end = rows[1:]
    if head[:5] != ["run", head[1], DAY, head[3], head[4]] or head[5] or not is_number(head[4], 999) or head[4][0] == "0":
        return False
    if not (head[1].isdigit() and 9 <= len(head[1]) <= 20) or len({line[1] for line in lines}) != len(lines):
        return False
    numbers = [str(number) for number in range(1, len(lines) + 1)]
    found = [line[0] for line in lines]
    if head[4] != "1":
        in_order = all(is_number(text) and text[0] != "0" for text in found) and [*map(int, found)] == sorted({*map(int, found)})
    else:
        in_order = found == numbers
    fields = all(
        len(household) == 13
        and household.isdigit()
        and is_number(amount)
        and period == "2026-06"
        and 0 < len(account) <= 32
        and account.isdigit()
        and holder
        for _, household, amount, period, account, holder in lines
    )
    if not (lines and in_order and fields):
        return False
    return end == ["total", str(len(lines)), str(sum(int(line[2]) for line in lines)), "", "", ""]


@given(spoilt(run_rows([run_line(number, 100 * number) for number in range(1, 4)])))
def test_a_run_is_accepted_as_a_whole_or_refused_as_a_whole(path, rows):
    write_rows(path, rows)
    if is_right_run(rows):
        read = Instructions(RunFile(path))
        assert [(str(line.number), line.household, line.amount_fen) for line in read] == [
            (row[0], row[1], int(row[2])) for row in rows[2:-1]
        ]
    else:
        with pytest.raises(FileRefused):
            Instructions(RunFile(path))


@given(spoilt(answer_rows([answer_line(1, 100), answer_line(2, 200, 1), answer_line(3, 300)])))
def test_answers_that_are_accepted_have_right_totals(path, rows):
    try:
        read = list(Answers(AnswerFile(write_rows(path, rows))))
    except FileRefused:
        assert rows != answer_rows([answer_line(1, 100), answer_line(2, 200, 1), answer_line(3, 300)])
        return
    for word, row in zip(("paid", "refused"), rows[-2:], strict=True):
        amounts = [line.amount_fen for line in read if line.is_paid == (word == "paid")]
        assert row[:3] == [word, str(len(amounts)), str(sum(amounts))]
    assert len(read) == len(rows) - 4


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_bytes_that_are_lost_or_strange_are_no_more_than_a_refusal(path, strange, place, lost):
    data = write_run(path, [run_line(1), run_line(2)]).read_bytes()
    path.write_bytes(data[:place] + strange + data[place + lost :])
    try:
        assert Instructions(RunFile(path)).sum_fen == 200
    except FileRefused as error:
        assert error.hint


# --- A file against what is booked --------------------------------------------------------------------------------------

LINE_STANDINGS = st.builds(
    Standing,
    st.sampled_from([result for result in Result if result is not Result.missing]),
    st.sampled_from([run_line(number).household for number in (1, 2, 3, 4)]),
    st.sampled_from([100, 200]),
)


@given(st.integers(1, 4), st.dictionaries(st.integers(1, 5), LINE_STANDINGS, max_size=5), st.booleans())
def test_a_file_is_the_one_that_was_run_if_no_line_says_otherwise(path, count, known, as_booked):
    if as_booked:
        known = {n: each._replace(household=run_line(n).household, amount_fen=100) for n, each in known.items()}
    read = Instructions(RunFile(write_run(path, [run_line(number) for number in range(1, count + 1)])))
    the_same = all(
        number <= count
        and (each.result is Result.refused or (each.household, each.amount_fen) == (run_line(number).household, 100))
        for number, each in known.items()
    ) and (not known or count in known)
    if the_same:
        compare(read, known)
    else:
        with pytest.raises(FileRefused, match="line"):
            compare(read, known)


# --- A line through its tries -------------------------------------------------------------------------------------------

ENDS = st.sampled_from(
    [
        Standing(Result.pending),
        Standing(Result.posted, paid_fen=100),
        Standing(Result.voided, reason=1),
        Standing(Result.voided, reason=4),
        Standing(Result.expired),
        Standing(Result.expired, paid_in_vain=True),
    ]
)


@given(st.lists(st.tuples(ENDS, ENDS, st.booleans()), min_size=3, max_size=3))
def test_a_line_never_has_two_tries_open_and_is_paid_once_at_most(days):
    """``days``: what comes of the open try by that day, then of what is still open; and whether the day is worked at all."""
    tries = [MISSING] * len(days)
    for number, (now, later, is_worked) in enumerate(days):
        if is_worked and (number == 0 or fate_of(tries[:number], POST) is Fate.tried_again):
            tries[number] = now
        tries = [later if standing.result is Result.pending else standing for standing in tries]
        results = [standing.result for standing in tries]
        paid = results.count(Result.posted) + sum(standing.paid_in_vain for standing in tries)
        assert results.count(Result.pending) + paid <= 1
    if tries[0].reason == 4:
        assert fate_of(tries, POST) is Fate.given_up and tries[1:] == [MISSING, MISSING]


@given(ENDS, st.integers(0, 1), st.booleans())
def test_an_answer_moves_only_what_is_open_and_has_its_key(standing, reason, is_burnt):
    effect = effect_of(answer_line(1, reason=reason), standing, is_burnt=is_burnt)
    assert (effect in (Effect.posted, Effect.voided)) == (standing.result is Result.pending and not is_burnt)
    assert (effect is Effect.refused) == (standing.result is Result.pending and is_burnt)
    assert (effect is Effect.not_held) == (standing.result is Result.expired)


def test_no_two_lines_tries_or_answers_have_a_serial_in_common():
    tries = [Try(bank, run, number) for bank in ("psbc", "rcb") for run in (RUN, f"{RUN}0") for number in (1, 2)]
    serials = [serial(line) for of in tries for serial in (of.serial, of.answer_serial) for line in (1, 2, 999_999_999)]
    assert len({*serials}) == len(serials) == 48
    assert all(serial[14] == "8" and serial[19] in "89ab" for serial in serials)
    assert [str(day) for day in POST.dates(RUN)] == [DAY, "2026-07-26", "2026-07-30"]
    assert POST.dates("99999999999") == []
