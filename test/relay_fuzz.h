/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries for a fuzzer, as in release_fuzz.h:
 *
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DFUZZ=fuzz_frame -I src -I test \
 *     test/relay_fuzz.c src/relay/{frame,command,order,address}.c src/release/{document,digest}.c \
 *     src/base/{error,file,json}.c $(pkg-config --cflags --libs gnutls json-c libsystemd) -o fuzz
 *   ./fuzz test/corpus/frame
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void fuzz_frame(const uint8_t *bytes, size_t size);   /* what comes from another node */
void fuzz_command(const uint8_t *bytes, size_t size); /* a line of standard input */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
