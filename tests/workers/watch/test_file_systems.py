import os

import pytest

from workers.watch import file_systems
from workers.watch.file_systems import LOCAL, Mount, mounts, mounts_below, silent_mount

TABLE = [
    Mount(path="/", kind="ext4"),
    Mount(path="/music", kind="xfs"),
    Mount(path="/music/shared songs", kind="cifs"),
    Mount(path="/musical", kind="nfs4"),
    Mount(path="/music/.cache/docs", kind="fuse.portal"),
    Mount(path="/net", kind="autofs"),
    Mount(path="/net/nas", kind="autofs"),
    Mount(path="/net/nas", kind="nfs"),
]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", None),
        ("/music/jazz", None),
        ("/music", "cifs"),  # by what is mounted in it
        ("/music/shared songs/a", "cifs"),
        ("/music/shared", None),
        ("/musical/a", "nfs4"),
        ("/net", "nfs"),
        ("/net/nas/a", "nfs"),  # not by what mounts it
        ("/", "cifs"),
    ],
)
def test_a_folder_is_notified_of_when_all_that_is_mounted_in_it_is(folder, kind):
    mount = silent_mount(folder, TABLE)
    assert (mount.kind if mount else None) == kind


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "afpfs",
        "9p",
        "virtiofs",
        "vboxsf",
        "vmhgfs",
        "prl_fs",
        "ncpfs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "pvfs2",
        "orangefs",
        "afs",
        "coda",
        "davfs",
        "fuse.davfs",
        "webdav",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.goofys",
        "fuse.mergerfs",
        "fuse.unionfs",
        "fuse.bindfs",
        "fuse.new",
        "osxfuse",
        "macfuse",
        "drvfs",
        "fakeowner",
        "fuse.grpcfuse",
        "osxfs",
        "ocfs2",
        "gfs2",
        "fuse.juicefs",
        "fuse",
        "fuse.vmhgfs-fuse",
        "newfs",
    ],
)
def test_shares_and_whatever_is_not_known_are_looked_through(kind):
    assert silent_mount("/lib", [Mount(path="/", kind=kind)]) == Mount(path="/lib", kind=kind)


@pytest.mark.parametrize(
    "kind",
    [
        "ext4",
        "xfs",
        "btrfs",
        "zfs",
        "tmpfs",
        "apfs",
        "hfs",
        "exfat",
        "vfat",
        "ntfs3",
        "fuseblk",
        "overlay",
        "iso9660",
        "squashfs",
    ],
)
def test_disks_of_this_host_are_notified_of(kind):
    assert kind in LOCAL
    assert silent_mount("/lib", [Mount(path="/", kind=kind)]) is None


def test_mounts_below_a_folder_are_those_that_a_walk_meets():
    assert [mount.path for mount in mounts_below("/music", TABLE)] == ["/music/shared songs"]
    assert mounts_below("/net", TABLE) == [Mount(path="/net/nas", kind="nfs")]


def test_the_table_of_mounts_is_read_whatever_the_names_are(monkeypatch, tmp_path):
    table = tmp_path / "mountinfo"
    table.write_bytes(
        b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        b"36 27 98:0 /root /mnt\\040with\\011odd\\012names\\134and\\043 rw master:1 shared:2 - fuse.sshfs a\\040b rw\n"
        b"37 27 98:0 / /mnt/\xc3\xb6\xff rw - nfs4 - rw\n"
        b"broken\n"
    )
    monkeypatch.setattr(file_systems, "_MOUNTS", table)
    assert mounts() == [
        Mount(path="/", kind="ext4"),
        Mount(path="/mnt with\todd\nnames\\and#", kind="fuse.sshfs"),
        Mount(path=os.fsdecode(b"/mnt/\xc3\xb6\xff"), kind="nfs4"),
    ]


def test_this_host_has_a_root(monkeypatch, tmp_path):
    assert any(mount.path == "/" and mount.kind for mount in mounts())
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")  # as where there is no /proc
    assert any(mount.path == "/" and mount.kind for mount in mounts())
