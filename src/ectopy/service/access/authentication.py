"""Authentication: callers by their key, or by the session of a browser that has signed in with one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from ectopy.errors import StorageError
from ectopy.service.access.keys import Scope, derive, digest, is_key, new_secret
from ectopy.service.storage import KeyStore, StoredKey

SESSION_S = 12 * 3600.0
"""Time that a session lasts after its last use: a screen on a wall never has to sign in again."""

_CSRF = "csrf"
_PROLONG_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Caller(StoredKey):
    """The holder of a key; `csrf` is the token that a browser sends before it changes something."""

    csrf: str | None = None

    def may(self, scope: Scope) -> bool:
        """Check that the key has a scope, or every scope."""
        return scope in self.scopes or Scope.ADMINISTER in self.scopes

    def may_send_for(self, patient: str) -> bool:
        """Check that the key sends for a patient, with any device."""
        return self.may(Scope.ADMINISTER) or self.patients is None or patient in self.patients

    @property
    def sender(self) -> str:
        """The key as a sender, for people: its name and its number."""
        return f"{self.name} (key {self.id})"


@dataclass(frozen=True, slots=True)
class _Session:
    """A session, and whether the store has it."""

    caller: Caller
    expires: float
    stored: bool = True


class Authenticator:
    """Authenticates callers by a key or by the cookie of a session; `clock` gives seconds since 1970.

    Callers are cached, so that devices and screens go on during an outage of the store: a `StorageError` comes only if
    the store fails, and the key or session was not used before, or the key has been removed.
    """

    def __init__(self, stored: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._stored, self._clock = stored, clock
        self._removed: set[tuple[int, float]] = set()
        self._lock = threading.Lock()
        self._callers: dict[str, Caller] = {}
        # A guess is rejected without a query; keys and sessions are made by this process only.
        self._key_digests, self._cookie_digests = stored.digests(), stored.session_digests()
        self._sessions: dict[str, _Session] = {}
        # The token of each session that was signed out, and when; one that is older than a session lasts is forgotten.
        self._ended: dict[str, float] = {}

    def new_key(
        self,
        name: str,
        scopes: frozenset[Scope],
        patients: frozenset[str] | None = None,
        devices: frozenset[str] = frozenset(),
        expires_time: float | None = None,
    ) -> tuple[StoredKey, str]:
        """Store a new key, and return it with its secret, of which only the digest is stored; see `StoredKey`."""
        secret = new_secret()
        for_patients = None if patients is None else tuple(sorted(patients))
        key = StoredKey(
            0, name, tuple(sorted(scopes)), self._clock(), for_patients, tuple(sorted(devices)), expires_time
        )
        key = self._stored.add(key, digest(secret))
        self._key_digests.add(digest(secret))
        return key, secret

    def first_key(self) -> str | None:
        """Make a key that allows everything if there are no keys, and return its secret."""
        if self._stored.all():
            return None
        _, secret = self.new_key("first key", frozenset({Scope.ADMINISTER}))
        return secret

    def remove_key(self, number: int) -> StoredKey:
        """Remove a key, as `KeyStore.remove` does, and end its sessions."""
        removed = self._stored.remove(number)
        self._removed.add((removed.id, removed.created_time))
        with self._lock:
            self._callers = {secret: caller for secret, caller in self._callers.items() if self.is_still_valid(caller)}
            self._sessions = {
                cookie: session for cookie, session in self._sessions.items() if self.is_still_valid(session.caller)
            }
        return removed

    def is_still_valid(self, caller: Caller) -> bool:
        """Check that the key of a caller has neither expired nor been removed, and that its session was not signed out.

        Long connections ask repeatedly.
        """
        expired = caller.expires_time is not None and caller.expires_time <= self._clock()
        # The id of a removed key may be used again.
        is_removed = (caller.id, caller.created_time) in self._removed
        return not expired and not is_removed and caller.csrf not in self._ended

    def might_be_key(self, secret: str) -> bool:
        """Check without a query that a key was made with this secret."""
        return is_key(secret) and digest(secret) in self._key_digests

    def might_be_session(self, cookie: str) -> bool:
        """Check without a query that a session was opened with this cookie."""
        return digest(cookie) in self._cookie_digests

    def cached_caller_for_key(self, secret: str) -> Caller | None:
        """Authenticate by a key that was used before, without a query."""
        caller = self._callers.get(digest(secret))
        return caller if caller is not None and self.is_still_valid(caller) else None

    def caller_for_key(self, secret: str) -> Caller | None:
        """Authenticate by key; the first time with a query."""
        caller = self.cached_caller_for_key(secret)
        if caller is not None:
            return caller
        if not self.might_be_key(secret):
            return None
        key = self._stored.get(digest(secret))
        if key is None:
            return None
        caller = Caller(**asdict(key))
        if not self.is_still_valid(caller):
            return None
        with self._lock:
            self._callers[digest(secret)] = caller
        return caller

    def cached_caller_for_session(self, cookie: str) -> Caller | None:
        """Authenticate by the cookie of a session that was used before and need not be prolonged, without a query."""
        session = self._sessions.get(digest(cookie))
        if session is None or _must_be_prolonged(session, self._clock()) or not self.is_still_valid(session.caller):
            return None
        return session.caller

    def caller_for_session(self, cookie: str) -> Caller | None:
        """Authenticate by the cookie of a session; the first time, and to prolong the session, with a query."""
        cookie_digest, now = digest(cookie), self._clock()
        session = self._sessions.get(cookie_digest)
        if session is None:
            stored = self._stored.session(cookie_digest, now)
            if stored is not None:
                session = _Session(Caller(**asdict(stored[0]), csrf=derive(cookie, _CSRF)), stored[1])
        if session is None or session.expires <= now or not self.is_still_valid(session.caller):
            self._drop_session(cookie_digest)
            return None
        if _must_be_prolonged(session, now):
            session = self._prolong(cookie_digest, session, now)
        with self._lock:
            if self.is_still_valid(session.caller):
                self._sessions[cookie_digest] = session
        return session.caller

    def sign_in(self, secret: str) -> tuple[Caller, str] | None:
        """Open a session with a key; return the caller and the cookie."""
        caller = self.caller_for_key(secret)
        if caller is None:
            return None
        cookie, now = secrets.token_urlsafe(32), self._clock()
        caller = replace(caller, csrf=derive(cookie, _CSRF))
        session = self._store_session(digest(cookie), _Session(caller, now + SESSION_S, stored=False), now)
        with self._lock:
            self._sessions = {key: session for key, session in self._sessions.items() if session.expires > now}
            self._sessions[digest(cookie)] = session
            self._cookie_digests.add(digest(cookie))
        return caller, cookie

    def sign_out(self, cookie: str) -> None:
        """End a session; during an outage of the store only for this process, until the session expires."""
        cookie_digest, now = digest(cookie), self._clock()
        with self._lock:
            recent = {token: ended for token, ended in self._ended.items() if ended > now - SESSION_S}
            self._ended = recent | {derive(cookie, _CSRF): now}
            self._cookie_digests.discard(cookie_digest)
        self._drop_session(cookie_digest)
        with suppress(StorageError):
            self._stored.close_session(cookie_digest)

    def _prolong(self, cookie_digest: str, session: _Session, now: float) -> _Session:
        """Prolong a session; during an outage of the store in memory only."""
        longer = replace(session, expires=now + SESSION_S)
        with self._lock:
            # Requests that come meanwhile do not wait for the store as well.
            if self.is_still_valid(session.caller):
                self._sessions[cookie_digest] = longer
        if not session.stored:
            return self._store_session(cookie_digest, longer, now)
        with suppress(StorageError):
            self._stored.prolong_session(cookie_digest, longer.expires)
        return longer

    def _store_session(self, cookie_digest: str, session: _Session, now: float) -> _Session:
        with suppress(StorageError):
            self._stored.open_session(cookie_digest, session.caller.id, now, session.expires)
            return replace(session, stored=True)
        return session

    def _drop_session(self, cookie_digest: str) -> None:
        with self._lock:
            self._sessions.pop(cookie_digest, None)


def _must_be_prolonged(session: _Session, now: float) -> bool:
    return session.expires < now + SESSION_S - _PROLONG_EVERY_S
