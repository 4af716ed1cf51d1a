"""The request for an execution: made and checked when it is time to run, or the reason why not.

The execution is validated in its first moment, at the level of its template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.automation.orders import Found
from shared.automation.specs import Runs
from shared.workflow.errors import ParameterError
from shared.workflow.messages import Actor, Cause, ExecutionRequested
from shared.workflow.parameters import prepare_parameters


def requested(
    spec: Runs, parameters: Mapping[str, Any], found: Found | None, by: Actor, trigger: Cause
) -> ExecutionRequested | str:
    """What to ask for, or why it cannot be."""
    if found is None:
        return f"there is no template {spec.template_id}@{spec.template_version}"
    template = found.template
    try:
        complete = prepare_parameters(template, parameters)
    except ParameterError as error:
        return f"parameters do not fit {template.id}@{template.version}: {error}"[:2_000]
    return ExecutionRequested(
        template_id=template.id,
        template_version=template.version,
        category=template.category,
        parameters=complete,
        requested_by=by,
        template_author=found.author,
        labels=spec.labels,
        trigger=trigger,
        to_validate=True,
    )
