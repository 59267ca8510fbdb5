"""Who may reach Flower, and below which path."""

import pytest

from pipeline.errors import UsageError
from workers.service import flower

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize(
    ("address", "auth"), [("127.0.0.1", None), ("::1", None), ("localhost", None), (ANYWHERE, "me:secret")]
)
def test_flower_may_be_shown_to_this_host_or_behind_a_password(address, auth):
    flower.check_guarded(address, auth)


@pytest.mark.parametrize(
    ("address", "auth"), [(ANYWHERE, None), ("::", None), ("studio", None), ("127.0.0.1", "me"), ("::1", ":x")]
)
def test_flower_is_shown_to_nobody_else(address, auth):
    with pytest.raises(UsageError, match="flower"):
        flower.check_guarded(address, auth)


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ""), ("/", ""), ("flower", "/flower"), ("/flower/", "/flower"), ("/music/flower-2.0", "/music/flower-2.0")],
)
def test_a_prefix_is_a_path_however_its_slashes_are_written(text, path):
    assert flower.parse_prefix(text) == path


@pytest.mark.parametrize(
    "text", ["/a b", "http://studio/flower", "a//b", "/flower?x", "(", "..", "/a/../b", "\N{SNOWMAN}"]
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(UsageError, match="flower prefix"):
        flower.parse_prefix(text)
