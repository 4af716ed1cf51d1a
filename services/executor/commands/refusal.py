"""A policy's refusal as the outcome of a command."""

from services.executor.commands.base import Failed
from services.executor.policy import Refused

REFUSED_CODE = "refused_by_policy"


def refused(decision: Refused) -> Failed:
    """The failure that names the rule and what would permit it; retrying cannot help."""
    message = f"{decision.message} (rule {decision.rule}); {decision.fix}"
    return Failed(REFUSED_CODE, message, output={"rule": decision.rule})
