"""Every way in, as a person takes it: phone, authenticator app, recovery codes, passkeys; and where they are set."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import Window, open_window
from tests.browser.scene import focus_is_seen, nameless, sideways, sign_in
from tests.programs import PASSWORD, Server, eventually

pytestmark = pytest.mark.anyio

PHONE = "+79995550101"
SHOTS = os.environ.get("PARLEY_TESTS_SCREENSHOTS")


async def look(page: Page, name: str) -> None:
    """What every screen keeps to; and a picture of it for whoever asks for one."""
    assert await nameless(page) == []
    assert await sideways(page) <= 0
    assert await focus_is_seen(page)
    if SHOTS:
        await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


async def code_for(server: Server, count: int) -> str:
    """Wait for so many SMS at the phone, and return the code in the newest."""

    async def newest() -> Any:
        found = await server.call("GET", f"/sandbox/control/sms?phone=%2B{PHONE[1:]}")
        return found["messages"][0]["text"] if len(found["messages"]) == count else None

    [code] = re.findall(r"\d{6}", await eventually(newest))
    return str(code)


async def to_security(page: Page, name: str, section: str) -> None:
    # keys are heard once the application stands
    await page.get_by_role("button", name=re.compile("^(Profile menu|Меню профиля)$")).wait_for()
    await page.keyboard.press("Control+Comma")
    await page.get_by_role("navigation", name=name).get_by_role("button", name=section, exact=True).click()


async def prove(dialog: Locator, label: str, action: str) -> None:
    await dialog.get_by_label(label, exact=True).fill(PASSWORD)
    await dialog.get_by_role("button", name=action, exact=True).click()


async def open_door(browser: Browser, server: Server, **options: Any) -> Window:
    """A window before the door, at the name for which there are passkeys."""
    context = await browser.new_context(reduced_motion="reduce", **options)
    return await open_window(context, f"http://localhost:{server.port}")


async def test_a_number_an_app_and_recovery_codes(server: Server, browser: Browser) -> None:
    await server.set_up()
    window = await open_door(browser, server, locale="en-US", viewport={"width": 1280, "height": 860})
    page = window.page
    await sign_in(page, "olga@example.org")
    await to_security(page, "Settings", "Sign-in")
    await page.get_by_role("button", name="Set up").last.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Phone number", exact=True).fill(PHONE)
    await look(page, "en-proof")
    await prove(dialog, "Current password", "Send a code")
    await dialog.get_by_label("Code from the SMS").fill(await code_for(server, 1))
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(PHONE)).to_be_visible()

    # the app: a QR code that is drawn, the secret to type, and codes to keep
    await page.get_by_role("button", name="Set up").first.click()
    await prove(dialog, "Current password", "Continue")
    drawn = await dialog.get_by_alt_text("QR code").evaluate(
        "async (image) => { await image.decode(); return image.naturalWidth; }"
    )
    assert drawn > 50
    secret = (await dialog.locator("p.font-mono").inner_text()).replace(" ", "")
    await look(page, "en-totp")
    await dialog.get_by_label("Code from the app").fill("000000")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("The code is wrong")
    await dialog.get_by_label("Code from the app").fill(pyotp.TOTP(secret).now())
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("listitem")).to_have_count(10)
    codes = await dialog.get_by_role("listitem").all_inner_texts()
    await look(page, "en-recovery")
    # they are shown once: a slip does not close them
    await page.keyboard.press("Escape")
    await page.mouse.click(5, 5)
    await expect(dialog.get_by_role("listitem")).to_have_count(10)
    await dialog.get_by_role("button", name="I have kept them").press("Enter")
    await expect(page.get_by_text("10 codes are left")).to_be_visible()
    await look(page, "en-security")
    assert window.complaints == []

    # out, and in again by phone on a narrow phone, in Russian and dark: a code, then a recovery code
    narrow = await open_door(
        browser,
        server,
        locale="ru-RU",
        viewport={"width": 360, "height": 740},
        color_scheme="dark",
        has_touch=True,
    )
    page = narrow.page
    await page.get_by_text("Телефон", exact=True).click()
    await page.get_by_label("Номер телефона").fill("911")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Номер с + и кодом страны")
    await page.get_by_label("Номер телефона").fill("+7 999 555-01-01")
    await look(page, "ru-phone")
    await page.keyboard.press("Enter")
    code = await code_for(server, 2)
    await expect(page.get_by_role("button", name="Ещё один код через")).to_be_disabled()
    await page.get_by_label("Код из SMS").fill("000000" if code != "000000" else "111111")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Код неверный")
    await look(page, "ru-code")
    # what was refused is typed over
    await eventually(lambda: page.evaluate("getSelection().toString()"))
    await page.get_by_label("Код из SMS").fill(f"{code[:3]} {code[3:]}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ещё один шаг")).to_be_visible()
    await look(page, "ru-second")
    await page.get_by_role("button", name="Ввести резервный код").tap()
    await page.get_by_label("Резервный код").fill("aaaaa-aaaaa")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Введите другой")
    await page.get_by_label("Резервный код").fill(codes[0])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ещё один шаг")).to_have_count(0)
    await page.goto(f"http://localhost:{server.port}/settings/security")
    await expect(page.get_by_text("Осталось 9 кодов")).to_be_visible()
    await look(page, "ru-security")

    # made anew, the old ones are worth nothing, not even to ask for others
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Новые коды").tap()
    await dialog.get_by_label("Текущий пароль", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("listitem")).to_have_count(10)
    await look(page, "ru-renewed")
    assert not set(await dialog.get_by_role("listitem").all_inner_texts()) & set(codes)
    await dialog.get_by_role("button", name="Коды сохранены").tap()
    await expect(page.get_by_text("Осталось 10 кодов")).to_be_visible()
    await page.get_by_role("button", name="Новые коды").tap()
    await dialog.get_by_role("button", name="Резервным кодом").tap()
    await dialog.get_by_label("Резервный код").fill(codes[1])
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("Введите другой")
    await dialog.get_by_role("button", name="Отмена").tap()
    assert narrow.complaints == []


async def test_a_passkey_is_added_signs_in_and_is_asked_for(server: Server, browser: Browser) -> None:
    await server.set_up()
    window = await open_door(browser, server, locale="en-US")
    page = window.page
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    device = await session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    await sign_in(page, "olga@example.org")
    await to_security(page, "Settings", "Sign-in")
    await page.get_by_role("button", name="Add", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name of the passkey").fill("My laptop")
    await dialog.get_by_label("Current password", exact=True).fill("not this one")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_have_text("Wrong password.")
    await prove(dialog, "Current password", "Add")
    await expect(page.get_by_text("My laptop")).to_be_visible()
    await page.get_by_role("button", name="Turn on").click()
    await prove(dialog, "Current password", "Turn on")
    await dialog.get_by_role("button", name="I have kept them").press("Enter")
    await expect(page.get_by_role("button", name="Turn off")).to_be_visible()
    await look(page, "en-passkeys")

    async def sign_out() -> None:
        await page.goto(f"http://localhost:{server.port}/inbox")
        await page.get_by_role("button", name="Profile menu").click()
        await page.get_by_role("menuitem", name="Sign out").click()

    # alone
    await sign_out()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_role("button", name="Profile menu").wait_for()
    # after the password
    await sign_out()
    await page.get_by_label("E-mail", exact=True).last.fill("olga@example.org")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.get_by_role("button", name="Profile menu").wait_for()
    # a browser that gives none says so, and stays where it is
    await sign_out()
    await session.send(
        "WebAuthn.setUserVerified", {"authenticatorId": device["authenticatorId"], "isUserVerified": False}
    )
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("The browser has given no passkey")
    await look(page, "en-sign-in")

    # taken away, it is neither asked for nor lets anybody in
    await session.send(
        "WebAuthn.setUserVerified", {"authenticatorId": device["authenticatorId"], "isUserVerified": True}
    )
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await to_security(page, "Settings", "Sign-in")
    await page.get_by_role("button", name="Remove: My laptop").click()
    await prove(dialog, "Current password", "Remove")
    await expect(page.get_by_text("My laptop")).to_have_count(0)
    await expect(page.get_by_role("button", name="Turn off")).to_have_count(0)
    await sign_out()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.reload()
    await sign_in(page, "olga@example.org")
    await page.get_by_role("button", name="Profile menu").wait_for()
    assert window.complaints == []


async def test_a_newcomer_joins_by_phone_and_reads_the_code_on_the_sandboxs_page(
    tmp_path: Path, browser: Browser
) -> None:
    first = Server(tmp_path)
    await first.start()
    await first.set_up()
    workspace = (await first.call("GET", "/v1/workspace"))["id"]
    await first.stop()
    await first.http.aclose()
    server = Server(tmp_path, PARLEY_PHONE_WORKSPACE=workspace)
    await server.start()
    try:
        window = await open_door(browser, server, locale="ru-RU", viewport={"width": 390, "height": 800})
        page = window.page
        await page.get_by_text("Телефон", exact=True).click()
        await page.get_by_label("Номер телефона").fill(PHONE)
        await page.keyboard.press("Enter")
        sms = await open_window(page.context, f"{server.url}/sandbox/sms")
        await expect(sms.page.get_by_role("listitem")).to_contain_text(PHONE)
        await expect(sms.page.get_by_role("status")).to_have_text("Новые сообщения появляются сами.")
        await look(sms.page, "ru-sms")
        code = await sms.page.locator("mark").inner_text()
        await sms.page.get_by_role("button", name="English").click()
        await expect(sms.page.get_by_role("heading", name="Messages by SMS")).to_be_visible()
        await sms.page.get_by_role("button", name="Light or dark").press("Enter")
        await look(sms.page, "en-sms-dark")
        await sms.page.get_by_role("button", name="Empty the box").click()
        await expect(sms.page.get_by_text("Nothing has come yet.")).to_be_visible()
        await page.get_by_label("Код из SMS").fill(code)
        await page.keyboard.press("Enter")
        await page.get_by_label("Ваше имя").fill("Анна")
        await look(page, "ru-name")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Ваше имя")).to_have_count(0)
        users = await server.http.get("/v1/users", headers={"Authorization": f"Bearer {first.token}"})
        assert [(user["name"], user["role"], user["phone"]) for user in users.json()["items"]][-1] == (
            "Анна", "member", PHONE,
        )  # fmt: skip
        assert window.complaints == sms.complaints == []
    finally:
        await server.stop()
        await server.http.aclose()
        server.show()
