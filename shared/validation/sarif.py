"""A report as SARIF 2.1.0 (OASIS), the form that code review tools read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from shared.validation.finding import Finding, Report
from shared.validation.rules import BY_CODE
from shared.version import VERSION

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
PAGES: Final = "docs/rules"
"""Where the pages of the rules are, in this repository."""
_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}


def sarif(reports: Iterable[tuple[str, Report]]) -> dict[str, Any]:
    """One run over several files, each with its report; `name` is a path relative to where the
    tool runs, or the id of a template."""
    found = [(name, finding) for name, report in reports for finding in report.findings]
    codes = sorted({finding.code for _, finding in found})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hv validate",
                        "version": VERSION,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(name, finding, codes) for name, finding in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    rule = BY_CODE[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} See {PAGES}/{code}.md."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"level": rule.level},
    }


def _result(name: str, finding: Finding, codes: list[str]) -> dict[str, Any]:
    fix = f" To mend it: {finding.fix}." if finding.fix else ""
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}.{fix}"},
        "locations": [_location(name, finding)],
        "partialFingerprints": {"codeAndPath/v1": f"{finding.code}:{finding.path}"},
    }
    if finding.suppressed:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.suppressed}]
    return result


def _location(name: str, finding: Finding) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": name}}
    if finding.line:
        physical["region"] = {"startLine": finding.line, "startColumn": finding.column}
    logical = {"fullyQualifiedName": finding.path or "definition", "kind": "member"}
    return {"physicalLocation": physical, "logicalLocations": [logical]}
