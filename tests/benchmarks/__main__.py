"""Run every benchmark and print its figures: ``make bench``."""

from benchmarks import calls, governance, hook_machinery, import_time, many_plugins, payloads

if __name__ == "__main__":
    for module in (import_time, many_plugins, hook_machinery, governance, calls, payloads):
        for line in module.report():
            print(line)  # noqa: T201 -- a benchmark prints
