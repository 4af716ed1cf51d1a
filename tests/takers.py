"""What keeps the state before steps, for tests whose agents are objects in this process."""

from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from services.executor.captures.found import Limits
from services.executor.captures.kept import PATIENCE_S, Kept
from services.executor.captures.taking import Taker
from services.executor.commands.catalog import CommandCatalog
from shared.memory.captures import MemoryCaptures
from shared.ports.captures import Captures
from shared.ports.clock import Clock
from shared.runtime.meters import CaptureMeter

KEY = Fernet.generate_key()
LIMITS = Limits(file_bytes=1024 * 1024, capture_bytes=4 * 1024 * 1024)


def taker(
    commands: CommandCatalog,
    clock: Clock,
    store: Captures | None = None,
    *,
    host: str = "h",
    limits: Limits = LIMITS,
    patience_s: float = PATIENCE_S,
) -> Taker:
    """One over a store, by default one of its own in memory."""
    return Taker(
        kept=Kept(store or MemoryCaptures(), KEY, patience_s=patience_s, again_s=0.01),
        commands=commands,
        limits=limits,
        clock=clock,
        host=host,
        meter=CaptureMeter(CollectorRegistry()),
    )
