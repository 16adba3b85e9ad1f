"""Names of files: only names, on the way in and on the way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.media.names import MAX_NAME, clean_file_name, format_disposition, match_extension
from parley.media.sniffing import OCTET_STREAM


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("a/b/", "b"),
        ("..", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x=1.txt", "a Set-Cookie_ x=1.txt"),
        ("a\x00b\x7f.txt", "ab.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u200b\u2066\u061cb.txt", "ab.txt"),
        ("счёт №5.xlsx", "счёт №5.xlsx"),
        ('a"b<c>|?*.txt', "a_b_c____.txt"),
        ("\ud800.txt", "\ufffd.txt"),
        ("tail. . .", "tail"),
    ],
)
def test_a_name_is_cleaned(name: str, cleaned: str) -> None:
    assert clean_file_name(name, OCTET_STREAM) == cleaned


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_file_name("x" * 1000 + ".pdf", "application/pdf")
    assert len(name) == MAX_NAME
    assert name.endswith("x.pdf")


def test_a_name_without_ending_gets_that_of_its_type() -> None:
    assert clean_file_name("", "image/jpeg") == "file.jpg"
    assert clean_file_name("voice", "audio/ogg") == "voice.ogg"


def test_a_shown_file_is_called_what_it_is() -> None:
    assert match_extension("photo.JPEG", "image/jpeg") == "photo.JPEG"
    assert match_extension("page.html", "image/png") == "page.html.png"
    assert match_extension("data.bin", OCTET_STREAM) == "data.bin"


@given(st.text(max_size=400))
def test_whatever_the_name_it_is_only_a_name_and_its_header_one_line(name: str) -> None:
    cleaned = clean_file_name(name, OCTET_STREAM)
    assert 1 <= len(cleaned) <= MAX_NAME
    assert not set(cleaned) & set('/\\\r\n\t\0"<>')
    assert cleaned not in (".", "..")
    assert clean_file_name(cleaned, OCTET_STREAM) == cleaned
    header = format_disposition("attachment", cleaned)
    assert header.isascii()
    assert header.isprintable()
    assert header.count(";") == 1


def test_a_name_is_quoted_for_the_header() -> None:
    assert format_disposition("inline", 'a";x.txt') == "inline; filename*=UTF-8''a%22%3Bx.txt"
    assert format_disposition("attachment", "ё.txt") == "attachment; filename*=UTF-8''%D1%91.txt"
