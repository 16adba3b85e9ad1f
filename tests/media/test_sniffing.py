"""The type of a file is what its bytes say, and nothing else."""

from __future__ import annotations

import pytest

from parley.media.sniffing import OCTET_STREAM, kind_of_type, sniff_type
from tests.media import samples

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("data", "content_type", "kind"),
    [
        (samples.picture("JPEG"), "image/jpeg", "image"),
        (samples.picture("PNG"), "image/png", "image"),
        (samples.picture("WEBP"), "image/webp", "image"),
        (samples.picture("GIF"), "image/gif", "image"),
        (samples.HEIC, "image/heic", "file"),
        (samples.MP4, "video/mp4", "video"),
        (samples.MOV, "video/quicktime", "video"),
        (samples.WEBM, "video/webm", "video"),
        (samples.WEBM_SOUND, "audio/webm", "audio"),
        (samples.M4A, "audio/mp4", "audio"),
        (samples.OGG, "audio/ogg", "audio"),
        (samples.MP3, "audio/mpeg", "audio"),
        (samples.MP3_WITH_TAG, "audio/mpeg", "audio"),
        (samples.WAV, "audio/wav", "audio"),
        (samples.PDF, "application/pdf", "file"),
        (samples.office(), WORD, "file"),
        (samples.open_document(), "application/vnd.oasis.opendocument.text", "file"),
        (samples.MATROSKA, OCTET_STREAM, "file"),
        (b"", OCTET_STREAM, "file"),
        (b"hello", OCTET_STREAM, "file"),
        (b"\xff\xff\xff\xff", OCTET_STREAM, "file"),
        (b"RIFF", OCTET_STREAM, "file"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(data: bytes, content_type: str, kind: str) -> None:
    assert sniff_type(data) == content_type
    assert kind_of_type(content_type) == kind


@pytest.mark.parametrize(
    "data", [samples.SVG, samples.HTML, b"\xef\xbb\xbf" + samples.HTML, b"<?xml version='1.0'?><x/>"]
)
def test_documents_of_the_browser_are_files(data: bytes) -> None:
    assert sniff_type(data) == OCTET_STREAM


@pytest.mark.parametrize(
    "data",
    [
        samples.GIF_SCRIPT,
        samples.picture("GIF") + samples.HTML,
        samples.MP4 + b"<svg onload=alert(1)>",
        samples.MP3 + b"<ScRiPt>",
        samples.picture("JPEG", comment=b"<html><body>"),
        samples.OGG + samples.PDF,
        samples.PDF + b"< script >",
    ],
)
def test_what_can_be_read_in_two_ways_is_a_file(data: bytes) -> None:
    assert sniff_type(data) == OCTET_STREAM
