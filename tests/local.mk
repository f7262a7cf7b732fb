EXTRA_DIST += tests/system/harness.py tests/system/conftest.py
