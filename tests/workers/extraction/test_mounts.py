from types import SimpleNamespace

from workers.extraction.mounts import MountCheck


def test_a_run_that_was_cancelled_waits_for_its_library_no_more(tmp_path):
    library = tmp_path / "library"
    context = SimpleNamespace(
        plan=lambda _run_id: SimpleNamespace(libraries=(str(library),)), settings=SimpleNamespace(maps=())
    )
    mounts = MountCheck()
    assert "no such file or directory" in mounts.check(context, "run")
    mounts.check_missing(context, lambda _run_id: False)
    assert str(library) in mounts.missing
    mounts.check_missing(context, lambda run_id: run_id == "run")
    assert mounts.missing == ""
