"""The heart: one request's way through plugins and stages.

Read ``journey`` first. ``stages`` are the folds on either side of the sending, ``onion`` the layers around it,
``delivery`` the way of a reply to the caller. ``failures`` says what becomes of a plugin's mistake.
``plugin_set`` and ``discovery`` answer who takes part, and in what order.
"""
