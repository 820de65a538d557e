/* SPDX-License-Identifier: Apache-2.0 */
/* The saved configuration of the network: the messages, under a head that fits them. */
#include "swap/network_file.h"

#include "swap/network_link.h"

#include <string.h>

#include "fuzz.h"

static void links_try(const NetworkFile *file)
{
	_cleanup_links_ Links links = {0};
	Error err = {0};
	int r = links_parse(file, &links, &err);

	if (r < 0) {
		require_refusal(r, &err);
		return;
	}
	for (size_t i = 0; i < links.n; i++) {
		const Link *link = &links.links[i];

		require(link->name && strlen(link->name) < 4096);
		require(!link->device || strlen(link->device) < 4096);
		(void)link_below(link);
		(void)link_own_address(link);
		(void)link_likeness(link, &links.links[0]);
		(void)links_find_name(&links, link->name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *body = fuzz_text(bytes, size);
	const NetworkFile written = {.body = body, .size = size};
	_cleanup_network_file_ NetworkFile file = {0};
	Error err = {0};
	int r;

	require(network_file_write(&written, fuzz_directory(), NULL) == 0);
	r = network_file_read(fuzz_directory(), &file, &err);
	if (r < 0) {
		require_refusal(r, &err);
		/* As it is, without a head: it has to be told from one that has. */
		fuzz_file(NETWORK_FILE_NAME, bytes, size);
		require(network_file_read(fuzz_directory(), &file, NULL) < 0);
		return 0;
	}
	links_try(&file);
	return 0;
}
