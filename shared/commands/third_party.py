"""Commands that other distributions bring, found through the entry point group
`haivemind.commands`.

Each entry point names an object with a `spec` (CommandSpec), a `parameters` model and an async
`run`, or a class without constructor arguments that makes one. Whatever goes wrong while one is
loaded is reported as a problem of that entry alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from shared.commands.spec import CommandSpec

GROUP = "haivemind.commands"


@dataclass(frozen=True)
class ThirdPartyCommand:
    """A loaded entry point: where it came from, what it specifies, and the object that runs it."""

    origin: str
    spec: CommandSpec
    handler: object


@dataclass(frozen=True)
class RegistryProblem:
    """A third-party command that is not available, and why."""

    origin: str
    message: str


def installed_entry_points() -> tuple[EntryPoint, ...]:
    """The entry points of this environment, in a stable order."""
    found = entry_points(group=GROUP)
    return tuple(sorted(found, key=lambda entry: (entry.name, entry.value)))


def load_all(
    entries: Iterable[EntryPoint], taken: Iterable[str]
) -> tuple[list[ThirdPartyCommand], list[RegistryProblem]]:
    """Load every entry point; those whose name is in `taken`, or claimed twice, are refused.

    Of two third parties that claim one name neither is taken: which of them came first would
    differ from agent to agent.
    """
    loaded: list[ThirdPartyCommand] = []
    problems: list[RegistryProblem] = []
    for entry in entries:
        outcome = _load(entry)
        if isinstance(outcome, ThirdPartyCommand):
            loaded.append(outcome)
        else:
            problems.append(outcome)
    accepted, clashes = _without_clashes(loaded, frozenset(taken))
    return accepted, problems + clashes


def _load(entry: EntryPoint) -> ThirdPartyCommand | RegistryProblem:
    origin = _origin(entry)
    try:
        target = entry.load()
        handler: object = target() if isinstance(target, type) else target
    # A module that calls sys.exit() while it is imported must not take the agent with it.
    except (Exception, SystemExit) as error:
        return RegistryProblem(origin, f"could not be loaded: {type(error).__name__}: {error}")
    spec = getattr(handler, "spec", None)
    if not isinstance(spec, CommandSpec):
        return RegistryProblem(origin, "has no 'spec' that is a shared.commands.spec.CommandSpec")
    if not callable(getattr(handler, "run", None)):
        return RegistryProblem(origin, "has no 'run' method")
    return ThirdPartyCommand(origin, spec, handler)


def _origin(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "unknown distribution"
    return f"{distribution}: {entry.name} = {entry.value}"


def _without_clashes(
    loaded: list[ThirdPartyCommand], taken: frozenset[str]
) -> tuple[list[ThirdPartyCommand], list[RegistryProblem]]:
    claims: dict[str, list[ThirdPartyCommand]] = {}
    for command in loaded:
        claims.setdefault(command.spec.name, []).append(command)
    accepted: list[ThirdPartyCommand] = []
    problems: list[RegistryProblem] = []
    for name, claimants in claims.items():
        if name in taken:
            reason = f"the command name '{name}' belongs to a built-in command"
        elif len(claimants) > 1:
            origins = "; ".join(claimant.origin for claimant in claimants)
            reason = f"the command name '{name}' is claimed more than once ({origins})"
        else:
            accepted += claimants
            continue
        problems += [RegistryProblem(claimant.origin, reason) for claimant in claimants]
    return accepted, problems
