/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of an SVG picture.  Whatever a text holds, what is written is well-formed XML. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/*
 * Writes a text as character data, or as what stands in an attribute: markup is escaped, a line end
 * becomes a space; what XML or UTF-8 does not allow, and what turns the direction of the text
 * around it, becomes U+FFFD.  Of a text longer than `max` characters the end is cut off and shown
 * as an ellipsis; 0: there is no limit.
 */
void svg_escape(FILE *out, const char *text, size_t max);

/* A line of text; `y` is its base line.  A text that is cut off is shown whole as a tooltip. */
void svg_text(FILE *out, double x, double y, const char *class, const char *text, size_t max);

/* `tooltip` may be NULL. */
void svg_box(FILE *out, double x, double y, double width, double height, const char *class,
	     const char *tooltip);

/* A vertical line. */
void svg_rule(FILE *out, double x, double top, double bottom);
