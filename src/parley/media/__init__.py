"""Files: taken in as streams, typed by content, pictures made harmless, given out so that they cannot hurt."""

from __future__ import annotations

from parley.media.attachments import Media, MediaAccess, attachment_json, object_key, thumbnail_key
from parley.media.cleaning import delete_unattached
from parley.media.pictures import Pictures, open_pictures
from parley.media.receiving import create_pending, fail_pending, get_media, store_fetched, store_upload

__all__ = [
    "Media",
    "MediaAccess",
    "Pictures",
    "attachment_json",
    "create_pending",
    "delete_unattached",
    "fail_pending",
    "get_media",
    "object_key",
    "open_pictures",
    "store_fetched",
    "store_upload",
    "thumbnail_key",
]
