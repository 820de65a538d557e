/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/authority.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "hub/host.h"
#include "hub/identity.h"
#include "test.h"

#define NOW   ((int64_t)1800000000)
#define YEAR  ((int64_t)365 * 24 * 3600)
#define NAMES ((const char *const[]){"hub.example.org", "192.0.2.7", NULL})

static Authority *made(const char *name)
{
	Authority *authority = NULL;
	Error err = {0};

	if (authority_make(name, NOW, &authority, &err) < 0)
		fail_msg("%s", err.text);
	return authority;
}

static gnutls_x509_crt_t imported(const char *pem)
{
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM), 0);
	return crt;
}

static Certificate issued(const Authority *authority, CertificateUse use, const char *name,
			  const char *const names[], int64_t now_s)
{
	_cleanup_free_ char *key = NULL, *csr = NULL;
	CertificateRequest request = {
		.use = use, .name = name, .host_names = names, .lifetime_s = AUTHORITY_NODE_S};
	Certificate certificate = {0};
	Error err = {0};

	assert_int_equal(key_request_make("whoever", &key, &csr, NULL), 0);
	request.csr = csr;
	if (authority_issue(authority, &request, now_s, &certificate, &err) < 0)
		fail_msg("%s", err.text);
	return certificate;
}

/* What TLS would say of a peer with this certificate; 0: it is fine. */
static unsigned verified(const Authority *authority, const char *pem, const char *host,
			 const char *purpose, int64_t now_s)
{
	gnutls_x509_trust_list_t trust;
	gnutls_x509_crt_t ca = imported(authority_pem(authority)), crt = imported(pem);
	gnutls_typed_vdata_st data[] = {
		{GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)purpose, 0},
		{GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)(uintptr_t)host, 0},
	};
	unsigned status = ~0U;

	assert_int_equal(gnutls_x509_trust_list_init(&trust, 0), 0);
	assert_int_equal(gnutls_x509_trust_list_add_cas(trust, &ca, 1, 0), 1);
	if (now_s > gnutls_x509_crt_get_expiration_time(crt) ||
	    now_s < gnutls_x509_crt_get_activation_time(crt))
		status = GNUTLS_CERT_EXPIRED;
	else
		assert_int_equal(gnutls_x509_trust_list_verify_crt2(
					 trust, &crt, 1, data, host ? 2 : 1,
					 GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status, NULL),
				 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_trust_list_deinit(trust, 1);
	return status;
}

static void test_uses(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet"), *other = made("fleet");
	_cleanup_certificate_ Certificate
		hub = issued(authority, CERTIFICATE_HUB, "hub", NAMES, NOW),
		node = issued(authority, CERTIFICATE_NODE, "hub.example.org", NULL, NOW),
		person = issued(authority, CERTIFICATE_OPERATOR, "alice", NULL, NOW);
	static const char server[] = GNUTLS_KP_TLS_WWW_SERVER, client[] = GNUTLS_KP_TLS_WWW_CLIENT;

	assert_int_equal(verified(authority, hub.pem, "hub.example.org", server, NOW), 0);
	assert_int_not_equal(verified(authority, hub.pem, "other.example.org", server, NOW), 0);
	assert_int_not_equal(verified(authority, hub.pem, NULL, client, NOW), 0);
	assert_int_not_equal(verified(other, hub.pem, "hub.example.org", server, NOW), 0);
	assert_int_equal(verified(authority, node.pem, NULL, client, NOW), 0);
	assert_int_equal(verified(authority, node.pem, "hub.example.org.node.segue", server, NOW),
			 0);
	/* A node that calls itself as the hub is called. */
	assert_int_not_equal(verified(authority, node.pem, "hub.example.org", server, NOW), 0);
	assert_int_equal(verified(authority, person.pem, NULL, client, NOW), 0);
	assert_int_not_equal(verified(authority, person.pem, NULL, server, NOW), 0);
	/* A clock that is wrong by a year, either way. */
	assert_int_not_equal(verified(authority, hub.pem, "hub.example.org", server, NOW + YEAR),
			     0);
	assert_int_not_equal(verified(authority, hub.pem, "hub.example.org", server, NOW - YEAR),
			     0);
}

static void test_lifetime(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet");
	_cleanup_certificate_ Certificate early = issued(authority, CERTIFICATE_NODE, "a", NULL,
							 NOW),
					  late = issued(authority, CERTIFICATE_NODE, "a", NULL,
							NOW + AUTHORITY_CA_S - 60);
	_cleanup_free_ char *key = NULL, *csr = NULL;
	CertificateRequest request = {.use = CERTIFICATE_NODE, .name = "a", .lifetime_s = 1};
	Certificate none = {0};
	Error err = {0};
	int64_t from_s, expires_s;

	assert_int_equal(early.expires_s, NOW + AUTHORITY_NODE_S);
	assert_int_equal(early.renew_s, NOW + AUTHORITY_NODE_S / 2);
	assert_int_equal(certificate_validity(early.pem, &from_s, &expires_s, NULL), 0);
	assert_int_equal(expires_s, early.expires_s);
	assert_int_equal(from_s, NOW - AUTHORITY_SKEW_S);
	assert_int_equal(late.expires_s, authority_expires_s(authority));
	assert_memory_not_equal(early.serial.bytes, late.serial.bytes, early.serial.size);
	assert_int_equal(key_request_make("a", &key, &csr, NULL), 0);
	request.csr = csr;
	assert_int_equal(authority_issue(authority, &request, NOW + AUTHORITY_CA_S, &none, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "expired on"));
}

static void test_recognition(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet"), *other = made("fleet");
	_cleanup_certificate_ Certificate certificate =
		issued(authority, CERTIFICATE_NODE, "a", NULL, NOW);
	gnutls_x509_crt_t crt = imported(certificate.pem);
	gnutls_datum_t der, junk = {(unsigned char *)"junk", 4};
	int64_t expires_s;
	Serial serial;
	Error err = {0};

	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der), 0);
	gnutls_x509_crt_deinit(crt);
	assert_int_equal(authority_recognise(authority, &der, &serial, &expires_s, NULL), 0);
	assert_int_equal(serial.size, certificate.serial.size);
	assert_memory_equal(serial.bytes, certificate.serial.bytes, serial.size);
	assert_int_equal(expires_s, certificate.expires_s);
	assert_int_equal(authority_recognise(other, &der, &serial, &expires_s, &err),
			 -EKEYREJECTED);
	assert_int_equal(authority_recognise(authority, &junk, &serial, &expires_s, &err),
			 -EKEYREJECTED);
	/* What is outside of what is signed may be read past, but it is nobody else's for it. */
	for (unsigned i = 0; i < der.size; i += 7) {
		Serial changed = {0};

		der.data[i] ^= 0x10;
		if (authority_recognise(authority, &der, &changed, &expires_s, NULL) == 0 &&
		    (memcmp(changed.bytes, serial.bytes, sizeof(serial.bytes)) != 0 ||
		     expires_s != certificate.expires_s))
			fail_msg("byte %u made it another certificate", i);
		der.data[i] ^= 0x10;
	}
	gnutls_free(der.data);
}

/* A CSR by a key, changed by the caller before it is signed. */
static char *csr_of(gnutls_x509_privkey_t key, void (*change)(gnutls_x509_crq_t))
{
	gnutls_x509_crq_t csr;
	gnutls_datum_t pem;
	char *text;

	assert_int_equal(gnutls_x509_crq_init(&csr), 0);
	assert_int_equal(gnutls_x509_crq_set_key(csr, key), 0);
	if (change)
		change(csr);
	assert_int_equal(gnutls_x509_crq_sign2(csr, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crq_export2(csr, GNUTLS_X509_FMT_PEM, &pem), 0);
	gnutls_x509_crq_deinit(csr);
	text = strndup((char *)pem.data, pem.size);
	gnutls_free(pem.data);
	return text;
}

static void want_authority(gnutls_x509_crq_t csr)
{
	assert_int_equal(gnutls_x509_crq_set_basic_constraints(csr, 1, -1), 0);
	assert_int_equal(gnutls_x509_crq_set_key_usage(csr, GNUTLS_KEY_KEY_CERT_SIGN), 0);
	assert_int_equal(
		gnutls_x509_crq_set_dn_by_oid(csr, GNUTLS_OID_X520_COMMON_NAME, 0, "root", 4), 0);
	assert_int_equal(gnutls_x509_crq_set_subject_alt_name(csr, GNUTLS_SAN_DNSNAME, "hub", 3, 0),
			 0);
}

/* What a CSR wants to be besides its key does not count. */
static void test_greedy_request(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet");
	_cleanup_certificate_ Certificate certificate = {0};
	_cleanup_free_ char *csr = NULL;
	CertificateRequest request = {.use = CERTIFICATE_NODE, .name = "a", .lifetime_s = 60};
	char name[64];
	size_t size = sizeof(name);
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	csr = csr_of(key, want_authority);
	gnutls_x509_privkey_deinit(key);
	request.csr = csr;
	assert_int_equal(authority_issue(authority, &request, NOW, &certificate, NULL), 0);
	crt = imported(certificate.pem);
	assert_int_equal(gnutls_x509_crt_get_ca_status(crt, NULL), 0);
	assert_int_equal(
		gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size),
		0);
	assert_string_equal(name, "a");
	assert_int_equal(gnutls_x509_crt_check_hostname(crt, "hub"), 0);
	gnutls_x509_crt_deinit(crt);
}

static void test_weak_request(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet");
	_cleanup_free_ char *csr = NULL, *pem = NULL;
	CertificateRequest request = {.use = CERTIFICATE_NODE, .name = "a", .lifetime_s = 60};
	Certificate certificate = {0};
	gnutls_x509_privkey_t key;
	Error err = {0};
	char *middle;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, 1024, 0), 0);
	csr = csr_of(key, NULL);
	gnutls_x509_privkey_deinit(key);
	request.csr = csr;
	assert_int_equal(authority_issue(authority, &request, NOW, &certificate, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a key of this kind"));
	request.csr = "nothing";
	assert_int_equal(authority_issue(authority, &request, NOW, &certificate, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"csr\""));
	/* Not signed by the key that is in it. */
	free(csr);
	assert_int_equal(key_request_make("a", &pem, &csr, NULL), 0);
	middle = strstr(csr, "\n-----END");
	middle[-8] = middle[-8] == 'A' ? 'B' : 'A';
	request.csr = csr;
	assert_int_equal(authority_issue(authority, &request, NOW, &certificate, &err), -EINVAL);
}

static void test_names(void **state)
{
	_cleanup_free_ char *key = NULL, *csr = NULL, *again = NULL;
	char name[DOCUMENT_NAME_MAX + 1];
	Error err = {0};

	assert_int_equal(key_request_make("node-1", &key, &csr, NULL), 0);
	assert_int_equal(csr_name(csr, name, NULL), 0);
	assert_string_equal(name, "node-1");
	assert_int_equal(key_request_again("b", key, &again, NULL), 0);
	assert_int_equal(csr_name(again, name, NULL), 0);
	assert_string_equal(name, "b");
	assert_int_equal(key_request_again("b", "junk", &again, &err), -EBADMSG);
	free(csr);
	free(key);
	key = NULL;
	assert_int_equal(key_request_make("a/b", &key, &csr, NULL), 0);
	assert_int_equal(csr_name(csr, name, &err), -EINVAL);
	assert_true(host_name_is_valid("hub-1.example.org") && host_name_is_valid("::1"));
	assert_false(host_name_is_valid("") || host_name_is_valid("a b") ||
		     host_name_is_valid("-a") || host_name_is_valid("a..b"));
}

static void test_given_authority(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet"), *other = made("other");
	_cleanup_authority_ Authority *again = NULL;
	struct {
		const char *certificate, *key, *message;
		int64_t now_s;
	} cases[] = {
		{authority_pem(authority), authority_key_pem(other), "is not that of", NOW},
		{authority_pem(authority), "junk", "Not a private key", NOW},
		{"junk", authority_key_pem(authority), "Not a certificate", NOW},
		{authority_pem(authority), authority_key_pem(authority), "expired on",
		 NOW + AUTHORITY_CA_S + 1},
		{authority_pem(authority), authority_key_pem(authority), "is the clock right",
		 NOW - YEAR},
	};

	assert_int_equal(authority_open(authority_pem(authority), authority_key_pem(authority), NOW,
					&again, NULL),
			 0);
	assert_memory_equal(authority_digest(again), authority_digest(authority), DIGEST_SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		Authority *none = NULL;
		Error err = {0};

		assert_true(authority_open(cases[i].certificate, cases[i].key, cases[i].now_s,
					   &none, &err) < 0);
		if (!strstr(err.text, cases[i].message))
			fail_msg("expected \"%s\", got \"%s\"", cases[i].message, err.text);
		assert_null(none);
	}
}

static void test_no_authority(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet"), *none = NULL;
	_cleanup_certificate_ Certificate leaf = {0};
	_cleanup_free_ char *key = NULL, *csr = NULL;
	CertificateRequest request = {.use = CERTIFICATE_NODE, .name = "a", .lifetime_s = 60};
	Error err = {0};

	assert_int_equal(key_request_make("a", &key, &csr, NULL), 0);
	request.csr = csr;
	assert_int_equal(authority_issue(authority, &request, NOW, &leaf, NULL), 0);
	assert_int_equal(authority_open(leaf.pem, key, NOW, &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "CA:TRUE"));
}

static void test_identity(void **state)
{
	_cleanup_authority_ Authority *authority = made("fleet");
	_cleanup_identity_ Identity first = {0}, same = {0}, renewed = {0}, back = {0};
	_cleanup_db_ Db *db = NULL;
	Error err = {0};

	assert_int_equal(db_open_memory(&db, NULL), 0);
	assert_int_equal(identity_load(db, NOW, &first, &err), -EBADMSG);
	assert_int_equal(
		identity_init(db, authority, (const char *const[]){"a b", NULL}, NOW, &err),
		-EINVAL);
	assert_int_equal(identity_init(db, authority, (const char *const[]){NULL}, NOW, &err),
			 -EINVAL);
	assert_int_equal(identity_init(db, authority, NAMES, NOW, NULL), 0);
	assert_int_equal(identity_load(db, NOW, &first, NULL), 0);
	assert_string_equal(first.names[1], "192.0.2.7");
	assert_null(first.names[2]);
	assert_int_equal(
		verified(authority, first.certificate, "192.0.2.7", GNUTLS_KP_TLS_WWW_SERVER, NOW),
		0);
	assert_int_equal(identity_load(db, NOW + 60, &same, NULL), 0);
	assert_string_equal(same.certificate, first.certificate);
	assert_string_equal(authority_pem(same.authority), authority_pem(authority));
	assert_int_equal(identity_load(db, first.renew_s, &renewed, NULL), 0);
	assert_string_not_equal(renewed.certificate, first.certificate);
	assert_true(renewed.renew_s > first.renew_s);
	/* A certificate that was made by a clock that was far ahead. */
	assert_int_equal(identity_load(db, NOW, &back, NULL), 0);
	assert_string_not_equal(back.certificate, renewed.certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_lifetime),
		cmocka_unit_test(test_recognition),
		cmocka_unit_test(test_greedy_request),
		cmocka_unit_test(test_weak_request),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_given_authority),
		cmocka_unit_test(test_no_authority),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
