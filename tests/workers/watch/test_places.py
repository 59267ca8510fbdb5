import pytest

from workers.watch import file_systems
from workers.watch.file_systems import Mount
from workers.watch.places import EMPTY, NO_FOLDER, REPLACED, UNMOUNTED, Place, PlaceChange, Presence, look, look_into

LIBRARY, INNER = "/lib", "/lib/inner"
FOLDER, OTHER, BARE = (
    Place(device=1, inode=2),
    Place(device=1, inode=3),
    Place(device=1, inode=4, is_empty=True),
)


def gone(path: str, reason: str) -> PlaceChange:
    return PlaceChange(kind="gone", path=path, reason=reason)


def back(path: str) -> PlaceChange:
    return PlaceChange(kind="back", path=path)


def test_a_library_that_goes_is_reported_once_and_once_when_it_is_back():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    assert presence.update({LIBRARY: FOLDER}) == []
    assert presence.update({LIBRARY: Place(reason=NO_FOLDER)}) == [gone(LIBRARY, NO_FOLDER)]
    assert presence.update({LIBRARY: Place(reason="stale file handle")}) == []
    assert not presence.is_there
    assert presence.update({LIBRARY: FOLDER}) == [back(LIBRARY)]
    assert presence.update({LIBRARY: FOLDER}) == []


def test_another_folder_of_the_same_name_is_a_library_that_went_and_came():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    assert presence.update({LIBRARY: OTHER}) == [gone(LIBRARY, REPLACED), back(LIBRARY)]
    assert presence.is_there
    assert presence.update({LIBRARY: OTHER}) == []


def test_an_empty_folder_in_its_place_is_where_it_should_be_mounted():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    assert presence.update({LIBRARY: BARE}) == [gone(LIBRARY, EMPTY)]
    assert presence.update({LIBRARY: BARE.replace(is_empty=False)}) == [back(LIBRARY)]


def test_what_is_mounted_where_an_empty_library_was_is_its_return():
    assert Presence(LIBRARY, {LIBRARY: BARE}).update({LIBRARY: FOLDER}) == [back(LIBRARY)]


def test_a_library_that_was_emptied_or_always_empty_is_there():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    assert presence.update({LIBRARY: FOLDER.replace(is_empty=True)}) == []
    assert Presence(LIBRARY, {LIBRARY: BARE}).update({LIBRARY: BARE}) == []


def test_a_mount_in_a_library_goes_and_comes_by_itself():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER, INNER: OTHER})
    assert presence.update({LIBRARY: FOLDER}) == [gone(INNER, UNMOUNTED)]
    assert presence.missing == {INNER: UNMOUNTED}
    assert presence.is_there
    # the folder that it was mounted on
    assert presence.update({LIBRARY: FOLDER, INNER: BARE}) == []
    assert presence.update({LIBRARY: FOLDER, INNER: OTHER}) == [back(INNER)]
    assert presence.missing == {}


def test_what_is_mounted_later_is_new():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    assert presence.update({LIBRARY: FOLDER, INNER: OTHER}) == [PlaceChange(kind="new", path=INNER)]
    assert presence.update({LIBRARY: FOLDER, INNER: OTHER}) == []


def test_a_folder_that_could_not_be_looked_into_is_awaited():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    presence.miss(INNER, "permission denied")
    assert presence.update({LIBRARY: FOLDER, INNER: Place(reason="permission denied")}) == []
    assert presence.update({LIBRARY: FOLDER, INNER: OTHER}) == [back(INNER)]
    assert presence.update({LIBRARY: FOLDER}) == []


def test_a_folder_that_could_not_be_looked_into_and_is_removed_is_awaited_no_more():
    presence = Presence(LIBRARY, {LIBRARY: FOLDER})
    presence.miss(INNER, "permission denied")
    assert presence.update({LIBRARY: FOLDER, INNER: Place(reason=NO_FOLDER)}) == []
    assert presence.missing == {}
    assert presence.update({LIBRARY: FOLDER}) == []


@pytest.mark.parametrize(("kind", "is_known"), [("ext4", True), ("fuse.sshfs", False), ("cifs", False)])
def test_a_folder_is_known_by_its_inode_where_that_stays(tmp_path, monkeypatch, kind, is_known):
    monkeypatch.setattr(file_systems, "mounts", lambda: [Mount(path="/", kind=kind)])
    library = str(tmp_path)
    place = look(library)[library]
    assert (place.inode == tmp_path.stat().st_ino) is is_known
    assert place.device == tmp_path.stat().st_dev


def test_a_look_names_the_reason_why_there_is_nothing_to_see(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "folder").mkdir()
    assert look_into(str(tmp_path / "nowhere")).reason == NO_FOLDER
    assert look_into(str(tmp_path / "file")).reason == "a file, not a folder"
    assert look_into(str(tmp_path / "file" / "below")).reason == "not a directory"
    assert look_into(str(tmp_path / "circle")).reason == "too many levels of symbolic links"
    place = look_into(str(tmp_path / "folder"))
    assert (place.reason, place.is_empty) == ("", True)
    assert place.is_same(look(str(tmp_path / "folder"))[str(tmp_path / "folder")])
