"""Folders and files as they are named on the command line."""

import pytest

from workers.cli import main


@pytest.mark.parametrize("command", ["scan", "extract", "run", "train", "watch", "predict", "labels", "duplicates"])
def test_an_empty_name_is_never_taken_for_the_folder_one_is_in(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, ""])
    assert ended.value.code == 2
    assert "an empty name; name a folder" in capsys.readouterr().err
