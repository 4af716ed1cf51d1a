"""`hv templates`: list, show, create, export, versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv
from services.cli.groups import listing_group
from services.cli.options import AsJson, KeyFile, TemplateId, Url, open_gateway
from services.cli.outcome import CliError, print_json, told
from shared.contracts.api.problems import FieldProblem

if TYPE_CHECKING:
    from shared.contracts.api.templates import TemplateSummary, TemplateView
    from shared.workflow.declared import Parameter
    from shared.workflow.definition import Step

Version = Annotated[str | None, typer.Option("--version", help="Default: the newest release.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = listing_group("List, show, create and export workflow templates.", _print_list)
    group.command("list")(list_templates)
    group.command("show")(show)
    group.command("create")(create)
    group.command("export")(export)
    group.command("versions")(versions)
    app.add_typer(group, name="templates")


@told
def list_templates(
    category: Annotated[str | None, typer.Option(help="Only this category.")] = None,
    search: Annotated[str | None, typer.Option(help="Words in name or description.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the newest version of each template."""
    _print_list(url, key_file, as_json=as_json, category=category, search=search, tag=tag)


@told
def show(
    template: TemplateId,
    version: Version = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a template does, and how to run it."""
    with open_gateway(url, key_file) as gateway:
        view = gateway.template(template, version)
    if as_json:
        print_json(view.model_dump(mode="json", by_alias=True, exclude_unset=True))
        return
    rendering.console().print(_described(view))


@told
def create(
    file: Annotated[Path, typer.Argument(help="A template as YAML or JSON.")],
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Store a template from a file as a new version; versions never change afterwards."""
    from shared.templates import loader
    from shared.templates.document import TemplateFileError, parse

    try:
        document = parse(loader.read_text(file))
        template = loader.template_of(document)
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}.") from None
    except TemplateFileError as error:
        fields = tuple(_located(file, p.line, p.path, p.message, p.fix) for p in error.placed)
        raise CliError(f"{file} is not a template.", fields=fields) from None
    with open_gateway(url, key_file) as gateway:
        try:
            stored = gateway.store_template(template)
        except CliError as error:
            located = (
                _located(file, document.place(p.field)[0], p.field, p.message, p.fix)
                for p in error.fields
            )
            raise CliError(str(error), error.code, tuple(located), error.status) from None
    if as_json:
        print_json(stored.model_dump(mode="json"))
        return
    name = f"{stored.template.id} {stored.template.version}"
    said = {"created": f"Stored {name}.", "unchanged": f"{name} is stored already, unchanged."}
    typer.echo(said[stored.outcome])
    for one in stored.warnings:
        typer.echo(f"  warning     {one.field}: {one.message}; {one.fix}", err=True)
    typer.echo(f"  run it      {hv('run')} {stored.template.id}")


@told
def export(
    template: TemplateId,
    version: Version = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default: standard output.")
    ] = None,
    url: Url = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a template as YAML (or JSON) that `hv templates create` takes again."""
    import json

    from shared.templates.loader import load

    with open_gateway(url, key_file) as gateway:
        text = gateway.template_text(template, version)
    definition = load(text)
    if as_json:
        data = definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{output} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {definition.id} {definition.version} to {output}.", err=True)


@told
def versions(
    template: TemplateId, url: Url = None, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """List every version of a template, newest first."""
    with open_gateway(url, key_file) as gateway:
        found = gateway.template_versions(template)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    rows = (
        (one.version, rendering.moment(one.created_at_ms), one.created_by, one.content_hash[:12])
        for one in found
    )
    rendering.console().print(rendering.table(("VERSION", "CREATED", "BY", "HASH"), rows))


def _print_list(
    url: str | None, key_file: Path | None, *, as_json: bool, **filters: str | None
) -> None:
    with open_gateway(url, key_file) as gateway:
        found = list(gateway.templates(**filters))
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        typer.echo("No template fits.")
        return
    console = rendering.console()
    columns = ("TEMPLATE", "VERSION", "CATEGORY", "STEPS", "WHAT IT DOES")
    console.print(rendering.table(columns, map(_row, found)))
    console.print(Text(f"\n{hv('templates show TEMPLATE')} tells its parameters.", style="dim"))


def _row(one: TemplateSummary) -> tuple[object, ...]:
    what = one.description.strip().partition(". ")[0] or one.name
    approval = " (needs approval)" if one.approval_required else ""
    return (
        Text(one.id, style="bold"),
        one.version,
        one.category,
        one.steps,
        rendering.shorten(what, 90) + approval,
    )


def _described(view: TemplateView) -> Group:
    template = view.definition
    required: list[str] = view.parameters_schema.get("required", [])
    head = Text.assemble((template.name, "bold"), f"  {template.id} {template.version}")
    parts: list[RenderableType] = [head]
    if template.description:
        parts.append(Text(template.description.strip()))
    if template.parameters:
        rows = (
            _parameter(name, one, required=name in required)
            for name, one in template.parameters.items()
        )
        parts.append(_section("Parameters"))
        parts.append(rendering.table(("NAME", "TYPE", "DEFAULT", "WHAT IT IS"), rows))
    parts += [_section("Steps"), rendering.table(_STEP_COLUMNS, map(_step, template.steps))]
    parts += [Text(f"\n{sentence}") for sentence in _facts(view)]
    given = "".join(f" -p {name}=…" for name in required)
    parts.append(Text(f"\n{hv('run')} {template.id}{given} --watch", style="dim"))
    return Group(*parts)


_STEP_COLUMNS = ("STEP", "COMMAND", "AFTER", "WHAT IT DOES")


def _section(title: str) -> Text:
    return Text(f"\n{title}", style="bold")


def _parameter(name: str, one: Parameter, *, required: bool) -> tuple[object, ...]:
    choices = f" One of: {', '.join(map(str, one.enum))}." if one.enum else ""
    example = f" For example: {one.examples[0]}." if one.examples else ""
    default = "required" if required else ("" if one.default is None else str(one.default))
    text = f"{one.description.strip()}{choices}{example}"
    return (Text(name, style="bold"), one.type.value, rendering.shorten(default, 40), text)


def _step(one: Step) -> tuple[object, ...]:
    extra = f" (only when {one.when})" if one.when else ""
    return (
        Text(one.id, style="bold"),
        one.command,
        ", ".join(one.depends_on),
        (one.description.strip() or one.name) + extra,
    )


def _facts(view: TemplateView) -> list[str]:
    template = view.definition
    facts = []
    if view.secrets:
        listed = ", ".join(view.secrets)
        facts.append(f"Its agents must have these secrets: {listed} ({hv('secrets')}).")
    if template.policies.asks_first:
        facts.append(f"A person must approve each run before it begins ({hv('approve')}).")
    facts += [f"Before: {one}" for one in template.prerequisites]
    if template.estimated_duration_s is not None:
        facts.append(f"Takes about {rendering.duration(template.estimated_duration_s * 1000)}.")
    return facts


def _located(file: Path, line: int, path: str, message: str, fix: str) -> FieldProblem:
    where = ": ".join(filter(None, (f"{file}:{line}" if line else str(file), path)))
    return FieldProblem(field=where, message=message, fix=fix)
