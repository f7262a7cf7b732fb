# What the distribution takes along of the tests besides the sources that the folders name. A new
# system test is found by its name.
EXTRA_DIST += \
	$(wildcard $(srcdir)/tests/system/*.py) \
	tests/system/sites tests/system/postfix-parameters.tsv \
	$(wildcard $(srcdir)/tests/crash/*.py) \
	tests/crash/nosync.c tests/crash/slowsync.c \
	$(wildcard $(srcdir)/tests/crash/README*)
