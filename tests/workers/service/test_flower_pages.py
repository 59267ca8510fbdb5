"""Which reports Flower serves."""

from storage.home import Home
from workers.service.flower_pages import report_of


def test_only_a_report_of_a_run_in_the_home_is_served(tmp_path):
    # given a run with a report, one with none, one whose report is elsewhere, and one whose folder leads to itself
    runs = tmp_path / "home" / "runs"
    for name in ("whole", "bare", "led-out"):
        (runs / name).mkdir(parents=True)
    (runs / "whole" / "report.html").write_text("a report", "ascii")
    (tmp_path / "secret").write_text("a secret", "ascii")
    (runs / "led-out" / "report.html").symlink_to(tmp_path / "secret")
    (runs / "circle").symlink_to("circle")
    home = Home(tmp_path / "home")
    # then
    assert report_of(home, "whole") == runs / "whole" / "report.html"
    for name in ("bare", "led-out", "circle", "none", "..", ".", "", "../runs/whole", "whole\n", "whole/.", "/whole"):
        assert report_of(home, name) is None
