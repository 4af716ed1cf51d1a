"""Where programs take secrets: by the options and arguments of those that are well known."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from shared.learning.shell_text import SimpleCommand, Word, simple_commands
from shared.validation.secret_shapes import names_secret

Span = tuple[int, int]

_MYSQL: Final = (
    "mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mysqlsh",
    "mariadb", "mariadb-dump", "mariadb-admin", "mycli", "xtrabackup", "7z", "7za", "7zr",
)  # fmt: skip
_MONGO: Final = ("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport")
_LDAP: Final = ("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldappasswd")
_SMB: Final = ("smbclient", "rpcclient", "net", "smbget", "mount.cifs")
_ATTACKS: Final = (
    "hydra", "medusa", "crackmapexec", "cme", "nxc", "netexec", "evil-winrm", "smbmap",
    "bloodhound-python", "certipy", "certipy-ad", "ncrack", "patator", "kerbrute",
)  # fmt: skip
_ATTACHED: Final = dict.fromkeys(_MYSQL, "-p")
"""Options whose value is in the same word, and only there."""
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "sshpass": ("-p",),
    "redis-cli": ("-a",),
    "zip": ("-P",),
    "unzip": ("-P",),
    "mosquitto_pub": ("-P",),
    "mosquitto_sub": ("-P",),
    "useradd": ("-p",),
    "usermod": ("-p",),
    "sqlcmd": ("-P",),
    "bcp": ("-P",),
    "cqlsh": ("-p",),
    "tsql": ("-P",),
    "ipmitool": ("-P",),
    "curl": ("--oauth2-bearer", "--pass", "--proxy-pass", "--key-pass"),
    **dict.fromkeys(_MONGO, ("-p",)),
    **dict.fromkeys(_LDAP, ("-w",)),
    **dict.fromkeys(_ATTACKS, ("-p", "-H", "-hashes", "--hashes")),
}
"""Options whose value is a secret, in the next word or in the same one."""
_LOGINS: Final = frozenset({"docker", "podman", "nerdctl", "buildah", "skopeo", "oc", "az", "helm",
                            "cf", "oras", "crane", "rancher", "argocd"})  # fmt: skip
_PAIRS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "curl": (("-u", "-U", "--user", "--proxy-user"), ":"),
    "http": (("-a", "--auth"), ":"),
    "https": (("-a", "--auth"), ":"),
    "xh": (("-a", "--auth"), ":"),
    "skopeo": (("--creds", "--src-creds", "--dest-creds"), ":"),
    **dict.fromkeys(_SMB, (("-U", "--user"), "%")),
}
"""Options whose value is a name and a secret, and what stands between them."""
_NAME_AND_VALUE: Final = frozenset({"set", "setenv", "setx", "aws", "npm", "yarn", "pnpm", "git",
                                    "gcloud", "conda", "poetry", "composer", "bundle"})  # fmt: skip
_READS_SECRET: Final = frozenset({"chpasswd", "--password-stdin", "--with-token",
                                  "--token-stdin", "--key-file=-", "--passphrase-fd"})  # fmt: skip
_PRINTS: Final = frozenset({"echo", "printf", "print"})
_KNOWN: Final = frozenset(
    {*_ATTACHED, *_VALUES, *_LOGINS, *_PAIRS, *_NAME_AND_VALUE, "htpasswd", "vault"}
)
PROGRAMS: Final = 16
"""Programs of one simple command that are looked at: bounds the work on a hostile line."""
ARGUMENTS: Final = 400
"""Words behind each of them."""
_LITERAL: Final = re.compile(r"--from-literal=[^=]+=|/p:|/pth:|(?:file:)?pass(?=:)")
_PASSWORD_WORD: Final = re.compile(r"""['"]?pass:""")
_FIELD: Final = re.compile(r"[\w.-]+=")


def argument_spans(line: str, offset: int = 0) -> Iterator[Span]:
    """Begin and end of each argument that is a secret, also in commands within quotes."""
    commands = simple_commands(line)
    for index, command in enumerate(commands):
        follows = commands[index + 1] if command.piped and index + 1 < len(commands) else None
        for start, end in _of_command(command, follows):
            yield start + offset, end + offset
        for word in (*command.words, *command.here):
            inner = word.text[1:].rstrip("'\"") if word.text[0] in "'\"" else ""
            if " " in inner:
                yield from argument_spans(inner, offset + word.start + 1)


def _of_command(command: SimpleCommand, follows: SimpleCommand | None) -> Iterator[Span]:
    words = command.words
    if _reads_secret(command):
        yield from (_span(word) for word in command.here)
    if follows is not None and _reads_secret(follows) and words and words[0].bare in _PRINTS:
        yield from (_span(word) for word in words[1:] if not word.text.startswith("-"))
    for index, program in _programs(words):
        yield from _of_program(program, words[index + 1 : index + 1 + ARGUMENTS])
    yield from _anywhere(words)


def _programs(words: list[Word]) -> list[tuple[int, str]]:
    """The first words that are programs which take secrets: one may start another."""
    found = []
    for index, word in enumerate(words):
        program = word.bare.rpartition("/")[2]
        if program in _KNOWN:
            found.append((index, program))
            if len(found) == PROGRAMS:
                break
    return found


def _of_program(program: str, arguments: list[Word]) -> Iterator[Span]:
    said = {word.bare for word in arguments}
    flag = _ATTACHED.get(program)
    if flag:
        yield from (
            (word.inner + len(flag), word.inner_end)
            for word in arguments
            if word.bare.startswith(flag) and word.bare != flag
        )
    flags = _VALUES.get(program, ())
    if program in _LOGINS and "login" in said:
        flags = (*flags, "-p")
    yield from _values(arguments, flags)
    if program in _PAIRS:
        yield from _seconds(arguments, *_PAIRS[program])
    if program == "curl":  # a file of cookies has no `=`
        yield from _seconds(arguments, ("-b", "--cookie"), "=")
    if program in _NAME_AND_VALUE:
        yield from _named(arguments)
    if program == "htpasswd" and any(re.match(r"-\w*b", word) for word in said) and arguments:
        yield _span(arguments[-1])
    if program == "vault" and said & {"write", "put", "patch"}:
        yield from _fields(arguments)


def _values(arguments: list[Word], flags: tuple[str, ...]) -> Iterator[Span]:
    """What follows one of these options: the rest of the word, or the next one."""
    for index, word in enumerate(arguments):
        for flag in flags:
            if word.bare == flag and index + 1 < len(arguments):
                yield _span(arguments[index + 1])
            elif word.bare.startswith(f"{flag}="):
                yield word.inner + len(flag) + 1, word.inner_end
            elif len(flag) == 2 and word.bare.startswith(flag) and word.bare != flag:
                yield word.inner + 2, word.inner_end


def _seconds(arguments: list[Word], flags: tuple[str, ...], between: str) -> Iterator[Span]:
    """The secrets of options that hold a name and a secret."""
    for start, end in _values(arguments, flags):
        holder = _holding(arguments, start)
        text = holder.text
        at = text.find(between, start - holder.start)
        if at >= 0:
            closing = text[-1] in "'\"" and text[start - holder.start] == text[-1]
            yield holder.start + at + 1, end - closing


def _holding(words: list[Word], place: int) -> Word:
    """The word that a place of the line is in; there is one."""
    return words[bisect_right(words, place, key=lambda word: word.start) - 1]


def _named(arguments: list[Word]) -> Iterator[Span]:
    """The word behind one that is the name of a secret, of programs that set values."""
    for name, value in itertools.pairwise(arguments):
        plain = not name.text.startswith("-") and "=" not in name.text
        if plain and names_secret(name.bare) and not value.text.startswith("-"):
            yield _span(value)


def _fields(arguments: list[Word]) -> Iterator[Span]:
    """Each value of `name=value`, of programs that keep secrets."""
    for word in arguments:
        match = _FIELD.match(word.text)
        if match is not None and not word.text.startswith("-") and word.text[match.end() :] != "-":
            yield word.start + match.end(), word.end


def _anywhere(words: list[Word]) -> Iterator[Span]:
    """Words that are secrets by their form, whoever takes them."""
    for word in words:
        match = _LITERAL.match(word.text)
        if match is not None and not match.group().endswith("pass"):
            yield word.start + match.end(), word.end
        password = _PASSWORD_WORD.match(word.text)
        if password is not None:
            yield word.start + password.end(), word.end


def _reads_secret(command: SimpleCommand) -> bool:
    said = {word.bare for word in command.words}
    asks_sudo = "sudo" in said and any(re.match(r"-\w*S", word) for word in said)
    return asks_sudo or {"passwd", "--stdin"} <= said or bool(said & _READS_SECRET)


def _span(word: Word) -> Span:
    return word.start, word.end
