"""A failure matched to the signatures that are known, from their views."""

from __future__ import annotations

from collections.abc import Sequence

from shared.outcomes.drain import SIMILAR, similarity
from shared.outcomes.messages import tokens_of
from shared.outcomes.views import Part, ResolutionView, Share, SignatureView


class KnownFailure(Part):
    """A signature that a failure matches, and the share of its words that are the same."""

    similarity: Share
    signature: SignatureView


def tokens_with(code: str, message: str) -> tuple[str, ...]:
    """What a failure is compared by."""
    return (code, *tokens_of(message))


def best_match(tokens: Sequence[str], known: Sequence[SignatureView]) -> KnownFailure | None:
    """The signature that is most similar, of those of as many words; the one that occurs most often
    of equals. None where none is similar."""
    found = [
        (similarity(one.tokens, tokens), one.weight, one.id, one)
        for one in known
        if len(one.tokens) == len(tokens) and one.tokens[0] == tokens[0]
    ]
    if not found:
        return None
    alike, _, _, one = max(found, key=lambda each: each[:3])
    return KnownFailure(similarity=round(alike, 4), signature=one) if alike >= SIMILAR else None


def what_helped(one: SignatureView) -> tuple[str, ...]:
    """What was done before runs passed again, in words, the likeliest to help first."""
    return tuple(
        f"{_done(each)}: helped {each.helped} of {each.tried} times" for each in one.resolutions
    )


def _done(one: ResolutionView) -> str:
    what, value = one.what, one.value
    match one.what_kind:
        case "again":
            return "running it again"
        case "parameter":
            return f"another {what}" + (f" ({value})" if value else "")
        case "version":
            return f"version {what}"
        case "agent":
            return f"agent {what}"
        case "marked":
            return f"the step marked as {what}" if what == "completed" else "the step skipped"
        case _:
            return f"workflow {what} first"
