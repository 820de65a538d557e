/* SPDX-License-Identifier: Apache-2.0 */
/* segue-init in the guest of a rehearsal (swap/guest.h): what of landing takes no disk. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

/* Whether the handover has it rehearse and nothing else. */
bool rehearse_is_asked(json_object *handover);

/* Tells on the console what it found, as swap/guest_console.h reads it, and powers off. */
_Noreturn void rehearse(json_object *handover);
