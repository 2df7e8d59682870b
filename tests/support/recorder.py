"""A simulator that counts."""

import json
from typing import Any

from hookline.simulator import Answer, Call, Rule, Scenario, Simulator


class Recorder(Simulator):
    """A simulator that keeps what it was asked."""

    def __init__(self, *rules: Rule, **options: Any) -> None:
        super().__init__(Scenario.of(*rules), **options)
        self.calls: list[Call] = []

    def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        return super().handle(call)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(call.body) for call in self.calls]
