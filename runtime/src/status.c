/*===- status.c - Filling in a bn_status ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "status.h"

#include <stdarg.h>
#include <stdio.h>

int32_t bn_report(bn_status *status, int32_t code, const char *format, ...) {
  if (!status)
    return code;
  status->code = code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(status->message, sizeof(status->message), format, arguments);
  va_end(arguments);
  return code;
}

int32_t bn_succeed(bn_status *status) {
  if (status) {
    status->code = BN_OK;
    status->message[0] = '\0';
  }
  return BN_OK;
}
