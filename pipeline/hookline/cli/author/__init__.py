"""Commands for authors of plugins: ``new-plugin`` begins one, ``check-plugin`` tries it on every surface."""
