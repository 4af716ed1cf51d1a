"""Watching one execution to its end: events as they come, the stored state as the last word."""

from __future__ import annotations

import time

from services.cli.client import Gateway
from services.cli.event_socket import EventSocket
from services.cli.faces import Face
from services.cli.outcome import CliError, ExitCode
from services.cli.progress import Progress
from shared.contracts.api.executions import ExecutionView
from shared.contracts.events import PublicEvent

QUIET_S = 0.5
"""How long to wait for an event before looking at the clock and at the stored state."""

CHECK_S = 5.0
"""How often the stored state is asked for while no event comes."""

STORED_WITHIN_S = 30.0
"""How long the store may lag behind the last event."""


def follow(gateway: Gateway, execution_id: str, face: Face) -> ExecutionView:
    """Show an execution that was accepted until it has ended, and return it as it was stored.

    Raises `CliError` when the gateway stays away.
    """
    progress = Progress(execution_id)
    with face:
        view = stored_if_there(gateway, execution_id)
        if view is None or not view.ended:
            _follow_socket(gateway, progress, face)
            view = stored_when_ended(gateway, execution_id)
        if not progress.ended:  # before the watch began, or while the socket was away
            for event in gateway.execution_events(execution_id):
                _shown(progress, event, face)
        face.show(Progress.of(view), None)
    return view


def stored_if_there(
    gateway: Gateway, execution_id: str, *, wait_s: float = 0
) -> ExecutionView | None:
    """The execution as stored (`wait_s`: at most so long for its end), or None: it may have been
    accepted a moment ago.
    """
    try:
        return gateway.execution(execution_id, wait_s=wait_s)
    except CliError as error:
        if error.status != 404:
            raise
        return None


def stored_when_ended(gateway: Gateway, execution_id: str) -> ExecutionView:
    """The execution as stored at its end: its last event may be a moment ahead of the store."""
    deadline = time.monotonic() + STORED_WITHIN_S
    while True:
        view = _stored_if_reachable(gateway, execution_id)
        if view is not None and view.ended:
            return view
        if time.monotonic() > deadline:
            return gateway.execution(execution_id)  # raises what is wrong
        time.sleep(0.05)


def _stored_if_reachable(gateway: Gateway, execution_id: str) -> ExecutionView | None:
    """The same, and None while the gateway restarts: the socket notices if it stays away."""
    try:
        return stored_if_there(gateway, execution_id)
    except CliError as error:
        if error.code is not ExitCode.NOT_REACHABLE:
            raise
        return None


def _follow_socket(gateway: Gateway, progress: Progress, face: Face) -> None:
    socket = EventSocket(gateway.connection, face.say, execution=progress.execution_id, after=0)
    next_check = time.monotonic()
    for event in socket.read(QUIET_S):
        if event is not None:
            _shown(progress, event, face)
        else:
            face.show(progress, None)
        if not progress.ended and time.monotonic() >= next_check:
            view = _stored_if_reachable(gateway, progress.execution_id)
            if view is not None:
                progress.describe(view)
                next_check = time.monotonic() + CHECK_S
                if view.ended:
                    return
        if progress.ended:
            return


def _shown(progress: Progress, event: PublicEvent, face: Face) -> None:
    if progress.apply(event):
        face.show(progress, event)
