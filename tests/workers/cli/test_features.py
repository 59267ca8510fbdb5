"""What `chordal features` prints."""

import json

import pytest

from pipeline.features.registry import families, family
from workers.cli import main


def printed(capsys, *arguments) -> str:
    main(["features", *arguments])
    return capsys.readouterr().out


def test_every_family_is_listed_with_its_row_shape(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = printed(capsys).splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(families())
    [segments] = [line for line in lines if line.startswith("mfcc_segments")]
    assert " x ".join(map(str, family("mfcc_segments").spec.row_shape)) in segments


def test_a_family_is_printed_with_all_columns_units_parameters_and_its_key(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    spec = family("loudness").spec
    text = printed(capsys, "loudness")
    assert spec.key in text
    for column, unit in zip(spec.columns, spec.units, strict=True):
        assert any(line.split(maxsplit=1) == [column, unit] for line in map(str.rstrip, text.splitlines()))
    for parameter, value in spec.parameters.items():
        assert f"{parameter} {value}" in text


def test_json_tells_the_whole_spec_of_every_family(capsys):
    listed = json.loads(printed(capsys, "--json"))["features"]
    assert {each["name"]: each["key"] for each in listed} == {name: each.spec.key for name, each in families().items()}
    assert all(len(each["columns"]) == len(each["units"]) for each in listed)
    assert {each["plug_in"] for each in listed} == {""}


def test_an_unknown_family_is_one_line_and_exit_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["features", "loudnes"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("chordal: feature family 'loudnes': no such family; one of: loudness")
    assert error.count("\n") == 1
