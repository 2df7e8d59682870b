"""Run every benchmark and print its figures: ``make bench``."""

from benchmarks import hook_machinery, import_time

for module in (import_time, hook_machinery):
    for line in module.report():
        print(line)  # noqa: T201 -- a benchmark prints
