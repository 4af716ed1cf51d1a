"""The pages of the rules, one each, and their index: written from the rules by `./hv proto`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from shared.validation.finding import LEVELS
from shared.validation.rule import Example, Rule
from shared.validation.rules import RULES
from shared.workflow.expressions import json_text

FOLDER: Final = PurePosixPath("docs/rules")
_NOTE: Final = "<!-- Written from the rules by `./hv proto`; do not edit. -->"


def files() -> dict[PurePosixPath, str]:
    """Every page by its path in the repository."""
    pages = {FOLDER / f"{rule.code}.md": _page(rule) for rule in RULES}
    return pages | {FOLDER / "README.md": _index()}


def _index() -> str:
    return "\n".join(_index_lines()) + "\n"


def _index_lines() -> Iterator[str]:
    yield "# Rules of validation"
    yield ""
    yield _NOTE
    yield ""
    yield (
        f"What `hv validate` looks for: {len(RULES)} rules on four levels, each of which includes "
        "the ones before it. How to use, set and suppress them: "
        "[validation](../how-to/validation.md)."
    )
    for level in LEVELS:
        rules = [rule for rule in RULES if rule.level == level]
        yield ""
        yield f"## {level.capitalize()}"
        yield ""
        yield "| rule | severity | what |"
        yield "|---|---|---|"
        for rule in rules:
            yield f"| [`{rule.code}`]({rule.code}.md) | {rule.severity} | {rule.summary} |"


def _page(rule: Rule) -> str:
    return "\n".join(_page_lines(rule)) + "\n"


def _page_lines(rule: Rule) -> Iterator[str]:
    yield f"# {rule.code}"
    yield ""
    yield _NOTE
    yield ""
    yield f"**{rule.summary}**"
    yield ""
    yield f"Level {rule.level}, severity {rule.severity}. {_where_checked(rule)}"
    yield ""
    yield rule.why
    if rule.bad is not None:
        yield from _example("Raises it", rule.bad)
    if rule.good is not None:
        yield from _example("Does not", rule.good)
    yield ""
    yield "## Setting and suppressing"
    yield ""
    yield from _setting(rule)


def _where_checked(rule: Rule) -> str:
    if rule.check is not None or rule.bad is not None:
        return "Checked in the definition, without any server."
    return "Checked by the validator service, in the live system."


def _example(title: str, example: Example) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "```yaml"
    yield from example.text.rstrip("\n").split("\n")
    yield "```"
    if example.parameters is not None:
        yield ""
        yield f"with the parameters `{json_text(dict(example.parameters))}`."


def _setting(rule: Rule) -> Iterator[str]:
    if rule.binding:
        yield (
            "What it finds can never run, so the rule cannot be turned off, and its findings "
            "cannot be suppressed."
        )
        return
    yield "For a category of templates, in the file that `HIVE_VALIDATION_RULES` names:"
    yield ""
    yield "```yaml"
    yield f'severities: {{deployment: {{{rule.code}: "off"}}}}'
    yield "```"
    yield ""
    yield "For one place, with a reason, in the template:"
    yield ""
    yield "```yaml"
    yield "policies:"
    yield "  validation:"
    yield f"    suppress: [{{code: {rule.code}, at: steps/0, reason: why this is accepted}}]"
    yield "```"
