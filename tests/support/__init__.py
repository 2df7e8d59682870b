"""What the tests of many rooms are made with; ``tests/conftest.py`` offers it as fixtures."""
