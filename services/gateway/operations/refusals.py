"""What the collective refuses, as problems for the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway import problems
from shared.ports.collective import (
    ConflictError,
    HiveUnavailableError,
    InvalidRequestError,
    NotFoundError,
)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the collective's ports raise into `ProblemError`."""
    try:
        yield
    except NotFoundError as error:
        raise problems.problem("not-found", f"{error}.") from None
    except ConflictError as error:
        raise problems.conflict(f"{error}.") from None
    except InvalidRequestError as error:
        raise problems.problem("invalid-request", f"{error}.") from None
    except HiveUnavailableError:
        raise problems.unavailable("The hive") from None


@contextmanager
def answered_by_a_service() -> Iterator[None]:
    """The same where another service is asked: who does not answer is named."""
    with refusals():
        try:
            yield
        except HiveUnavailableError as error:
            raise problems.problem("unavailable", f"{error}") from None
