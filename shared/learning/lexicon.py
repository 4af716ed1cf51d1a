"""The texts behind the ids, and who may see them.

Models count ids, which are keyed hashes. The text of an id is kept in clear with the first few
users who used it: it is shown to these, and to everybody once `shared_after` users have used it.
What fewer have used is *private*. Private and shared texts are bounded apart, so nobody's flood of
new texts pushes out what all use; of each kind the text that was not used for longest goes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.learning.hashing import hash_text


@dataclass(slots=True)
class Entry:
    """One text and the first users who used it, as hashes."""

    text: str
    users: list[int] = field(default_factory=list)


class Lexicon:
    """Texts by id."""

    def __init__(self, shared_after: int, max_texts: int, key: bytes = b""):
        self.shared_after, self.key = shared_after, key
        self.max_each = max(1, max_texts // 2)
        self.private: dict[int, Entry] = {}
        self.shared: dict[int, Entry] = {}

    def id_of(self, text: str, sort: str) -> int:
        """The 32-bit id of `text` as a thing of this sort (a name, a line …); never 0."""
        return (hash_text(sort + text, self.key) & 0xFFFFFFFF) or 1

    def used(self, text_id: int, text: str, user: int) -> None:
        """`user` used `text`."""
        if entry := self.shared.pop(text_id, None):
            self.shared[text_id] = entry
            return
        entry = self.private.pop(text_id, None) or Entry(text)
        if user not in entry.users:
            entry.users.append(user)
        home = self.shared if len(entry.users) >= self.shared_after else self.private
        home[text_id] = entry
        if len(home) > self.max_each:
            del home[next(iter(home))]

    def seen_by(self, text_id: int, user: int) -> str | None:
        """The text, if `user` may see it."""
        if entry := self.shared.get(text_id):
            return entry.text
        mine = self.private.get(text_id)
        return mine.text if mine and user in mine.users else None

    def forget(self, user: int) -> None:
        """Take `user` from all entries.

        A text that has too few users left is private again, or gone.
        """
        for home in (self.private, self.shared):
            for text_id in [each for each, entry in home.items() if user in entry.users]:
                entry = home.pop(text_id)
                entry.users.remove(user)
                if entry.users:
                    self.private[text_id] = entry

    def state(self) -> dict[str, object]:
        """What `restore` needs."""
        return {"private": _rows(self.private), "shared": _rows(self.shared)}

    def restore(self, state: dict[str, list[tuple[int, str, list[int]]]]) -> None:
        """Be as the lexicon was that gave `state`."""
        self.private, self.shared = _entries(state["private"]), _entries(state["shared"])


def _rows(entries: dict[int, Entry]) -> list[list[object]]:
    return [[text_id, entry.text, entry.users] for text_id, entry in entries.items()]


def _entries(rows: Iterable[tuple[int, str, list[int]]]) -> dict[int, Entry]:
    return {text_id: Entry(text, list(users)) for text_id, text, users in rows}
