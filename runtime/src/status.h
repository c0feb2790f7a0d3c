/*===- status.h - Filling in a bn_status ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_STATUS_H
#define BITNET_SRC_STATUS_H

#include "bitnet/runtime.h"

/* Writes code and message into `status`, which may be NULL. Returns `code`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int32_t bn_report(bn_status *status, int32_t code, const char *format, ...);

/* BN_OK and an empty message. */
int32_t bn_succeed(bn_status *status);

#endif /* BITNET_SRC_STATUS_H */
