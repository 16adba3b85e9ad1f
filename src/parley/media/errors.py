"""What can go wrong with files."""

from __future__ import annotations

from parley.kit.errors import Conflict, Malformed, NotFound


class MediaNotFound(NotFound):
    """There is no such file, or you may not see it."""

    code = "media_not_found"


class MediaNotReady(Conflict):
    """The file is not here: it is still being fetched, or could not be."""

    code = "media_not_ready"


class UploadInterrupted(Malformed):
    """The upload ended before its end."""

    code = "upload_interrupted"
