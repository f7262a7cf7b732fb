# The declarations and what is generated from them. A new .param file is named here, and nowhere else.
PARAMETER_FILES = \
	$(top_srcdir)/schema/parameters/general.param \
	$(top_srcdir)/schema/parameters/master.param \
	$(top_srcdir)/schema/parameters/smtpd.param \
	$(top_srcdir)/schema/parameters/cleanup.param \
	$(top_srcdir)/schema/parameters/qmgr.param \
	$(top_srcdir)/schema/parameters/smtp.param \
	$(top_srcdir)/schema/parameters/lmtp.param \
	$(top_srcdir)/schema/parameters/local.param \
	$(top_srcdir)/schema/parameters/tls.param \
	$(top_srcdir)/schema/parameters/resolver.param \
	$(top_srcdir)/schema/parameters/proxymap.param \
	$(top_srcdir)/schema/parameters/accepted.param
PARAMETER_GENERATOR = $(top_srcdir)/schema/generate/parameters.awk
EXTRA_DIST += schema/parameters schema/generate

gen/config/settings_gen.h: $(PARAMETER_FILES) $(PARAMETER_GENERATOR)
	$(AM_V_GEN)$(MKDIR_P) gen/config && \
	LC_ALL=C $(AWK) -v out=struct -f $(PARAMETER_GENERATOR) $(PARAMETER_FILES) >$@.tmp && mv $@.tmp $@

gen/config/parameters_gen.c: $(PARAMETER_FILES) $(PARAMETER_GENERATOR)
	$(AM_V_GEN)$(MKDIR_P) gen/config && \
	LC_ALL=C $(AWK) -v out=table -f $(PARAMETER_GENERATOR) $(PARAMETER_FILES) >$@.tmp && mv $@.tmp $@

BUILT_SOURCES += gen/config/settings_gen.h gen/config/parameters_gen.c
CLEANFILES += gen/config/settings_gen.h gen/config/parameters_gen.c
