"""Who may do what: keys with scopes, sessions of browsers, and how often somebody may ask."""

from ectopy.service.access.authentication import Caller, Visitors
from ectopy.service.access.keys import Scope, digest, mint
from ectopy.service.access.rate_limits import Buckets

__all__ = ["Buckets", "Caller", "Scope", "Visitors", "digest", "mint"]
