import pytest

from pipeline.errors import UsageError
from workers.app.path_map import PathMap, local_path, parse_all


def test_a_path_is_where_its_folder_is_mapped_to():
    maps = parse_all(("/music=/mnt/nas/music",))
    assert local_path("/music/a/b.wav", maps) == "/mnt/nas/music/a/b.wav"
    assert local_path("/music", maps) == "/mnt/nas/music"
    assert local_path("/musical/a.wav", maps) == "/musical/a.wav"
    assert local_path("/music/a.wav", ()) == "/music/a.wav"


def test_the_longest_mapped_folder_counts():
    maps = parse_all(("/music/live=/live", "/music/=/mnt/", "/=/elsewhere"))
    assert local_path("/music/live/a.wav", maps) == "/live/a.wav"
    assert local_path("/music/studio/a.wav", maps) == "/mnt/studio/a.wav"
    assert local_path("/else/a.wav", maps) == "/elsewhere/else/a.wav"


def test_names_with_odd_bytes_and_equal_signs_are_mapped():
    maps = (PathMap.parse("/music=/mnt/a=b"),)
    assert local_path("/music/\udcff.wav", maps) == "/mnt/a=b/\udcff.wav"


@pytest.mark.parametrize("given", ["/music", "music=/mnt", "/music=mnt", "="])
def test_what_is_no_pair_of_absolute_paths_is_refused(given):
    with pytest.raises(UsageError, match="THERE=HERE"):
        parse_all((given,))


def test_a_folder_mapped_twice_is_refused():
    with pytest.raises(UsageError, match="map /music: given twice"):
        parse_all(("/music=/a", "/music/=/b"))
