"""Damaged variants of real files, and the child process that decodes them under a bound of memory.

Run as `python damage.py FOLDER FIRST LAST`: reads the files of a folder, and for each seed writes one line of JSON to
standard output before it decodes the seed's variant and one after it.
"""

import json
import random
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

BOUND_S = 60.0
MEMORY_BYTES = 1_500_000_000
"""What the address space of the child may grow by once everything is imported."""

Files = Mapping[str, bytes]


def flip(data: bytearray, chance: random.Random, _files: Files) -> None:
    for _ in range(chance.choice((1, 8, 100))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_in_the_header(data: bytearray, chance: random.Random, _files: Files) -> None:
    reach = min(len(data), chance.choice((64, 256, 1024)))
    for _ in range(chance.choice((1, 2, 8))):
        data[chance.randrange(reach)] ^= 1 << chance.randrange(8)


def lie_in_the_header(data: bytearray, chance: random.Random, _files: Files) -> None:
    at = chance.randrange(min(len(data), 600))
    number = chance.choice(("ffffffff", "7fffffff", "ffffff7f", "00000000", "80000000", "ffffffffffffffff", "00000001"))
    data[at : at + len(number) // 2] = bytes.fromhex(number)


def truncate(data: bytearray, chance: random.Random, _files: Files) -> None:
    del data[chance.randrange(1, len(data)) :]


def take_the_header_of_another(data: bytearray, chance: random.Random, files: Files) -> None:
    length = chance.choice((16, 64, 512, 4096))
    data[:length] = files[chance.choice(sorted(files))][:length]


def go_on_as_another(data: bytearray, chance: random.Random, files: Files) -> None:
    other = files[chance.choice(sorted(files))]
    data[chance.randrange(1, len(data)) :] = other[chance.randrange(len(other)) :]


def prepend_junk(data: bytearray, chance: random.Random, _files: Files) -> None:
    size = chance.randrange(1, 5_000)
    tag = b"ID3\x03\0\0" + chance.randbytes(4) + b"APIC\xff\xff\xff\xff\0\0"
    data[:0] = chance.choice((bytes(size), chance.randbytes(size), tag, b"ID3\x04\0\0\x7f\x7f\x7f\x7f"))


def lose_a_piece(data: bytearray, chance: random.Random, _files: Files) -> None:
    at = chance.randrange(1, len(data))
    del data[at : at + chance.choice((1, 2, 100, 5_000))]


def repeat_a_piece(data: bytearray, chance: random.Random, _files: Files) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.choice((8, 1_000, 10_000))]


def overwrite_a_piece(data: bytearray, chance: random.Random, _files: Files) -> None:
    at, size = chance.randrange(len(data)), chance.choice((4, 64, 2_000))
    data[at : at + size] = chance.randbytes(size)


DAMAGES: tuple[Callable[[bytearray, random.Random, Files], None], ...] = (
    flip,
    flip_in_the_header,
    lie_in_the_header,
    truncate,
    take_the_header_of_another,
    go_on_as_another,
    prepend_junk,
    lose_a_piece,
    repeat_a_piece,
    overwrite_a_piece,
)


def variant(seed: int, files: Files) -> tuple[str, bytes]:
    """Return what was done to which file, with the extension of a third one, and the result."""
    chance = random.Random(seed)
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        damage = chance.choice(DAMAGES)
        damage(data, chance, files)
        done.append(damage.__name__)
    extension = Path(chance.choice(sorted(files))).suffix
    return f"{name}: {', '.join(done)}{extension}", bytes(data)


def _report(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _bound_memory() -> None:
    """Limit the memory to what a corrupt header would exceed; not on other systems, where the test reads the peak."""
    if sys.platform.startswith("linux"):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES,) * 2)


def _peak_bytes() -> int:
    """Return the most memory this process ever held; on Linux `getrusage` would count its parent's as well."""
    if sys.platform.startswith("linux"):
        status = Path("/proc/self/status").read_text("ascii")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(folder: Path, first: int, last: int) -> None:
    """Decode the variants of the seeds from `first` to before `last`."""
    from pipeline.audio.decode import open_audio
    from pipeline.audio.decoders import libav  # noqa: F401 -- before the bound
    from pipeline.errors import PermanentError

    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    _bound_memory()
    before = _peak_bytes()
    for seed in range(first, last):
        what, content = variant(seed, files)
        path = folder.parent / f"variant{Path(what).suffix}"
        path.write_bytes(content)
        _report(seed=seed, what=what)
        try:
            with open_audio(str(path), max_duration_s=BOUND_S) as reader:
                frames = sum(len(block) for block in reader.blocks())
            _report(seed=seed, frames=frames, note=reader.note)
        except PermanentError as error:
            _report(seed=seed, kind=error.kind, reason=str(error))
        path.unlink()
    _report(grown_bytes=_peak_bytes() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
