"""What can be set about the models of the next command; the defaults are what the docs measure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """Sizes, rates and bounds; see the fields."""

    shared_after_users: int = 2
    """A text is shown to others once this many users have used it."""

    key: bytes = b""
    """Ids are hashes keyed with this, at most 64 bytes: a secret of the deployment."""

    max_user_rows: int = 1 << 17
    """Contexts remembered of all users together."""

    max_collective_rows: int = 1 << 16
    """Contexts remembered of the collective."""

    max_texts: int = 40_000
    """Texts kept in clear: names, lines and templates together."""

    max_users: int = 4_000
    """Users whose recent past is kept."""

    candidates: int = 48
    """How many candidates of a kind are ranked."""

    hidden: int = 32
    """Units of the ranker's hidden layer."""

    ranker_rate: float = 0.001
    """Step of the ranker's dense weights (Adam)."""

    pair_rate: float = 0.08
    """Step of the weights of pairs of candidate and context (AdaGrad)."""

    user_fade: float = 0.95
    """What one sight leaves of a user's older weights in the same context."""

    collective_fade: float = 0.99
    """The same for the collective."""

    user_quick_fade: float = 0.6
    """What one sight leaves of a user's quick weights: they hold what came last."""

    collective_quick_fade: float = 0.85
    """The same for the collective."""

    context_damping: float = 20.0
    """Sights of one context by one user after which the next counts half in the collective."""

    pair_damping: float = 20.0
    """The same for the weights of pairs."""

    ranker_damping: float = 3_000.0
    """Commands of one user after which the next moves the dense weights half as far."""
