/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/revoked.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define SERIAL_MAX 40 /* bytes */

static int serial_of(const gnutls_datum_t *certificate, char ret[2 * SERIAL_MAX + 1], Error *err)
{
	uint8_t serial[SERIAL_MAX] = {0};
	size_t size = sizeof(serial);
	gnutls_x509_crt_t crt;
	int r;

	if (gnutls_x509_crt_init(&crt) < 0)
		return error_errno(err, -ENOMEM, "Reading a certificate");
	r = gnutls_x509_crt_import(crt, certificate, GNUTLS_X509_FMT_DER);
	if (r == 0)
		r = gnutls_x509_crt_get_serial(crt, serial, &size);
	gnutls_x509_crt_deinit(crt);
	if (r < 0)
		return error_set(err, -EBADMSG, "Reading a certificate: %s", gnutls_strerror(r));
	for (size_t i = 0; i < size; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", serial[i]);
	return 0;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") == n && memcmp(p, line, n) == 0)
			return true;
	return false;
}

int revoked_check(const char *path, const gnutls_datum_t *certificate, Error *err)
{
	char serial[2 * SERIAL_MAX + 1] = "";
	_cleanup_free_ char *text = NULL;
	size_t size;
	Error why = {0};
	int r = serial_of(certificate, serial, err);

	if (r < 0)
		return r;
	r = file_read_max(AT_FDCWD, path, REVOKED_MAX, &text, &size, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(err, r, "%s", why.text);
	if (has_line(text, serial))
		return error_set(err, -EKEYREJECTED, "The certificate %s was revoked", serial);
	return 0;
}

int revoked_write(const char *path, json_object *serials, Error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *memory = NULL;
	size_t size = 0;

	memory = open_memstream(&text, &size);
	if (!memory)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	for (size_t i = 0; i < json_length(serials); i++)
		(void)fprintf(memory, "%s\n",
			      json_object_get_string(json_object_array_get_idx(serials, i)));
	if (fflush(memory) != 0)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	return file_write_atomic(AT_FDCWD, path, text, size, 0600, err);
}
