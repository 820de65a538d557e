/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are on a machine. */
#pragma once

#define SEGUE_STATE_DIR "/var/lib/segue"
#define SEGUE_SWAP_DIR  SEGUE_STATE_DIR "/swap"  /* of the swap under way */
#define SEGUE_LOG_DIR   SEGUE_STATE_DIR "/log"   /* a report a swap */
#define SEGUE_TRIAL_DIR SEGUE_STATE_DIR "/trial" /* of a check under way */
#define SEGUE_KERNELS_DIR                                                                          \
	SEGUE_STATE_DIR "/kernels" /* of kernels that came as releases, see release/install.h */
#define SEGUE_RUN_DIR "/run/segue"
#define SEGUE_SOCKET  SEGUE_RUN_DIR "/segued.sock"
#define SEGUE_ARRIVING_DIR                                                                         \
	SEGUE_RUN_DIR "/arriving" /* memory that is still to come, see lazy.h                      \
				   */
