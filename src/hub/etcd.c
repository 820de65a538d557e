/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/etcd.h"

#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define MEMBERS_MAX 16U
#define CONNECT_MS  1000L
#define ANSWER_MAX  ((size_t)64 << 20)

struct Etcd {
	char *members[MEMBERS_MAX]; /* URLs without a slash at the end */
	size_t n, now;
	CURL *curl;
	struct curl_slist *header;
};

typedef struct Answer {
	char *text;
	size_t size;
} Answer;

static void answer_release(Answer *answer)
{
	free(answer->text);
}

static size_t on_data(char *data, size_t size, size_t n, void *to)
{
	Answer *answer = to;
	size_t more = size * n;
	char *text = more > ANSWER_MAX - answer->size
			     ? NULL
			     : realloc(answer->text, answer->size + more + 1);

	if (!text)
		return 0;
	memcpy(text + answer->size, data, more);
	answer->text = text;
	answer->size += more;
	text[answer->size] = '\0';
	return more;
}

/* ---- members ---- */

static int members_parse(Etcd *etcd, const char *list, Error *err)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *url;

	if (!copy)
		return error_errno(err, -ENOMEM, "Reading the members of etcd");
	while ((url = strsep(&rest, ","))) {
		size_t n = strlen(url);

		while (n > 0 && url[n - 1] == '/')
			url[--n] = '\0';
		if (!text_has_prefix(url, "http://") && !text_has_prefix(url, "https://"))
			return error_set(err, -EINVAL,
					 "\"%.128s\" is no member of etcd: write URLs with commas "
					 "between them, as https://etcd1.example.org:2379",
					 url);
		if (etcd->n == MEMBERS_MAX)
			return error_set(err, -EINVAL, "More than %u members of etcd", MEMBERS_MAX);
		etcd->members[etcd->n] = strdup(url);
		if (!etcd->members[etcd->n])
			return error_errno(err, -ENOMEM, "Reading the members of etcd");
		etcd->n++;
	}
	return 0;
}

int etcd_open(const EtcdOptions *options, Etcd **ret, Error *err)
{
	_cleanup_etcd_ Etcd *etcd = calloc(1, sizeof(*etcd));
	int r;

	if (!etcd)
		return error_errno(err, -ENOMEM, "Talking to etcd");
	r = members_parse(etcd, options->members, err);
	if (r < 0)
		return r;
	etcd->curl = curl_easy_init();
	etcd->header = curl_slist_append(NULL, "Content-Type: application/json");
	if (!etcd->curl || !etcd->header)
		return error_errno(err, -ENOMEM, "Talking to etcd");
	(void)curl_easy_setopt(etcd->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(etcd->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_TIMEOUT_MS, (long)ETCD_ANSWER_MS);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_HTTPHEADER, etcd->header);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (options->authority)
		(void)curl_easy_setopt(etcd->curl, CURLOPT_CAINFO, options->authority);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_SSLCERT, options->certificate);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_SSLKEY, options->key);
	*ret = steal_ptr(&etcd);
	return 0;
}

void etcd_close(Etcd *etcd)
{
	if (!etcd)
		return;
	for (size_t i = 0; i < etcd->n; i++)
		free(etcd->members[i]);
	curl_easy_cleanup(etcd->curl);
	curl_slist_free_all(etcd->header);
	free(etcd);
}

/* ---- asking ---- */

/* A member that has just lost its leader says 503, and one that cannot reach the others 500 or a
 * time-out: another one may know better. */
static bool is_passing(long status)
{
	return status == 500 || status == 503 || status == 504;
}

static int answer_read(const char *member, const Answer *answer, long status, json_object **ret,
		       Error *err)
{
	_cleanup_json_ json_object *o = answer->text ? json_tokener_parse(answer->text) : NULL;
	const char *message = json_opt_string(o, "message", json_opt_string(o, "error", ""));

	if (status != 200)
		return error_set(err, is_passing(status) ? -EHOSTUNREACH : -EPROTO,
				 "etcd at %s answers with status %ld%s%.200s", member, status,
				 *message ? ": " : "", message);
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EPROTO, "What answers at %s is no etcd", member);
	*ret = steal_ptr(&o);
	return 0;
}

static int member_ask(Etcd *etcd, const char *member, const char *path, const char *body,
		      json_object **ret, Error *err)
{
	_cleanup_(answer_release) Answer answer = {0};
	_cleanup_free_ char *url = text_format("%s%s", member, path);
	CURLcode result;
	long status = 0;

	if (!url)
		return error_errno(err, -ENOMEM, "Asking etcd");
	(void)curl_easy_setopt(etcd->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(etcd->curl, CURLOPT_WRITEDATA, &answer);
	result = curl_easy_perform(etcd->curl);
	if (result == CURLE_PEER_FAILED_VERIFICATION)
		return error_set(err, -EPROTO,
				 "etcd at %s: its certificate is not of the authority given with "
				 "--etcd-ca",
				 member);
	if (result != CURLE_OK)
		return error_set(err, -EHOSTUNREACH, "etcd at %s: %s", member,
				 curl_easy_strerror(result));
	(void)curl_easy_getinfo(etcd->curl, CURLINFO_RESPONSE_CODE, &status);
	return answer_read(member, &answer, status, ret, err);
}

/* `body` is put. */
static int ask(Etcd *etcd, const char *path, json_object *body, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *owned = body;
	const char *text = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	int r = -EHOSTUNREACH;

	for (size_t i = 0; r == -EHOSTUNREACH && i < etcd->n; i++) {
		r = member_ask(etcd, etcd->members[etcd->now], path, text, ret, err);
		if (r == -EHOSTUNREACH)
			etcd->now = (etcd->now + 1) % etcd->n;
	}
	return r;
}

/* ---- what is said ---- */

static int bytes_put(json_object *o, const char *key, const void *bytes, size_t size, Error *err)
{
	const gnutls_datum_t raw = {(unsigned char *)(uintptr_t)bytes, (unsigned)size};
	gnutls_datum_t text = {0};

	/* What is empty it does not encode. */
	if (size == 0) {
		json_put_string(o, key, "");
		return 0;
	}
	if (gnutls_base64_encode2(&raw, &text) < 0)
		return error_errno(err, -ENOMEM, "Asking etcd");
	(void)json_object_object_add(
		o, key, json_object_new_string_len((const char *)text.data, (int)text.size));
	gnutls_free(text.data);
	return 0;
}

static int text_put(json_object *o, const char *key, const char *text, Error *err)
{
	return bytes_put(o, key, text, strlen(text), err);
}

/* Numbers of 64 bits are texts in protobuf's JSON. */
static void number_put(json_object *o, const char *key, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)number);
	json_put_string(o, key, text);
}

static int64_t number_of(json_object *o, const char *key)
{
	json_object *value = NULL;

	(void)json_object_object_get_ex(o, key, &value);
	return value ? strtoll(json_object_get_string(value), NULL, 10) : 0;
}

/* With a NUL byte behind them. */
static int bytes_of(json_object *o, const char *key, void **ret, size_t *ret_size, Error *err)
{
	const char *text = json_opt_string(o, key, "");
	const gnutls_datum_t coded = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
	gnutls_datum_t raw = {0};
	char *copy;

	if (coded.size > 0 && gnutls_base64_decode2(&coded, &raw) < 0)
		return error_set(err, -EPROTO, "What etcd answers is not in base64");
	copy = malloc((size_t)raw.size + 1);
	if (copy) {
		if (raw.size > 0)
			memcpy(copy, raw.data, raw.size);
		copy[raw.size] = '\0';
		*ret = copy;
		*ret_size = raw.size;
	}
	gnutls_free(raw.data);
	return copy ? 0 : error_errno(err, -ENOMEM, "Reading what etcd answers");
}

void etcd_values_release(EtcdValues *values)
{
	for (size_t i = 0; i < values->n; i++) {
		free(values->list[i].key);
		free(values->list[i].bytes);
	}
	free(values->list);
	*values = (EtcdValues){0};
}

static int value_read(json_object *o, EtcdValue *value, Error *err)
{
	void *key = NULL;
	size_t size;
	int r;

	value->created = number_of(o, "create_revision");
	value->leased = number_of(o, "lease") != 0;
	r = bytes_of(o, "key", &key, &size, err);
	value->key = key;
	return r < 0 ? r : bytes_of(o, "value", &value->bytes, &value->size, err);
}

static int values_read(json_object *answer, EtcdValues *ret, Error *err)
{
	json_object *list = json_opt_array(answer, "kvs");
	size_t n = json_length(list);
	EtcdValues values = {.list = calloc(n + 1, sizeof(*values.list))};
	int r = values.list ? 0 : error_errno(err, -ENOMEM, "Reading what etcd answers");

	for (; r == 0 && values.n < n; values.n++)
		r = value_read(json_object_array_get_idx(list, values.n), &values.list[values.n],
			       err);
	if (r < 0)
		etcd_values_release(&values);
	else
		*ret = values;
	return r;
}

int etcd_range(Etcd *etcd, const char *first, const char *end, int64_t limit, EtcdValues *ret,
	       Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object();
	int r = text_put(body, "key", first, err);

	if (r == 0 && end)
		r = text_put(body, "range_end", end, err);
	if (r < 0) {
		(void)json_object_put(body);
		return r;
	}
	number_put(body, "limit", limit);
	r = ask(etcd, "/v3/kv/range", body, &answer, err);
	return r < 0 ? r : values_read(answer, ret, err);
}

int etcd_get(Etcd *etcd, const char *key, EtcdValues *ret, Error *err)
{
	int r = etcd_range(etcd, key, NULL, 1, ret, err);

	if (r < 0)
		return r;
	if (ret->n > 0)
		return 1;
	etcd_values_release(ret);
	return 0;
}

static int conditions_put(json_object *body, const EtcdCondition conditions[], size_t n, Error *err)
{
	json_object *list = json_object_new_array();
	int r = 0;

	(void)json_object_object_add(body, "compare", list);
	for (size_t i = 0; r == 0 && i < n; i++) {
		json_object *o = json_object_new_object();

		(void)json_object_array_add(list, o);
		json_put_string(o, "target", "CREATE");
		json_put_string(o, "result", "EQUAL");
		number_put(o, "create_revision", conditions[i].created);
		r = text_put(o, "key", conditions[i].key, err);
	}
	return r;
}

static int change_put(json_object *body, const EtcdChange *change, Error *err)
{
	json_object *list = json_object_new_array(), *wrap = json_object_new_object(),
		    *o = json_object_new_object();
	int r;

	(void)json_object_object_add(body, "success", list);
	(void)json_object_array_add(list, wrap);
	(void)json_object_object_add(wrap, "request_put", o);
	number_put(o, "lease", change->lease);
	r = text_put(o, "key", change->key, err);
	return r < 0 ? r : bytes_put(o, "value", change->bytes, change->size, err);
}

int etcd_put(Etcd *etcd, const EtcdCondition conditions[], size_t n, const EtcdChange *change,
	     int64_t *ret_revision, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object(), *header = NULL;
	int r = conditions_put(body, conditions, n, err);

	if (r == 0)
		r = change_put(body, change, err);
	if (r < 0) {
		(void)json_object_put(body);
		return r;
	}
	r = ask(etcd, "/v3/kv/txn", body, &answer, err);
	if (r < 0)
		return r;
	(void)json_object_object_get_ex(answer, "header", &header);
	if (ret_revision)
		*ret_revision = number_of(header, "revision");
	return json_opt_bool(answer, "succeeded", false);
}

int etcd_remove(Etcd *etcd, const char *first, const char *end, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object();
	int r = text_put(body, "key", first, err);

	if (r == 0)
		r = text_put(body, "range_end", end, err);
	if (r < 0) {
		(void)json_object_put(body);
		return r;
	}
	return ask(etcd, "/v3/kv/deleterange", body, &answer, err);
}

/* ---- leases ---- */

int etcd_lease(Etcd *etcd, int64_t seconds, int64_t *ret_lease, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object();
	int r;

	number_put(body, "TTL", seconds);
	r = ask(etcd, "/v3/lease/grant", body, &answer, err);
	if (r < 0)
		return r;
	*ret_lease = number_of(answer, "ID");
	return *ret_lease ? 0 : error_set(err, -EPROTO, "etcd gives no lease");
}

int etcd_lease_keep(Etcd *etcd, int64_t lease, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object(), *result = NULL;
	int r;

	number_put(body, "ID", lease);
	r = ask(etcd, "/v3/lease/keepalive", body, &answer, err);
	if (r < 0)
		return r;
	(void)json_object_object_get_ex(answer, "result", &result);
	return number_of(result, "TTL") > 0;
}

int etcd_lease_end(Etcd *etcd, int64_t lease, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	json_object *body = json_object_new_object();

	number_put(body, "ID", lease);
	return ask(etcd, "/v3/lease/revoke", body, &answer, err);
}
