# SPDX-License-Identifier: ISC
# Turns one schema/ipc/NAME.ipc into C:
#   awk -v output=header|tables -f generate.awk NAME.ipc
#
# A file declares one service. `#` begins a comment line; ` -- ` begins a remark that goes to the header,
# behind a field or on a line of its own before what it explains.
#
#   service NAME NUMBER          message types are NUMBER * 256 + the message's own number
#   enum NAME WORD...            enum SERVICE_NAME { SERVICE_NAME_WORD ... }, from 0
#   flags NAME WORD...           SERVICE_NAME_WORD bits, from 1
#   record NAME                  fields follow, each on an indented line
#   message NAME NUMBER [-> REPLY]
#
# Fields:  bool u8 u16 u32 u64 i64  NAME
#          str MAX NAME            no control characters; encoding one fails
#          text MAX NAME           for people: encoding cuts at MAX and makes control characters `?`
#          bytes MAX NAME
#          enum SERVICE.ENUM NAME, flags SERVICE.FLAGS NAME, record SERVICE.RECORD NAME
#          list SERVICE.RECORD MAX NAME     members NAME and NAME_count
#          fd NAME                 a descriptor beside the frame; at most one a message
# POSIX awk, no more.

function fail(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function c_name(type) {
	if (split(type, parts, ".") != 2)
		fail("SERVICE.NAME is needed: " type)
	if (parts[1] != service && !(parts[1] in used)) {
		used[parts[1]] = 1
		uses[++nuses] = parts[1]
	}
	return parts[1] "_" parts[2]
}

function header(text) {
	if (output == "header")
		body = body text "\n"
}

function tables(text) {
	if (output == "tables")
		body = body text "\n"
}

# remark - the comment lines gathered so far, before what they explain.
function remark() {
	if (comment != "")
		header("/* " comment " */")
	comment = ""
}

function finish(    i, word) {
	if (kind == "")
		return
	header("};")
	tables("};")
	if (kind == "record") {
		header("extern const struct ipc_record " name "_record;\n")
		tables(sprintf("const struct ipc_record %s_record = {\"%s\", sizeof(struct %s), %s_fields, %d};\n",
			       name, name, name, name, nfields))
	} else {
		message_end()
	}
	kind = ""
}

function message_end() {
	header("extern const struct ipc_message " name "_message;")
	header("/* " name "_send - one frame; see ipc_send. */")
	header("static inline enum ipc_status " name "_send(struct ipc_conn *conn, const struct " name " *m,\n\t\t\t\t\t\t int64_t deadline)\n{")
	header("\treturn ipc_send(conn, &" name "_message, m, deadline);\n}")
	if (has_fd == "") {
		header("/* " name "_add - gather one frame; see ipc_add. */")
		header("static inline enum ipc_status " name "_add(struct ipc_conn *conn, const struct " name " *m)\n{")
		header("\treturn ipc_add(conn, &" name "_message, m);\n}")
	}
	header("/* " name "_decode - see ipc_decode. */")
	header("static inline bool " name "_decode(struct ipc_frame *frame, struct arena *arena,\n\t\t\t\t       struct " name " *m)\n{")
	header("\treturn ipc_decode(&" name "_message, frame, arena, m);\n}")
	if (reply != "") {
		header("/* " name "_call - send and await " reply " on this connection; see ipc_call. */")
		header("static inline enum ipc_status " name "_call(struct ipc_conn *conn, const struct " name " *m,\n\t\t\t\t\t\t struct arena *arena,\n\t\t\t\t\t\t struct " service "_" reply " *reply, int64_t deadline)\n{")
		header("\treturn ipc_call(conn, &" name "_message, m, &" service "_" reply "_message, arena, reply, deadline);\n}")
		header("/* " name "_ask - the same over a pooled connection; see ipc_client_ask. */")
		header("static inline enum ipc_status " name "_ask(struct ipc_client *client, const struct " name " *m,\n\t\t\t\t\t\tstruct arena *arena,\n\t\t\t\t\t\tstruct " service "_" reply " *reply, int64_t deadline,\n\t\t\t\t\t\tstruct ipc_conn **keep)\n{")
		header("\treturn ipc_client_ask(client, &" name "_message, m, &" service "_" reply "_message, arena, reply,\n\t\t\t      deadline, keep);\n}")
	}
	header("")
	tables(sprintf("const struct ipc_message %s_message = {\n\t{\"%s\", sizeof(struct %s), %s_fields, %d}, %s, %s};\n",
		       name, name, name, name, nfields, toupper(name),
		       has_fd ? "offsetof(struct " name ", " has_fd ")" : "IPC_NO_FD"))
	messages = messages "\t&" name "_message,\n"
}

function begin(what, named) {
	finish()
	remark()
	kind = what
	name = service "_" named
	nfields = 0
	has_fd = ""
	header("struct " name " {")
	tables("static const struct ipc_field " name "_fields[] = {")
}

function member(declaration) {
	header("\t" declaration ";" (note == "" ? "" : " /* " note " */"))
	note = ""
}

function field(type, max, record, count, fname) {
	nfields++
	tables(sprintf("\t{\"%s\", %s, %s, offsetof(struct %s, %s), %s, %s},", fname, type, max, name, fname,
		       count, record))
}

function parse_field(    t, n, x) {
	t = $1
	n = $NF
	if (n !~ /^[a-z][a-z0-9_]*$/)
		fail("bad field name: " n)
	if (t == "bool" || t ~ /^u(8|16|32|64)$/ || t == "i64") {
		if (NF != 2)
			fail("TYPE NAME is needed")
		if (t == "bool")
			member("bool " n)
		else if (t == "i64")
			member("int64_t " n)
		else
			member("uint" substr(t, 2) "_t " n)
		field("IPC_" toupper(t), 0, "NULL", 0, n)
	} else if (t == "str" || t == "text" || t == "bytes") {
		if (NF != 3 || $2 !~ /^[0-9]+$/)
			fail(t " MAX NAME is needed")
		member("struct slice " n)
		field("IPC_" toupper(t), $2, "NULL", 0, n)
	} else if (t == "enum") {
		x = c_name($2)
		member("enum " x " " n)
		field("IPC_ENUM", toupper(x) "_LAST", "NULL", 0, n)
	} else if (t == "flags") {
		x = c_name($2)
		member("uint32_t " n)
		field("IPC_FLAGS", toupper(x) "_ALL", "NULL", 0, n)
	} else if (t == "record") {
		x = c_name($2)
		member("struct " x " " n)
		field("IPC_RECORD", 0, "&" x "_record", 0, n)
	} else if (t == "list") {
		if (NF != 4 || $3 !~ /^[0-9]+$/)
			fail("list SERVICE.RECORD MAX NAME is needed")
		x = c_name($2)
		member("const struct " x " *" n)
		header("\tsize_t " n "_count;")
		field("IPC_LIST", $3, "&" x "_record", "offsetof(struct " name ", " n "_count)", n)
	} else if (t == "fd") {
		if (kind != "message" || has_fd != "")
			fail("at most one fd, in a message")
		has_fd = n
		member("int " n)
	} else {
		fail("unknown type: " t)
	}
}

/^[ \t]*#/ || /^[ \t]*$/ {
	if (NF == 0)
		comment = ""
	next
}

/^-- / {
	finish()
	comment = comment (comment == "" ? "" : "\n * ") substr($0, 4)
	next
}

{
	note = ""
	if ((at = index($0, " -- ")) > 0) {
		note = substr($0, at + 4)
		$0 = substr($0, 1, at - 1)
	}
}

/^[ \t]/ {
	if (kind == "")
		fail("a field outside of record and message")
	parse_field()
	next
}

$1 == "service" {
	service = $2
	number = $3
	next
}

service == "" { fail("service NAME NUMBER comes first") }

$1 == "enum" || $1 == "flags" {
	finish()
	remark()
	prefix = toupper(service "_" $2)
	if ($1 == "enum") {
		header("enum " service "_" $2 " {")
		for (i = 3; i <= NF; i++)
			header("\t" prefix "_" toupper($i) (i == 3 ? " = 0" : "") ",")
		header("};\n#define " prefix "_LAST " prefix "_" toupper($NF) "\n")
	} else {
		all = 0
		for (i = 3; i <= NF; i++) {
			header("#define " prefix "_" toupper($i) " " 2 ^ (i - 3) "u")
			all += 2 ^ (i - 3)
		}
		header("#define " prefix "_ALL " all "u\n")
	}
	next
}

$1 == "record" && NF == 2 {
	begin("record", $2)
	next
}

$1 == "message" && $3 ~ /^[0-9]+$/ {
	if ($3 in numbers)
		fail("number taken: " $3)
	numbers[$3] = 1
	finish()
	reply = NF == 5 && $4 == "->" ? $5 : ""
	if (NF != 3 && reply == "")
		fail("message NAME NUMBER [-> REPLY] is needed")
	type = number * 256 + $3
	remark()
	# a call's inline functions come before its reply's struct: announce that
	if (reply != "")
		header("struct " service "_" reply ";\nextern const struct ipc_message " service "_" reply "_message;")
	header("#define " toupper(service "_" $2) " " type "u")
	begin("message", $2)
	next
}

{ fail("not understood: " $0) }

END {
	if (failed)
		exit 1
	finish()
	if (output == "header") {
		guard = "GEN_IPC_" toupper(service) "_H"
		print "/* Generated from schema/ipc/" service ".ipc. */"
		print "#ifndef " guard "\n#define " guard "\n\n#include \"ipc/ipc.h\""
		for (i = 1; i <= nuses; i++)
			print "#include \"ipc/" uses[i] ".h\""
		printf "\n%s", body
		print "/* every message of the service, NULL at the end */"
		print "extern const struct ipc_message *const " service "_messages[];\n\n#endif"
	} else {
		print "/* Generated from schema/ipc/" service ".ipc. */"
		print "#include \"ipc/" service ".h\"\n"
		printf "%s", body
		print "const struct ipc_message *const " service "_messages[] = {\n" messages "\tNULL};"
	}
}
