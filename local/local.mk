pkglibexec_PROGRAMS += local/local
local_local_SOURCES = \
	local/account.c \
	local/alias.c \
	local/biff.c \
	local/command.c local/command.h local/command_words.c \
	local/copy.c local/copy.h \
	local/environment.c \
	local/expand.c \
	local/file.c \
	local/job.c local/job.h \
	local/kept.c local/kept.h \
	local/local.h \
	local/lock.c local/lock.h \
	local/maildir.c \
	local/main.c \
	local/mailbox.c \
	local/mbox.c \
	local/outcome.c local/outcome.h \
	local/pass.c \
	local/resend.c \
	local/token.c local/token.h
local_local_LDADD = $(DAEMON_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_local
tests_unit_test_local_SOURCES = tests/unit/test_local.c local/command_words.c local/copy.c \
	local/outcome.c local/token.c
tests_unit_test_local_LDADD = lib/libsmtp.a lib/libaddress.a lib/libbase.a $(IDN2_LIBS) $(CMOCKA_LIBS)
endif

FUZZ_TARGETS += tests/fuzz/fuzz_local_token
tests_fuzz_fuzz_local_token_SOURCES = tests/fuzz/fuzz_local_token.c local/copy.c local/token.c $(FUZZ_MAIN)
tests_fuzz_fuzz_local_token_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_local_token_LDADD = lib/libaddress.a lib/libbase.a $(IDN2_LIBS)
