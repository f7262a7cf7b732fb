/* SPDX-License-Identifier: ISC */
#include "table/alias_line.h"
#include "base/buffer.h"

/* What the lexer sees; a special is its own byte. */
enum kind { TOKEN_END, TOKEN_ATOM, TOKEN_QUOTED, TOKEN_COMMENT, TOKEN_LITERAL, TOKEN_SPECIAL };

struct token {
	enum kind kind;
	struct slice raw;
	bool escaped; /* an atom with a backslash in it */
};

static bool is_special(char c)
{
	return c != '\0' && strchr("<>@,;:\"()[]", c) != NULL;
}

/* closing - index behind the end of what text.p[0] opens; comments nest. All of it when open. */
static size_t closing(struct slice text, char open, char close)
{
	size_t depth = 1;

	for (size_t i = 1; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\')
			i++;
		else if (c == close && --depth == 0)
			return i + 1;
		else if (c == open && open == '(')
			depth++;
	}
	return text.n;
}

static size_t atom_length(struct slice text, bool *escaped)
{
	size_t i = 0;

	*escaped = false;
	while (i < text.n && !ascii_isspace(text.p[i]) && !is_special(text.p[i])) {
		if (text.p[i] == '\\' && i + 1 < text.n) {
			*escaped = true;
			i++;
		}
		i++;
	}
	return i;
}

static struct token next_token(struct slice *rest)
{
	struct token token = {.kind = TOKEN_END};
	struct slice text;
	size_t n = 1;

	while (rest->n > 0 && ascii_isspace(rest->p[0]))
		*rest = slice_from(*rest, 1);
	text = *rest;
	if (text.n == 0)
		return token;
	switch (text.p[0]) {
	case '"':
		token.kind = TOKEN_QUOTED;
		n = closing(text, '"', '"');
		break;
	case '(':
		token.kind = TOKEN_COMMENT;
		n = closing(text, '(', ')');
		break;
	case '[':
		token.kind = TOKEN_LITERAL;
		n = closing(text, '[', ']');
		break;
	default:
		token.kind = is_special(text.p[0]) ? TOKEN_SPECIAL : TOKEN_ATOM;
		if (token.kind == TOKEN_ATOM)
			n = atom_length(text, &token.escaped);
	}
	token.raw = slice_sub(text, 0, n);
	*rest = slice_from(text, n);
	return token;
}

/* append_plain - without quotes and backslashes. */
static void append_plain(struct buffer *out, const struct token *token)
{
	struct slice text = token->raw;

	if (token->kind == TOKEN_QUOTED) {
		text = slice_from(text, 1);
		if (text.n > 0 && text.p[text.n - 1] == '"')
			text.n--;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		buffer_append_byte(out, text.p[i]);
	}
}

/* append_quoted - an atom with backslashes, as the quoted string that it stands for. */
static void append_quoted(struct buffer *out, const struct token *token)
{
	struct slice text = token->raw;

	buffer_append_byte(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		if (text.p[i] == '"' || text.p[i] == '\\')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, text.p[i]);
	}
	buffer_append_byte(out, '"');
}

static bool is_word(const struct token *token)
{
	return token->kind != TOKEN_SPECIAL && token->kind != TOKEN_END;
}

static bool is_byte(const struct token *token, char c)
{
	return token->kind == TOKEN_SPECIAL && token->raw.p[0] == c;
}

static enum alias_line parse_name(struct slice *rest, struct arena *arena, struct slice *name)
{
	struct buffer plain;
	struct token token, last = {.kind = TOKEN_END};
	enum alias_line result = ALIAS_OK;
	size_t words = 0;

	buffer_init(&plain, rest->n * 2 + 1);
	for (;;) {
		token = next_token(rest);
		if (token.kind == TOKEN_END || is_byte(&token, ':'))
			break;
		if (is_byte(&token, '@'))
			result = ALIAS_NOT_LOCAL;
		if (token.kind == TOKEN_COMMENT)
			continue;
		if (words++ > 0 && is_word(&last) && is_word(&token))
			buffer_append_byte(&plain, ' ');
		append_plain(&plain, &token);
		last = token;
	}
	*name = arena_dup(arena, buffer_slice(&plain));
	buffer_free(&plain);
	return token.kind == TOKEN_END || words == 0 ? ALIAS_NO_PAIR : result;
}

static struct slice parse_value(struct slice rest, struct arena *arena)
{
	struct token token, last = {.kind = TOKEN_END};
	struct buffer out;
	struct slice value;

	buffer_init(&out, rest.n * 3 + 16);
	for (token = next_token(&rest); token.kind != TOKEN_END; token = next_token(&rest)) {
		if (is_byte(&last, ',') ||
		    (is_word(&last) && (is_word(&token) || is_byte(&token, '<'))))
			/* words that touch, as in |"command", stay together */
			if (is_byte(&last, ',') || last.raw.p + last.raw.n != token.raw.p)
				buffer_append_byte(&out, ' ');
		if (token.escaped)
			append_quoted(&out, &token);
		else
			buffer_append(&out, token.raw);
		last = token;
	}
	value = arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return value;
}

enum alias_line alias_line_parse(struct slice line, struct arena *arena, struct slice *name,
				 struct slice *value)
{
	enum alias_line result = parse_name(&line, arena, name);

	*value = SL_NULL;
	if (result != ALIAS_OK)
		return result;
	*value = parse_value(line, arena);
	return value->n == 0 ? ALIAS_NO_PAIR : ALIAS_OK;
}
