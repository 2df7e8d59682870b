"""Run every benchmark and print its figures: ``make bench``."""

<<<<<<< HEAD
from benchmarks import calls, governance, hook_machinery, import_time, many_plugins, payloads

if __name__ == "__main__":
    for module in (import_time, many_plugins, hook_machinery, governance, calls, payloads):
=======
from benchmarks import calls, hook_machinery, import_time, long_conversations, payloads

if __name__ == "__main__":
    for module in (import_time, hook_machinery, long_conversations, calls, payloads):
>>>>>>> v-fixa
        for line in module.report():
            print(line)  # noqa: T201 -- a benchmark prints
