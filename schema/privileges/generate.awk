# SPDX-License-Identifier: ISC
# generate.awk - schema/privileges/processes to the initialisers of privileges[] in lib/daemon. A line
# that is not understood ends the build.

function fail(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
	failed = 1
	exit 1
}

function rest_of_line(   text)
{
	text = $0
	sub(/^[ \t]*[^ \t]+[ \t]*/, "", text)
	sub(/[ \t]+$/, "", text)
	return text
}

function yes_no(value)
{
	if (value != "yes" && value != "no")
		fail("yes or no is allowed, not \"" value "\"")
	return value == "yes" ? "true" : "false"
}

function forget()
{
	kind = processes = user = account = caps = calls = read = write = connect = bind = any_if = ""
	exclusive = chroot = nnp = files = "false"
	nnp = "true"
}

function emit()
{
	if (name == "")
		return
	if (kind == "" || user == "" || calls == "")
		fail("process " name " lacks kind, user or calls")
	if (files == "true" && (read != "" || write != ""))
		fail("process " name ": read and write mean nothing beside \"files any\"")
	printf "\t{\n\t\t.name = \"%s\",\n\t\t.kind = KIND_%s,\n", name, toupper(kind)
	printf "\t\t.per_core = %s,\n", processes == "core" ? "true" : "false"
	printf "\t\t.exclusive = %s,\n", exclusive
	printf "\t\t.user = USER_%s,\n\t\t.account = \"%s\",\n", toupper(user), account
	printf "\t\t.chroot = %s,\n\t\t.no_new_privs = %s,\n", chroot, nnp
	printf "\t\t.capabilities = \"%s\",\n\t\t.calls = \"%s\",\n", caps, calls
	printf "\t\t.any_file = %s,\n\t\t.read = \"%s\",\n\t\t.write = \"%s\",\n", files, read, write
	printf "\t\t.connect = \"%s\",\n\t\t.connect_any_if = \"%s\",\n", connect, any_if
	printf "\t\t.bind = \"%s\",\n\t},\n", bind
}

BEGIN {
	print "/* made by schema/privileges/generate.awk */"
	forget()
}

{ sub(/#.*/, "") }
NF == 0 { next }
$1 == "process" {
	emit()
	forget()
	name = $2
	if (NF != 2 || (name in seen))
		fail("one new name is wanted")
	seen[name] = 1
	next
}
name == "" { fail("this belongs to no process") }
$1 == "kind" {
	if ($2 !~ /^(master|fibers|pool|command|child)$/)
		fail("unknown kind " $2)
	kind = $2
	next
}
$1 == "processes" {
	if ($2 != "one" && $2 != "core")
		fail("one or core is allowed")
	processes = $2
	next
}
$1 == "user" {
	if ($2 !~ /^(spool|own|root|caller)$/ || ($2 == "own") != (NF == 3))
		fail("spool, own SUFFIX, root or caller is allowed")
	user = $2
	account = $3
	next
}
$1 == "exclusive" { exclusive = yes_no($2); next }
$1 == "chroot" { chroot = yes_no($2); next }
$1 == "new-privileges" { nnp = yes_no($2) == "true" ? "false" : "true"; next }
$1 == "files" {
	if ($2 != "any")
		fail("any is allowed")
	files = "true"
	next
}
$1 == "capabilities" { caps = rest_of_line(); next }
$1 == "calls" { calls = rest_of_line(); next }
$1 == "read" { read = rest_of_line(); next }
$1 == "write" { write = rest_of_line(); next }
$1 == "connect" { connect = rest_of_line(); next }
$1 == "connect-any-if" { any_if = rest_of_line(); next }
$1 == "bind" { bind = rest_of_line(); next }
{ fail("unknown word " $1) }

END {
	if (!failed)
		emit()
}
