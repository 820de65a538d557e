/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timeline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/print.h"
#include "cli/svg.h"

/* In pixels, unless the viewer scales. */
#define PAGE_WIDTH  960
#define MARGIN      30
#define CHART_LEFT  130.0
#define CHART_WIDTH 700.0
#define BAR_HEIGHT  14
#define BAR_LEAST   3.0 /* a step of no length is still seen */
#define ROW_HEIGHT  22
#define LINE_HEIGHT 20
#define TICKS_MOST  8

/* How many characters there is room for.  The system's font is not known: as wide as they come. */
#define LINE_CHARACTERS 120
#define UNIT_CHARACTERS 80
#define STEP_CHARACTERS 12

#define YEAR_S    (366.0 * 86400)
#define TIME_MOST 250000000000000000 /* microseconds; not before the year 9800 */

typedef struct Step {
	const char *name;
	bool placed;         /* it is known when it began */
	double at, end;      /* microseconds of the real-time clock */
	int64_t duration_us; /* -1: not known */
} Step;

/* What of a report is drawn. */
typedef struct Timeline {
	json_object *swap;
	Step *steps;
	size_t n;
	double begin, end;   /* of all that is placed */
	int64_t blackout_us; /* -1: not known */
	bool frozen;         /* it is known when the blackout began, and how long it was */
	double freeze_at, thaw_at;
} Timeline;

/* The picture so far: its height is known when everything is drawn. */
typedef struct Page {
	FILE *out;
	double y; /* of what comes next */
} Page;

/* A part of the timeline, as wide as a chart. */
typedef struct Window {
	double from, to;
	double zero; /* what the ticks count from */
} Window;

static double least(double a, double b)
{
	return a < b ? a : b;
}

static double most(double a, double b)
{
	return a > b ? a : b;
}

/* ---- reading ---- */

static const char *text_or(json_object *o, const char *key, const char *fallback)
{
	const char *text = json_opt_string(o, key, "");

	return *text ? text : fallback;
}

static void timeline_extend(Timeline *t, double from, double to)
{
	bool first = t->end <= 0;

	t->begin = first ? from : least(from, t->begin);
	t->end = first ? to : most(to, t->end);
}

static void step_read(Timeline *t, json_object *from)
{
	Step *step = &t->steps[t->n++];
	int64_t at = json_opt_int(from, "at_us", 0);

	step->name = text_or(from, "step", "-");
	/* Clocks that were set make what cannot be: nothing lasts less than no time. */
	step->duration_us = json_opt_int(from, "duration_us", -1);
	if (step->duration_us < 0 || step->duration_us > TIME_MOST)
		step->duration_us = -1;
	step->placed = at > 0 && at < TIME_MOST;
	step->at = step->end = step->placed ? (double)at : 0;
	if (step->duration_us > 0)
		step->end += (double)step->duration_us;
	if (step->placed)
		timeline_extend(t, step->at, step->end);
}

static int64_t blackout_read(json_object *swap)
{
	json_object *value = NULL;
	double seconds;

	if (!json_object_object_get_ex(swap, "blackout_s", &value) || !value)
		return -1;
	seconds = json_object_get_double(value);
	return seconds >= 0 && seconds < YEAR_S ? (int64_t)(seconds * 1e6) : -1;
}

/* 0: no program was frozen.  Reports of old have no time of the freeze, but the step that it is in;
 * that step alone says nothing, for its hooks come before the first program is frozen. */
static double freeze_read(const Timeline *t)
{
	int64_t at = json_opt_int(t->swap, "frozen_us", 0);

	if (at > 0 && at < TIME_MOST)
		return (double)at;
	for (size_t i = 0; t->blackout_us >= 0 && i < t->n; i++)
		if (strcmp(t->steps[i].name, "freeze") == 0)
			return t->steps[i].at;
	return 0;
}

static int timeline_read(json_object *swap, Timeline *t)
{
	json_object *steps = json_opt_array(swap, "steps");
	size_t n = json_length(steps);

	t->swap = swap;
	t->steps = calloc(n + 1, sizeof(*t->steps));
	if (!t->steps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		step_read(t, json_object_array_get_idx(steps, i));
	t->blackout_us = blackout_read(swap);
	t->freeze_at = freeze_read(t);
	t->frozen = t->blackout_us >= 0 && t->freeze_at > 0;
	t->thaw_at = t->freeze_at + (double)t->blackout_us;
	if (t->frozen)
		timeline_extend(t, t->freeze_at, t->thaw_at);
	return 0;
}

/* ---- texts ---- */

static void page_line(Page *page, const char *class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void page_line(Page *page, const char *class, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	else
		svg_text(page->out, MARGIN, page->y, class, text, LINE_CHARACTERS);
	page->y += LINE_HEIGHT;
}

static void page_heading(Page *page, const char *text)
{
	page->y += LINE_HEIGHT;
	page_line(page, "heading", "%s", text);
}

/* What is told of the blackout, as the end of a sentence. */
static char *blackout_text(const Timeline *t)
{
	if (t->blackout_us >= 0)
		return text_format("blackout %s", print_duration(t->blackout_us).text);
	return strdup(t->freeze_at > 0 ? "the length of the blackout is not known" : "no blackout");
}

static char *duration_text(const Timeline *t)
{
	_cleanup_free_ char *blackout = blackout_text(t);
	time_t seconds = (time_t)(t->begin / 1e6);
	char when[40] = "";
	struct tm tm;

	if (!blackout || t->end <= 0 || !gmtime_r(&seconds, &tm) ||
	    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return blackout ? text_format("When it was is not known; %s", blackout) : NULL;
	return text_format("Began %s, took %s; %s", when,
			   print_duration((int64_t)(t->end - t->begin)).text, blackout);
}

static void header_draw(Page *page, const Timeline *t)
{
	_cleanup_free_ char *name = text_format("Swap %s", text_or(t->swap, "id", "-"));
	_cleanup_free_ char *duration = duration_text(t);
	const char *error = json_opt_string(t->swap, "error", NULL);
	int64_t lazy_bytes = json_opt_int(t->swap, "lazy_bytes", 0);

	svg_text(page->out, MARGIN, page->y, "name", name ? name : "Swap", 48);
	page->y += LINE_HEIGHT + 6;
	page_line(page, "text", "Outcome: %s", text_or(t->swap, "state", "-"));
	page_line(page, "text", "Kernel: %s \xe2\x86\x92 %s", text_or(t->swap, "from", "-"),
		  text_or(t->swap, "to", "-"));
	page_line(page, "text", "%s", duration ? duration : "-");
	if (lazy_bytes > 0)
		page_line(page, "text", "%s of memory came after the programs ran again",
			  print_bytes(lazy_bytes).text);
	if (error)
		page_line(page, "text", "Why: %s", error);
}

/* For who cannot see the picture. */
static void description_write(FILE *out, const Timeline *t)
{
	_cleanup_free_ char *duration = duration_text(t);

	(void)fputs("<desc>From kernel ", out);
	svg_escape(out, text_or(t->swap, "from", "-"), 0);
	(void)fputs(" to ", out);
	svg_escape(out, text_or(t->swap, "to", "-"), 0);
	(void)fprintf(out, ". %s.", duration ? duration : "-");
	for (size_t i = 0; i < t->n; i++) {
		(void)fputs(i == 0 ? " Steps: " : ", ", out);
		svg_escape(out, t->steps[i].name, 0);
		(void)fprintf(out, " %s", print_duration(t->steps[i].duration_us).text);
	}
	(void)fputs("</desc>\n", out);
}

/* ---- charts ---- */

static double window_x(const Window *w, double at)
{
	double part = (at - w->from) / (w->to - w->from);

	return CHART_LEFT + CHART_WIDTH * least(most(part, 0), 1);
}

/* In microseconds: 1, 2 or 5 times a power of ten, so that there are not too many. */
static double tick_width(double span)
{
	double width = 1;

	for (int i = 0; span / width > TICKS_MOST; i++)
		width *= i % 3 == 1 ? 2.5 : 2;
	return width;
}

static void ticks_draw(Page *page, const Window *w, double top)
{
	double width = tick_width(w->to - w->zero);

	for (int i = 0; i <= TICKS_MOST && w->zero + i * width <= w->to; i++) {
		double x = window_x(w, w->zero + i * width);
		char label[40];

		if (width < 1e3)
			(void)snprintf(label, sizeof(label), "%g \xc2\xb5s", i * width);
		else if (width < 1e6)
			(void)snprintf(label, sizeof(label), "%g ms", i * width / 1e3);
		else
			(void)snprintf(label, sizeof(label), "%.0f s", i * width / 1e6);
		svg_rule(page->out, x, top, page->y);
		svg_text(page->out, x, page->y + 14, "tick", label, 0);
	}
	page->y += 1.5 * LINE_HEIGHT;
}

/* The steps in which programs stand still, at least for a part of them, once one was frozen. */
static bool is_still(const Timeline *t, const char *step)
{
	static const char *const still[] = {"freeze", "capture", "jump", "land", "restore"};

	for (size_t i = 0; i < sizeof(still) / sizeof(*still); i++)
		if (t->freeze_at > 0 && strcmp(still[i], step) == 0)
			return true;
	return false;
}

static void bar_draw(Page *page, double from, double to, const char *class, const char *tooltip)
{
	double width = most(to - from, BAR_LEAST);

	from = least(from, CHART_LEFT + CHART_WIDTH - width);
	svg_box(page->out, from, page->y + (ROW_HEIGHT - BAR_HEIGHT) / 2.0, width, BAR_HEIGHT,
		class, tooltip);
}

static void row_draw(Page *page, const char *label, const char *value)
{
	double base = page->y + ROW_HEIGHT - 7;

	svg_text(page->out, CHART_LEFT - 10, base, "label", label, STEP_CHARACTERS);
	svg_text(page->out, PAGE_WIDTH - MARGIN, base, "label", value, 0);
	page->y += ROW_HEIGHT;
}

static void step_draw(Page *page, const Timeline *t, const Step *step, const Window *w)
{
	PrintText duration = print_duration(step->duration_us);
	_cleanup_free_ char *tooltip =
		text_format("%s: began after %s, took %s", step->name,
			    print_duration((int64_t)(step->at - t->begin)).text, duration.text);

	if (step->placed)
		bar_draw(page, window_x(w, step->at), window_x(w, step->end),
			 is_still(t, step->name) ? "still" : "run", tooltip);
	row_draw(page, step->name, duration.text);
}

static bool step_is_in(const Step *step, const Window *w)
{
	return !step->placed || (step->at <= w->to && step->end >= w->from);
}

/* Behind the rows that begin here. */
static void blackout_draw(Page *page, const Timeline *t, const Window *w, size_t n_rows)
{
	double from = window_x(w, t->freeze_at), to = window_x(w, t->thaw_at);
	double width = most(to - from, BAR_LEAST), middle = (from + to) / 2;
	_cleanup_free_ char *label = blackout_text(t);

	from = least(from, CHART_LEFT + CHART_WIDTH - width);
	svg_box(page->out, from, page->y, width, (double)n_rows * ROW_HEIGHT, "blackout", label);
	middle = least(most(middle, CHART_LEFT + 60), CHART_LEFT + CHART_WIDTH);
	svg_text(page->out, middle, page->y - 5, "tick", label ? label : "blackout", 0);
}

/* `shown`: the steps that get a row are those that reach into it. */
static void chart_draw(Page *page, const Timeline *t, const char *heading, const Window *w,
		       const Window *shown)
{
	size_t n_rows = 0;
	double top;

	page_heading(page, heading);
	page->y += 4;
	top = page->y;
	for (size_t i = 0; i < t->n; i++)
		n_rows += step_is_in(&t->steps[i], shown);
	if (t->frozen)
		blackout_draw(page, t, w, n_rows);
	for (size_t i = 0; i < t->n; i++)
		if (step_is_in(&t->steps[i], shown))
			step_draw(page, t, &t->steps[i], w);
	ticks_draw(page, w, top);
}

static void charts_draw(Page *page, const Timeline *t)
{
	double span = most(t->end - t->begin, 1), blackout = (double)t->blackout_us;
	const Window whole = {t->begin, t->begin + span, t->begin};
	const Window still = {t->freeze_at, t->thaw_at, t->freeze_at};
	/* Somewhat wider, so that it is seen what comes before and after. */
	const Window enlarged = {still.from - blackout / 20, still.to + blackout / 20, still.from};

	if (t->n == 0) {
		page_heading(page, "The steps are not recorded");
		return;
	}
	chart_draw(page, t, "Steps", &whole, &whole);
	if (t->frozen && blackout > 0 && blackout < span / 2)
		chart_draw(page, t, "The blackout, enlarged", &enlarged, &still);
}

/* ---- lists ---- */

static void warm_draw(Page *page, json_object *rounds)
{
	int64_t largest = 1;

	if (json_length(rounds) == 0)
		return;
	page_heading(page, "Memory copied while the programs ran, by round");
	page->y -= LINE_HEIGHT / 2.0;
	for (size_t i = 0; i < json_length(rounds); i++) {
		int64_t bytes = json_object_get_int64(json_object_array_get_idx(rounds, i));

		largest = bytes > largest ? bytes : largest;
	}
	for (size_t i = 0; i < json_length(rounds); i++) {
		int64_t bytes = json_object_get_int64(json_object_array_get_idx(rounds, i));
		double part = bytes > 0 ? (double)bytes / (double)largest : 0;
		PrintText label = print_number((int64_t)i + 1), size = print_bytes(bytes);

		bar_draw(page, CHART_LEFT, CHART_LEFT + CHART_WIDTH * part, "run", size.text);
		row_draw(page, label.text, size.text);
	}
	page->y += LINE_HEIGHT / 2.0;
}

/* A swap that was called off leaves units as they are. */
static const char *unit_outcome(const Timeline *t, json_object *unit)
{
	bool called_off = strcmp(json_opt_string(t->swap, "state", ""), "called-off") == 0;

	return text_or(unit, "outcome", called_off ? "goes on" : "-");
}

static void units_draw(Page *page, const Timeline *t)
{
	json_object *units = json_opt_array(t->swap, "units");

	if (json_length(units) > 0)
		page_heading(page, "Units");
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);

		svg_text(page->out, MARGIN, page->y, "text", unit_outcome(t, unit),
			 STEP_CHARACTERS);
		svg_text(page->out, CHART_LEFT, page->y, "text", text_or(unit, "unit", "-"),
			 UNIT_CHARACTERS);
		page->y += LINE_HEIGHT;
	}
}

static void warnings_draw(Page *page, json_object *warnings)
{
	if (json_length(warnings) > 0)
		page_heading(page, "Warnings");
	for (size_t i = 0; i < json_length(warnings); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(warnings, i));

		page_line(page, "text", "%s", text ? text : "-");
	}
}

/* ---- the document ---- */

/* Text on either ground has a contrast of 7 to 1 or more, a bar of 3 to 1 or more, also where it is
 * shaded: WCAG 2.1, 1.4.6 and 1.4.11.  Bars differ in lightness as well as in colour.  A viewer
 * that knows nothing of a dark scheme shows the light one. */
static const char style[] = "<style>\n"
			    ".segue{font:13px system-ui,sans-serif}\n"
			    ".segue text{fill:#1c1f24}\n"
			    ".segue .name{font-size:20px;font-weight:bold}\n"
			    ".segue .heading{font-weight:bold}\n"
			    ".segue .label{text-anchor:end}\n"
			    ".segue .tick{text-anchor:middle;font-size:11px}\n"
			    ".segue .page{fill:#ffffff}\n"
			    ".segue .run{fill:#1f56a5}\n"
			    ".segue .still{fill:#c85a00}\n"
			    ".segue .blackout{fill:#d8dce3}\n"
			    ".segue .rule{stroke:#80868f;stroke-opacity:.35;fill:none}\n"
			    "@media (prefers-color-scheme:dark){\n"
			    ".segue text{fill:#e8eaed}\n"
			    ".segue .page{fill:#16181c}\n"
			    ".segue .run{fill:#5b95dd}\n"
			    ".segue .still{fill:#f2a65a}\n"
			    ".segue .blackout{fill:#363b44}\n"
			    "}\n"
			    "</style>\n";

static void document_write(FILE *out, const Timeline *t, const char *body, double height)
{
	(void)fprintf(out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"segue\" role=\"img\" "
		      "width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\">\n<title>Swap ",
		      PAGE_WIDTH, height, PAGE_WIDTH, height);
	svg_escape(out, text_or(t->swap, "id", "-"), 0);
	(void)fputs(": ", out);
	svg_escape(out, text_or(t->swap, "state", "-"), 0);
	(void)fputs("</title>\n", out);
	description_write(out, t);
	(void)fputs(style, out);
	svg_box(out, 0, 0, PAGE_WIDTH, height, "page", NULL);
	(void)fputs(body, out);
	(void)fputs("</svg>\n", out);
}

static int body_draw(const Timeline *t, char **ret_body, double *ret_height)
{
	size_t size = 0;
	Page page = {.y = MARGIN + 10, .out = open_memstream(ret_body, &size)};

	if (!page.out)
		return -ENOMEM;
	header_draw(&page, t);
	charts_draw(&page, t);
	warm_draw(&page, json_opt_array(t->swap, "warm_bytes"));
	units_draw(&page, t);
	warnings_draw(&page, json_opt_array(t->swap, "warnings"));
	*ret_height = page.y + MARGIN / 2.0;
	return fclose(page.out) == 0 ? 0 : -ENOMEM;
}

int timeline_draw(json_object *swap, char **ret_svg, Error *err)
{
	_cleanup_free_ char *body = NULL, *svg = NULL;
	Timeline t = {0};
	size_t size = 0;
	double height = 0;
	FILE *out = NULL;
	int r = timeline_read(swap, &t);

	if (r == 0)
		r = body_draw(&t, &body, &height);
	if (r == 0)
		out = open_memstream(&svg, &size);
	if (out) {
		document_write(out, &t, body, height);
		r = fclose(out) == 0 ? 0 : -ENOMEM;
	}
	free(t.steps);
	if (r < 0 || !svg)
		return error_errno(err, -ENOMEM, "Drawing the swap");
	*ret_svg = steal_ptr(&svg);
	return 0;
}
