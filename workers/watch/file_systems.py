"""Which file systems tell the kernel of every change: of what another host changes, or something beneath, it is silent.

The kinds it knows everything about are few, old and known; those it does not are many, and new ones come: sharing is a
trade. So the former are listed, and whatever is not among them is looked through. A wrong guess then costs reading
instead of songs that nobody notices.
"""

import os
import re
from pathlib import Path

import psutil

from pipeline.text import printable
from pipeline.wire import Value

LOCAL = frozenset({
    # Disks of this host alone, on Linux
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "jffs2", "ubifs", "nilfs2", "reiserfs",
    "reiser4", "minix",
    # and of other systems, also by FUSE: `fuseblk` has a block device for itself.
    "vfat", "msdos", "exfat", "ntfs", "ntfs3", "hfs", "hfsplus", "apfs", "ufs", "fuseblk", "fuse.ntfs-3g",
    "fuse.lowntfs-3g", "fuse.ntfs", "fuse.exfat", "fuse.fuse2fs", "fuse.ext2", "fuse.apfs", "fuse.zfs-fuse",
    # Memory
    "tmpfs", "ramfs", "rootfs",
    # What nobody changes at all
    "iso9660", "cd9660", "udf", "squashfs", "erofs", "cramfs", "romfs", "fuse.squashfuse", "fuse.archivemount",
    # A layer over another that must not change while it is there, as the kernel's documentation has it: a container's
    # root. The folders that Docker Desktop shares have kinds of their own (fakeowner, grpcfuse, osxfs, virtiofs).
    "overlay", "aufs", "ecryptfs",
    # The first Windows Subsystem for Linux, whose own files only it changes; `drvfs` and `9p` are Windows' own.
    "lxfs", "wslfs",
    # A place where others appear by themselves: what is mounted there counts, and is in the table as well.
    "autofs",
})  # fmt: skip
"""File systems of which the kernel tells every change, as the table of mounts names them.

Not among them, so looked through: shares of other hosts (nfs, nfs4, cifs, smb2, smb3, smbfs, afpfs, ncpfs, webdav,
davfs, afs, coda), of a cluster (ceph, glusterfs, lustre, gpfs, beegfs, pvfs2, orangefs, and also ocfs2 and gfs2, where
several hosts have one disk), of a virtual machine's host (9p, virtiofs, vboxsf, vmhgfs, prl_fs, drvfs), and FUSE
(fuse.sshfs, fuse.rclone, fuse.s3fs, fuse.gcsfuse, ...), where even a union or another view of local folders
(fuse.mergerfs, fuse.unionfs, fuse.bindfs, fuse.gocryptfs) says nothing of what changes beneath it.
"""

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mount(Value, frozen=True, kw_only=True):
    """A mounted file system: where, and of which kind."""

    path: str
    kind: str


def mounts() -> list[Mount]:
    """Return what is mounted, the last one of several at one place last; nothing where that cannot be known."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:  # no Linux, or no /proc
        try:
            parts = psutil.disk_partitions(all=True)
        except (OSError, RuntimeError, psutil.Error):
            return []
        return [Mount(path=part.mountpoint, kind=part.fstype) for part in parts]
    return [mount for line in lines if (mount := _parse(line)) is not None]


def _parse(line: bytes) -> Mount | None:
    """Return the mount of a line like `36 35 98:0 /root /mnt\\040a rw,noatime shared:1 - ext3 /dev/sda1 rw`."""
    place, _, rest = line.partition(b" - ")
    fields, kinds = place.split(), rest.split()
    if len(fields) < 5 or not kinds:
        return None
    # Blanks, line ends, backslashes and, since Linux 6, number signs are written in octal digits.
    path, kind = (_ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), word) for word in (fields[4], kinds[0]))
    return Mount(path=os.fsdecode(path), kind=os.fsdecode(kind))


def mounts_below(folder: str, table: list[Mount]) -> list[Mount]:
    """Return the mounts below a real folder, each place once; not those in hidden folders, which no walk enters."""
    start = folder.rstrip("/") + "/"
    below = {mount.path: mount for mount in table if mount.path.startswith(start)}
    return [mount for path, mount in below.items() if not f"/{path.removeprefix(start)}".count("/.")]


def kind_at(folder: str, table: list[Mount]) -> str:
    """Return the kind of file system that a real folder is on; an empty string where that is not known."""
    there = Mount(path="", kind="")
    for mount in table:
        start = mount.path.rstrip("/")
        if (folder == start or folder.startswith(f"{start}/")) and len(start) >= len(there.path.rstrip("/")):
            there = mount
    return there.kind


def silent_mount(folder: str, table: list[Mount] | None = None) -> Mount | None:
    """Return the first mount at or below a folder of whose changes the kernel does not tell all; None without one."""
    real = os.path.realpath(folder)
    table = mounts() if table is None else table
    candidates = [Mount(path=folder, kind=kind_at(real, table)), *mounts_below(real, table)]
    return next((mount for mount in candidates if mount.kind and mount.kind not in LOCAL), None)


def describe_silence(mount: Mount) -> str:
    """Return in words why the kernel is not relied upon for a mount."""
    return f"{printable(mount.path)} is on {mount.kind}, where the kernel does not tell what others change"
