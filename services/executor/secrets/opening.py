"""Parameters as a command gets them: sealed values opened, secrets put where the author wrote them.

Whatever is opened or made of a secret on the way is told to the redaction first, so that no message
about it can give it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.executor.commands.base import Failed
from services.executor.runner.redaction import Redaction
from services.executor.secrets.vault import Vault
from shared.contracts.tasks import Task
from shared.runtime.sealing import sealed_places
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Place
from shared.workflow.late import LateParameters, evaluate_late


async def opened_parameters(
    vault: Vault, task: Task, redaction: Redaction
) -> dict[str, Any] | Failed:
    """The parameters in clear, or why they cannot be had; raises `SealError`."""
    parameters = redaction.open(task.parameters)
    late = task.late
    if late is None:
        return parameters
    secrets = await vault.secrets_for(task, late.secrets)
    if isinstance(secrets, Failed):
        return secrets
    redaction.learn(secrets.values())
    sealed = [name for name, value in late.values.items() if any(sealed_places(value))]
    clear = late.model_copy(update={"values": redaction.open(late.values)})
    try:
        for place in late.places:
            _put_in(parameters, place, clear, secrets, sealed, redaction)
    except ExpressionError as error:
        return Failed("expression_error", str(error))
    return parameters


def _put_in(
    parameters: dict[str, Any],
    place: Place,
    late: LateParameters,
    secrets: dict[str, str],
    sealed: list[str],
    redaction: Redaction,
) -> None:
    *above, last = place
    holder: Any = parameters
    for key in above:
        holder = holder[key]
    evaluated = evaluate_late(holder[last], late, secrets, sealed)
    redaction.learn(evaluated.secret)
    holder[last] = evaluated.value


def secret_places(task: Task) -> Iterator[str]:
    """Where something sealed or a secret stands in a task's parameters, such as `argv[2]`."""
    yield from sealed_places(task.parameters)
    if task.late is not None:
        yield from map(written, task.late.places)


def written(place: Place) -> str:
    """A place as people write it."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    return text.removeprefix(".")
