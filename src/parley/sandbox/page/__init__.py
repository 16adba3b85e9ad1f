"""The pages with the phone and with what came by SMS: a few files, served under a policy that lets nothing else in."""

from pathlib import Path

from parley.sandbox.wire import Request, send_bytes

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/phone.css": ("phone.css", "text/css; charset=utf-8"),
    "/phone.js": ("phone.js", "text/javascript; charset=utf-8"),
    "/sms": ("sms.html", "text/html; charset=utf-8"),
    "/sms.css": ("sms.css", "text/css; charset=utf-8"),
    "/sms.js": ("sms.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)


async def serve_page(request: Request) -> None:
    """Answer with one of the page's files, or 404."""
    name, content_type = FILES.get(request.path, ("", ""))
    if not name or request.method not in ("GET", "HEAD"):
        await send_bytes(request.send, 404, b"Not found\n", "text/plain; charset=utf-8")
        return
    headers = [
        ("content-security-policy", POLICY),
        ("cache-control", "no-cache"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ]
    body = Path(__file__).with_name(name).read_bytes()
    await send_bytes(request.send, 200, body, content_type, headers, head=request.method == "HEAD")
