/* SPDX-License-Identifier: Apache-2.0 */
/* The list of connections in a capture. */
#include "swap/peers.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_(peers_free) Peers peers = {0};
	Error err = {0};
	int r;

	fuzz_file(PEERS_FILE, bytes, size);
	r = peers_read(fuzz_directory(), &peers, &err);
	if (r < 0)
		require_refusal(r, &err);
	for (size_t i = 0; i < peers.n; i++) {
		unsigned char message[PEER_MESSAGE_MAX], question[PEER_QUESTION_SIZE];
		size_t length;

		peer_message(&peers.peers[i], message, &length);
		require(length > 0 && length <= sizeof(message));
		peer_question(&peers.peers[i], question);
	}
	return 0;
}
