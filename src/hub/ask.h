/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of requests to the hub: JSON in, checked and typed values out.  See hub-openapi.json.
 *
 * All of these return -EINVAL with the member that is missing, of another type, out of its range or
 * not known.  What the results point to belongs to the body.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "hub/order.h"
#include "hub/token.h"

#define ASK_LABELS_MAX 32
#define ASK_KEPT_MAX   256

typedef struct AskEnrol {
	const char *token, *csr;
	const char *name;    /* NULL: that of the CSR */
	json_object *labels; /* NULL: none */
} AskEnrol;

int ask_enrol(json_object *body, AskEnrol *ret, Error *err);
int ask_renew(json_object *body, const char **ret_csr, Error *err);

/* The body itself is the report. */
int ask_report(json_object *body, Error *err);

typedef struct AskResult {
	OrderState state;
	const char *message;
} AskResult;

int ask_result(json_object *body, AskResult *ret, Error *err);

/* What is left in the body is what the node is told. */
int ask_order(json_object *body, const char **ret_kind, Error *err);

#define ASK_NODES_MAX 4096

/* One of `nodes` and `labels` is there. */
typedef struct AskPush {
	const char *release;
	json_object *nodes;  /* array of names; NULL: none */
	json_object *labels; /* that they have; {}: all nodes; NULL: none */
	bool dry_run;        /* order nothing */
} AskPush;

int ask_push(json_object *body, AskPush *ret, Error *err);

int ask_token(json_object *body, TokenOffer *ret, Error *err);

typedef struct AskOperator {
	const char *name, *csr;
} AskOperator;

int ask_operator(json_object *body, AskOperator *ret, Error *err);
int ask_channel(json_object *body, const char **ret_release, Error *err);

/* A number in a query or a path; NULL gives the fallback. */
int ask_number(const char *text, const char *name, int64_t max, int64_t fallback, int64_t *ret,
	       Error *err);

typedef struct AskRollout {
	json_object *policy; /* as policy_from_json() takes it */
	json_object *hooks;  /* see hook.h; may be NULL */
} AskRollout;

int ask_rollout(json_object *body, AskRollout *ret, Error *err);

/* {"send_back": bool} */
int ask_abort(json_object *body, bool *ret_send_back, Error *err);
