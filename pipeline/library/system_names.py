"""Folders and files that systems, network storage and programs keep beside people's music: none of it is the music.

They hold what was deleted, earlier states, previews and indexes, often under the names of the sound they are made of.
In a name `*` and `?` stand for what varies in it, `[0-9]` for a digit. The page on libraries has the table of folders.
"""

import re
from collections.abc import Iterable

FOLDERS = {
    "Synology": (
        "@eaDir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@sharesnap", "@SynoDrive", "@SynoResource", "@S2S",
        ".SynologyWorkingDirectory",
    ),
    "QNAP": (
        "@Recycle", "@Recently-Snapshot", "@__thumb", ".@__thumb", ".@__qini", "@Transcode", ".@upload_cache",
        "Network Recycle Bin*", ".streams", ".qsync", ".qsync_sn",
    ),
    "NETGEAR": (".ReadyDLNA", "._share", "Recycle Bin"),
    "ASUSTOR": (".@metadata", ".@plugins"),
    "Western Digital": (".wdmc", ".wdcache", ".twonkymedia*"),
    "Buffalo": ("trashbox",),
    "TrueNAS, Samba": (".zfs", ".recycle", "@GMT-????.??.??-??.??.??"),
    "Unraid": (".Recycle.Bin",),
    "NetApp": (".snapshot", "~snapshot"),
    "Snapper, Btrfs, Ceph": (".snapshots", "@snapshots", ".snap"),
    "Nextcloud, ownCloud": ("files_trashbin", "files_versions", "appdata_oc*"),
    "Syncthing": (".stversions", ".stfolder*"),
    "Resilio Sync": (".sync",),
    "Dropbox": (".dropbox.cache", ".dropbox"),
    "Google Drive": (".tmp.drivedownload", ".tmp.driveupload"),
    "Windows": (
        "$RECYCLE.BIN", "RECYCLE.BIN", "RECYCLER", "RECYCLED", "System Volume Information", "$Extend", "$WinREAgent",
        "$WINDOWS.~*", "Windows.old", "WindowsImageBackup", "found.[0-9][0-9][0-9]",
    ),
    "macOS": (
        "__MACOSX", ".AppleDouble", ".AppleDB", ".AppleDesktop", ".Trash", ".Trashes", ".Spotlight-V100", ".fseventsd",
        ".DocumentRevisions-V100", ".TemporaryItems", "Temporary Items", "Network Trash Folder",
        "TheVolumeSettingsFolder", "TheFindByContentFolder", "*.sparsebundle",
    ),
    "Time Machine": ("Backups.backupdb", ".MobileBackups*", "*.backupbundle"),
    "Linux": ("lost+found", ".Trash-*", ".thumbnails"),
    "Android": ("LOST.DIR",),
    "Plex": ("Plex Versions",),
    "SABnzbd, while it loads": ("_UNPACK_*", "_FAILED_*"),
    "Safari, while it loads": ("*.download",),
}  # fmt: skip
"""Folders that are left out, whatever is in them, by what makes them."""

FILES = {
    "macOS": ("._*", ".DS_Store", ".localized", "Icon\r"),
    "Windows": ("Thumbs.db", "ehthumbs*.db", "desktop.ini"),
    "Synology": ("*@SynoEAStream", "*@SynoResource"),
    "chordal": (".chordalignore",),
}
"""Files that are left out, and are no loss to anybody."""

AS_WRITTEN = frozenset({"RECYCLER", "RECYCLED"})
"""Names that count in these letters alone: in others they are albums."""


def _names(table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for names in table.values() for name in names)


def _expression(names: Iterable[str]) -> re.Pattern[str]:
    """Return what matches some names and nothing else, with a group for each."""
    parts = []
    for name in names:
        text = re.escape(name).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\[0\-9\]", "[0-9]")
        parts.append(f"({text})" if name in AS_WRITTEN else f"((?i:{text}))")
    return re.compile("|".join(parts), re.DOTALL)


_FOLDER_NAMES = _names(FOLDERS)
_FOLDERS, _FILES = _expression(_FOLDER_NAMES), _expression(_names(FILES))


def system_folder(name: str) -> str | None:
    """Return the name in the table that a folder's name is; None for a folder of people."""
    match = _FOLDERS.fullmatch(name)
    return _FOLDER_NAMES[match.lastindex - 1] if match and match.lastindex else None


def is_system_file(name: str) -> bool:
    """Tell whether a file is one that systems make for themselves."""
    return _FILES.fullmatch(name) is not None
