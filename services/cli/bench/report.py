"""Figures as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def table(title: str, figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """One column for each variant, one row for each figure (nested names joined by dots)."""
    grid = Table(title=title, title_justify="left")
    grid.add_column("figure")
    flat = {variant: dict(_flatten(values)) for variant, values in figures.items()}
    for variant in flat:
        grid.add_column(variant, justify="right")
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    for name in names:
        grid.add_row(name, *(f"{values.get(name, '')}" for values in flat.values()))
    return grid


def rows(title: str, figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row for each size, one column for each figure."""
    grid = Table(title=title, title_justify="left")
    grid.add_column("size")
    names = list(dict.fromkeys(name for values in figures.values() for name in values))
    for name in names:
        grid.add_column(name, justify="right")
    for size, values in figures.items():
        grid.add_row(size, *(f"{values.get(name, '')}" for name in names))
    return grid


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
