"""Everything Hookline raises, one tree.

::

    HooklineError
    ├── ConfigError                  an option, a key, a plugin set or a file of ours is wrong
    │   └── MissingExtra             a feature needs a package that is not installed
    ├── InputError (ValueError)      what the caller handed over cannot be sent
    │   ├── FrozenError              a value cannot be changed; ``evolve`` makes another one
    │   └── UnresolvedContent        an attachment reached the wire without being resolved
    ├── PluginError                  a plugin failed, or answered with the wrong thing
    ├── PolicyViolation              a rule of the organisation refused the turn
    ├── DecodeError (ValueError)     bytes that do not have the shape the API promises
    ├── NeedsEventLoop (RuntimeError)  async code waited where there is no event loop
    ├── TurnLimitExceeded            the turn asked for more steps than it may take
    ├── OutputError                  the reply is not what ``output=`` asked for; keeps its text
    ├── DeadlineExceeded             the turn's time was up
    ├── TransportError               no answer came: connection, TLS, time-out
    │   ├── PoolTimeout              no connection became free on our side
    │   ├── ReadTimeout              the server has been silent for too long
    │   ├── LimitExceeded            our own limiter has no room in time
    │   └── CircuitOpen              our own circuit breaker holds calls back for now
    ├── APIError                     the API answered with an error
    └── StreamInterrupted            a stream broke after it had begun; keeps the partial reply
        └── StreamTruncated          it ended without its proper last event

Catch ``HooklineError`` for everything; catch a leaf for one thing. Attributes carry what a program
needs (``status``, ``plugin``, ``partial`` …); nobody has to parse a message.
"""

from hookline.errors.api import APIError
from hookline.errors.tree import (
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    DecodeError,
    FrozenError,
    HooklineError,
    InputError,
    LimitExceeded,
    MissingExtra,
    NeedsEventLoop,
    OutputError,
    PluginError,
    PluginWarning,
    PolicyViolation,
    PoolTimeout,
    ReadTimeout,
    StreamInterrupted,
    StreamTruncated,
    TransportError,
    TurnLimitExceeded,
    UnresolvedContent,
)
from hookline.errors.tree import OutputFailure as OutputFailure
from hookline.errors.tree import needs_event_loop as needs_event_loop

__all__ = [
    "APIError",
    "CircuitOpen",
    "ConfigError",
    "DeadlineExceeded",
    "DecodeError",
    "FrozenError",
    "HooklineError",
    "InputError",
    "LimitExceeded",
    "MissingExtra",
    "NeedsEventLoop",
    "OutputError",
    "PluginError",
    "PluginWarning",
    "PolicyViolation",
    "PoolTimeout",
    "ReadTimeout",
    "StreamInterrupted",
    "StreamTruncated",
    "TransportError",
    "TurnLimitExceeded",
    "UnresolvedContent",
]

for _name in __all__:  # tracebacks and pickles show the public path
    globals()[_name].__module__ = __name__
