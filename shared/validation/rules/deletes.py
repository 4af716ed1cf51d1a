"""Rules about deletes: what is removed lies where it was said to lie.

A recursive delete is what it seems when each of its targets lies beneath one of the declared roots
(`roots` of the validation settings, the step's own `cwd`, what `mktemp` made), or is relative to
the attempt's own directory. A variable counts with the value that the script, or the step's `env`,
gives it; one that may be empty makes `rm -rf "$DIR/"` mean `rm -rf /`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.validation.finding import Severity
from shared.validation.programs import Run, script_of
from shared.validation.rule import Example, Found, Rule
from shared.validation.shell import Word, parse_script
from shared.validation.subject import Subject, Use

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)([^}]*)\}|([A-Za-z_]\w*))")
_NEVER_EMPTY: Final = re.compile(r"^:?\?")
_WHOLE: Final = frozenset({"/", "/*", "~", "~/", "~/*", "$HOME", "${HOME}", "$HOME/", "$HOME/*"})
_SYSTEM: Final = (
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run",
    "/sbin", "/srv", "/sys", "/usr", "/var",
)  # fmt: skip


def _recursive(subject: Subject) -> Iterator[Found]:
    for use, run in subject.runs:
        for target in _targets(run):
            said = _judged(subject, use, run, target)
            if said is not None:
                severity, why = said
                yield Found(
                    run.path,
                    f"`{run.name}` removes `{target.text}` and all that is in it: {why}",
                    "name a folder beneath a declared root, and guard variables: "
                    '`"${DIR:?}/cache"`',
                    severity=severity,
                    place=subject.in_run(run),
                )


def _targets(run: Run) -> Iterator[Word]:
    """What a program removes with everything in it."""
    words = run.arguments
    if run.name == "rm":
        options = [w.text for w in words if w.text.startswith("-")]
        short = "".join(o[1:] for o in options if not o.startswith("--"))
        if "r" in short or "R" in short or "--recursive" in options:
            yield from (w for w in words if not w.text.startswith("-") and w.text != "{}")
    elif run.name == "find" and any(_removes(words, i) for i in range(len(words))):
        for word in words:
            if word.text.startswith(("-", "(", "!")):
                break
            yield word
    elif run.name == "rsync" and any(w.text.startswith("--delete") for w in words):
        plain = [w for w in words if not w.text.startswith("-")]
        yield from (w for w in plain[-1:] if ":" not in w.text)


def _removes(words: tuple[Word, ...], index: int) -> bool:
    text = words[index].text
    runs_rm = text in ("-exec", "-execdir") and index + 1 < len(words)
    return text == "-delete" or (runs_rm and words[index + 1].text.endswith("rm"))


def _judged(subject: Subject, use: Use, run: Run, target: Word) -> tuple[Severity, str] | None:
    """What is wrong with a target; None where it is what it seems."""
    text = target.text
    if text.rstrip() in _WHOLE or text.rstrip("/*") == "":
        return "error", "that is everything"
    if "${{" in text:
        return _filled_in(subject, text)
    if target.substitutes:
        return "warning", "what a command prints is not known here"
    known = _resolved(text, use)
    if known is None:
        return "warning", "the variable may be empty, or anything"
    return _outside(subject, use, run, known)


def _filled_in(subject: Subject, text: str) -> tuple[Severity, str] | None:
    before = text.partition("${{")[0]
    if any(_is_within(before, root) for root in subject.config.roots) and ".." not in text:
        return None
    return "warning", "what is filled in is not known here"


def _outside(subject: Subject, use: Use, run: Run, path: str) -> tuple[Severity, str] | None:
    if ".." in path.split("/"):
        return "error", "the path climbs out of where it begins"
    plain = path.rstrip("/*") or "/"
    if plain in _SYSTEM or plain == "/":
        return "error", "that is a part of the system"
    here = _folder(use, run)
    if not path.startswith("/"):
        if here is None or not here.startswith("/"):
            return None  # the attempt's own directory
        path = f"{here.rstrip('/')}/{path}"
    roots = (*subject.config.roots, *_own_root(use))
    if path.startswith(_GUARDED) or any(_is_within(path, root) for root in roots):
        return None
    return "warning", f"it lies outside of the declared roots ({', '.join(roots) or 'none'})"


def _own_root(use: Use) -> tuple[str, ...]:
    """The folder that a step says it works in."""
    cwd = use.parameters.get("cwd")
    own = isinstance(cwd, str) and cwd.startswith("/") and cwd.rstrip("/") not in ("", *_SYSTEM)
    return (str(cwd),) if own and "${{" not in str(cwd) else ()


def _is_within(path: str, root: str) -> bool:
    return path.startswith(f"{root.rstrip('/')}/") and path.rstrip("/*") != root.rstrip("/")


def _folder(use: Use, run: Run) -> str | None:
    """Where the program runs: the last `cd` before it, or the step's `cwd`."""
    here = use.parameters.get("cwd")
    text = script_of(use.parameters)
    for command in parse_script(text).commands if text is not None else ():
        if command.start >= run.offset:
            break
        if command.name == "cd" and command.arguments:
            here = _resolved(command.arguments[0].text, use) or "/"
    return here if isinstance(here, str) else None


def _resolved(text: str, use: Use) -> str | None:
    """A text with its variables put in; None where one of them is not certain."""
    values = _values(use)
    result = text
    for match in _VARIABLE.finditer(text):
        name, rest = match[1] or match[3], match[2] or ""
        value = values.get(name)
        if value is None and not _NEVER_EMPTY.match(rest):
            return None
        # A guarded variable is not empty, but may lead anywhere: as if it named a folder by itself.
        result = result.replace(match.group(), value if value is not None else _GUARDED)
    return result


_GUARDED: Final = "/guarded/by/the/script"


def _values(use: Use) -> Mapping[str, str]:
    """What variables are certainly set to, by the step's `env` and by the script itself."""
    env: Any = use.parameters.get("env", {})
    known = {
        str(name): value
        for name, value in (env.items() if isinstance(env, Mapping) else ())
        if isinstance(value, str) and "${{" not in value and value
    }
    text = script_of(use.parameters)
    for name, word in parse_script(text).assigned if text is not None else ():
        if word.substitutes and "mktemp" in word.text:
            known[name] = _GUARDED
        elif word.is_literal and word.text:
            known[name] = word.text
        else:
            known.pop(name, None)
    return known


_HEAD: Final = "id: clear_cache\nname: Clear a cache\nsteps:\n"
_STEP: Final = """\
  - id: clear
    command: shell
    irreversible: a cache fills itself again
    parameters:
      script: {script}
"""

RULES: Final = (
    Rule(
        code="recursive-delete",
        level="strict",
        severity="error",
        summary="A recursive delete may remove more than it seems.",
        why="There is no way back from it, and the most common cause is a variable that was empty.",
        check=_recursive,
        bad=Example(_HEAD + _STEP.format(script='rm -rf "$CACHE/"*')),
        good=Example(_HEAD + _STEP.format(script='rm -rf "${CACHE:?}"/pages')),
    ),
)
