"""A lifted step as the parameters of the command `shell`.

Where no shell is needed the program is given its arguments as they are (`argv`), so a value can
mean nothing else than itself. Where one is (pipes, redirections, words that it works on) values
come as variables of the environment, in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.mining.lifting import BETWEEN, LiftedStep, Piece, Pieces, Word
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
    if words[-1].kind == "list" and words[-1].text is None:
        return {"argv": _argv_with_list(words, names, parameters), **shell}
    if all(_needs_no_shell(word) for word in words) and not _ASSIGNMENT.match(_start(words[0])):
        arguments = [one for word in words for one in _arguments(word, places)]
        return {"argv": arguments, **shell}
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
        text = "".join(one or "" for one in filled)
        parts += [quoted(one) for one in text.split(BETWEEN)]
    return " ".join(parts)


def shown(words: Sequence[Word], names: Sequence[str]) -> str:
    """The line with the names of its parameters in angle brackets."""
    return " ".join(
        word.text
        if word.text is not None
        else "".join(f"<{names[p]}>" if isinstance(p, int) else p for p in word.pieces)
        + ("…" if word.kind == "list" else "")
        for word in words
    )


def _argv_with_list(
    words: Sequence[Word], names: Sequence[str], parameters: Mapping[str, Parameter]
) -> str:
    """One expression for the arguments, the last of which are a list."""
    fixed = ", ".join(_expression(word, names, parameters) for word in words[:-1])
    items = next(names[p] for p in words[-1].pieces if isinstance(p, int))
    return f"${{{{ [{fixed}] + params.{items} }}}}"


def _expression(word: Word, names: Sequence[str], parameters: Mapping[str, Parameter]) -> str:
    if word.text is not None:
        return _quoted_in_cel(value_of(word.text) or "")
    parts = []
    for piece in word.pieces:
        if isinstance(piece, str):
            parts.append(_quoted_in_cel(piece))
        else:
            text = f"params.{names[piece]}"
            is_text = parameters[names[piece]].type is ParameterType.STRING
            parts.append(text if is_text else f"string({text})")
    return " + ".join(parts)


def _quoted_in_cel(text: str) -> str:
    """A text as CEL writes it, which is as JSON does. Raises ValueError where it would end the
    expression."""
    if "}}" in text:
        raise ValueError("a text with }} has no place in an expression")
    return json.dumps(text)


def _needs_no_shell(word: Word) -> bool:
    return word.kind == "list" or (
        word.kind == "word" and (word.text is None or value_of(word.text) is not None)
    )


def _start(word: Word) -> str:
    return word.text or ""


def _arguments(word: Word, places: Sequence[str]) -> list[str]:
    if word.kind == "list":
        return "".join(p for p in word.pieces if isinstance(p, str)).split(BETWEEN)
    if word.text is not None:
        return [value_of(word.text) or ""]
    return [_filled(word.pieces, places)]


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
