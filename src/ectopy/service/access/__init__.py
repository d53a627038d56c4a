"""Who may do what: keys with scopes, sessions of browsers, and how often somebody may ask."""

from ectopy.service.access.keys import Scope, digest, mint
from ectopy.service.access.limits import Buckets
from ectopy.service.access.visitors import Caller, Visitors

__all__ = ["Buckets", "Caller", "Scope", "Visitors", "digest", "mint"]
