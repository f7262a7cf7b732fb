# Filled with the folder.
EXTRA_DIST += lib/tls/tls.h
