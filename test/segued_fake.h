/* SPDX-License-Identifier: Apache-2.0 */
/* What answers on a socket as segued does, and says what it was asked. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

typedef enum FakeAnswer {
	FAKE_BEGINS,  /* the swap begins, and that is answered */
	FAKE_SILENT,  /* it begins, but the connection ends without an answer */
	FAKE_SWAPS,   /* it begins, and is done at once */
	FAKE_RETURNS, /* it begins, and has come back at once */
	FAKE_REFUSES, /* it does not begin, and a check finds something in the way */
} FakeAnswer;

/* Shared by the two processes. */
typedef struct FakeState {
	FakeAnswer answer;
	int asked;           /* for swaps */
	int checked;         /* asked for checks */
	int installed;       /* asked for installations, which are busy the first time */
	int rebooted;        /* asked for reboots, which do not come to anything here */
	char request[512];   /* the last body of such */
	char swap[512];      /* what GET /v1/swap answers */
	int64_t asked_us;    /* when, monotonic */
	char unit_state[16]; /* of the kept unit */
	char kernel[64];     /* that runs */
} FakeState;

typedef struct SeguedFake {
	const char *socket; /* path */
	pid_t pid;
	FakeState *state;
} SeguedFake;

/* The id of the swap that it begins. */
#define FAKE_SWAP "20261122-214501"

/* The only release that it has, and its kernel. */
#define FAKE_RELEASE "r"
#define FAKE_KERNEL  "7.3.4+deb13-cloud-amd64"

int segued_fake_start(const char *socket, SeguedFake *ret, Error *err);
void segued_fake_stop(SeguedFake *fake);

/* The swap goes on, or has ended, as that. */
void segued_fake_swap(SeguedFake *fake, const char *state, int running);

/* A swap between these kernels was done. */
void segued_fake_kernels(SeguedFake *fake, const char *from, const char *to);
