"""Access to the service: keys with scopes, sessions of browsers, rate limits and the audit."""

from ectopy.service.access.authentication import Authenticator, Caller
from ectopy.service.access.keys import Scope, digest, new_secret
from ectopy.service.access.rate_limits import RateLimiter

__all__ = ["Authenticator", "Caller", "RateLimiter", "Scope", "digest", "new_secret"]
