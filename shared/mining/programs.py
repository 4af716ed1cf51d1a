"""Programs that no step of a workflow runs, and programs whose exit code 1 is an answer.

A step runs a program without a terminal, in a shell of its own. So it cannot be an editor or a
console, what changes the shell itself would be lost with it, and what only shows a person where
they are does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_LOOKING_AROUND: Final = frozenset({
    "cd", "pushd", "popd", "dirs", "pwd", "clear", "reset", "history", "exit", "logout", "fg",
    "bg", "jobs", "alias", "unalias", "which", "type", "whereis", "help", "man", "info", "ls",
    "ll", "la", "l", "dir", "tree", "tput", "stty", "cls", "whoami", "id", "echo", "printf",
    "true", "false", ":", "man-db", "apropos", "whatis", "compgen", "fc", "hash", "cd..",
    "quit", "q",
})  # fmt: skip
_OF_THE_SHELL: Final = frozenset({
    "export", "source", ".", "set", "unset", "umask", "ulimit", "eval", "exec", "shopt",
    "declare", "local", "typeset", "setopt", "read", "wait", "trap", "disown", "newgrp", "su",
    "login", "conda", "workon", "nvm", "deactivate", "activate", "return",
})  # fmt: skip
_WITH_A_TERMINAL: Final = frozenset({
    "vi", "vim", "nvim", "nano", "pico", "emacs", "ed", "ex", "joe", "mcedit", "micro", "code",
    "subl", "less", "more", "most", "top", "htop", "btop", "atop", "iotop", "iftop", "nethogs",
    "watch", "tmux", "screen", "byobu", "mc", "ranger", "ftp", "sftp", "telnet", "msfconsole",
    "passwd", "visudo", "vipw", "gdb", "lldb", "pdb", "ipython", "irb", "nslookup", "mutt",
    "lynx", "w3m", "links", "chsh", "chfn", "minicom", "picocom", "script", "ncdu", "gnuplot",
    "fzf", "zellij", "k9s", "lazygit", "tig", "nc", "netcat", "ncat",
})  # fmt: skip
_ALONE_A_CONSOLE: Final = frozenset({
    "python", "python2", "python3", "node", "ruby", "perl", "php", "lua", "ghci", "bash", "sh",
    "zsh", "fish", "dash", "mysql", "psql", "sqlite3", "mongo", "mongosh", "redis-cli", "bc",
    "R", "scala", "ssh",
})  # fmt: skip
_ANSWERS_ONE: Final = frozenset(
    {"grep", "egrep", "fgrep", "zgrep", "rg", "ag", "diff", "cmp", "test", "[", "pgrep", "git"}
)
_PROGRAM: Final = re.compile(r"^[A-Za-z0-9_.~][A-Za-z0-9_.+/~-]*$|^/[\w.+-]+(?:/[\w.+-]+)+$")
_PROSE: Final = re.compile(r"^(?!R$|X$)(?:[A-Z][a-z]*|.*[,:?!]|[a-z]+\.)$")
"""Words that begin sentences, which people and agents type by mistake."""
_SSH_WITH_VALUE: Final = re.compile(r"^-[BbcDEeFIiJLlmOopQRSWw]$")
_HELP: Final = frozenset({"--help", "-h", "-help", "--version", "-V", "help", "/?", "-?"})


def is_runnable(name: str, words: Sequence[str]) -> bool:
    """Whether a step could run a command; `words` are those after its name."""
    if name in _LOOKING_AROUND or name in _OF_THE_SHELL or name in _WITH_A_TERMINAL:
        return False
    if not _PROGRAM.match(name) or (_PROSE.match(name) and words):
        return False
    if len(words) == 1 and words[0] in _HELP:
        return False
    return not _is_console(name, words)


def _is_console(name: str, words: Sequence[str]) -> bool:
    if name == "ssh":
        return len(_without_options(words)) < 2
    if name in ("sudo", "doas"):
        return True  # nothing stands behind it, or `-i`
    if name in ("crontab", "git") and any(w in ("-e", "-i", "rebase") for w in words):
        return "-e" in words or "-i" in words
    return name in _ALONE_A_CONSOLE and not [w for w in words if w not in ("-i", "-l")]


def _without_options(words: Sequence[str]) -> list[str]:
    """The words of `ssh` that are no options and not their values."""
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = bool(_SSH_WITH_VALUE.match(word))
        else:
            kept.append(word)
    return kept


def says_what_to_do(name: str) -> bool:
    """Whether the first word after a program says what it does (`git add`)."""
    return name in _ACTING


def answers_one(name: str) -> bool:
    """Whether exit code 1 of a program says "no", and not that it failed."""
    return name in _ANSWERS_ONE


def only_looks(name: str, words: Sequence[str]) -> bool:
    """Whether a command is known to change nothing; `words` are those after its name."""
    if name in ("sed", "yq", "perl") and any(w.startswith(("-i", "--in-place")) for w in words):
        return False
    if name == "find" and {"-delete", "-exec", "-execdir"} & set(words):
        return False
    if name in ("curl", "wget"):
        return name == "curl" and not _SENDS & {w.partition("=")[0] for w in words}
    if name in _LOOKS:
        return True
    first = next((w for w in words if not w.startswith("-")), "")
    return name in _ACTING and first in _LOOKING_WORDS


_SENDS: Final = frozenset({"-X", "--request", "-d", "--data", "-o", "-O", "--output", "-T", "-F",
                           "--data-raw", "--json", "--remote-name", "--form"})  # fmt: skip
_LOOKS: Final = frozenset({
    "cat", "head", "tail", "grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "find",
    "locate", "ls", "wc", "nl", "diff", "cmp", "sort", "uniq", "cut", "tr", "awk", "sed", "df",
    "du", "free", "ps", "pgrep", "uptime", "uname", "ip", "ifconfig", "ipconfig", "ss",
    "netstat", "lsof", "ping", "traceroute", "dig", "host", "nmap", "arp", "env", "date",
    "hostname", "stat", "file", "strings", "hexdump", "xxd", "od", "md5sum", "sha1sum",
    "sha256sum", "journalctl", "dmesg", "last", "lastlog", "w", "who", "getent", "lsblk",
    "lscpu", "lsusb", "lspci", "jq", "yq", "column", "realpath", "readlink", "basename",
    "dirname", "test", "[", "sleep", "nikto", "searchsploit", "whatweb",
})  # fmt: skip
_ACTING: Final = frozenset({
    "git", "systemctl", "service", "kubectl", "docker", "podman", "helm", "terraform", "apt",
    "apt-get", "dnf", "yum", "pip", "npm", "brew", "docker-compose", "vagrant", "ansible", "gh",
    "aws", "gcloud", "az", "consul", "nomad", "vault", "snap", "zpool", "zfs",
})  # fmt: skip
_LOOKING_WORDS: Final = frozenset({
    "status", "get", "list", "ls", "show", "describe", "logs", "log", "diff", "ps", "inspect",
    "info", "top", "version", "is-active", "images", "search", "policy", "blame", "shortlog",
    "rev-parse", "ls-files", "plan", "validate", "history", "cat", "config", "view",
    "is-enabled", "list-units", "stats", "port", "events", "grep", "outdated", "freeze",
})  # fmt: skip
