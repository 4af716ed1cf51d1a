"""A lifted step as the parameters of the command `shell`.

Where no shell is needed the program is given its arguments as they are (`argv`), so a value can
mean nothing else than itself. Where one is (pipes, redirections, words that it works on) values
come as variables of the environment, in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.mining.lifting import LiftedStep, Piece, Pieces, Word
from shared.mining.words import in_double_quotes, quoted, value_of
from shared.workflow.declared import Parameter, ParameterType

_ASSIGNMENT: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")
_BASH: Final = re.compile(r"\[\[|<<<|&>|<\(|>\(|\{[^}]*(?:,|\.\.)[^}]*\}|\$'")
_TAKEN: Final = frozenset(
    {"PATH", "HOME", "USER", "SHELL", "LANG", "TZ", "IFS", "ENV", "PWD", "LOGNAME", "TMPDIR"}
)


def shell_of(
    words: Sequence[Word], cwd: Pieces, names: Sequence[str], parameters: Mapping[str, Parameter]
) -> dict[str, Any]:
    """The parameters of a `shell` step; `names` are those of the parameters by their numbers."""
    places = [_place(name, parameters[name]) for name in names]
    shell = {} if not cwd else {"cwd": _filled(cwd, places)}
    if all(_needs_no_shell(word) for word in words) and not _ASSIGNMENT.match(_start(words[0])):
        return {"argv": [_argument(word, places) for word in words], **shell}
    script = _script(words, names)
    used = sorted({p for word in words for p in word.pieces if isinstance(p, int)})
    env = {_variable(names[p]): places[p] for p in used}
    bash = {"interpreter": ["/bin/bash", "-e"]} if _BASH.search(script) else {}
    return {"script": script + "\n", **bash, **({"env": env} if env else {}), **shell}


def text_of(words: Sequence[Word], values: Sequence[str | None]) -> str | None:
    """The line that a step is with these values; None where one is missing."""
    parts = []
    for word in words:
        if word.text is not None:
            parts.append(word.text)
            continue
        filled = [values[p] if isinstance(p, int) else p for p in word.pieces]
        if any(one is None for one in filled):
            return None
        parts.append(quoted("".join(one or "" for one in filled)))
    return " ".join(parts)


def shown(words: Sequence[Word], names: Sequence[str]) -> str:
    """The line with the names of its parameters in angle brackets."""
    return " ".join(
        word.text
        if word.text is not None
        else "".join(f"<{names[p]}>" if isinstance(p, int) else p for p in word.pieces)
        for word in words
    )


def _needs_no_shell(word: Word) -> bool:
    return word.kind == "word" and (word.text is None or value_of(word.text) is not None)


def _start(word: Word) -> str:
    return word.text or ""


def _argument(word: Word, places: Sequence[str]) -> str:
    if word.text is not None:
        return value_of(word.text) or ""
    return _filled(word.pieces, places)


def _filled(pieces: Pieces, places: Sequence[str]) -> str:
    return "".join(places[p] if isinstance(p, int) else p for p in pieces)


def _place(name: str, parameter: Parameter) -> str:
    text = f"params.{name}"
    return f"${{{{ {text if parameter.type is ParameterType.STRING else f'string({text})'} }}}}"


def _script(words: Sequence[Word], names: Sequence[str]) -> str:
    return " ".join(
        word.text if word.text is not None else _quoted(word.pieces, names) for word in words
    )


def _quoted(pieces: Sequence[Piece], names: Sequence[str]) -> str:
    alone = len(pieces) == 1
    inner = "".join(
        (f"${_variable(names[p])}" if alone else f"${{{_variable(names[p])}}}")
        if isinstance(p, int)
        else in_double_quotes(p)
        for p in pieces
    )
    return f'"{inner}"'


def _variable(name: str) -> str:
    upper = name.upper()
    return f"{upper}_VALUE" if upper in _TAKEN else upper


def words_of(step: LiftedStep) -> tuple[str, ...]:
    """The fixed words of a step, its program first; those that vary are left out."""
    return tuple(word.text for word in step.words if word.kind == "word" and word.text is not None)
