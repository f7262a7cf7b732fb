# What is installed as the configuration. A file that is there already is left alone; uninstall takes
# only what nobody has changed. Beside each lies its sample, NAME.proto, from which postmulti makes new instances.
CONF_FILES = conf/main.cf conf/master.cf
EXTRA_DIST += $(CONF_FILES)

install-conf:
	@$(MKDIR_P) "$(DESTDIR)$(pkgsysconfdir)"
	@for f in $(CONF_FILES); do \
		to="$(DESTDIR)$(pkgsysconfdir)/$${f#conf/}"; \
		if test -e "$$to"; then echo " keeping $$to"; \
		else echo " $(INSTALL_DATA) $$f $$to"; $(INSTALL_DATA) "$(top_srcdir)/$$f" "$$to"; fi || exit 1; \
		$(INSTALL_DATA) "$(top_srcdir)/$$f" "$$to.proto" || exit 1; \
	done

uninstall-conf:
	@for f in $(CONF_FILES); do \
		to="$(DESTDIR)$(pkgsysconfdir)/$${f#conf/}"; \
		rm -f "$$to.proto"; \
		if cmp -s "$(top_srcdir)/$$f" "$$to"; then rm -f "$$to"; fi; \
	done

INSTALL_DATA_HOOKS += install-conf
UNINSTALL_HOOKS += uninstall-conf
