"""The Grafana dashboard: sound by its structure. What its panels ask for is tested in test_alerts.py."""

import json
from itertools import combinations
from pathlib import Path

import pytest
import yaml

GRAFANA = Path(__file__).parent.parent.parent / "ops" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "chordal.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]

KINDS = {"stat", "gauge", "table", "timeseries"}
UNITS = {"short", "s", "bytes", "percentunit"}
COLUMNS = 24


def test_panels_fill_the_page_without_covering_each_other():
    def cells(panel) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}

    for one, other in combinations(PANELS, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    filled = set().union(*(cells(panel) for panel in PANELS))
    height = max(y for _, y in filled) + 1
    assert filled == {(x, y) for x in range(COLUMNS) for y in range(height)}


def test_each_panel_has_an_id_and_a_title_of_its_own():
    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_source_that_is_provisioned(panel):
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    [source] = sources["datasources"]
    here = {"type": source["type"], "uid": source["uid"]}
    assert panel["type"] in KINDS
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == here
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == here
        assert target["expr"]
        # A number that is shown alone is the newest; a curve needs all of them.
        assert target.get("instant", False) == (panel["type"] != "timeseries")
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == sorted(set(letters))


def test_a_run_is_shown_with_its_progress_and_the_time_left():
    shown = {target["expr"] for panel in PANELS for target in panel["targets"]}
    assert {"chordal_run_settled_ratio", "chordal_run_remaining_seconds", "chordal_run_files_settled"} <= shown
