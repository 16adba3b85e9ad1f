"""The OpenAPI document as it is true of this API: what the framework derives, corrected where it cannot know.

The framework derives parameters, bodies and answers from the handlers. It does not know our error shape, which
operations are public, or that a handler's docstring is its summary.
"""

from __future__ import annotations

import inspect
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

_METHODS = ("get", "put", "post", "delete", "patch")
_ANY_FILE = "application/octet-stream"
"""How handlers say that they answer with files, whose type is the file's own."""
_ERROR: dict[str, Any] = {
    "type": "object",
    "description": "The one shape of whatever goes wrong.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields"],
            "properties": {
                "code": {"type": "string", "description": "Stable; listed in docs/reference/errors.md."},
                "message": {"type": "string", "description": "One sentence for people."},
                "fields": {
                    "type": "object",
                    "description": "What the error is about.",
                    "additionalProperties": {},
                },
            },
        }
    },
}
_ERROR_ANSWER: dict[str, Any] = {
    "description": "The request was refused, or failed.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def describe_api(rest: Litestar) -> dict[str, Any]:
    """Return the document, its operations with summary, security and errors. Needs no database."""
    document = rest.openapi_schema.to_schema()
    document["components"]["schemas"]["Error"] = _ERROR
    document["components"]["responses"] = {"Error": _ERROR_ANSWER}
    for route in rest.routes:
        if not isinstance(route, HTTPRoute):
            continue
        operations = document["paths"].get(route.path_format, {})
        for method, (handler, _) in route.route_handler_map.items():
            operation = operations.get(method.lower())
            if operation is not None:
                _complete(operation, handler)
    _require_what_is_always_there(document)
    return document


def list_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (method, path, operation) of every operation, in the order of the document."""
    return [
        (method, path, operations[method])
        for path, operations in document["paths"].items()
        for method in _METHODS
        if method in operations
    ]


def _require_what_is_always_there(document: dict[str, Any]) -> None:
    """An answer says null or empty where it has nothing: such fields are always there, whatever their default."""
    schemas = document["components"]["schemas"]
    asked, answered = set[str](), set[str]()
    for _, _, operation in list_operations(document):
        _collect(operation.get("requestBody"), schemas, asked)
        _collect(operation["responses"], schemas, answered)
    for name in answered - asked:
        properties = schemas[name].get("properties", {})
        always = {key for key, value in properties.items() if "default" in value or _may_be_empty(value)}
        if always:
            schemas[name]["required"] = sorted(always.union(schemas[name].get("required", ())))


def _may_be_empty(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "null" in kinds
    return kinds in ("object", "array") or {"type": "null"} in schema.get("oneOf", ())


def _collect(part: Any, schemas: dict[str, Any], found: set[str]) -> None:
    """Add the names of all schemas that a part of the document leads to."""
    if isinstance(part, list):
        for child in part:
            _collect(child, schemas, found)
    if not isinstance(part, dict):
        return
    name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
    if name in schemas and name not in found:
        found.add(name)
        _collect(schemas[name], schemas, found)
    for child in part.values():
        _collect(child, schemas, found)


def _complete(operation: dict[str, Any], handler: Any) -> None:
    head, _, rest = inspect.cleandoc(handler.fn.__doc__ or "").partition("\n\n")
    about = " ".join(head.split())
    if handler.summary is None:
        operation["summary"] = about.partition(". ")[0].rstrip(".")
    operation["description"] = "\n\n".join(filter(None, (about, " ".join(rest.split()))))
    if operation["description"].rstrip(".") == operation["summary"]:
        del operation["description"]
    if "caller" not in inspect.signature(handler.fn).parameters:
        operation["security"] = []
    answers: dict[str, Any] = operation["responses"]
    answers.pop("400", None)
    answers.get("204", {}).pop("content", None)  # the framework describes an empty answer as JSON's null
    if _ANY_FILE in answers.get("200", {}).get("content", {}):
        answers["200"]["content"] = {"*/*": answers["200"]["content"][_ANY_FILE]}
        answers["206"] = {**answers["200"], "description": "The part asked for by Range."}
    operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
