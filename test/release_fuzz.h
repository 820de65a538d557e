/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries for a fuzzer: any bytes, through a parser of foreign bytes.  They abort where something
 * that is promised does not hold.  Unit tests run them on the corpus; with libFuzzer:
 *
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DFUZZ=fuzz_manifest -I src -I test
 * \
 *     test/release_fuzz.c src/release/{manifest,trust,document,digest,key,signature}.c \
 *     src/base/{error,file,json}.c $(pkg-config --cflags --libs gnutls json-c) -o fuzz
 *   ./fuzz test/corpus/manifest
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void fuzz_manifest(const uint8_t *bytes, size_t size);
void fuzz_trust(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
