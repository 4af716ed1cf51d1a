"""Rules about what comes from and goes to other hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from shared.validation import patches
from shared.validation.programs import SHELLS, Run, scripts_in
from shared.validation.rule import Example, Found, Rule
from shared.validation.shell import Command
from shared.validation.subject import Subject, Use
from shared.workflow.late import secrets_in

_LOADERS: Final = frozenset({"curl", "wget", "fetch", "aria2c", "http", "https"})
_INTERPRETERS: Final = SHELLS | {"python", "python3", "perl", "ruby", "node", "php"}
_AROUND: Final = frozenset({"sudo", "doas", "env", "exec", "nohup", "time"})
_LOCAL: Final = re.compile(r"^http://(localhost|127\.|\[::1\])", re.IGNORECASE)
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_SECRET_HEADER: Final = re.compile(r"(?i)token|secret|api-?key|password")


def _piped(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        if use.command != "shell":
            continue
        at = f"{use.path}/parameters"
        for path, script in scripts_in(at, use.parameters):
            for stages in script.pipelines:
                loads = [i for i, stage in enumerate(stages) if stage.name in _LOADERS]
                for later in stages[loads[0] + 1 :] if loads else ():
                    if _runs_input(later):
                        yield _runs_what(subject, path, script.text, stages[loads[0]], later)
    for _, run in subject.runs:
        for command in run.command.substituted:
            if command.name in _LOADERS and _runs_words(run):
                yield _runs_what(subject, run.path, None, command, run.command)


def _runs_input(command: Command) -> bool:
    """Whether a command runs what it reads: a shell, by itself or through `sudo`."""
    names = [word.text.rpartition("/")[2] for word in command.words]
    while names and (names[0] in _AROUND or names[0].startswith("-") or "=" in names[0]):
        names = names[1:]
    if not names or names[0] not in _INTERPRETERS:
        return False
    given = [name for name in names[1:] if not name.startswith("-")]
    return not given or "-s" in names or "-" in names[1:]


def _runs_words(run: Run) -> bool:
    return run.name in ("eval", "source", ".") or run.name in _INTERPRETERS


def _runs_what(
    subject: Subject, path: str, text: str | None, source: Command, runner: Command
) -> Found:
    known = text is None or subject.value(path) == text
    return Found(
        path,
        f"what `{source.name}` downloads is run by `{runner.name}` unseen",
        "download it to a file, compare its checksum, then run it",
        place=subject.inside(path, source.start) if known else None,
    )


def _unverified(subject: Subject) -> Iterator[Found]:
    for _, run in subject.runs:
        what = _skips(run.name, run.texts)
        if what:
            yield Found(run.path, f"`{run.name}` does not look who answers (`{what}`)",
                        "install the certificate of the authority on the host, and leave this out",
                        place=subject.in_run(run))  # fmt: skip
    for use in subject.uses:
        env = use.parameters.get("env")
        for name, value in env.items() if isinstance(env, Mapping) else ():
            if str(value) in _TURNED_OFF.get(name, ()):
                at = f"{use.path}/parameters/env/{name}"
                yield Found(at, f"`{name}={value}` turns the check of certificates off",
                            "remove it", patches.remove(at))  # fmt: skip


_TURNED_OFF: Final[Mapping[str, tuple[str, ...]]] = {
    "GIT_SSL_NO_VERIFY": ("1", "true"),
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
    "PYTHONHTTPSVERIFY": ("0",),
    "ANSIBLE_HOST_KEY_CHECKING": ("False", "false", "0"),
    "CURL_INSECURE": ("1",),
}


def _skips(name: str, texts: Sequence[str]) -> str:
    """The option by which a program does not verify whom it talks to."""
    options = {
        "curl": ("--insecure", "--proxy-insecure"),
        "wget": ("--no-check-certificate",),
        "kubectl": ("--insecure-skip-tls-verify", "--insecure-skip-tls-verify=true"),
        "helm": ("--insecure-skip-tls-verify",),
        "docker": ("--insecure-registry",),
    }.get(name, ())
    found = next((text for text in texts if text in options), "")
    if name == "curl" and not found:
        found = next((t for t in texts if re.match(r"-[a-zA-Z]*k[a-zA-Z]*$", t)), "")
    joined = " ".join(texts)
    if name in ("ssh", "scp", "rsync", "sftp"):
        match = re.search(r"StrictHostKeyChecking[= ](?:no|off)", joined)
        found = match.group() if match else found
    if name == "git":
        match = re.search(r"http\.sslVerify=(?:false|0)", joined, re.IGNORECASE)
        found = match.group() if match else found
    return found


def _cleartext(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        url = use.parameters.get("url")
        if use.command != "http" or not isinstance(url, str):
            continue
        if url.lower().startswith("http://") and not _LOCAL.match(url) and _is_secret(use):
            at = f"{use.path}/parameters/url"
            yield Found(at, "a secret is sent without encryption: everybody on the way can read it",
                        "use https", patches.replace(at, f"https://{url[7:]}"))  # fmt: skip


def _is_secret(use: Use) -> bool:
    headers: Any = use.parameters.get("headers", {})
    named = any(
        name.lower() in _SECRET_HEADERS or _SECRET_HEADER.search(name)
        for name in (headers if isinstance(headers, Mapping) else ())
    )
    return named or any(True for _ in secrets_in(use.parameters))


_HEAD: Final = "id: install_tool\nname: Install a tool\nsteps:\n"


def _script(script: str) -> Example:
    body = "".join(f"        {line}\n" for line in script.splitlines())
    return Example(f"""\
{_HEAD}\
  - id: install
    command: shell
    irreversible: the tool is removed by the image's next release
    parameters:
      script: |
{body}""")


RULES: Final = (
    Rule(
        code="download-to-shell",
        level="strict",
        severity="error",
        summary="A download is handed to a shell.",
        why="Whoever controls the other host, or the way there, runs commands here; and a download "
        "that is cut off in the middle runs half.",
        check=_piped,
        bad=_script("curl -fsSL https://get.example.com/install.sh | sh\n"),
        good=_script("""\
curl -fsSL -o install.sh https://get.example.com/install.sh
echo "0b8c1f7a3e install.sh" | sha256sum --check
sh install.sh
"""),
    ),
    Rule(
        code="unverified-host",
        level="strict",
        severity="error",
        summary="A program does not verify whom it talks to.",
        why="Without it anybody on the way can answer in the other's name.",
        check=_unverified,
        bad=_script("curl -k -o tool.tgz https://downloads.example.com/tool.tgz\n"),
        good=_script("curl -f -o tool.tgz https://downloads.example.com/tool.tgz\n"),
    ),
    Rule(
        code="cleartext-secret",
        level="strict",
        severity="error",
        summary="A secret is sent without encryption.",
        why="Everybody on the way can read it, and use it from then on.",
        check=_cleartext,
        bad=Example(f"""\
{_HEAD}\
  - id: ask
    command: http
    parameters:
      url: http://api.example.com/v1/tools
      headers: {{Authorization: "Bearer ${{{{ secrets.api_token }}}}"}}
"""),
        good=Example(f"""\
{_HEAD}\
  - id: ask
    command: http
    parameters:
      url: https://api.example.com/v1/tools
      headers: {{Authorization: "Bearer ${{{{ secrets.api_token }}}}"}}
"""),
    ),
)
