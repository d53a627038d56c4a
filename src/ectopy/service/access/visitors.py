"""Who is asking: the holder of a key, or a browser that has signed in with one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ectopy.errors import StorageError
from ectopy.service.access.keys import Scope, derived, digest, mint
from ectopy.service.storage.access import StoredAccess, StoredKey

SESSION_S = 12 * 3600.0
"""How long a session lasts after it was used: a screen on a wall never ends up at the sign-in by itself."""


_CSRF = "csrf"
_NOTED_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    Attributes
    ----------
    key : int
        Id of the key.
    made : float
        When it was made, seconds since 1970; an id may be given again.
    name : str
        Of the key.
    scopes : frozenset of Scope
    csrf : str or None
        What a browser has to show before it changes something; None for who shows a key.
    """

    key: int
    made: float
    name: str
    scopes: frozenset[Scope]
    csrf: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key allows this."""
        return scope in self.scopes or Scope.ADMINISTER in self.scopes


class Visitors:
    """Knows callers by what they show.

    Parameters
    ----------
    stored : StoredAccess
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, stored: StoredAccess, clock: Callable[[], float] = time.time) -> None:
        self._stored, self._clock = stored, clock
        self._removed: set[tuple[int, float]] = set()
        self._known: dict[str, Caller] = {}

    def new_key(self, name: str, scopes: frozenset[Scope]) -> tuple[StoredKey, str]:
        """A new key, and its secret, which nobody can tell again."""
        secret = mint()
        known = tuple(sorted(str(scope) for scope in scopes))
        return self._stored.add_key(name, digest(secret), known, self._clock()), secret

    def first_key(self) -> str | None:
        """A key that allows everything, where there is none yet; its secret."""
        if self._stored.keys():
            return None
        _, secret = self.new_key("first key", frozenset({Scope.ADMINISTER}))
        return secret

    def known_keys(self) -> list[StoredKey]:
        """All keys."""
        return self._stored.keys()

    def remove_key(self, number: int) -> StoredKey:
        """Make a key worthless, and end its sessions.

        Raises
        ------
        DataError
            If there is none of this id.
        """
        removed = self._stored.remove_key(number)
        self._removed.add((removed.id, removed.created))
        return removed

    def welcome(self, caller: Caller) -> bool:
        """Whether the key of somebody who was let in is still there; who stays on is asked again and again."""
        return (caller.key, caller.made) not in self._removed

    def by_key(self, secret: str) -> Caller | None:
        """Who shows a key; one that was known lately is so while the store is away, for devices have to be watched.

        Raises
        ------
        StorageError
            If the store fails, and the key was not known or has been removed.
        """
        shown = digest(secret)
        try:
            found = self._stored.key(shown)
        except StorageError:
            known = self._known.get(shown)
            if known is None or not self.welcome(known):
                raise
            return known
        if found is None:
            self._known.pop(shown, None)
            return None
        caller = self._known[shown] = _caller(found)
        return caller

    def by_session(self, cookie: str) -> Caller | None:
        """Who has signed in."""
        now = self._clock()
        found = self._stored.session(digest(cookie), now)
        if found is None:
            return None
        key, expires = found
        if expires < now + SESSION_S - _NOTED_EVERY_S:
            with suppress(StorageError):  # it lasts some time yet, and who looks is not kept out by a full disk
                self._stored.prolong_session(digest(cookie), now + SESSION_S)
        return _caller(key, derived(cookie, _CSRF))

    def sign_in(self, secret: str) -> tuple[Caller, str] | None:
        """Begin a session; who it is, and the cookie."""
        key = self._stored.key(digest(secret))
        if key is None:
            return None
        cookie, now = secrets.token_urlsafe(32), self._clock()
        self._stored.open_session(digest(cookie), key.id, now, now + SESSION_S)
        return _caller(key, derived(cookie, _CSRF)), cookie

    def sign_out(self, cookie: str) -> None:
        """End a session."""
        self._stored.close_session(digest(cookie))


def _caller(key: StoredKey, csrf: str | None = None) -> Caller:
    return Caller(key.id, key.created, key.name, frozenset(map(Scope, key.scopes)), csrf)
