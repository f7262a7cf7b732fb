# SPDX-License-Identifier: ISC
# completion.awk - completion for bash and zsh, from the declared parameters and from the commands' own tables of
# options. POSIX awk.
#
# awk -v out=bash|zsh -f completion.awk schema/parameters/*.param commands/*.c man/sendmail.1

# note - an option of a command: a letter, and whether an argument follows.
function note(command, letter, argument)
{
	if (index(letters[command], letter) == 0) {
		letters[command] = letters[command] letter
		options[command] = options[command] " -" letter
		if (argument)
			arguments[command] = arguments[command] letter
	}
}

function note_string(command, text,    i, c)
{
	commands[command] = 1
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c != ":" && c != "+")
			note(command, c, substr(text, i + 1, 1) == ":")
	}
}

FNR == 1 {
	command = FILENAME
	sub(/.*\//, "", command)
	sub(/\.[^.]*$/, "", command)
}

FILENAME ~ /\.param$/ {
	if ($1 == "parameter" || $1 == "template")
		name = $2
	if ($1 == "parameter")
		names[++count] = name
	if ($1 == "type" && $2 == "bool")
		values[name] = "yes no"
	if ($1 == "type")
		type[name] = $2
	if ($1 == "values" && type[name] == "enum") {
		values[name] = $0
		sub(/^[ \t]*values /, "", values[name])
	}
	if ($1 == "like")
		like[name] = $2
	next
}

# sendmail reads its options by hand: they are those of its manual
FILENAME ~ /\.1$/ {
	if (/^\.It Fl /) {
		commands[command] = 1
		for (i = 3; i <= NF && $i ~ /^[A-Za-z]+$/ && $i !~ /^(Ns|Ar|Cm|No)$/; i++)
			if ($i !~ /^Fl$/) {
				options[command] = options[command] " -" $i
				if ($(i + 1) == ",")
					i++
			}
		if (/ Fl [A-Za-z] Ar /)
			arguments[command] = arguments[command] $3
	}
	next
}

# the strings that getopt is given
match($0, /(argv, |\.options = |#define OPTIONS )"[+]?[-A-Za-z0-9:#]+"/) {
	text = substr($0, RSTART, RLENGTH)
	sub(/^[^"]*"/, "", text)
	sub(/"$/, "", text)
	note_string(command, text)
}
match($0, /\{"[a-z-]+", (no|required|optional)_argument/) {
	text = substr($0, RSTART + 2, RLENGTH)
	sub(/".*/, "", text)
	options[command] = options[command] " --" text ($0 ~ /required_argument/ ? "=" : "")
}
{
	rest = $0
	while (command == "postrider" && match(rest, /\{"[a-z-]+", (true|false), verb_/)) {
		text = substr(rest, RSTART + 2, RLENGTH)
		sub(/".*/, "", text)
		verbs = verbs (verbs == "" ? "" : " ") text
		rest = substr(rest, RSTART + RLENGTH)
	}
}

function value_words(name)
{
	if (name in values)
		return values[name]
	return (name in like) ? values[like[name]] : ""
}

function sorted_commands(list,    c, n, i, j, x)
{
	n = 0
	for (c in commands)
		list[++n] = c
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
			x = list[j]
			list[j] = list[j - 1]
			list[j - 1] = x
		}
	return n
}

function write_tables(    n, i)
{
	n = sorted_commands(list)
	all = ""
	print "_postrider_options() {\n\tcase $1 in"
	for (i = 1; i <= n; i++) {
		all = all " " list[i]
		printf "\t%s) echo '%s' ;;\n", list[i], substr(options[list[i]], 2)
	}
	print "\tesac\n}\n"
	print "# the letters whose argument is the next word"
	print "_postrider_arguments() {\n\tcase $1 in"
	for (i = 1; i <= n; i++)
		if (arguments[list[i]] != "")
			printf "\t%s) echo '%s' ;;\n", list[i], arguments[list[i]]
	print "\tesac\n}\n"
	print "_postrider_verbs='" verbs "'\n"
	printf "_postrider_parameters='"
	for (i = 1; i <= count; i++)
		printf "%s%s", names[i], i < count ? "\n" : "'\n\n"
	print "_postrider_values() {\n\tcase $1 in"
	for (i = 1; i <= count; i++)
		if (value_words(names[i]) != "")
			printf "\t%s) echo '%s' ;;\n", names[i], value_words(names[i])
	print "\tesac\n}\n"
	# what a word is to be, whatever the shell: dir, file, or the words themselves
	print "_postrider_words() { # COMMAND WORD PREVIOUS MAIL_CONFIG"
	print "\tcase $3 in"
	print "\t-c) echo :dir; return ;;"
	print "\t-C) [ \"$1\" = postconf ] && { echo builtin service user all; return; } ;;"
	print "\t-T) [ \"$1\" = postconf ] && { echo compile-version run-version public-key-algorithms; return; } ;;"
	print "\t-[dhHr]) [ \"$1\" = postsuper ] && { echo ALL incoming active deferred hold; return; } ;;"
	print "\tesac"
	print "\tcase $3 in"
	print "\t-?) case $(_postrider_arguments \"$1\") in *\"${3#-}\"*) [ \"$1\" = postconf ] || { echo :file; return; } ;; esac ;;"
	print "\tesac"
	print "\tcase $2 in"
	print "\t-*) _postrider_options \"$1\"; return ;;"
	print "\tesac"
	print "\tcase $1 in"
	print "\tpostconf)"
	print "\t\tcase $2 in"
	print "\t\t*=*) for v in $(_postrider_values \"${2%%=*}\"); do echo \"${2%%=*}=$v\"; done ;;"
	print "\t\t*) echo \"$_postrider_parameters\" ;;"
	print "\t\tesac ;;"
	print "\tpostrider) echo \"$_postrider_verbs\" ;;"
	print "\tpostmap|postalias)"
	print "\t\tcase $2 in"
	print "\t\t*:*) echo :file ;;"
	print "\t\t*) postconf -m 2>/dev/null | sed 's/$/:/' ;;"
	print "\t\tesac ;;"
	print "\t*) echo :file ;;"
	print "\tesac"
	print "}\n"
}

function write_bash()
{
	print "# Generated from schema/parameters/ and commands/ by schema/generate/completion.awk."
	print "# shellcheck shell=bash"
	write_tables()
	print "_postrider() {"
	print "\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words v"
	print "\tlocal command=${COMP_WORDS[0]##*/}"
	print "\t# = and : end a word for readline; here they do not"
	print "\tif declare -F _get_comp_words_by_ref >/dev/null; then"
	print "\t\t_get_comp_words_by_ref -n =: -c word -p previous"
	print "\tfi"
	print "\twords=$(_postrider_words \"$command\" \"$word\" \"$previous\")"
	print "\tcase $words in"
	print "\t:dir) mapfile -t COMPREPLY < <(compgen -d -- \"$word\") ;;"
	print "\t:file) mapfile -t COMPREPLY < <(compgen -f -- \"${word#*:}\") ;;"
	print "\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\") ;;"
	print "\tesac"
	print "\tif declare -F __ltrim_colon_completions >/dev/null; then"
	print "\t\tcase $word in *=*) COMPREPLY=(\"${COMPREPLY[@]#\"${word%%=*}=\"}\") ;; esac"
	print "\tfi"
	print "\tcase ${COMPREPLY[0]-} in *[:=]) compopt -o nospace 2>/dev/null ;; esac"
	print "\treturn 0"
	print "}"
	print "complete -F _postrider" all
}

function write_zsh(    n, i)
{
	n = sorted_commands(list)
	printf "#compdef"
	for (i = 1; i <= n; i++)
		printf " %s", list[i]
	print "\n# Generated from schema/parameters/ and commands/ by schema/generate/completion.awk."
	write_tables()
	print "local found word previous"
	print "word=${words[CURRENT]} previous=${words[CURRENT-1]}"
	print "found=$(_postrider_words \"${words[1]:t}\" \"$word\" \"$previous\")"
	print "case $found in"
	print ":dir) _files -/ ;;"
	print ":file) compset -P '*:'; _files ;;"
	print "*) compadd -- ${=found} ;;"
	print "esac"
}

END {
	if (out == "bash")
		write_bash()
	else
		write_zsh()
}
