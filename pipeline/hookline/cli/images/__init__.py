"""Images at a terminal: `command` says what they would be sent as and cost, `picture` shows them."""
