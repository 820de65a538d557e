/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of virtual links (IFLA_INFO_KIND): which are carried, and how their settings are set. */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct NetworkKind {
	const char *name;
	const char *alias; /* of the module that makes them */
	/* Attributes of IFLA_INFO_DATA, each list ended by 0 or NULL: */
	const uint16_t *at_creation; /* set when the link is made; NULL: all that are set at all */
	const uint16_t *not_set;     /* state, not settings */
	const uint16_t *indexes;     /* whose value is the index of a link */
	const uint16_t *flags;       /* shown as a number, but taken only as a flag without value */
} NetworkKind;

/* NULL if links of that kind are not carried. */
const NetworkKind *network_kind_find(const char *name);

/* What becomes of a setting of a link. */
typedef enum NetworkSetting {
	SETTING_NONE,        /* it is none */
	SETTING_AT_CREATION, /* given when the link is made */
	SETTING_LATER,       /* set on the link when it is there, if it differs */
	SETTING_INDEX,       /* as that, when the link that it points at is there, too */
} NetworkSetting;

NetworkSetting network_kind_setting(const NetworkKind *kind, uint16_t attribute);
bool network_kind_points(const NetworkKind *kind, uint16_t attribute); /* is it in `indexes`? */

bool network_kind_is_flag(const NetworkKind *kind, uint16_t attribute); /* in `flags`? */

/* Whether an attribute of IFLA_INFO_SLAVE_DATA is a setting; by the kind of the master. */
bool network_kind_sets_port(const char *master_kind, uint16_t attribute);

/* Why links of a kind are not carried, and what can be done about it. */
typedef struct NetworkRefusal {
	const char *kind;
	bool warning; /* rather than in the way of a swap */
	const char *reason;
	const char *remedy;
} NetworkRefusal;

/* Never NULL: of a kind that nothing is known of it says that. */
const NetworkRefusal *network_kind_refusal(const char *name);
