"""A command says why its worker's first start takes long."""

from conditions import eventually

from pipeline.kernels import compilation
from workers.processes.kernel_notice import COMPILING, kernel_notice


def test_a_command_looks_for_what_a_worker_writes():
    assert compilation.COMPILING == COMPILING


def test_the_line_is_shown_once_and_none_of_an_earlier_start(tmp_path):
    log = tmp_path / "logs" / "extract.log"
    log.parent.mkdir()
    log.write_text("10:00 INFO compiling kernels, once: of yesterday\n", "utf-8")
    shown = []
    with kernel_notice(tmp_path, shown.append), log.open("a", encoding="utf-8") as worker:
        worker.write("10:01 INFO starting\n10:01 INFO compiling kern")
        worker.flush()
        worker.write("els, once: they are kept in /k\n10:02 INFO compiling kernels, once: again\n")
        worker.flush()
        eventually(lambda: shown)
    assert shown == ["compiling kernels, once: they are kept in /k"]


def test_a_home_without_a_log_and_one_whose_log_is_put_aside_are_no_trouble(tmp_path):
    shown = []
    with kernel_notice(tmp_path, shown.append):
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "extract.log").write_text("INFO compiling kernels, once: here\n", "utf-8")
        eventually(lambda: shown)
    assert shown == ["compiling kernels, once: here"]
