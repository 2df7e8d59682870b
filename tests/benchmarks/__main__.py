"""Run every benchmark and print its figures: ``make bench``."""

from benchmarks import calls, hook_machinery, import_time, long_conversations, payloads

if __name__ == "__main__":
    for module in (import_time, hook_machinery, long_conversations, calls, payloads):
        for line in module.report():
            print(line)  # noqa: T201 -- a benchmark prints
