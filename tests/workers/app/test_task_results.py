"""What a task returns, in words and as JSON."""

import json

import pytest
from kombu.utils.json import dumps

from pipeline.library.tracks import Receipt
from workers.app import task_results


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        ({"outcome": "extracted", "audio_s": 210.2}, "extracted, 3:30 of audio"),
        ({"outcome": "unchanged", "audio_s": 3723}, "unchanged, 1:02:03 of audio"),
        (
            {"outcome": "unchanged", "audio_s": 3.0, "retagged": True},
            "unchanged: other tags around the same sound, nothing decoded",
        ),
        ({"outcome": "failed", "kind": "empty", "reason": "no\nsamples"}, r"failed (empty): no\nsamples"),
        ({"outcome": "cancelled"}, "cancelled"),
    ],
)
def test_a_receipt_is_a_sentence_for_people_and_json_for_the_broker(receipt, words):
    value = Receipt(track_id="1", path="/a.wav", **receipt)
    result = task_results.receipt_result(value)
    assert repr(result) == words
    assert json.loads(dumps(result)) == value.to_wire()
