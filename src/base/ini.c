/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

typedef struct IniParser {
	const char *name;
	IniMode mode;
	IniAssignment *each;
	void *data;
	unsigned line; /* where the logical line begins */
	char *section; /* owned */
} IniParser;

static char *trimmed(char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t n;

	text += strspn(text, blanks);
	n = strlen(text);
	while (n > 0 && strchr(blanks, text[n - 1]))
		text[--n] = '\0';
	return text;
}

static int parser_section(IniParser *parser, char *line, Error *err)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']') {
		if (parser->mode == INI_LENIENT)
			return 0;
		return error_set(err, -EBADMSG, "%s:%u: \"%s\" lacks the closing bracket",
				 parser->name, parser->line, line);
	}
	line[n - 1] = '\0';
	free(parser->section);
	parser->section = strdup(line + 1);
	if (!parser->section)
		return error_errno(err, -ENOMEM, "Reading %s", parser->name);
	return 0;
}

/* One logical line; it is taken apart in place. */
static int parser_line(IniParser *parser, char *line, Error *err)
{
	Error inner = {0};
	char *equals;
	int r;

	line = trimmed(line);
	if (*line == '\0' || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return parser_section(parser, line, err);
	equals = strchr(line, '=');
	if (!equals || equals == line) {
		if (parser->mode == INI_LENIENT)
			return 0;
		return error_set(err, -EBADMSG,
				 "%s:%u: \"%s\" is neither a [section] nor Key=Value", parser->name,
				 parser->line, line);
	}
	*equals = '\0';
	r = parser->each(parser->section ? parser->section : "", trimmed(line), trimmed(equals + 1),
			 parser->data, &inner);
	if (r < 0)
		return error_set(err, r, "%s:%u: %s", parser->name, parser->line, inner.text);
	return 0;
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t");
	return *line == '#' || *line == ';';
}

int ini_parse(const char *text, size_t size, const char *name, IniMode mode, IniAssignment *each,
	      void *data, Error *err)
{
	IniParser parser = {.name = name, .mode = mode, .each = each, .data = data, .line = 1};
	_cleanup_free_ char *logical = malloc(size + 1);
	const char *p = text, *end = text + size;
	size_t used = 0;
	unsigned line = 0;
	int r = 0;

	if (!logical)
		return error_errno(err, -ENOMEM, "Reading %s", name);
	if (memchr(text, '\0', size))
		return error_set(err, -EBADMSG, "%s holds a NUL byte, so it is no text", name);

	while (p < end && r >= 0) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);
		bool continues = n > 0 && p[n - 1] == '\\';

		line++;
		if (used == 0)
			parser.line = line;
		memcpy(logical + used, p, n);
		logical[used + n] = '\0';
		p += newline ? n + 1 : n;
		/* A comment between the lines of a continued one is left out of it. */
		if (used > 0 && is_comment(logical + used) && p < end)
			continue;
		used += n;
		if (continues && p < end && !is_comment(logical)) {
			logical[used - 1] = ' ';
			continue;
		}
		r = parser_line(&parser, logical, err);
		used = 0;
	}
	free(parser.section);
	return r;
}
