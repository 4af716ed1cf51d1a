"""An httpx transport that connects only to addresses the policy allows."""

from services.executor.policy import Policy, Refused
from shared.net.addresses import Address
from shared.net.pinned_http import PinnedTransport, ResolveError

__all__ = ["GuardedTransport", "PolicyRefusedError", "ResolveError"]


class PolicyRefusedError(Exception):
    """The policy forbids the host; `decision` says by which rule."""

    def __init__(self, decision: Refused) -> None:
        super().__init__(decision.message)
        self.decision = decision


class GuardedTransport(PinnedTransport):
    """Resolves, asks the policy for every address, then connects to one of these."""

    def __init__(self, policy: Policy) -> None:
        def check(host: str, address: Address) -> None:
            decision = policy.host(host, address)
            if isinstance(decision, Refused):
                raise PolicyRefusedError(decision)

        super().__init__(check)
