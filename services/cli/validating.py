"""`hv validate`: what would be found of a definition, before anything is stored or run.

A file is looked at here, without any server: levels basic and standard, and the static rules of
strict. What only the live system can tell is asked of the gateway, with `--live` or at level
paranoid. A template is always looked at by the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli import rendering
from services.cli.options import KeyFile, Url, open_gateway
from services.cli.outcome import CliError, ExitCode, print_json, told
from services.cli.values import parameters_of, read_parameters

if TYPE_CHECKING:
    from rich.text import Text

    from shared.validation.config import ValidationConfig
    from shared.validation.finding import Finding, Report
    from shared.validation.subject import Subject


class Level(StrEnum):
    """How deep to look; each level includes the ones before it."""

    BASIC = "basic"
    STANDARD = "standard"
    STRICT = "strict"
    PARANOID = "paranoid"


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """From which severity on the exit code is 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be looked at, and how."""

    level: Level | None
    given: tuple[str, ...]
    file: Path | None
    url: str | None
    key_file: Path | None
    live: bool = False
    version: str | None = None


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(validate)


@told
def validate(
    what: Annotated[str, typer.Argument(metavar="FILE|TEMPLATE", help="What to look at.")],
    level: Annotated[
        Level | None,
        typer.Option(help="Default: standard; of a template, the level of its policy."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="A parameter of a run, as name=value."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Parameters of a run, as YAML or JSON.")] = None,
    version: Annotated[str | None, typer.Option(help="Of a template; default: the newest.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Let the gateway look at a file, with live agents.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend the file where a machine can.")] = False,
    rules: Annotated[
        Path | None, typer.Option(help="Settings of rules, as the gateway has them.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How it is printed.")] = Format.TEXT,
    fail_on: Annotated[FailOn, typer.Option(help="What makes the exit code 1.")] = FailOn.ERROR,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Look at a workflow before it is stored or run: 0 nothing wrong, 1 findings, 2 unreadable.

    A file needs no server, but for what live agents can tell (`--live`, level paranoid).
    """
    wish = _Wish(level, tuple(param or ()), file, url, key_file, live, version)
    path = Path(what)
    form = Format.JSON if as_json else form
    if not _is_file(what, path):
        if fix or rules is not None:
            raise CliError("--fix and --rules are for files; a stored version never changes.")
        _tell(what, _of_template(what, wish), None, form, fail_on)
        return
    text = _read(path)
    config = _config(rules)
    mended: tuple[Finding, ...] = ()
    if fix:
        text, mended = _mend(path, text, wish.level or Level.STANDARD, config)
    if live or level is Level.PARANOID:
        _tell(what, _of_text(text, wish), text, form, fail_on, mended)
        return
    report = _of_file(text, wish, config)
    _tell(what, report, text, form, fail_on, mended)
    if level is Level.STRICT and form is Format.TEXT:
        typer.echo("Live agents were not asked; --live asks them.", err=True)


def _is_file(what: str, path: Path) -> bool:
    return path.is_file() or "/" in what or path.suffix in (".yaml", ".yml", ".json")


def _read(path: Path) -> str:
    from shared.templates.document import TemplateFileError
    from shared.templates.loader import read_text

    try:
        return read_text(path)
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}.") from None
    except TemplateFileError as error:
        raise CliError(f"{path} cannot be read: {error}.") from None


def _config(rules: Path | None) -> ValidationConfig:
    from shared.validation.config import DEFAULT_CONFIG, ConfigError, config_of
    from shared.validation.rules import BY_CODE

    if rules is None:
        return DEFAULT_CONFIG
    try:
        return config_of(_read(rules), BY_CODE)
    except ConfigError as error:
        raise CliError(f"{rules}: {error}") from None


def _of_file(text: str, wish: _Wish, config: ValidationConfig) -> Report:
    """A file, looked at here."""
    from shared.commands.registry import CommandRegistry
    from shared.validation.subject import subject_of_text
    from shared.validation.validate import validate as look

    subject = subject_of_text(text, CommandRegistry.installed(), config=config)
    parameters = _parameters(wish, _schema_of(subject))
    if parameters is not None:
        subject = subject.with_parameters(parameters)
    return look(subject, (wish.level or Level.STANDARD).value)


def _schema_of(subject: Subject) -> Mapping[str, Any]:
    return subject.template.parameters_schema() if subject.template is not None else {}


def _parameters(wish: _Wish, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters of the run that it is about; none where none are given."""
    if not wish.given and wish.file is None:
        return None
    from_file = read_parameters(wish.file) if wish.file is not None else None
    return parameters_of(wish.given, schema, from_file)


def _of_template(template: str, wish: _Wish) -> Report:
    with open_gateway(wish.url, wish.key_file) as gateway:
        schema: Mapping[str, Any] = {}
        if wish.given or wish.file is not None:
            schema = gateway.template(template, wish.version).parameters_schema
        return gateway.validate(
            {
                "template_id": template,
                "version": wish.version,
                "parameters": _parameters(wish, schema),
                "level": wish.level,
            }
        )


def _of_text(text: str, wish: _Wish) -> Report:
    """A file, looked at by the gateway."""
    from shared.commands.registry import CommandRegistry
    from shared.validation.subject import subject_of_text

    schema = _schema_of(subject_of_text(text, CommandRegistry.installed()))
    with open_gateway(wish.url, wish.key_file) as gateway:
        level = wish.level or Level.STANDARD
        return gateway.validate(
            {"text": text, "parameters": _parameters(wish, schema), "level": level}
        )


def _mend(
    path: Path, text: str, level: Level, config: ValidationConfig
) -> tuple[str, tuple[Finding, ...]]:
    """Apply what patches there are, and write the file if that changed anything."""
    from shared.commands.registry import CommandRegistry
    from shared.validation.fixing import mend

    done = mend(text, CommandRegistry.installed(), level.value, config)
    if done.text != text:
        try:
            path.write_text(done.text, encoding="utf-8")
        except OSError as error:
            raise CliError(f"{path} cannot be written: {error.strerror}.") from None
    for finding in done.mended:
        typer.echo(f"fixed  {finding.path or path}: {finding.message} → {finding.fix}", err=True)
    if done.rewritten:
        typer.echo(f"{path} had to be written anew: its comments are lost.", err=True)
    return done.text, done.mended


def _tell(
    name: str,
    report: Report,
    source: str | None,
    form: Format,
    fail_on: FailOn,
    mended: tuple[Finding, ...] = (),
) -> None:
    """Print a report, and end with 1 where something is as bad as that."""
    from services.cli.finding_view import findings_text, summary_text
    from shared.validation.finding import SEVERITIES
    from shared.validation.sarif import sarif

    if form is Format.JSON:
        data = {"name": name, **report.model_dump(mode="json", by_alias=True)}
        print_json(data | {"fixed": [one.model_dump(mode="json", by_alias=True) for one in mended]})
    elif form is Format.SARIF:
        print_json(sarif([(name, report)]))
    else:
        console = rendering.console()
        for text in findings_text(name, report, source):
            console.print(text, soft_wrap=True)
        for text in _foreseen(report):
            console.print(text, soft_wrap=True)
        console.print(summary_text(name, report), soft_wrap=True)
    bad = SEVERITIES[: SEVERITIES.index(fail_on.value) + 1]
    if any(report.of_severity(severity) for severity in bad):
        raise typer.Exit(int(ExitCode.FAILED))


def _foreseen(report: Report) -> Iterator[Text]:
    """The forecast that came with a report, if one did."""
    from services.cli.forecast_view import forecast_text

    forecast = getattr(report, "forecast", None)
    return iter(()) if forecast is None else forecast_text(forecast)
