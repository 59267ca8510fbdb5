"""What the name of a file says that it is: sound, what lies beside sound, or nothing that anybody knows."""

from typing import Literal

SOUND = frozenset({
    # What libsndfile reads,
    "wav", "wave", "bwf", "rf64", "w64", "flac", "fla", "ogg", "oga", "opus", "mp3", "mp2", "mp1", "mpga", "mpa", "m2a",
    "aif", "aiff", "aifc", "afc", "au", "snd", "caf", "sph", "nist", "voc", "sf", "ircam", "avr", "paf", "svx", "8svx",
    # and what FFmpeg does, of sound,
    "m4a", "m4b", "m4r", "f4a", "aac", "adts", "loas", "latm", "wma", "xwma", "ape", "wv", "tta", "tak", "shn", "qoa",
    "ac3", "eac3", "ec3", "dts", "dtshd", "mlp", "thd", "truehd", "dsf", "dff", "mpc", "mp+", "mpp", "spx", "ogx",
    "amr", "awb", "3ga", "ra", "oma", "aa3", "at3", "mka", "weba", "nut", "als",
    # and of pictures with sound: a file nobody can read is recorded, not overlooked.
    "mp4", "m4v", "mov", "qt", "3gp", "3gpp", "3g2", "f4v", "flv", "mkv", "mk3d", "webm", "avi", "divx", "wmv", "asf",
    "ogv", "ogm", "mpg", "mpeg", "vob", "m2ts", "mts", "m2t", "rm", "rmvb", "trp",
})  # fmt: skip
"""Extensions, in lower case and without the dot, of the files that are scanned."""

COMPANIONS = frozenset({
    # Pictures,
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp", "tif", "tiff", "heic", "heif", "avif", "svg", "ico",
    "psd", "xcf",
    # lists, cue sheets and words,
    "m3u", "m3u8", "pls", "xspf", "wpl", "zpl", "asx", "ram", "fpl", "b4s", "cue", "toc", "ccd", "lrc", "srt", "sub",
    "ass", "ssa", "vtt", "txt", "md", "rst", "rtf", "pdf", "doc", "docx", "odt", "xls", "xlsx", "ods", "csv", "tsv",
    "epub", "htm", "html", "mht", "xml", "json", "jsonl", "jams", "yaml", "yml", "toml", "nfo", "diz", "log", "accurip",
    "url", "webloc", "desktop", "lnk", "ini", "cfg", "conf", "bib", "tex", "textgrid", "lab",
    # sums and archives,
    "md5", "sha1", "sha256", "sha512", "sfv", "ffp", "st5", "par", "par2", "zip", "rar", "7z", "tar", "gz", "tgz",
    "bz2", "xz", "zst", "torrent", "iso", "mds", "nrg",
    # what programs keep,
    "db", "sqlite", "sqlite3", "itdb", "itl", "plist", "asd", "ovw", "pkf", "sfk", "sfl", "peak", "pek",
    "reapeaks", "gpk", "hdp", "edl", "ifo", "bup", "bif", "idx", "npz", "npy", "h5", "hdf5", "pkl", "parquet",
    # programs themselves,
    "py", "pyc", "ipynb", "sh", "bat", "exe", "dll", "js", "css", "c", "h", "m", "r", "mat",
    # and scores.
    "mid", "midi", "kar", "musicxml", "mxl", "mscz", "gp3", "gp4", "gp5", "gpx", "ly", "abc", "krn",
})  # fmt: skip
"""Extensions of what is known to be no sound; such files are counted and never opened."""

CUE_SHEET = "cue"
"""The extension of a sheet that cuts an album's file into tracks."""

PROTECTED = frozenset({"m4p", "aax", "aaxc", "aa"})
"""Extensions of files that only their shop's program can read."""

PARTIAL = frozenset({
    "part", "partial", "crdownload", "download", "opdownload", "fdmdownload", "filepart", "tmp", "temp", "!qb", "!ut",
    "!bt", "!sync", "bc!", "jc!", "aria2", "td", "xltd", "dtapart", "incomplete", "unconfirmed", "ytdl", "icloud",
})  # fmt: skip
"""Extensions of files that are not complete: downloads that go on, and what is still in a cloud."""

BACKUPS = frozenset({"bak", "backup", "old", "orig", "sav", "swp"})
"""Extensions of copies that programs kept aside."""

PARTIAL_BEGINNINGS = ("INCOMPLETE~", "~syncthing~", "__INCOMPLETE__", "~$")
"""What the names of such files begin with, whatever their extension is."""

Kind = Literal["sound", "companion", "protected", "partial", "backup", "unknown"]

REMARKS: dict[Kind, str] = {"protected": "protected", "partial": "not complete", "backup": "a copy kept aside"}
"""What is said beside the extension of files that one might miss."""

WITHOUT_EXTENSION = "without extension"

_LONGEST_EXTENSION = 16


def extension_of(name: str) -> str:
    """Return the extension of a file's name or path, in lower case and without the dot; empty without one.

    What stands behind the dot of `01. Blue in Green` is none.
    """
    stem, dot, extension = name[name.rfind("/") + 1 :].rpartition(".")
    if not dot or not stem.strip(".") or len(extension) > _LONGEST_EXTENSION or " " in extension:
        return ""
    return extension.lower()


def kind_of(name: str) -> Kind:
    """Return what the name of a file, without folders, says that it is."""
    if name.startswith(PARTIAL_BEGINNINGS):
        return "partial"
    return kind_of_extension(extension_of(name))


def kind_of_extension(extension: str) -> Kind:
    """Return what an extension, in lower case and without the dot, says of a file."""
    for kind, extensions in _KINDS.items():
        if extension in extensions:
            return kind
    return "backup" if extension.endswith("~") else "unknown"


_KINDS: dict[Kind, frozenset[str]] = {
    "sound": SOUND,
    "companion": COMPANIONS,
    "protected": PROTECTED,
    "partial": PARTIAL,
    "backup": BACKUPS,
}


def describe_files(extension: str, files: int) -> str:
    """Return how many files have an extension, with what is to be said of such files; e.g. `.m4p 1 (protected)`."""
    remark = REMARKS.get(kind_of_extension(extension))
    words = f"{f'.{extension}' if extension else WITHOUT_EXTENSION} {files:,}"
    return f"{words} ({remark})" if remark else words
