"""The addresses of a service's pages."""

import pytest

from workers.service.supervisor import Page

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (ANYWHERE, "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("studio", "http://studio:80"),
    ],
)
def test_a_page_has_an_address_that_this_host_can_open(address, url):
    assert Page(address=address, port=80).url == url


def test_a_page_below_a_path_has_an_address_that_ends_with_a_slash():
    assert Page(address="studio", port=80, prefix="/flower").url == "http://studio:80/flower/"
