/* SPDX-License-Identifier: Apache-2.0 */
/* What criu cannot make by itself, made for it: the externals that descriptors.h describes. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/criu.h"
#include "swap/streams.h"

typedef struct Externals Externals;

/* `units`: as in capture.json; pairs between them are made here, with what was waiting in them. */
int externals_new(Streams *streams, json_object *units, int dirfd, Externals **ret, Error *err);
void externals_free(Externals *externals);

/* Gives criu the descriptors for one tree. */
int externals_give(Externals *externals, json_object *tree, CriuJob *job, Error *err);
