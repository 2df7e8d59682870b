"""Prefill: begin the reply yourself, and let the model write one more token.

A model that continues an assistant message gets the words as one (``native``); a model that does
not is told to continue from them (``instructed``). ``reply.text`` begins with them exactly once.
"""

from hookline import Pipeline
from hookline.simulator import Rule, Scenario, Simulator

QUESTION = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"


def main() -> None:
    """Ask a multiple-choice question of a model with native prefill, and of one without."""
    simulator = Simulator(Scenario.of(Rule(when="latin for Ant", reply="C) Formicidae.")))
    # Leave base_url out to talk to the API.
    with Pipeline(base_url=simulator) as line:
        for model, mode in (("claude-haiku-4-5", "native"), ("claude-haiku-5-5", "instructed")):
            reply = line.send(QUESTION, model=model, prefill="The answer is (", max_tokens=1)

            print(f"{model}: {reply.text!r} ({reply.prefill_mode}, {reply.stop_reason})")
            assert reply.completion == "C"
            assert reply.text == "The answer is (C"
            assert reply.prefill_mode == mode
            assert reply.stop_reason == "max_tokens"


if __name__ == "__main__":
    main()
