"""Settings from file, environment and flags."""

import pytest

from ledger.errors import ConfigurationError
from peakledger import config


def load(tmp_path, text="", environ=None, flags=None):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return config.load(flags or {}, config=path, environ=environ or {})


def test_without_file_environment_and_flags_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load({}, environ={}) == config.Settings()


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path):
    text = 'topic = "file"\ngroup = "file"\ndata = "file"\n'
    settings = load(tmp_path, text, {"PEAKLEDGER_GROUP": "environment", "PEAKLEDGER_DATA": "environment"}, {"data": "flag"})
    assert (settings.topic, settings.group, settings.data) == ("file", "environment", "flag")


def test_a_flag_that_is_not_given_changes_nothing(tmp_path):
    assert load(tmp_path, 'topic = "file"\n', flags={"topic": None}).topic == "file"


def test_the_environment_is_read_in_the_type_of_the_setting(tmp_path):
    environ = {
        "PEAKLEDGER_FUTURE_DAYS": "3",
        "PEAKLEDGER_QUARANTINE_CORRUPT_BATCHES": "true",
        "PEAKLEDGER_STATUS_INTERVAL_S": "0.5",
    }
    settings = load(tmp_path, environ=environ)
    assert (settings.future_days, settings.quarantine_corrupt_batches, settings.status_interval_s) == (3, True, 0.5)


def test_the_file_of_the_working_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "peakledger.toml").write_text('topic = "here"\n')
    assert config.load({}, environ={}).topic == "here"


def test_the_environment_can_name_the_file(tmp_path):
    (tmp_path / "other.toml").write_text('topic = "other"\n')
    assert config.load({}, environ={"PEAKLEDGER_CONFIG": str(tmp_path / "other.toml")}).topic == "other"


@pytest.mark.parametrize(
    ("text", "environ", "flags", "message"),
    [
        (
            "future_days = 1\n\nfuture_day = 1\n",
            {},
            {},
            "settings.toml, line 3: there is no setting 'future_day'. Did you mean future_days?",
        ),
        ("\nfuture_days = -1\n", {}, {}, "settings.toml, line 2: future_days: must be integer from 0 to 366, not -1"),
        ('future_days = "1"\n', {}, {}, "settings.toml, line 1: future_days: must be integer from 0 to 366, not '1'"),
        ("[kafka]\n", {}, {}, "settings.toml, line 1: there is no setting 'kafka'"),
        ("topic = \n", {}, {}, "at line 1, column"),
        (
            "",
            {"PEAKLEDGER_CLOSE_AFTER_DAYS": "many"},
            {},
            "PEAKLEDGER_CLOSE_AFTER_DAYS: must be integer from 1 to 36500, not 'many'",
        ),
        ("", {"PEAKLEDGER_TOPICS": "x"}, {}, "PEAKLEDGER_TOPICS: there is no setting 'topics'. Did you mean topic?"),
        ("", {}, {"encoding": "xml"}, "--encoding: must be `json` or `msgpack` or `packed`, not 'xml'"),
        ("", {}, {"topic": "a b"}, "--topic: must be text, not 'a b'"),
    ],
)
def test_an_error_names_the_place_and_what_would_be_right(tmp_path, text, environ, flags, message):
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, text, environ, flags)
    assert message in str(raised.value)


def test_a_named_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.toml: No such file"):
        config.load({}, config=tmp_path / "none.toml", environ={})
