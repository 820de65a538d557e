/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-line errors that gather context on their way up.
 *
 * A function that can fail returns 0 or a negative errno value and takes an
 * Error as its last parameter, which may be NULL.  The innermost function sets
 * it; callers may put what they attempted in front.  The text reads
 *     what was attempted, on what: why it failed; what to do
 */
#pragma once

#include <stdarg.h>

typedef struct Error {
	int code; /* negative errno value, 0 while nothing failed */
	char text[768];
} Error;

/* Sets the text and returns `code` (a negative errno value), so that
 * `return error_set(err, -EINVAL, ...)` both reports and returns. */
int error_set(Error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As error_set(), with ": " and the system's words for `code` appended. */
int error_errno(Error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text there is.  Returns the code there is. */
int error_prefix(Error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends "; hint": what the user can do about it.  Returns the code. */
int error_hint(Error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* The analyser does not look into other files: tell it that these return a negative value. */
#define error_set(...)    ((void)(error_set)(__VA_ARGS__), -1)
#define error_errno(...)  ((void)(error_errno)(__VA_ARGS__), -1)
#define error_prefix(...) ((void)(error_prefix)(__VA_ARGS__), -1)
#define error_hint(...)   ((void)(error_hint)(__VA_ARGS__), -1)
#endif
