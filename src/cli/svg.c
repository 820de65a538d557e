/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/svg.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

/* The length in bytes of the character that begins here; 0 if none does.  Overlong forms, halves of
 * surrogate pairs and what is beyond Unicode are none: RFC 3629, section 4. */
static size_t utf8_read(const char *text, uint32_t *ret_character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80             ? 1
		   : (p[0] & 0xe0) == 0xc0 ? 2
		   : (p[0] & 0xf0) == 0xe0 ? 3
		   : (p[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c = n <= 1 ? p[0] : p[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++) {
		/* The end of the text is no such byte either. */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_character = c;
	return n;
}

/* XML 1.0, 2.2, without what it discourages and without U+202A to U+202E and U+2066 to U+2069,
 * which could make a name look like another. */
static bool is_shown(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c & 0xfffe) == 0xfffe)
		return false;
	return !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

static void character_write(FILE *out, const char *text, size_t n, uint32_t c)
{
	static const struct {
		uint32_t character;
		const char *written;
	} special[] = {
		{'&', "&amp;"},  {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"},
		{'\'', "&#39;"}, {'\t', " "},   {'\n', " "},   {'\r', " "},
	};

	for (size_t i = 0; n > 0 && i < sizeof(special) / sizeof(*special); i++)
		if (special[i].character == c) {
			(void)fputs(special[i].written, out);
			return;
		}
	if (n > 0 && is_shown(c))
		(void)fwrite(text, 1, n, out);
	else
		(void)fputs(REPLACEMENT, out);
}

/* Of bytes that are no character, each counts as one. */
static size_t text_length(const char *text)
{
	size_t count = 0;
	uint32_t c;

	for (size_t n; *text; text += n > 0 ? n : 1, count++)
		n = utf8_read(text, &c);
	return count;
}

void svg_escape(FILE *out, const char *text, size_t max)
{
	size_t left = max > 0 && text_length(text) > max ? max - 1 : SIZE_MAX;

	for (; *text && left > 0; left--) {
		uint32_t c = 0;
		size_t n = utf8_read(text, &c);

		character_write(out, text, n, c);
		text += n > 0 ? n : 1;
	}
	if (*text)
		(void)fputs(ELLIPSIS, out);
}

static void title_write(FILE *out, const char *text)
{
	(void)fputs("<title>", out);
	svg_escape(out, text, 0);
	(void)fputs("</title>", out);
}

void svg_text(FILE *out, double x, double y, const char *class, const char *text, size_t max)
{
	(void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	if (max > 0 && text_length(text) > max)
		title_write(out, text);
	svg_escape(out, text, max);
	(void)fputs("</text>\n", out);
}

void svg_box(FILE *out, double x, double y, double width, double height, const char *class,
	     const char *tooltip)
{
	(void)fprintf(out,
		      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\">", x,
		      y, width, height, class);
	if (tooltip)
		title_write(out, tooltip);
	(void)fputs("</rect>\n", out);
}

void svg_rule(FILE *out, double x, double top, double bottom)
{
	(void)fprintf(out, "<path d=\"M%.1f %.1fV%.1f\" class=\"rule\"/>\n", x, top, bottom);
}
