"""`/docs`: the description of the API to read and to try out.

Everything comes from this gateway, so that it works in a network without internet, and nobody else
learns who reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter(prefix="/docs", include_in_schema=False)

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load and reach: this gateway, and nothing else."""


@router.get("")
async def show_docs() -> Response:
    """The page."""
    return _file("page.html", "text/html; charset=utf-8")


@router.get("/page.{kind}")
async def show_docs_part(kind: Literal["js", "css"]) -> Response:
    """Its script and its style."""
    media_type = "text/javascript" if kind == "js" else "text/css"
    return _file(f"page.{kind}", f"{media_type}; charset=utf-8")


def _file(name: str, media_type: str) -> Response:
    headers = {"Content-Security-Policy": POLICY}
    return Response((FOLDER / name).read_bytes(), media_type=media_type, headers=headers)
