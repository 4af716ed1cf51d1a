"""When something happens: by cron, at an interval, or once."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from shared.automation.cron import CronError, parse_cron
from shared.automation.zones import ZoneError, moment_of, next_moment, zone
from shared.workflow.names import Model

MAX_EVERY_S: Final = 366 * 86_400


class Timetable(Model):
    """Exactly one of `cron`, `every_s` and `at`.

    `cron` has five fields, or six with the second first, and is read in `timezone`. `every_s`
    counts from `starts_at`, or from when the schedule was made. `at` and `starts_at` are ISO 8601;
    without an offset they are read in `timezone`.
    """

    cron: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="`minute hour day month weekday`, or six fields, the second first."
    )
    every_s: int | None = Field(None, ge=1, le=MAX_EVERY_S, description="Seconds between two runs.")
    at: datetime | None = Field(None, description="Once, then.")
    starts_at: datetime | None = Field(None, description="What `every_s` counts from.")
    timezone: Annotated[str, StringConstraints(max_length=100)] = Field(
        "UTC", description="IANA name, such as Europe/Berlin."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Timetable:
        if sum(given is not None for given in (self.cron, self.every_s, self.at)) != 1:
            raise ValueError("give exactly one of cron, every_s and at")
        if self.starts_at is not None and self.every_s is None:
            raise ValueError("starts_at belongs to every_s")
        try:
            zone(self.timezone)
            if self.cron is not None and next_moment(parse_cron(self.cron), "UTC", 0) is None:
                raise CronError(f"{self.cron!r} never happens")
        except (CronError, ZoneError) as error:
            raise ValueError(str(error)) from None
        return self

    def next_after(self, after_ms: int, anchor_ms: int) -> int | None:
        """The first moment after `after_ms`, `None` when there is none. `anchor_ms` is when the
        schedule was made."""
        if self.cron is not None:
            return next_moment(parse_cron(self.cron), self.timezone, after_ms)
        if self.every_s is not None:
            start = anchor_ms if self.starts_at is None else self._moment(self.starts_at)
            step = self.every_s * 1_000
            return start + max(0, (after_ms - start) // step + 1) * step
        if self.at is not None and (only := self._moment(self.at)) > after_ms:
            return only
        return None

    def upcoming(self, after_ms: int, anchor_ms: int, count: int) -> tuple[int, ...]:
        """The next `count` moments, fewer where there are not as many."""
        found: list[int] = []
        while len(found) < count:
            moment = self.next_after(found[-1] if found else after_ms, anchor_ms)
            if moment is None:
                break
            found.append(moment)
        return tuple(found)

    def _moment(self, when: datetime) -> int:
        if when.tzinfo is not None:
            return round(when.timestamp() * 1_000)
        return moment_of(when, self.timezone)


def jitter_ms(automation_id: str, edition: int, moment_ms: int, jitter_s: int) -> int:
    """A delay of 0 to `jitter_s` seconds that is the same whenever it is asked for."""
    if not jitter_s:
        return 0
    return digest(automation_id, edition, moment_ms, "jitter") % (jitter_s * 1_000 + 1)


def digest(*parts: Any) -> int:
    """80 bits that follow from the parts."""
    text = "\n".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:10])
