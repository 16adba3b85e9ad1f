"""Formatting as Telegram reads it: offsets in UTF-16 units, refusals word for word."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.sandbox.telegram.entities import format_text, parse_html, utf16_length, utf16_slice
from parley.sandbox.telegram.errors import BotApiError


def marked(text: str, entities: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["type"], utf16_slice(text, one["offset"], one["length"])) for one in entities]


@pytest.mark.parametrize(
    ("html", "text", "expected"),
    [
        ("<b>a</b> <strong>b</strong>", "a b", [("bold", "a"), ("bold", "b")]),
        ("👩‍🚀<i>x</i>", "👩‍🚀x", [("italic", "x")]),
        ("<u><s>x</s></u>", "x", [("strikethrough", "x"), ("underline", "x")]),
        ('<span class="tg-spoiler">x</span>', "x", [("spoiler", "x")]),
        ("a &lt;b&gt; &amp;amp; &#128075; &unknown;", "a <b> &amp; 👋 &unknown;", []),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", "x")]),
        ("<b></b>x", "x", []),
        ("<a>example.org</a>", "example.org", [("text_link", "example.org")]),
        ("<a href='nothing'>x</a>", "x", []),
    ],
)
def test_html_is_read(html: str, text: str, expected: list[tuple[str, str]]) -> None:
    found, entities = parse_html(html)
    assert found == text
    assert marked(found, entities) == expected


def test_code_inside_pre_names_the_language() -> None:
    _, entities = parse_html('<pre><code class="language-python">x = 1</code></pre>')
    assert entities == [{"offset": 0, "length": 5, "type": "pre", "language": "python"}]


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<x>y</x>", 'Unsupported start tag "x" at byte offset 0'),
        ("я<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<a href='x", "Unclosed start tag at byte offset 0"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
    ],
)
def test_bad_html_is_refused_in_telegram_s_words(html: str, problem: str) -> None:
    with pytest.raises(BotApiError) as caught:
        parse_html(html)
    assert caught.value.description == f"Bad Request: can't parse entities: {problem}"


def test_spaces_at_the_ends_go_and_entities_move_along() -> None:
    bold = {"type": "bold", "offset": 2, "length": 3}
    text, entities = format_text("  abc  ", [bold], "", 100, "too long")
    assert (text, marked(text, entities)) == ("abc", [("bold", "abc")])


def test_addresses_commands_and_tags_are_found_outside_code() -> None:
    text, entities = format_text(
        "/start@desk_bot write to a@b.org or @ira_k, see https://x.org/a?b. #sale <code>/no</code>",
        None, "HTML", 4096, "too long",
    )  # fmt: skip
    assert marked(text, entities) == [
        ("bot_command", "/start@desk_bot"),
        ("email", "a@b.org"),
        ("mention", "@ira_k"),
        ("url", "https://x.org/a?b"),
        ("hashtag", "#sale"),
        ("code", "/no"),
    ]


@given(st.text(alphabet=st.sampled_from("<>/&;=\"' abcpre👋#я\n"), max_size=60))
def test_any_html_is_read_or_refused_and_entities_fit_the_text(html: str) -> None:
    try:
        text, entities = format_text(html, None, "HTML", 4096, "too long")
    except BotApiError:
        return
    assert all(0 <= one["offset"] < one["offset"] + one["length"] <= utf16_length(text) for one in entities)
