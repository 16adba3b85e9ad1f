"""Whatever is sent, no answer is a 5xx; and who may send what."""

import io
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from parley.sandbox import create_app
from tests.sandbox.conftest import Stand, a_moment, serving, standing

pytestmark = pytest.mark.anyio

BOUNDARY = b"--x\r\n"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PARTS = {"content-type": "multipart/form-data; boundary=x"}
BODIES: list[tuple[dict[str, str], bytes]] = [
    ({}, b""),
    ({}, b"\xff\xfe\x00"),
    (JSON, b"{"),
    (JSON, b"[]"),
    (JSON, b"null"),
    (JSON, b"[" * 100_000),
    (JSON, b'{"chat_id":{"a":' * 900 + b"1" + b"}}" * 900),
    (JSON, b'{"chat_id":1e400,"text":"x"}'),
    (JSON, b'{"chat_id":99999999999999999999999,"text":"x"}'),
    (JSON, b'{"chat_id":CHAT,"text":"\\ud800 \\u0000 x"}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","entities":"nonsense"}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","entities":[{"type":"bold","offset":-1,"length":9}]}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","entities":[[],1,null]}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","entities":[{"type":[],"offset":0,"length":1}]}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","reply_markup":{"inline_keyboard":[[1]]}}'),
    (
        JSON,
        b'{"chat_id":CHAT,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":1}]]}}',
    ),
    (JSON, b'{"chat_id":CHAT,"text":"x","reply_parameters":{"message_id":"1"}}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","reply_parameters":{"message_id":1,"quote":["x"]}}'),
    (JSON, b'{"chat_id":CHAT,"text":"x","reply_parameters":{"message_id":9223372036854775808}}'),
    (JSON, b'{"chat_id":CHAT,"media":[1,2]}'),
    (JSON, b'{"chat_id":CHAT,"media":[{"type":"photo"},{"type":[]}]}'),
    (JSON, b'{"chat_id":CHAT,"media":{"type":"photo","media":"attach://no"},"message_id":1}'),
    (
        JSON,
        b'{"chat_id":CHAT,"photo":"attach://no","document":"http://127.0.0.1:1/x","message_ids":["a",{},1e9]}',
    ),
    (
        JSON,
        b'{"chat_id":CHAT,"latitude":"nan","longitude":"inf","action":["x"],"commands":[1],"reaction":[{"emoji":[]}],"message_id":1}',
    ),
    (JSON, b'{"offset":-99999999999999999,"limit":-5,"timeout":-1,"allowed_updates":[1,null,{}]}'),
    (JSON, b'{"url":"http://127.0.0.1:99999/","allowed_updates":{}}'),
    (JSON, b'{"url":"http://127.0.0.1:1/\\u0000","secret_token":"\\u00e9"}'),
    (FORM, b"chat_id=%ff&text=%00"),
    (FORM, b"chat_id=CHAT&text=" + b"<" * 5000 + b"&parse_mode=HTML"),
    (FORM, b"chat_id=CHAT&text=%3Ca href=&parse_mode=HTML"),
    (FORM, b"chat_id=CHAT&text=%3Ca+href%3D%22%26%231114112%3B%22%3Ex%3C/a%3E&parse_mode=HTML"),
    (FORM, b"&".join(b"a%d=1" % n for n in range(2000))),
    (PARTS, b""),
    (PARTS, b"--y\r\n"),
    (PARTS, BOUNDARY + b"\r\n\r\n--x--"),
    (PARTS, BOUNDARY + b'Content-Disposition: form-data; name="chat_id"\r\n\r\n\xff\r\n--x--\r\n'),
    (
        PARTS,
        BOUNDARY
        + b'Content-Disposition: form-data; name="photo"; filename="../../etc/x\x00"\r\n\r\nno\r\n--x--\r\n',
    ),
    ({"content-type": "multipart/form-data"}, b"--x--"),
    ({"content-type": "multipart/form-data; boundary=" + "b" * 500}, b"--x--"),
    ({"content-type": "text/plain"}, b"hello"),
]
METHODS = [
    "sendMessage",
    "sendPhoto",
    "sendDocument",
    "sendSticker",
    "sendVideoNote",
    "sendMediaGroup",
    "sendLocation",
    "sendVenue",
    "sendContact",
    "sendChatAction",
    "forwardMessage",
    "copyMessage",
    "editMessageText",
    "editMessageCaption",
    "editMessageMedia",
    "editMessageReplyMarkup",
    "deleteMessage",
    "deleteMessages",
    "setMessageReaction",
    "answerCallbackQuery",
    "getUpdates",
    "setWebhook",
    "deleteWebhook",
    "getWebhookInfo",
    "getMe",
    "getChat",
    "getChatMember",
    "getUserProfilePhotos",
    "getFile",
    "setMyCommands",
    "nonsense",
]


@pytest.mark.parametrize("method", METHODS)
async def test_no_body_makes_a_method_fail_inside(stand: Stand, method: str) -> None:
    await stand.write("x")
    chat = str(stand.customer_id).encode()
    for headers, body in BODIES:
        answer = await stand.control.post(
            stand.method(method), headers=headers, content=body.replace(b"CHAT", chat)
        )
        assert answer.status_code < 500, (headers, body[:200], answer.text)
        assert answer.json()["ok"] is (answer.status_code == 200)


@pytest.mark.parametrize(
    "path",
    [
        "state",
        "bots",
        "customers",
        "bots/1/chats/1",
        "bots/BOT/chats/1",
        "bots/BOT/chats/CHAT/text",
        "bots/BOT/chats/CHAT/media",
        "bots/BOT/chats/CHAT/location",
        "bots/BOT/chats/CHAT/messages/1/edit",
        "bots/BOT/chats/CHAT/messages/99999999999999999999/edit",
        "bots/BOT/chats/CHAT/messages/1/press",
        "bots/BOT/chats/CHAT/messages/1/reaction",
        "bots/BOT/repeat",
        "faults",
        "calls?limit=x",
        "accepted?bot_id=99999999999999999999",
        "updates?bot_id=%ff",
        "files/1/x",
        "nonsense",
    ],
)
async def test_no_body_makes_the_control_api_fail_inside(stand: Stand, path: str) -> None:
    await stand.write("x")
    path = path.replace("BOT", str(stand.bot_id)).replace("CHAT", str(stand.customer_id))
    for method in ("GET", "POST", "DELETE", "PUT"):
        for headers, body in BODIES:
            if method == "POST" or not body:
                answer = await stand.control.request(
                    method, f"/control/{path}", headers=headers, content=body
                )
                assert answer.status_code < 500, (method, headers, body[:200], answer.text)
                assert answer.status_code == 200 or set(answer.json()["error"]) == {
                    "code",
                    "message",
                    "fields",
                }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/telegram/botnonsense/getMe", 401),
        ("/telegram/bot1:short/getMe", 401),
        ("/telegram/bot123:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/getMe", 401),
        ("/telegram/nonsense", 404),
        ("/telegram/file/bot1:x/%2e%2e/%2e%2e/etc/passwd", 401),
        ("/nonsense", 404),
        ("/%2e%2e/index.html", 404),
    ],
)
async def test_unknown_paths_and_tokens_are_refused(stand: Stand, path: str, status: int) -> None:
    assert (await stand.control.get(path)).status_code == status


async def test_every_form_of_a_call_means_the_same(stand: Stand) -> None:
    await stand.write("x")
    plain = {"chat_id": str(stand.customer_id), "text": "hi", "link_preview_options": '{"is_disabled":true}'}
    nested = {"chat_id": stand.customer_id, "text": "hi", "link_preview_options": {"is_disabled": True}}
    client, url = stand.control, stand.method("SENDmessage")
    answers = [
        await client.get(url, params=plain),
        await client.post(url, params=plain),
        await client.post(url, data=plain),
        await client.post(url, json=nested),
        await client.post(url, data=plain, files={"unused": ("x", b"x")}),
    ]
    results = [answer.json()["result"] for answer in answers]
    assert [result.pop("message_id") for result in results] == [2, 3, 4, 5, 6]
    assert {result["text"] for result in results} == {"hi"}
    assert all(result["link_preview_options"] == {"is_disabled": True} for result in results)


async def test_too_large_bodies_are_refused_and_leave_no_file(stand: Stand, tmp_path: Path) -> None:
    client = stand.control
    assert (
        await client.post(stand.method("sendMessage"), content=b"x" * (1024 * 1024 + 1))
    ).status_code == 413
    big = {"document": ("big.bin", bytes(65 * 1024 * 1024))}
    try:
        answer = await client.post(stand.method("sendDocument"), data={"chat_id": "1"}, files=big)
        assert answer.status_code == 413
    except (httpx2.ReadError, httpx2.WriteError):
        assert True, "the answer may be lost when the connection closes before all was sent"
    assert not list((tmp_path / "sandbox.sqlite.files" / "incoming").iterdir())


async def test_a_picture_that_bursts_is_refused(stand: Stand) -> None:
    await stand.write("x")
    target = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(target, "PNG")
    files = {"photo": ("bomb.png", target.getvalue())}
    answer = await stand.control.post(
        stand.method("sendPhoto"), data={"chat_id": str(stand.customer_id)}, files=files
    )
    assert answer.json()["description"] == "Bad Request: PHOTO_INVALID_DIMENSIONS"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "bad["}, 403),
    ],
)
async def test_page_and_control_answer_only_to_this_machine_s_names(
    stand: Stand, headers: dict[str, str], status: int
) -> None:
    assert (await stand.control.get("/control/state", headers=headers)).status_code == status
    assert (await stand.control.get("/", headers=headers)).status_code == status
    assert (await stand.control.get(stand.method("getMe"), headers=headers)).status_code == 200


async def test_another_site_s_page_may_not_act(stand: Stand) -> None:
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = await stand.control.post("/control/bots", json={"name": "x"}, headers=headers)
        assert answer.status_code == 403
    own = {"origin": stand.origin, "sec-fetch-site": "same-origin"}
    assert (await stand.control.post("/control/bots", json={"name": "x"}, headers=own)).status_code == 200


async def test_the_host_decides_when_it_wants_to(tmp_path: Path) -> None:
    def has_cookie(scope: Any) -> bool:
        return (b"cookie", b"key=1") in scope["headers"]

    app = create_app(tmp_path / "sandbox.sqlite", access=has_cookie)
    async with (
        serving(app, app.release) as origin,
        httpx2.AsyncClient(base_url=origin, trust_env=False) as client,
    ):
        assert (await client.get("/control/state")).status_code == 403
        assert (
            await client.get("/control/state", headers={"cookie": "key=1", "host": "desk.example"})
        ).status_code == 200


async def test_the_page_has_a_policy_without_inline_code(stand: Stand) -> None:
    for path in ("/", "/phone.css", "/phone.js", "/icon.svg"):
        answer = await stand.control.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'; img-src 'self' blob: data:;" in answer.headers["content-security-policy"]
    page = (await stand.control.get("/")).text
    assert "style=" not in page
    assert "<style" not in page
    assert "onclick" not in page


async def test_it_works_below_a_prefix(tmp_path: Path) -> None:
    inner = create_app(tmp_path / "sandbox.sqlite")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/sandbox", "path": scope["path"].removeprefix("/sandbox")}
        await inner(scope, receive, send)

    async with (
        serving(app, inner.release) as origin,
        httpx2.AsyncClient(base_url=origin, trust_env=False) as client,
    ):
        answer = await client.get("/sandbox")
        assert (answer.status_code, answer.headers["location"]) == (307, "/sandbox/")
        assert "phone.js" in (await client.get("/sandbox/")).text
        made = (await client.post("/sandbox/control/bots", json={"name": "Desk"})).json()
        assert (await client.get(f"/sandbox/telegram/bot{made['token']}/getMe")).json()["ok"]


async def test_files_for_the_phone_never_run_in_the_browser(stand: Stand) -> None:
    page = b"<script>alert(1)</script>"
    path = f"/control/bots/{stand.bot_id}/chats/{stand.customer_id}/media"
    files = {"files": ("x.html", page, "text/html")}
    sent = (await stand.control.post(path, data={"kind": "document"}, files=files)).json()["messages"][0]
    answer = await stand.control.get(f"/control/files/{stand.bot_id}/{sent['document']['file_id']}")
    assert answer.content == page
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_abandoned_poll_does_not_disturb_the_next(tmp_path: Path) -> None:
    async with standing(tmp_path / "sandbox.sqlite") as stand:
        with pytest.raises(httpx2.ReadTimeout):
            await stand.control.get(
                stand.method("getUpdates"), params={"timeout": "20"}, timeout=httpx2.Timeout(30, read=0.2)
            )
        await a_moment()
        await stand.write("hello")
        answer = await stand.control.get(stand.method("getUpdates"), params={"timeout": "5"})
        assert [one["message"]["text"] for one in answer.json()["result"]] == ["hello"]
