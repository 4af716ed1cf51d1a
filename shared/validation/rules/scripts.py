"""Rules about programs and scripts: what is put into them stays data, and they can be read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.validation import patches
from shared.validation.finding import PatchOperation
from shared.validation.programs import is_shell, script_of, scripts_in
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.safe_text import is_safe
from shared.validation.shell import PlaceUse, parse_script
from shared.validation.subject import Subject, Use
from shared.workflow.placeholders import placeholders

_MEANS_SOMETHING: Final = re.compile(r"^(\||\|\||&&|&|;|>|>>|<|2>|2>&1|&>)$|^\$\(|^`")
_STOPS: Final = re.compile(r"(?m)^[ \t]{0,80}set\s{1,9}-(?:[a-z]{0,20}e|o\s{1,9}errexit)")
_ONE_COMMAND: Final = re.compile(r"^[\w./-]+( +[^\s].*)$", re.DOTALL)


def _shells(subject: Subject) -> Iterator[Use]:
    return (use for use in subject.uses if use.command == "shell")


def _injections(*, bare: bool) -> Check:
    """Values that a shell would read as a part of the script."""

    def check(subject: Subject) -> Iterator[Found]:
        for use in _shells(subject):
            text = use.parameters.get("script")
            if isinstance(text, str) and "${{" in text:
                yield from _injected(subject, use, text, bare=bare)

    return check


def _injected(subject: Subject, use: Use, text: str, *, bare: bool) -> Iterator[Found]:
    path = f"{use.path}/parameters/script"
    for place in _places(use, text):
        source = text[place.start + 3 : place.end - 2].strip()
        exposed = place.context in ("bare", "arithmetic")
        if exposed is not bare or _is_harmless(subject, source):
            continue
        how = "unquoted" if bare else f"in {_WHERE[place.context]}"
        yield Found(
            path,
            f"`{source}` is put {how} into a script: what is in it is read by the shell",
            f'give it in `env`, and write `"${_variable(source)}"` in the script',
            _through_env(subject, use, text, place),
            place=subject.inside(path, place.start),
        )


_WHERE: Final[Mapping[str, str]] = {
    "double": "double quotes",
    "single": "single quotes",
    "heredoc": "a here-document",
    "literal": "a here-document",
    "comment": "a comment",
}


def _places(use: Use, text: str) -> Iterator[PlaceUse]:
    """Where the places of a script stand; for an interpreter that is no shell, as if bare within
    quotes: its language is not known here."""
    if is_shell(use.parameters):
        yield from parse_script(text).places
    else:
        for match in placeholders(text):
            yield PlaceUse(match.start(), match.end(), "double")


def _is_harmless(subject: Subject, source: str) -> bool:
    template = subject.template
    if template is None:
        return False
    return is_safe(source, _json_type(subject, source), dict(template.parameters))


def _json_type(subject: Subject, source: str) -> str | None:
    """The type of an expression; where the template is no program yet, that of a parameter."""
    compiled = subject.compiled(source)
    if compiled is not None:
        return compiled.json_type
    known = subject.template.parameters if subject.template is not None else {}
    declared = known.get(source.removeprefix("params."))
    sure = declared is not None and (declared.is_required or declared.default is not None)
    return declared.type.value if declared is not None and sure else None


def _variable(source: str) -> str:
    """A name for a variable that holds the value of an expression."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9_]*", source)
    name = words[-1].upper() if words else "VALUE"
    return name if name not in _TAKEN else f"{name}_VALUE"


_TAKEN: Final = frozenset({"PATH", "HOME", "USER", "SHELL", "LANG", "TZ", "IFS", "ENV", "PWD"})


def _through_env(
    subject: Subject, use: Use, text: str, place: PlaceUse
) -> tuple[PatchOperation, ...]:
    """The value as a variable of the environment; only where a quote can be closed and opened."""
    if not is_shell(use.parameters) or place.context in ("literal", "arithmetic", "comment"):
        return ()
    source = text[place.start + 3 : place.end - 2].strip()
    env = use.parameters.get("env", {})
    if not isinstance(env, Mapping):
        return ()
    is_text = _json_type(subject, source) == "string"
    value = f"${{{{ {source if is_text else f'string({source})'} }}}}"
    name = _free(_variable(source), value, env)
    written = {"bare": f'"${name}"', "single": f"'\"${name}\"'"}.get(place.context, f"${{{name}}}")
    better = text[: place.start] + written + text[place.end :]
    at = f"{use.path}/parameters"
    added = (
        patches.add(f"{at}/env", name, value) if "env" in use.parameters
        else patches.add(at, "env", {name: value})
    )  # fmt: skip
    return (*added, *patches.replace(f"{at}/script", better))


def _free(name: str, value: str, env: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while env.get(free, value) != value:
        free, number = f"{name}_{number}", number + 1
    return free


def _syntax(subject: Subject) -> Iterator[Found]:
    for use in _shells(subject):
        for path, script in scripts_in(f"{use.path}/parameters", use.parameters):
            if script.broken_at is not None:
                around = script.text[script.broken_at :].strip().split("\n")[0][:40]
                known = subject.value(path) == script.text
                place = subject.inside(path, script.broken_at) if known else None
                yield Found(path, f"the script cannot be read here: `{around or 'its end'}`",
                            "close what is open: quotes, parentheses, `if`, `do`, here-documents",
                            place=place)  # fmt: skip


def _argv(subject: Subject) -> Iterator[Found]:
    for use in _shells(subject):
        argv = use.parameters.get("argv")
        if not isinstance(argv, list | tuple) or not all(isinstance(one, str) for one in argv):
            continue
        path = f"{use.path}/parameters/argv"
        if len(argv) == 1 and _ONE_COMMAND.match(argv[0]) and "${{" not in argv[0]:
            yield Found(path, f"`{argv[0]}` is taken as the name of one program, blanks and all",
                        "write each argument by itself", _split(path, argv[0]))  # fmt: skip
        shown = [one for one in argv if _MEANS_SOMETHING.search(one)]
        if shown and not {"-c", "--"} & set(argv) and argv[0] not in ("expr", "test", "["):
            yield Found(path, f"`{shown[0]}` is handed to `{argv[0]}` as an argument: no shell "
                        "reads `argv`", "write it as a `script`")  # fmt: skip


def _split(path: str, text: str) -> tuple[PatchOperation, ...]:
    try:
        words = shlex.split(text)
    except ValueError:
        return ()
    return patches.replace(path, words)


def _unchecked(subject: Subject) -> Iterator[Found]:
    """Scripts of several commands whose interpreter was written without `-e`."""
    for use in _shells(subject):
        text = script_of(use.parameters)
        interpreter = use.parameters.get("interpreter")
        if text is None or not isinstance(interpreter, list) or len(interpreter) < 1:
            continue
        options = [str(one) for one in interpreter[1:]]
        stops = any(o.startswith("-") and not o.startswith("--") and "e" in o for o in options)
        commands = [c for c in parse_script(text).commands if c.name]
        own = re.search(
            r"(?m)^[ \t]{0,80}(set\s{1,9}-[a-z]{0,20}e|set\s{1,9}-o\s{1,9}errexit)", text
        )
        if len(commands) > 1 and not stops and "errexit" not in options and not own:
            at = f"{use.path}/parameters/interpreter"
            yield Found(at, "the script goes on after a command that failed", "add `-e`",
                        patches.replace(at, [*interpreter, "-e"]))  # fmt: skip


def _traversal(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        for name in ("path", "source") if use.command == "file" else ():
            text = use.parameters.get(name)
            if isinstance(text, str) and climbs(text):
                yield Found(
                    f"{use.path}/parameters/{name}",
                    f"`{text[:80]}` climbs out of the folder that it begins in",
                    "write where the file is, without `..`",
                )


def climbs(path: str) -> bool:
    """Whether a path leads through `..`."""
    return ".." in path.replace("\\", "/").split("/")


_HEAD: Final = """\
id: restart_unit
name: Restart a unit
parameters:
  unit: {type: string, default: nginx}
steps:
"""


def _shell(parameters: str) -> Example:
    body = "".join(f"      {line}\n" for line in parameters.splitlines())
    return Example(f"""\
{_HEAD}\
  - id: restart
    command: shell
    irreversible: a restart cannot be undone
    parameters:
{body}""")


_SOUND: Final = _shell("""\
script: systemctl restart "$UNIT"
env: {UNIT: "${{ params.unit }}"}
""")
_PLAIN: Final = _shell("argv: [systemctl, restart, '${{ params.unit }}']\n")

RULES: Final = (
    Rule(
        code="script-injection",
        level="standard",
        severity="error",
        summary="A value is put into a script without quotes.",
        why="The places of a template are filled in before the shell reads the script. A value "
        "with a blank becomes two words, and one with `;` or `$(…)` becomes a command that runs "
        "with the agent's rights. In `env` a value stays one. (Numbers, choices and texts whose "
        "pattern allows plain words only are harmless, and not reported.)",
        check=_injections(bare=True),
        bad=_shell("script: systemctl restart ${{ params.unit }}\n"),
        good=_SOUND,
    ),
    Rule(
        code="script-injection-quoted",
        level="standard",
        severity="warning",
        summary="A value is put into a script in quotes.",
        why="Quotes of the script do not protect it: the value is there before the shell reads the "
        "script, and may close them. In `env` a value stays a value.",
        check=_injections(bare=False),
        bad=_shell('script: systemctl restart "${{ params.unit }}"\n'),
        good=_SOUND,
    ),
    Rule(
        code="script-syntax",
        level="standard",
        severity="warning",
        summary="A script cannot be read as shell.",
        why="The shell reads a script as it runs it: what comes before the mistake is done, and "
        "the rest is not.",
        check=_syntax,
        bad=_shell(
            'script: |\n  if systemctl is-active "$UNIT"; then\n    systemctl restart '
            '"$UNIT"\nenv: {UNIT: "${{ params.unit }}"}\n'
        ),
        good=_SOUND,
    ),
    Rule(
        code="argv-shell-syntax",
        level="standard",
        severity="warning",
        summary="`argv` is written as if a shell read it.",
        why="Every element of `argv` is one argument as it stands; `|` and `&&` are handed to the "
        "program, which does not know what to do with them.",
        check=_argv,
        bad=_shell("argv: [systemctl, restart, '${{ params.unit }}', '&&', echo, done]\n"),
        good=_PLAIN,
    ),
    Rule(
        code="unchecked-script",
        level="standard",
        severity="warning",
        summary="A script goes on after a command that failed.",
        why="By default scripts stop at the first command that fails. This one says otherwise, so "
        "the step succeeds if only its last command does.",
        check=_unchecked,
        bad=_shell("""\
interpreter: [/bin/bash]
script: |
  systemctl daemon-reload
  systemctl restart "$UNIT"
env: {UNIT: "${{ params.unit }}"}
"""),
        good=_shell("""\
interpreter: [/bin/bash, -e]
script: |
  systemctl daemon-reload
  systemctl restart "$UNIT"
env: {UNIT: "${{ params.unit }}"}
"""),
    ),
    Rule(
        code="path-traversal",
        level="standard",
        severity="error",
        summary="The path of a file leads through `..`.",
        why="It begins within a folder that is allowed and ends somewhere else. Agents resolve "
        "paths before they compare them with their roots, and refuse it there.",
        check=_traversal,
        bad=Example("""\
id: read_config
name: Read a configuration
steps:
  - id: read
    command: file
    parameters: {operation: read, path: conf.d/../../../etc/shadow}
"""),
        good=Example("""\
id: read_config
name: Read a configuration
steps:
  - id: read
    command: file
    parameters: {operation: read, path: conf.d/site.conf}
"""),
    ),
)
