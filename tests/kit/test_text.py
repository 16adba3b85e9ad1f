"""Text: cleaned of what cannot be stored, cut where people would cut it, counted as Telegram counts."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from parley.kit.text import clean_name, clean_text, split_text, utf16_length, utf16_slice

anything = st.text(alphabet=st.characters(exclude_categories=()))
words = st.text(alphabet=st.sampled_from("ab \n\t\U0001f600é"), max_size=300)


@given(anything)
def test_cleaned_text_can_be_stored_and_is_clean_for_good(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert "\x00" not in cleaned
    assert "\r" not in cleaned
    assert clean_text(cleaned) == cleaned
    assert len(cleaned) <= len(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs"))))
def test_what_a_person_typed_is_kept(text: str) -> None:
    assert clean_text(text) == text
    assert clean_text(f"{text}\r\n\t{text}\r{text}") == f"{text}\n\t{text}\n{text}"


@given(anything, st.integers(1, 50))
def test_a_name_is_one_short_line_without_tricks(text: str, limit: int) -> None:
    name = clean_name(text, limit=limit)
    assert len(name) <= limit
    assert name == name.strip()
    assert not set(name) & set("\n\t\r\u202e\u202a\u2066\u200f")
    assert clean_name(name, limit=limit) == name


@given(anything)
@example("\U0001f600")
def test_lengths_count_utf16_units(text: str) -> None:
    assert utf16_length(text) == sum(2 if ord(char) > 0xFFFF else 1 for char in text)
    assert utf16_slice(clean_text(text), 0, utf16_length(clean_text(text))) == clean_text(text)


@given(words, words, words)
def test_a_slice_is_found_where_its_offset_says(before: str, inside: str, after: str) -> None:
    whole = before + inside + after
    assert utf16_slice(whole, utf16_length(before), utf16_length(inside)) == inside


@given(words, st.integers(2, 40))
@example("\U0001f600\U0001f600", 3)
@example("aaaa\U0001f600", 5)
@example(" " * 100, 3)
@example("\n\n" + "a" * 10, 4)
def test_pieces_hold_every_visible_character_in_order_and_fit(text: str, limit: int) -> None:
    pieces = split_text(text, limit)
    assert all(0 < utf16_length(piece) <= limit for piece in pieces)
    assert all(piece.strip() for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    place = 0
    for piece in pieces:  # each is a stretch of the text
        found = text.find(piece, place)
        assert found >= 0
        assert not text[place:found].strip()
        place = found + len(piece)


def test_a_text_is_cut_at_a_paragraph_then_a_line_then_a_word() -> None:
    assert split_text("one two\n\nthree", 10) == ["one two", "three"]
    assert split_text("one two\nthree", 10) == ["one two", "three"]
    assert split_text("one two three", 10) == ["one two", "three"]
    assert split_text("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split_text("short", 10) == ["short"]
    assert split_text("", 10) == []


def test_a_long_text_is_split_in_time() -> None:
    pieces = split_text("word " * 20_000, 4096)
    assert len(pieces) >= 24
