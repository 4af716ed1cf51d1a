"""Executions as text: the tree of steps, one line per event, tables. Only rich renderables; nothing
is printed here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, RenderableType
from rich.text import Text
from rich.tree import Tree

from services.cli.advice import hv
from services.cli.listing import Listing

if TYPE_CHECKING:
    from services.cli.progress import Progress, StepProgress
    from shared.contracts.events import PublicEvent

PIPE_WIDTH = 160
"""Width of what is printed where there is no terminal, in characters."""

NOTE_LIMIT = 160
"""Longest note behind a step, in characters."""

_SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "completed": ("✓", "green"),
    "completed_with_errors": ("!", "yellow"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "yellow"),
    "skipped": ("↷", "dim"),
    "running": ("●", "cyan"),
    "scheduled": ("○", "cyan"),
    "blocked": ("○", "yellow"),
    "waiting": ("…", "magenta"),
    "paused": ("‖", "yellow"),
    "retrying": ("↻", "yellow"),
    "lost": ("?", "red"),
    "stopping": ("⊘", "yellow"),
    "cancelling": ("⊘", "yellow"),
    "rolling_back": ("↶", "cyan"),
    "rolled_back": ("↶", "green"),
    "rollback_incomplete": ("↶", "red"),
    "rollback_failed": ("↶", "red"),
}
_STATUS_AFTER: Final[Mapping[str, str]] = {
    "execution.started": "running",
    "execution.continued": "running",
    "execution.resumed": "running",
    "execution.failing": "failed",
    "execution.rollback_requested": "rolling_back",
    "step.started": "running",
    "step.deferred": "waiting",
    "approval.requested": "waiting",
    "approval.granted": "completed",
    "approval.rejected": "failed",
    "approval.expired": "failed",
    "approval.voided": "cancelled",
    "approval.voted": "waiting",
}
_WORDLESS: Final = ("completed", "pending")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command's end: by itself rich would say that the workflow failed."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """The terminal, without guesses about numbers and paths; pipes and files get wide lines."""
    made = _Console(stderr=stderr, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPE_WIDTH
    return made


def sign(status: str) -> Text:
    """One character that stands for a status, in its colour."""
    character, style = _SIGNS.get(status, ("·", "dim"))
    return Text(character, style=style)


def tree(progress: Progress, now_ms: int) -> Tree:
    """The execution and its steps; steps that wait for none of each other stand together."""
    root = Tree(_headline(progress, now_ms), guide_style="dim")
    for level in progress.levels():
        branch = root.add(Text("in parallel", style="dim")) if len(level) > 1 else root
        for step in level:
            _add_step(branch, step, now_ms)
    return root


def event_line(event: PublicEvent) -> Text:
    """One event as one line, for terminals that cannot be redrawn."""
    data = event.data
    named = data.get("by") if event.type.startswith("approval.") else None
    person = str(named.get("id", "")) if isinstance(named, Mapping) else ""
    where = data.get("step") or data.get("gate")
    who = " ".join(filter(None, (where, person, _on(data.get("agent", "")))))
    failure = data.get("failure")
    why = failure.get("message", "") if isinstance(failure, Mapping) else data.get("reason", "")
    attempt = f"attempt {data['attempt']}" if data.get("attempt", 1) > 1 else ""
    return Text("  ").join(
        [
            Text(clock(event.at_ms), style="dim"),
            sign(_STATUS_AFTER.get(event.type, event.type.partition(".")[2])),
            Text(event.type),
            *(Text(shorten(str(part))) for part in (who, attempt, why) if part),
        ]
    )


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> RenderableType:
    """Rows under their columns; cells are text or renderables, None is empty."""
    cells = (tuple(one if isinstance(one, Text) else _cell(one) for one in row) for row in rows)
    return Listing(tuple(columns), tuple(cells))


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=_SIGNS.get(status, ("", ""))[1])


def duration(milliseconds: float | None) -> str:
    """A duration in the unit that suits it; empty when there is none."""
    if milliseconds is None or milliseconds < 0:
        return ""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def clock(at_ms: int) -> str:
    """A moment as local time of day, to the tenth of a second."""
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100_000}"


def moment(at_ms: int) -> str:
    """A moment as local date and time; empty for 0."""
    if not at_ms:
        return ""
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def short_moment(at_ms: int, now_ms: int) -> str:
    """The same for lists: of today only the time, of any other day only the date."""
    day, _, time_of_day = moment(at_ms).partition(" ")
    return time_of_day if moment(now_ms).startswith(day) else day


def shorten(text: str, limit: int = NOTE_LIMIT, *, blanks: bool = False) -> str:
    """The text on one line, cut at a limit; with `blanks` those between words stay as they are."""
    line = text if blanks else " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def safe(text: str) -> str:
    """The text; characters that could hide or repaint what is shown stand escaped."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _cell(value: Any) -> Text:
    return Text("" if value is None else str(value))


def _headline(progress: Progress, now_ms: int) -> Text:
    line = Text.assemble(sign(progress.status), " ", (progress.template, "bold"), "  ")
    line.append(progress.execution_id, style="dim")
    line.append("  ").append_text(status_text(progress.status))
    if progress.started_at_ms:
        end = progress.ended_at_ms or now_ms
        line.append(f"  {duration(max(0, end - progress.started_at_ms))}", style="dim")
    if progress.note:
        line.append(f"  {shorten(progress.note)}")
    if progress.waits_for_approval:
        line.append(f": {hv('approve')} {progress.execution_id}")
    return line


def _add_step(branch: Tree, step: StepProgress, now_ms: int) -> None:
    line = Text.assemble(sign(step.status), " ", (step.id, "bold" if not step.ended else ""))
    details = [step.command, _on(step.agent), _status_word(step), _elapsed(step, now_ms)]
    line.append("  " + "  ".join(filter(None, details)), style="dim")
    if step.note and step.status != "completed":
        line.append(f"  {shorten(step.note)}", style=_SIGNS.get(step.status, ("", ""))[1])
    added = branch.add(line)
    for earlier in step.earlier:
        added.add(Text(shorten(earlier), style="yellow"))


def _status_word(step: StepProgress) -> str:
    word = "" if step.status in _WORDLESS else step.status
    attempt = f"attempt {step.attempt}" if step.attempt > 1 else ""
    return " ".join(filter(None, (word, attempt)))


def _elapsed(step: StepProgress, now_ms: int) -> str:
    if not step.started_at_ms:
        return ""
    return duration(max(0, (step.ended_at_ms or now_ms) - step.started_at_ms))


def _on(agent: str) -> str:
    return f"on {agent}" if agent else ""
