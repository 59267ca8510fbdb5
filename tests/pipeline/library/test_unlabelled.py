import pytest

from pipeline.library.unlabelled import describe_unlabelled
from pipeline.library.vocabulary.tally import FoldCounts


@pytest.mark.parametrize(
    ("labels", "mend"),
    [
        ("tag:genre", "write the tag into them"),
        ("tag:gerne", "give tag:genre, if you meant that"),
        ("tag:Album-Artists", "give tag:album_artist, if you meant that"),
        ("tag:style", "write the tag into them"),
        ("name:^x", "mend the rule of --labels"),
    ],
)
def test_files_without_a_label_are_counted_by_format_with_the_mend(labels, mend):
    words = describe_unlabelled({"wav": 6, "wma": 2}, labels)
    assert words.startswith(f"8 unlabelled: 2 wma, 6 wav; nothing is learned from them: {mend}")


def test_what_the_vocabulary_dropped_is_not_asked_to_be_tagged():
    folded = FoldCounts(labels=0, files=0, into=0, dropped=1, unlabelled=2)
    assert "3 unlabelled (2 by the vocabulary): 3 wav; " in describe_unlabelled({"wav": 3}, "tag:genre", folded)
    assert "mend the vocabulary" in describe_unlabelled({"wav": 2}, "tag:genre", folded)
