/* SPDX-License-Identifier: Apache-2.0 */
/* The local API: doc/api.md. */
#pragma once

#include <systemd/sd-event.h>

#include "base/config.h"
#include "base/error.h"
#include "node/peer.h"

typedef struct Api Api;

/*
 * Serves the API on `listen_fd`, which is the API's from now on.  `config` and `permits` must
 * outlive it; `config_error`: why the configuration is not as its file says, or NULL; copied.
 */
int api_open(sd_event *event, int listen_fd, const Config *config, const Permits *permits,
	     const char *config_error, Api **ret, Error *err);
void api_close(Api *api);

/* Adopts and confirms, if this boot follows a jump. */
int api_finish_swap(sd_event *event, Error *err);

/* Lets the system use what is kept for captures, if nothing works on a swap. */
int api_rest_store(sd_event *event, const Config *config, Error *err);
