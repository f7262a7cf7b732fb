# SPDX-License-Identifier: ISC
# Turns schema/events/*.events into C:
#   awk -v output=header|tables -f generate.awk FILE...
#
#   event NAME info|warning|error|fatal|panic     `-- ` lines before it are its remark
#   	TYPE FIELD [-- remark]              in the order in which a structured log would have them
#   	> TEXT                              the line as Postfix writes it: {field} is replaced
#   	?FIELD TEXT                         only when that field is there (not absent, not zero)
#
# TYPE: id (a queue id, NOQUEUE when absent), str, addr (a mail address, quoted where needed, without <>),
# text (for people), u64, i64, delay (microseconds), counts (of commands, as `disconnect` has them).
# The pieces of a line are joined as they are. POSIX awk, no more.

function fail(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function index_of(field) {
	if (!(field in place))
		fail("no such field: " field)
	return place[field]
}

function piece(when, text, field) {
	pieces = pieces sprintf("\t{%d, %s, %d},\n", when, quoted(text), field)
	npieces++
}

function line(when, text,    at, end) {
	while ((at = index(text, "{")) > 0) {
		end = index(text, "}")
		if (end < at)
			fail("unbalanced braces")
		piece(when, substr(text, 1, at - 1), index_of(substr(text, at + 1, end - at - 1)))
		text = substr(text, end + 1)
	}
	if (text != "")
		piece(when, text, -1)
}

function finish() {
	if (name == "")
		return
	if (npieces == 0)
		fail("event without a line: " name)
	if (output == "header") {
		if (comment != "")
			printf "/* %s */\n", comment
		printf "struct log_%s {\n%s};\n", name, members
		printf "extern const struct log_event log_%s_event;\n", name
		printf "static inline void log_%s(const struct log_%s *e)\n{\n\tlog_event(&log_%s_event, e);\n}\n\n", name, name, name
	} else {
		printf "static const struct log_field %s_fields[] = {\n%s};\n", name, fields
		printf "static const struct log_piece %s_pieces[] = {\n%s};\n", name, pieces
		printf "const struct log_event log_%s_event = {\"%s\", LOG_LEVEL_%s, %s_fields, %d, %s_pieces, %d};\n\n", name, name, toupper(level), name, nfields, name, npieces
	}
	name = ""
}

BEGIN {
	c["id"] = c["str"] = c["addr"] = c["text"] = "struct slice "
	c["u64"] = "uint64_t "
	c["i64"] = c["delay"] = "int64_t "
	c["counts"] = "const struct log_count *"
	print "/* Generated from schema/events. */"
	if (output == "header")
		print "#ifndef GEN_LOG_EVENTS_H\n#define GEN_LOG_EVENTS_H\n\n#include \"log/log.h\"\n"
	else
		print "#include \"log/events.h\"\n"
}

/^[ \t]*#/ { next }

/^[ \t]*$/ {
	finish()
	comment = ""
	next
}

/^-- / {
	finish()
	comment = comment (comment == "" ? "" : "\n * ") substr($0, 4)
	next
}

$1 == "event" {
	finish()
	if (NF != 3 || $3 !~ /^(info|warning|error|fatal|panic)$/ || ($2 in known))
		fail("event NAME LEVEL, once each, is needed")
	known[$2] = 1
	name = $2
	level = $3
	nfields = npieces = 0
	members = fields = pieces = ""
	for (f in place)
		delete place[f]
	next
}

name == "" { fail("not understood: " $0) }

/^\t> / {
	line(-1, substr($0, 4))
	next
}

/^\t\?/ {
	at = index($0, " ")
	line(index_of(substr($0, 3, at - 3)), substr($0, at + 1))
	next
}

/^\t/ && ($1 in c) {
	remark = ""
	if ((at = index($0, " -- ")) > 0) {
		remark = " /* " substr($0, at + 4) " */"
		$0 = substr($0, 1, at - 1)
	}
	if (NF != 2 || $2 !~ /^[a-z][a-z0-9_]*$/ || ($2 in place))
		fail("TYPE FIELD is needed")
	place[$2] = nfields++
	members = members "\t" c[$1] $2 ";" remark "\n"
	if ($1 == "counts")
		members = members "\tsize_t " $2 "_count;\n"
	fields = fields sprintf("\t{\"%s\", LOG_%s, offsetof(struct log_%s, %s), %s},\n", $2, toupper($1), name, $2, \
		$1 == "counts" ? "offsetof(struct log_" name ", " $2 "_count)" : "0")
	next
}

{ fail("not understood: " $0) }

END {
	if (failed)
		exit 1
	finish()
	if (output == "header")
		print "#endif"
}
