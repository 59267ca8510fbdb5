"""What is printed of names that look like markup."""

from workers.cli.tables import show_facts, show_rows
from workers.runs.progress import View

NAME = "a :dog: [bold]of[/] 5.mp3"


def test_a_name_is_printed_as_it_is(capsys):
    show_facts([("file", NAME)])
    show_rows(("file",), [(NAME,)])
    with View() as view:
        view.line(NAME)
    printed = capsys.readouterr()
    assert printed.out.count(NAME) == 2
    assert printed.err == f"{NAME}\n"
