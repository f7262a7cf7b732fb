# SPDX-License-Identifier: ISC
# generate - make the C tables of status codes: awk -f generate.awk enhanced.decl reply.decl
# A declaration is tab-separated; ascending order is proven here, so a code is declared once.

function fail(what)
{
	printf "%s:%d: %s: %s\n", FILENAME, FNR, what, $0 > "/dev/stderr"
	failed = 1
	exit 1
}

function quoted(s)
{
	if (s ~ /["\\]/)
		fail("no quotes or backslashes")
	return "\"" s "\""
}

function ascending(key)
{
	if (key <= last[FILENAME])
		fail("out of order, or declared twice")
	last[FILENAME] = key
}

BEGIN {
	FS = "\t"
	outcome["ok"] = "RES_OK"
	outcome["temp"] = "RES_TEMP"
	outcome["perm"] = "RES_PERM"
	print "/* Generated from schema/status; do not edit. */"
	print "#include \"smtp/status.h\"\n"
}

/^#/ || /^$/ { next }

NF == 2 && FILENAME ~ /enhanced/ {
	if (split($1, part, ".") != 2 || part[1] !~ /^[0-9]+$/ || part[2] !~ /^[0-9]+$/)
		fail("not SUBJECT.DETAIL")
	ascending(part[1] * 1000 + part[2] + 1)
	enhanced[++n_enhanced] = "{" part[1] ", " part[2] ", " quoted($2) "}"
	next
}

NF == 4 && FILENAME ~ /reply/ {
	if ($1 !~ /^[2-5][0-9][0-9]$/ || !($2 in outcome))
		fail("not CODE, outcome")
	if ($3 != "-" && ($3 !~ /^[245]\.[0-9]+\.[0-9]+$/ || substr($3, 1, 1) != substr($1, 1, 1)))
		fail("the enhanced code is of another class")
	ascending($1 + 0)
	reply[++n_reply] = "{" $1 ", " outcome[$2] ", " ($3 == "-" ? "NULL" : quoted($3)) ", " quoted($4) "}"
	next
}

{ fail("wrong number of columns") }

END {
	if (failed)
		exit 1
	print "const struct enhanced_meaning enhanced_table[] = {"
	for (i = 1; i <= n_enhanced; i++)
		print "\t" enhanced[i] ","
	print "};"
	print "const size_t enhanced_table_size = sizeof(enhanced_table) / sizeof(enhanced_table[0]);\n"
	print "const struct reply_meaning reply_table[] = {"
	for (i = 1; i <= n_reply; i++)
		print "\t" reply[i] ","
	print "};"
	print "const size_t reply_table_size = sizeof(reply_table) / sizeof(reply_table[0]);"
}
