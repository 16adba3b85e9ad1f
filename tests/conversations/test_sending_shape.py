"""What the shape of a request already refuses."""

from __future__ import annotations

import msgspec
import pytest

from parley.conversations.schemas import EditRequest, SendRequest


@pytest.mark.parametrize("shape", [SendRequest, EditRequest])
def test_an_entity_beyond_the_text_is_refused(shape: type[SendRequest | EditRequest]) -> None:
    body = {"client_id": "1"} if shape is SendRequest else {}
    fits = {**body, "text": "a😀", "entities": [{"kind": "bold", "offset": 1, "length": 2}]}
    assert msgspec.convert(fits, shape).entities[0].length == 2
    beyond = {**fits, "entities": [{"kind": "bold", "offset": 1, "length": 3}]}
    with pytest.raises(msgspec.ValidationError, match="beyond the text"):
        msgspec.convert(beyond, shape)


@pytest.mark.parametrize("shape", [SendRequest, EditRequest])
def test_an_entity_must_lie_within_what_is_left_of_the_text(shape: type[SendRequest | EditRequest]) -> None:
    body = {"client_id": "1"} if shape is SendRequest else {}
    entities = [{"kind": "bold", "offset": 2, "length": 1}]
    assert msgspec.convert({**body, "text": "a\r\nb", "entities": entities}, shape).text == "a\nb"
    with pytest.raises(msgspec.ValidationError, match="beyond the text"):
        msgspec.convert({**body, "text": "a\x07\x00b", "entities": entities}, shape)
