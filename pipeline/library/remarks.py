"""Remarks: what decoders had to say of files that were used all the same, in words."""


def describe_remarks(files: int) -> str:
    """Return in words that there are remarks of decoders on so many files; nothing where there are none."""
    if not files:
        return ""
    were = "file was used in part or has" if files == 1 else "files were used in part or have"
    return f"{files:,} {were} a remark; `chordal failures --remarks` lists {'it' if files == 1 else 'them'}"
