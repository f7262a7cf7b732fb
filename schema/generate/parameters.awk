# SPDX-License-Identifier: ISC
# parameters.awk - turn schema/parameters/*.param (format: schema/parameters/README) into what
# programs and people read. POSIX awk.
#
# awk -v out=struct|table|man -f parameters.awk FILE...
#   struct  gen/config/settings_gen.h: one typed member for each parameter
#   table   gen/config/parameters_gen.c: what the parser and postconf know
#   man     the parameter part of postconf(5); @NAME@ in defaults comes from the environment

function fail(text)
{
	printf("%s:%d: %s\n", FILENAME, FNR, text) > "/dev/stderr"
	failed = 1
	exit 1
}

function known(name)
{
	return (name in kind)
}

BEGIN {
	n = 0
	split("bool int size time string list networks tables restrictions path enum raw", t, " ")
	for (i in t)
		types[t[i]] = 1
	split("type default origin unit min max values since readers needless instead like text example", t, " ")
	for (i in t)
		keys[t[i]] = 1
	member["bool"] = "bool"
	member["int"] = "int"
	member["size"] = "uint64_t"
	member["time"] = "int64_t"
	seconds["s"] = 1
	seconds["m"] = 60
	seconds["h"] = 3600
	seconds["d"] = 86400
	seconds["w"] = 604800
}

/^#/ || /^[ \t]*$/ { next }

/^(parameter|template) / {
	if (NF != 2)
		fail("want: parameter NAME")
	name = $2
	if (known(name))
		fail(name " is declared twice, first in " place[name])
	if ($1 == "template" && name !~ /^transport_/)
		fail("a template's name begins with transport_")
	kind[name] = $1
	place[name] = FILENAME ":" FNR
	order[++n] = name
	next
}

/^[ \t]/ {
	key = $1
	if (!(key in keys))
		fail("unknown key " key)
	value = $0
	sub(/^[ \t]+[a-z]+[ \t]?/, "", value)
	sub(/[ \t]+$/, "", value)
	if ((key == "text" || key == "example") && (name, key) in field)
		value = field[name, key] (value == "" ? "\n" : "\n" value)
	else if ((name, key) in field)
		fail(name " has " key " twice")
	field[name, key] = value
	next
}

{ fail("neither a declaration nor an indented line") }

# get - a field, or that of the parameter it is like.
function get(name, key,    other)
{
	if ((name, key) in field)
		return field[name, key]
	other = field[name, "like"]
	if (other != "" && (key == "type" || key == "unit" || key == "min" || key == "max" ||
	    key == "values" || key == "text" || key == "needless" || key == "example"))
		return field[other, key]
	return ""
}

function complain(name, text)
{
	printf("%s: %s: %s\n", place[name], name, text) > "/dev/stderr"
	failed = 1
}

function check(name,    like, type)
{
	like = field[name, "like"]
	if (like != "" && !known(like))
		complain(name, "is like " like ", which is not declared")
	type = get(name, "type")
	if (!(type in types))
		complain(name, "its type \"" type "\" is none of bool int size time string list " \
		    "networks tables restrictions path enum raw")
	if (type == "enum" && get(name, "values") == "")
		complain(name, "an enum needs values")
	if (!((name, "default") in field) && !((name, "origin") in field))
		complain(name, "has neither default nor origin")
	if (get(name, "text") == "")
		complain(name, "has no text")
	if (get(name, "needless") != "" && field[name, "readers"] != "")
		complain(name, "cannot have readers and be needless")
}

# sort - names in byte order, in place (a shell sort: a thousand of them at most).
function sort(    gap, i, j, x)
{
	for (gap = int(n / 2); gap > 0; gap = int(gap / 2))
		for (i = gap + 1; i <= n; i++) {
			x = order[i]
			for (j = i; j > gap && order[j - gap] > x; j -= gap)
				order[j] = order[j - gap]
			order[j] = x
		}
}

function c_member(name)
{
	return (name ~ /^[0-9]/ ? "n" : "") name
}

# c_string - a C string literal; @MACRO@ becomes that macro, pasted in.
function c_string(text,    i, c, result, macro)
{
	result = "\""
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "@" && match(substr(text, i), /^@[A-Z_]+@/)) {
			macro = substr(text, i + 1, RLENGTH - 2)
			result = result "\" " macro " \""
			i += RLENGTH - 1
		} else if (c == "\"" || c == "\\" || c == "?") {
			result = result "\\" c
		} else {
			result = result c
		}
	}
	return result "\""
}

function bound(name, key, missing,    text, unit)
{
	text = get(name, key)
	if (text == "")
		return missing
	if (get(name, "type") != "time")
		return "INT64_C(" text ")"
	unit = substr(text, length(text))
	if (unit in seconds)
		text = substr(text, 1, length(text) - 1)
	else
		unit = "s"
	return sprintf("INT64_C(%s) * %d * 1000000", text, seconds[unit])
}

function write_struct(    i, name, type)
{
	print "/* Generated from schema/parameters/ by schema/generate/parameters.awk. */"
	print "#ifndef CONFIG_SETTINGS_GEN_H"
	print "#define CONFIG_SETTINGS_GEN_H\n"
	print "#include \"base/slice.h\"\n"
	print "struct config_values;\n"
	print "struct settings {"
	print "\tstruct config_values *values; /* the text behind it; settings.c only */"
	for (i = 1; i <= n; i++) {
		name = order[i]
		if (kind[name] == "template")
			continue
		type = get(name, "type")
		printf("\t%s %s;\n", type in member ? member[type] : "struct slice", c_member(name))
	}
	print "};\n\n#endif"
}

# intern - remember a text, as a C string literal, for the one object that holds them all.
function intern(literal)
{
	if (!(literal in text_number)) {
		text_number[literal] = ++text_count
		text_literal[text_count] = literal
	}
	return text_number[literal]
}

# place - where a text lies in it, as a struct parameter_text.
function place_of(literal,    number)
{
	number = text_number[literal]
	return sprintf("{offsetof(struct texts, t%d), sizeof(((struct texts *)0)->t%d) - 1}", number, number)
}

# write_texts - one object without pointers, so that nothing has to be relocated when a program starts.
function write_texts(    i)
{
	for (i = 1; i <= n; i++) {
		intern("\"" order[i] "\"")
		intern(c_string(get(order[i], "default")))
		intern(c_string(get(order[i], "values")))
		intern(c_string(get(order[i], "needless")))
		intern(c_string(get(order[i], "instead")))
	}
	print "struct texts {"
	for (i = 1; i <= text_count; i++)
		printf("\tchar t%d[sizeof(%s)];\n", i, text_literal[i])
	print "};\n\nstatic const struct texts texts = {"
	for (i = 1; i <= text_count; i++)
		printf("\t%s,\n", text_literal[i])
	print "};\n\nconst char *const parameter_texts = (const char *)&texts;\n"
}

# duration - "1h30m" in microseconds, as a C expression; `unit` where it says none.
function duration(text, unit,    sum, number)
{
	sum = ""
	while (match(text, /^[0-9]+/)) {
		number = substr(text, 1, RLENGTH)
		text = substr(text, RLENGTH + 1)
		if (substr(text, 1, 1) in seconds) {
			unit = substr(text, 1, 1)
			text = substr(text, 2)
		}
		sum = sum (sum == "" ? "" : " + ") "INT64_C(" number ") * " seconds[unit] " * 1000000"
	}
	if (text != "" || sum == "")
		return ""
	return sum
}

# fixed - a default that is the same everywhere: its value where it is a number, 0 where it is text; "" when
# it depends on other parameters or on the machine.
function fixed(name,    type, text, unit)
{
	type = get(name, "type")
	text = get(name, "default")
	unit = get(name, "unit")
	if (kind[name] == "template" || get(name, "origin") != "" || (type != "raw" && text ~ /\$/))
		return ""
	if (type == "bool")
		return text == "yes" ? "1" : "0"
	if (type == "int" || type == "size")
		return text ~ /^[0-9]+$/ ? "INT64_C(" text ")" : ""
	return type == "time" ? duration(text, unit == "" ? "s" : unit) : "0"
}

# effect - an enum parameter_effect.
function effect(name)
{
	if (get(name, "readers") != "")
		return "EFFECT_ACTS"
	return get(name, "needless") != "" ? "EFFECT_NEEDLESS" : "EFFECT_NONE"
}

# by_commands - is a program that people and scripts start among its readers?
function by_commands(name,    list, count, i)
{
	count = split(get(name, "readers"), list, " ")
	for (i = 1; i <= count; i++)
		if (list[i] ~ /^(all|commands|sendmail|mailq|newaliases|post.*)$/ && list[i] != "postlogd" &&
		    list[i] != "postscreen")
			return "true"
	return "false"
}

function write_table(    i, name, type, unit, origin)
{
	print "/* Generated from schema/parameters/ by schema/generate/parameters.awk. */"
	print "#include \"config.h\"\n"
	print "#include \"config/parameter.h\""
	print "#include \"config/settings_gen.h\"\n"
	write_texts()
	print "const struct parameter parameters[] = {"
	for (i = 1; i <= n; i++) {
		name = order[i]
		type = get(name, "type")
		unit = get(name, "unit")
		origin = get(name, "origin")
		printf("\t/* %s */\n", name)
		printf("\t{.name = %s, .type = PARAM_%s, .origin = ORIGIN_%s,\n", place_of("\"" name "\""),
		    toupper(type), origin == "" ? "TEXT" : toupper(origin))
		printf("\t .template = %s, .effect = %s, .commands = %s, .unit = '%s',\n",
		    kind[name] == "template" ? "true" : "false", effect(name), by_commands(name),
		    unit == "" ? "s" : unit)
		printf("\t .initial = %s,\n", place_of(c_string(get(name, "default"))))
		if (fixed(name) != "")
			printf("\t .fixed = true, .number = %s,\n", fixed(name))
		printf("\t .min = %s, .max = %s,\n",
		    bound(name, "min", type == "bool" ? "0" : "INT64_C(0)"),
		    bound(name, "max", type == "int" ? "INT32_MAX" : "INT64_MAX"))
		printf("\t .values = %s,\n", place_of(c_string(get(name, "values"))))
		printf("\t .note = %s,\n", place_of(c_string(get(name, "needless"))))
		printf("\t .instead = %s,\n", place_of(c_string(get(name, "instead"))))
		if (kind[name] == "template")
			print "\t .offset = 0},"
		else
			printf("\t .offset = offsetof(struct settings, %s)},\n", c_member(name))
	}
	print "};\n"
	print "const size_t parameter_count = sizeof(parameters) / sizeof(parameters[0]);"
}

function roff(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	if (text ~ /^[.']/)
		text = "\\&" text
	return text
}

function man_default(name,    text, macro)
{
	if (get(name, "origin") == "host")
		return "(from the machine)"
	if (get(name, "origin") == "runtime")
		return "(set by the program)"
	text = get(name, "default")
	while (match(text, /@[A-Z_]+@/)) {
		macro = substr(text, RSTART + 1, RLENGTH - 2)
		text = substr(text, 1, RSTART - 1) ENVIRON[macro] substr(text, RSTART + RLENGTH)
	}
	return text == "" ? "(empty)" : text
}

function man_facts(name,    type, facts, unit)
{
	type = get(name, "type")
	unit = get(name, "unit")
	facts = "Type: " type
	if (type == "time")
		facts = facts " (unit when none is given: " (unit == "" ? "s" : unit) ")"
	if (get(name, "values") != "")
		facts = facts "; allowed: " get(name, "values")
	if (get(name, "min") != "")
		facts = facts "; at least " get(name, "min")
	if (get(name, "max") != "")
		facts = facts "; at most " get(name, "max")
	if (get(name, "since") != "")
		facts = facts "; in Postfix since " get(name, "since")
	facts = facts "."
	if (kind[name] == "template")
		facts = facts " Stands for one parameter for each transport."
	if (get(name, "instead") != "")
		facts = facts " On its way out: instead, " get(name, "instead") "."
	if (get(name, "readers") != "")
		facts = facts " Read by: " get(name, "readers") "."
	else if (get(name, "needless") != "")
		facts = facts " Accepted without effect: " get(name, "needless") "."
	else
		facts = facts " Accepted without effect: what it is about is not built yet."
	return facts
}

function man_example(name,    lines, count, j)
{
	if (get(name, "example") == "")
		return
	count = split(get(name, "example"), lines, "\n")
	print ".nf"
	for (j = 1; j <= count; j++)
		print "\\&    " roff(lines[j])
	print ".fi"
}

function write_man(    i, j, name, lines, count)
{
	for (i = 1; i <= n; i++) {
		name = order[i]
		print ".TP"
		printf(".B %s (default: %s)\n", roff(name), roff(man_default(name)))
		count = split(get(name, "text"), lines, "\n")
		for (j = 1; j <= count; j++)
			print lines[j] == "" ? ".sp" : roff(lines[j])
		man_example(name)
		print ".br"
		print roff(man_facts(name))
	}
}

END {
	if (failed)
		exit 1
	for (i = 1; i <= n; i++)
		check(order[i])
	if (failed)
		exit 1
	sort()
	if (out == "struct")
		write_struct()
	else if (out == "table")
		write_table()
	else
		write_man()
}
