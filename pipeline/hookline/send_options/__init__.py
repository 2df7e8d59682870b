"""From what a caller writes to a request: the parameters of ``send`` and ``stream``.

Read ``options`` first (what may be said), then ``message`` and ``tools`` (how a message and a tool may
be written), then ``call``, which checks all of it and makes the request.
"""

from hookline.send_options.message import Input
from hookline.send_options.options import SendOptions

__all__ = ["Input", "SendOptions"]
