/* SPDX-License-Identifier: Apache-2.0 */
/* A rollout's policy on the command line. */
#pragma once

#include "cli/verb.h"
#include "fleet/policy.h"

/* Of a verb's options. */
#define POLICY_OPTIONS                                                                             \
	{"group", "NAME", "only this group; may be repeated"},                                     \
		{"max-unavailable", "N|N%", "of a group, for whatever reason (default: 1)"},       \
		{"max-changing", "N|N%", "of a group, being changed"},                             \
		{"max-unhealthy", "N|N%", "of a group; with more, nothing begins"},                \
		{"max-unhealthy-after", "N|N%", "of those changed; more stop it"},                 \
		{"max-failed", "N|N%", "of all nodes; more stop it (default: 0)"},                 \
		{"canary", "N", "nodes to go first (default: 1)"},                                 \
		{"wave", "N|N%", "nodes of the first wave after them"},                            \
		{"growth", "PERCENT", "of each wave after that (default: 200)"},                   \
		{"soak", "TIME", "to watch each node (default: 5min)"},                            \
		{"apart", "LABEL", "one value of the label at a time"},                            \
		{"pair-by", "LABEL", "never two nodes with the same value"},                       \
		{"pair", "A,B", "never two of these nodes"},                                       \
		{"quorum", "A,B,C", "a majority of these stays up"},                               \
		{"window", "TEXT", "as \"Sat 02:00-06:00 +01:00\"; may be repeated"},              \
		{"priority", "N", "above other rollouts (default: 0)"},                            \
		{"all-at-once", NULL, "every node together"},                                      \
		{"mode", "MODE", "in-place (default), reboot, or auto"},                           \
		{"min-ready", "PERCENT", "that all at once needs (default: 100)"},                 \
	{                                                                                          \
		"expect", "TIME", "that one node takes (default: 2min)"                            \
	}

/* From those that are of a policy; the keys in JSON have the options' names, with underscores. */
int policy_of(const VerbArguments *arguments, const char *release, Policy *ret, Error *err);
