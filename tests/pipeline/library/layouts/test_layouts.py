from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.library.labels import parse_sources
from pipeline.library.layouts import LAYOUTS, layout_of, layout_specs, suggested_layout, with_official_split
from pipeline.library.layouts.layout import read_list
from pipeline.library.scan import scan
from pipeline.library.scan_summary import ScanTally
from pipeline.plans.recipe import load_recipe
from pipeline.plans.scan_rules import ScanRules
from workers.cli.options import LAYOUT_NAMES

FMA_HEADER = (
    ",album,artist,artist,set,set,track,track,track\n"
    ",title,id,name,split,subset,genre_top,genres,title\n"
    "track_id,,,,,,,,\n"
)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


@pytest.fixture
def make(tmp_path):
    """Write files, those of sound empty, as nothing decodes them here; return their folder."""

    def files(*sounds: str):
        write(tmp_path, dict.fromkeys(sounds, ""))
        return tmp_path

    return files


@pytest.fixture
def tracks():
    """Scan libraries by a layout; return labels, group and fold by the end of each path, and what is said."""

    def found(layout: str, *libraries: Path):
        roots = [str(library) for library in libraries]
        specs = layout_specs(layout, roots)
        sources = parse_sources(
            labels=specs["label"], groups=specs.get("group"), folds=specs.get("fold"), libraries=roots
        )
        (each,) = sources.layouts
        tally = ScanTally(grouped=False, folded=False, tables=sources.tables, faults=each.layout.faults)
        rows = {}
        for track in scan(roots, sources=sources, rules=ScanRules(multi=True)):
            tally.add(track)
            rows[Path(track.path).name] = (track.labels, track.group, track.fold)
        summary = tally.summary(1, ())
        return rows, (*summary.observations, *each.reader.notes)

    return found


def test_esc50_gives_categories_folds_and_the_recordings_of_clips(make, tracks):
    root = make("ESC-50/audio/1-100032-A-0.wav", "ESC-50/audio/5-9032-A-0.wav") / "ESC-50"
    write(
        root,
        {
            "meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take\n"
            "1-100032-A-0.wav,1,0,dog,True,100032,A\n5-9032-A-0.wav,5,0,dog,True,9032,A\n"
        },
    )
    rows, said = tracks("esc50", root / "audio")
    assert rows == {"1-100032-A-0.wav": (("dog",), "100032", "1"), "5-9032-A-0.wav": (("dog",), "9032", "5")}
    assert said[0].startswith("the five official folds of ESC-50")
    assert {suggested_layout([str(place)]).name for place in (root, root / "audio")} == {"esc50"}


@pytest.mark.parametrize(
    ("name", "table", "text", "sound"),
    [
        (
            "urbansound8k",
            "UrbanSound8K.csv",
            "slice_file_name,fsID,start,end,salience,fold,classID,class\n9-3-0-0.wav,9,0.0,4.0,1,5,3,dog_bark\n",
            "fold5/9-3-0-0.wav",
        ),
        (
            "esc50",
            "esc50.csv",
            "filename,fold,target,category,esc10,src_file,take\n1-9-A-0.wav,1,0,dog,True,9,A\n",
            "audio/audio/1-9-A-0.wav",
        ),
    ],
)
def test_a_copy_of_a_set_with_its_table_beside_the_folders_of_sound_is_known_too(
    make, tracks, name, table, text, sound
):
    root = make(sound)
    write(root, {table: text})
    assert suggested_layout([str(root)]).name == name
    rows, _ = tracks(name, root)
    assert rows[Path(sound).name][1] == "9"


def test_urbansound8k_gives_classes_folds_and_the_recordings_of_slices(make, tracks):
    root = make("UrbanSound8K/audio/fold5/100032-3-0-0.wav") / "UrbanSound8K"
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    row = "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark\n"
    write(root, {"metadata/UrbanSound8K.csv": header + row + row.replace("100032", "1")})
    rows, said = tracks("urbansound8k", root)
    assert rows == {"100032-3-0-0.wav": (("dog_bark",), "100032", "5")}
    assert said[0] == "1 row of UrbanSound8K.csv matches no file, e.g. 1-3-0-0.wav"
    assert suggested_layout([str(root)]).name == "urbansound8k"


def test_fma_gives_genres_artists_and_the_official_split_of_the_subset_that_is_there(make, tracks):
    root = make("fma_small/000/000002.mp3", "fma_small/099/099134.mp3", "fma_small/000/000010.mp3")
    write(
        root,
        {
            "fma_metadata/tracks.csv": FMA_HEADER
            + '2,"AWOL\nlive",1,AWOL,training,small,Hip-Hop,[21],Food\n'
            + "99134,x,7,Y,test,small,Rock,[12],Silence\n"
            + "10,x,6,Kurt Vile,validation,small,,[10],Freeway\n"
            + '20,x,4,Nicky Cook,training,large,,"[76, 103]",Spiritual\n',
            "fma_metadata/genres.csv": "genre_id,#tracks,parent,title,top_level\n21,12,0,Hip-Hop,21\n12,3,0,Rock,12\n",
        },
    )
    rows, said = tracks("fma", root / "fma_small")
    assert rows == {
        "000002.mp3": (("Hip-Hop",), "1", "train"),
        "000010.mp3": ((), "6", "validation"),
        "099134.mp3": (("Rock",), "7", "test"),
    }
    assert said == (
        "known fault: 099134 holds no sound",
        "the official split of fma_small: training, validation and test by artist",
    )
    assert suggested_layout([str(root / "fma_small")]).name == "fma"


def test_mtg_jamendo_gives_all_tags_artists_and_split_0_in_both_bit_rates(make, tracks):
    root = make("audio/48/948.mp3", "audio/14/214.low.mp3", "audio/12/1012.mp3")
    header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
    rows = {
        "train": "track_0000948\tartist_000087\talbum_000149\t48/948.mp3\t212.7\tgenre---rock\tgenre---pop\n",
        "validation": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock\n",
        "test": "track_0001012\tartist_000093\talbum_000161\t12/1012.mp3\t98.1\tgenre---jazz\n",
    }
    write(root, {f"data/splits/split-0/autotagging_genre-{fold}.tsv": header + row for fold, row in rows.items()})
    found, said = tracks("mtg-jamendo", root / "audio")
    assert found == {
        "948.mp3": (("rock", "pop"), "artist_000087", "train"),
        "214.low.mp3": (("punkrock",), "artist_000014", "validation"),
        "1012.mp3": (("jazz",), "artist_000093", "test"),
    }
    assert said == ("the official split 0 of the genre tags of MTG-Jamendo, by artist",)
    assert suggested_layout([str(root)]).name == "mtg-jamendo"


def test_magnatagatune_gives_all_tags_songs_and_the_split_by_folder(make, tracks):
    fault = "6/norine_braun-now_and_zen-08-gently-117-146.mp3"
    clips = ("b/artist-album-01-song-0-29.mp3", "c/artist-album-02-song-0-29.mp3", "f/a-b-01-c-59-88.mp3", fault)
    root = make(*clips)
    lines = ['"clip_id"\t"no voice"\t"rock"\t"harp"\t"mp3_path"']
    lines += [f'"{n}"\t"0"\t"1"\t"{n % 2}"\t"{clip}"' for n, clip in enumerate(clips)]
    write(root, {"annotations_final.csv": "\n".join(lines) + "\n"})
    found, said = tracks("magnatagatune", root)
    assert found["artist-album-01-song-0-29.mp3"] == (("rock",), "b/artist-album-01-song", "train")
    assert found["artist-album-02-song-0-29.mp3"] == (("rock", "harp"), "c/artist-album-02-song", "validation")
    assert found["a-b-01-c-59-88.mp3"] == (("rock",), "f/a-b-01-c", "test")
    assert said[0] == "known fault: norine_braun-now_and_zen-08-gently-117-146 is empty in every copy"
    assert suggested_layout([str(root)]).name == "magnatagatune"


def test_speech_commands_gives_words_speakers_and_the_official_lists_without_the_noise(make, tracks):
    root = make("yes/a1_nohash_0.wav", "no/b2_nohash_0.wav", "no/c3_nohash_1.wav", "_background_noise_/tap.wav")
    write(
        root,
        {"validation_list.txt": "no/b2_nohash_0.wav\n", "testing_list.txt": "no/c3_nohash_1.wav\nno/x_nohash_0.wav\n"},
    )
    found, said = tracks("speech-commands", root)
    assert found == {
        "a1_nohash_0.wav": (("yes",), "a1", "train"),
        "b2_nohash_0.wav": (("no",), "b2", "validation"),
        "c3_nohash_1.wav": (("no",), "c3", "test"),
        "tap.wav": ((), None, None),
    }
    assert said[1] == "1 line of testing_list.txt matches no file, e.g. no/x_nohash_0.wav"
    assert LAYOUTS["speech-commands"].exclude == ("_background_noise_",)
    assert suggested_layout([str(root)]).name == "speech-commands"


def test_gtzan_gives_genres_and_names_its_faults(make, tracks):
    genres = ("blues", "jazz", "rock")
    sounds = [f"Data/genres_original/{genre}/{genre}.00000.wav" for genre in genres]
    root = make(*sounds, "Data/genres_original/jazz/jazz.00054.wav", "Data/genres_original/jazz/cover.wav")
    found, said = tracks("gtzan", root)
    assert {name: row[0] for name, row in found.items()} == {
        "blues.00000.wav": ("blues",),
        "jazz.00000.wav": ("jazz",),
        "jazz.00054.wav": ("jazz",),
        "rock.00000.wav": ("rock",),
        "cover.wav": (),
    }
    assert said[0] == "known fault: jazz.00054 cannot be read in most copies"
    assert "comes without a list of artists" in said[1]
    assert "fold" not in layout_specs("gtzan", [str(root)])
    assert suggested_layout([str(root)]).name == "gtzan"


def test_gtzan_takes_the_fault_filtered_split_where_all_its_lists_are_there(make, tracks):
    root = make(*(f"genres/blues/blues.0000{n}.au" for n in range(4)))
    lists = {"train": "blues/blues.00000.wav\nblues/blues.00009.wav\n", "valid": "blues/blues.00001.wav\n"}
    write(root, {f"{name}_filtered.txt": text for name, text in lists.items()})
    assert "fold" not in layout_specs("gtzan", [str(root)])
    write(root, {"test_filtered.txt": "blues/blues.00002.wav\n"})
    found, said = tracks("gtzan", root)
    assert [row[2] for _, row in sorted(found.items())] == ["train", "validation", "test", None]
    assert found["blues.00003.au"][0] == ()
    assert said == (
        "the fault-filtered split of GTZAN: 4 files, artists apart; no other file is learned from",
        "1 line of train_filtered.txt matches no file, e.g. blues/blues.00009.wav",
    )


def test_ballroom_gives_dances_and_keeps_albums_and_known_copies_together(make, tracks):
    root = make(
        "BallroomData/ChaChaCha/Albums-Latin_Jam3-02.wav",
        "BallroomData/ChaChaCha/Media-103414.wav",
        "BallroomData/Rumba-Misc/Media-105615.wav",
        "BallroomData/VienneseWaltz/Albums-Chrisanne2-12.wav",
        "BallroomData/Quickstep/Albums-AnaBelen_Veneo-11.wav",
    )
    found, _ = tracks("ballroom", root)
    assert found["Media-105615.wav"] == (("Rumba", "Rumba-Misc"), "Media-105615", None)
    assert found["Albums-Latin_Jam3-02.wav"][1] == found["Media-103414.wav"][1] == "Latin_Jam3"
    assert found["Albums-Chrisanne2-12.wav"][1] == found["Albums-AnaBelen_Veneo-11.wav"][1]
    assert suggested_layout([str(root)]).name == "ballroom"


def test_any_other_folder_looks_like_nothing(make):
    assert suggested_layout([str(make("rock/a.wav", "jazz/b.wav"))]) is None


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in {"gtzan", "ballroom"}])
def test_a_layout_whose_tables_are_not_there_is_refused_with_their_name(make, name):
    with pytest.raises(UsageError, match=rf"layout {name}: no \S+\.(csv|tsv|txt) in .* unpack it there"):
        layout_specs(name, [str(make("a.wav"))])


@pytest.mark.parametrize(
    ("name", "table", "text"),
    [
        ("fma", "fma_metadata/tracks.csv", "track_id,genre\n1,Rock\n"),
        ("fma", "fma_metadata/tracks.csv", FMA_HEADER),
        ("magnatagatune", "annotations_final.csv", "clip_id,rock,mp3_path\n"),
        ("magnatagatune", "annotations_final.csv", "clip_id\trock\tmp3_path\n1\t0\n"),
        ("mtg-jamendo", "data/splits/split-0/autotagging_genre-train.tsv", "TRACK_ID\tPATH\n"),
        ("esc50", "meta/esc50.csv", "filename,fold\n"),
    ],
)
def test_a_table_that_is_another_or_cut_is_refused_in_one_line(make, name, table, text):
    root = make("a.wav")
    others = {f"data/splits/split-0/autotagging_genre-{fold}.tsv": text for fold in ("validation", "test")}
    write(root, {**others, table: text})
    with pytest.raises(UsageError) as caught:
        layout_specs(name, [str(root)])
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_layout_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match="layout esc51: not known; there are gtzan, urbansound8k, esc50"):
        layout_of("layout:esc51")
    assert layout_of("csv:layout.csv") is None


def test_a_recipe_that_leaves_the_split_open_takes_the_official_one():
    recipe = load_recipe("default")
    split = with_official_split(recipe, "layout:fma").split
    assert (split.train_folds, split.validation_folds, split.test_folds) == (("train",), ("validation",), ("test",))
    split.check("split")
    for same in (None, "csv", "layout:esc50"):
        assert with_official_split(recipe, same) == recipe
    own = recipe.replace(split=recipe.split.replace(strategy="kfold"))
    assert with_official_split(own, "layout:fma") == own


def test_the_command_line_offers_every_layout():
    assert tuple(LAYOUTS) == LAYOUT_NAMES


def test_a_list_in_another_encoding_is_refused_and_one_with_a_mark_is_read(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffcafé/1.wav\n".encode())
    assert read_list(str(path)) == ("café/1.wav",)
    path.write_bytes("café/1.wav\n".encode("cp1252"))
    with pytest.raises(UsageError, match=r"list\.txt: not UTF-8 .*; fetch it again$"):
        read_list(str(path))
