"""Who is asking: the holder of a key, or a browser that has signed in with one."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from ectopy.errors import StorageError
from ectopy.service.access.keys import Scope, derived, digest, is_key, mint
from ectopy.service.storage import KeyStore, StoredKey

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
    patients : frozenset of str or None
        For whom the key may send; None = any patient.
    devices : frozenset of str
        As which devices the key may send, for the patients to whom they are attached.
    expires : float or None
        When the key ends, seconds since 1970; None = never.
    """

    key: int
    made: float
    name: str
    scopes: frozenset[Scope]
    csrf: str | None = None
    patients: frozenset[str] | None = None
    devices: frozenset[str] = frozenset()
    expires: float | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key allows this."""
        return scope in self.scopes or Scope.ADMINISTER in self.scopes

    def may_send_for(self, patient: str) -> bool:
        """Whether the key sends for a patient, whatever the device is called."""
        return self.may(Scope.ADMINISTER) or self.patients is None or patient in self.patients

    @property
    def sender(self) -> str:
        """The key as one of those that send, for people: its name and its number."""
        return f"{self.name} (key {self.key})"


@dataclass(frozen=True, slots=True)
class _Session:
    """A session: who has signed in, until when, and whether the store has it."""

    caller: Caller
    expires: float
    stored: bool = True


class Visitors:
    """Knows callers by what they show.

    Whoever was let in once is remembered, so that devices and screens go on while the store is away.

    Parameters
    ----------
    stored : KeyStore
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, stored: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._stored, self._clock = stored, clock
        self._removed: set[tuple[int, float]] = set()
        self._lock = threading.Lock()
        self._known: dict[str, Caller] = {}
        # What cannot be right is known without the store. Keys and sessions are made here alone.
        self._key_digests, self._cookie_digests = stored.digests(), stored.session_digests()
        self._sessions: dict[str, _Session] = {}
        self._ended: set[str] = set()

    def new_key(
        self,
        name: str,
        scopes: frozenset[Scope],
        patients: frozenset[str] | None = None,
        devices: frozenset[str] = frozenset(),
        expires: float | None = None,
    ) -> tuple[StoredKey, str]:
        """A new key, and its secret, which nobody can tell again.

        Parameters
        ----------
        name : str
        scopes : frozenset of Scope
        patients : frozenset of str or None
            For whom it may send; None = any patient.
        devices : frozenset of str
            As which devices it may send, for the patients to whom they are attached.
        expires : float or None
            Seconds since 1970; None = never.
        """
        secret = mint()
        key = self._stored.add(
            name,
            digest(secret),
            tuple(sorted(str(scope) for scope in scopes)),
            self._clock(),
            patients=None if patients is None else tuple(sorted(patients)),
            devices=tuple(sorted(devices)),
            expires=expires,
        )
        self._key_digests.add(digest(secret))
        return key, secret

    def first_key(self) -> str | None:
        """A key that allows everything, where there is none yet; its secret."""
        if self._stored.all():
            return None
        _, secret = self.new_key("first key", frozenset({Scope.ADMINISTER}))
        return secret

    def known_keys(self) -> list[StoredKey]:
        """All keys."""
        return self._stored.all()

    def remove_key(self, number: int) -> StoredKey:
        """Make a key worthless, and end its sessions.

        Raises
        ------
        DataError
            If there is none of this id.
        """
        removed = self._stored.remove(number)
        self._removed.add((removed.id, removed.created))
        with self._lock:
            self._known = {shown: caller for shown, caller in self._known.items() if self.welcome(caller)}
            self._sessions = {shown: one for shown, one in self._sessions.items() if self.welcome(one.caller)}
        return removed

    def welcome(self, caller: Caller) -> bool:
        """Whether the key of somebody who was let in is still good; who stays on is asked again and again."""
        expired = caller.expires is not None and caller.expires <= self._clock()
        return not expired and (caller.key, caller.made) not in self._removed

    def may_know(self, secret: str) -> bool:
        """Whether a key was ever made with this secret, told without the store."""
        return is_key(secret) and digest(secret) in self._key_digests

    def may_know_session(self, cookie: str) -> bool:
        """Whether a session was ever opened with this cookie, told without the store."""
        return digest(cookie) in self._cookie_digests

    def recent(self, secret: str) -> Caller | None:
        """Authenticate by a recently seen key, which stays valid while the store is away."""
        known = self._known.get(digest(secret))
        return known if known is not None and self.welcome(known) else None

    def by_key(self, secret: str) -> Caller | None:
        """Authenticate by key; the store is asked once.

        Raises
        ------
        StorageError
            If the store fails, and the key was not known or has been removed.
        """
        known = self.recent(secret)
        if known is not None:
            return known
        if not self.may_know(secret):
            return None
        shown = digest(secret)
        found = self._stored.get(shown)
        if found is None:
            return None
        caller = _caller(found)
        if not self.welcome(caller):
            return None
        with self._lock:
            self._known[shown] = caller
        return caller

    def recent_session(self, cookie: str) -> Caller | None:
        """Who shows the cookie of a session that is known, and has nothing to be stored, without asking the store."""
        session = self._sessions.get(digest(cookie))
        if session is None or _is_due(session, self._clock()) or not self.welcome(session.caller):
            return None
        return session.caller

    def by_session(self, cookie: str) -> Caller | None:
        """Who has signed in; the store is asked once, and told now and then that the session is used.

        Raises
        ------
        StorageError
            If the store fails, and the session is not known.
        """
        shown, now = digest(cookie), self._clock()
        session = self._sessions.get(shown)
        if session is None and shown not in self._ended:
            stored = self._stored.session(shown, now)
            if stored is not None:
                session = _Session(_caller(stored[0], derived(cookie, _CSRF)), stored[1])
        if session is None or session.expires <= now or not self.welcome(session.caller):
            self._forget(shown)
            return None
        if _is_due(session, now):
            session = self._prolonged(shown, session, now)
        with self._lock:
            if shown not in self._ended and self.welcome(session.caller):
                self._sessions[shown] = session
        return session.caller

    def sign_in(self, secret: str) -> tuple[Caller, str] | None:
        """Begin a session; who it is, and the cookie.

        Raises
        ------
        StorageError
            If the store fails, and the key was not known.
        """
        caller = self.by_key(secret)
        if caller is None:
            return None
        cookie, now = secrets.token_urlsafe(32), self._clock()
        caller = replace(caller, csrf=derived(cookie, _CSRF))
        session = self._kept(digest(cookie), _Session(caller, now + SESSION_S, stored=False), now)
        with self._lock:
            self._sessions = {shown: one for shown, one in self._sessions.items() if one.expires > now}
            self._sessions[digest(cookie)] = session
            self._cookie_digests.add(digest(cookie))
        return caller, cookie

    def sign_out(self, cookie: str) -> None:
        """End a session; if the store is away it ends for this process now, and for a later one by its time."""
        shown = digest(cookie)
        with self._lock:
            self._ended.add(shown)
            self._cookie_digests.discard(shown)
        self._forget(shown)
        with suppress(StorageError):
            self._stored.close_session(shown)
            self._ended.discard(shown)

    def _prolonged(self, shown: str, session: _Session, now: float) -> _Session:
        """A session that lasts longer; where the store does not take that, it lasts in memory."""
        longer = replace(session, expires=now + SESSION_S)
        with self._lock:
            # Who asks meanwhile does not wait for the store as well.
            if shown not in self._ended:
                self._sessions[shown] = longer
        if not session.stored:
            return self._kept(shown, longer, now)
        with suppress(StorageError):
            self._stored.prolong_session(shown, longer.expires)
        return longer

    def _kept(self, shown: str, session: _Session, now: float) -> _Session:
        """A new session, in the store unless that is away."""
        with suppress(StorageError):
            self._stored.open_session(shown, session.caller.key, now, session.expires)
            return replace(session, stored=True)
        return session

    def _forget(self, shown: str) -> None:
        with self._lock:
            self._sessions.pop(shown, None)


def _is_due(session: _Session, now: float) -> bool:
    """Whether the store is to be told that a session is used."""
    return session.expires < now + SESSION_S - _NOTED_EVERY_S


def _caller(key: StoredKey, csrf: str | None = None) -> Caller:
    patients = None if key.patients is None else frozenset(key.patients)
    scopes, devices = frozenset(map(Scope, key.scopes)), frozenset(key.devices)
    return Caller(key.id, key.created, key.name, scopes, csrf, patients, devices, key.expires)
