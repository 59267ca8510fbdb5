"""Commands as a hardened service or a container has them, on Linux, for root: another user, and a read-only system."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

UID = 4242
"""A user that no host has."""

ROOT = Path(__file__).parent.parent.parent


def reason_to_skip() -> str:
    """Return why this machine has no sandbox; empty where it has one."""
    if not sys.platform.startswith("linux"):
        return "mount namespaces are Linux's"
    if os.geteuid() != 0:
        return "only root can be another user"
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return "needs unshare and setpriv"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], check=False, capture_output=True, text=True
    )
    return f"may not mount: {tried.stderr.strip()}" if tried.returncode else ""


class Sandbox:
    """A folder at `/mnt/place`, where a user without name or home folder can write to `home` alone.

    What is in it elsewhere, and all that is outside, can be read at most; `/tmp` is its own, and can be written.
    """

    home = "/mnt/place/home"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "home").mkdir(exist_ok=True)
        os.chown(folder / "home", UID, UID)
        # What an interpreter needs may lie where only its owner may pass, or in /tmp: it is kept elsewhere in between.
        wanted = {ROOT, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
        self._needed = sorted(each for each in wanted if wanted.isdisjoint(each.parents))

    def run(
        self, script: str, *, before: str = "", tmp_is_writable: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the shell in which `chordal` is the command; `before` is run first, by root."""
        settings = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment}
        given = [f"{name}={value}" for name, value in settings.items()]
        shell = f'chordal() {{ {shlex.quote(sys.executable)} -P -m workers.cli "$@"; }}\n{script}'
        user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i", *given]
        lines = [*self._mounts(tmp_is_writable=tmp_is_writable), before, "cd /"]
        lines += [f"exec {shlex.join([*user, 'sh', '-ec', shell])}"]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-ec", "\n".join(lines)],
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def _mounts(self, *, tmp_is_writable: bool) -> list[str]:
        """Return the commands that hide what other users cannot see, and make all read-only but the home and /tmp."""
        kept = {f"/mnt/{number}": shlex.quote(str(path)) for number, path in enumerate(self._needed)}
        covers = {"/tmp", *(str(cover) for path in self._needed if (cover := _closed_above(path)))}  # noqa: S108
        lines = ["umask 022", "mount -t tmpfs -o mode=755 tmpfs /mnt", "mkdir /mnt/place"]
        lines += [f"mount --bind {shlex.quote(str(self._folder))} /mnt/place", f"mount --bind {self.home} {self.home}"]
        lines += [f"mkdir {between} && mount --bind {path} {between}" for between, path in kept.items()]
        # The folder of the tests is its owner's alone; what is bound has left that behind.
        lines += [f"mount -t tmpfs -o mode=1777 tmpfs {shlex.quote(cover)}" for cover in sorted(covers)]
        lines += [f"mkdir -p {path} && mount --bind {between} {path}" for between, path in kept.items()]
        writable = f"{self.home}|/proc*|/sys*|/dev*" + ("|/tmp" if tmp_is_writable else "")
        remount = 'mount -o remount,ro,bind "$at" 2>/dev/null || true'
        lines += [
            f'while read -r _ at _; do case "$at" in {writable}) ;; *) {remount} ;; esac; done </proc/self/mounts'
        ]
        return lines


def _closed_above(path: Path) -> Path | None:
    """Return the topmost folder above a path that other users may not pass; None when they may pass all."""
    return next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)
